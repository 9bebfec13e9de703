/* SPDX-License-Identifier: Apache-2.0 */
/* The C half of the module `agentauth`: registration, exceptions, helpers. */
#include "sandbox.h"
#include "route.h"
#include "text.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>

#define LOG_COST 1000 /* instructions of one auth.log */

static const char exception_key, authenticate_key;

/* -------------------------------------------------------------- complaints */

/* [-0, +1] "policy.lua:12:" of the policy's line that is being run; the
 * module's own frames are stepped over. */
static void push_place(lua_State *L)
{
    lua_Debug ar;

    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && strcmp(ar.short_src, "agentauth")) {
            lua_pushfstring(L, "%s:%d:", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushfstring(L, "%s:", aa_vm_of(L)->conf->name);
}

static int fail(lua_State *L, const char *what, const char *hint)
{
    push_place(L);
    lua_pushfstring(L, "%s %s (hint: %s)", lua_tostring(L, -1), what, hint);
    return lua_error(L);
}

static int do_fail(lua_State *L)
{
    return fail(L, luaL_checkstring(L, 1), luaL_checkstring(L, 2));
}

static int do_fail_at(lua_State *L)
{
    lua_pushfstring(L, "%s %s (hint: %s)", luaL_checkstring(L, 1),
                    luaL_checkstring(L, 2), luaL_checkstring(L, 3));
    return lua_error(L);
}

static int do_where(lua_State *L)
{
    push_place(L);
    return 1;
}

static int do_read_only(lua_State *L)
{
    return fail(L, "auth.on cannot be assigned to",
                "auth.on.threads.create(function(ctx, value) ... end)");
}

/* ------------------------------------------------------------ registration */

static int fail_unknown(lua_State *L, const aa_routes_t *routes,
                        const char *resource, const char *action)
{
    int is_action =
        action && (!resource || aa_routes_know(routes, resource, NULL));
    const char *word = is_action ? action : resource;
    const char *nearest = aa_routes_nearest(routes, word, is_action);
    const char *kind = is_action ? "action" : "resource";

    if (is_action && resource && aa_routes_know(routes, NULL, action)) {
        lua_pushfstring(L, "'%s' is no action of '%s'", action, resource);
        return fail(L, lua_tostring(L, -1),
                    "the action exists for other resources only");
    }
    lua_pushfstring(L, "unknown %s '%s'", kind, word);
    if (nearest)
        lua_pushfstring(L, "the nearest %s is '%s'", kind, nearest);
    else
        lua_pushfstring(L, "the route map has no such %s", kind);
    return fail(L, lua_tostring(L, -2), lua_tostring(L, -1));
}

static void check_known(lua_State *L, const char *resource, const char *action)
{
    const aa_routes_t *routes = aa_vm_of(L)->conf->routes;

    if (routes && (resource || action) &&
        !aa_routes_know(routes, resource, action))
        fail_unknown(L, routes, resource, action);
}

static void check_loading(lua_State *L)
{
    if (!aa_vm_of(L)->loading)
        fail(L, "a handler is registered while a request is decided",
             "register handlers at the top level of the policy");
}

/* A word of the two from the stack; auth.on[1] and the like are no names. */
static const char *word(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return NULL;
    if (lua_type(L, arg) != LUA_TSTRING)
        fail(L, "a name is a string", "auth.on.threads.create(f)");
    return lua_tostring(L, arg);
}

static int do_known(lua_State *L)
{
    check_known(L, word(L, 1), word(L, 2));
    return 0;
}

static int do_register(lua_State *L)
{
    const char *resource = word(L, 1), *action = word(L, 2), *label;
    const aa_vm_t *vm = aa_vm_of(L);

    check_loading(L);
    check_known(L, resource, action);
    if (action)
        label = lua_pushfstring(L, "%s:%s", resource ? resource : "*", action);
    else
        label = lua_pushstring(L, resource ? resource : "*");
    for (int i = 0; i < vm->nhandlers; i++) {
        if (strcmp(vm->handlers[i].label, label))
            continue;
        lua_pushfstring(L, "'%s' has a handler already", label);
        return fail(L, lua_tostring(L, -1), "one handler for each event");
    }
    lua_pushvalue(L, 3);
    aa_vm_register(L, label);
    return 0;
}

static int do_authenticate(lua_State *L)
{
    aa_vm_t *vm = aa_vm_of(L);

    check_loading(L);
    if (vm->authenticates)
        return fail(L, "auth.authenticate was called before",
                    "one function looks at every credential");
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &authenticate_key);
    vm->authenticates = 1;
    return 0;
}

void aa_module_push_authenticate(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &authenticate_key);
}

/* -------------------------------------------------------------- exceptions */

const char *aa_module_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{400, "Bad Request"},
                   {401, "Unauthorized"},
                   {402, "Payment Required"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {418, "I'm a Teapot"},
                   {421, "Misdirected Request"},
                   {422, "Unprocessable Content"},
                   {423, "Locked"},
                   {424, "Failed Dependency"},
                   {425, "Too Early"},
                   {426, "Upgrade Required"},
                   {428, "Precondition Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {451, "Unavailable For Legal Reasons"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"}};

    for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return status < 500 ? "Refused" : "Failed";
}

/* [-0, +1] The member under its name; nil is fine, another type is not. */
static int member(lua_State *L, const char *name, int type)
{
    int is = lua_getfield(L, 1, name);

    if (is != LUA_TNIL && is != type) {
        lua_pushfstring(L, "HTTPException: %s is a %s, not a %s", name,
                        lua_typename(L, is), lua_typename(L, type));
        return luaL_error(L, "%s", lua_tostring(L, -1));
    }
    return is != LUA_TNIL;
}

/* Types and names are checked here, where the author sees the line; what the
 * strings hold is checked when it goes out. */
static int do_exception(lua_State *L)
{
    lua_Integer status = 401;
    const char *key;

    luaL_checktype(L, 1, LUA_TTABLE);
    aa_sandbox_thaw(L, 1);
    lua_settop(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(key, "status_code") && strcmp(key, "detail") &&
            strcmp(key, "headers"))
            return luaL_error(L,
                              "HTTPException has no '%s' (hint: "
                              "status_code, detail, headers)",
                              key);
    }
    lua_createtable(L, 0, 3); /* 2 */
    if (member(L, "status_code", LUA_TNUMBER))
        status = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (status < 400 || status > 599)
        return luaL_error(L, "HTTPException: status_code is not a whole "
                             "number from 400 to 599");
    lua_pushinteger(L, status);
    lua_setfield(L, 2, "status_code");
    if (!member(L, "detail", LUA_TSTRING))
        lua_pushstring(L, aa_module_phrase((int)status));
    lua_setfield(L, 2, "detail");
    if (member(L, "headers", LUA_TTABLE))
        lua_setfield(L, 2, "headers");
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &exception_key);
    lua_setmetatable(L, 2);
    return 1;
}

int aa_module_is_exception(lua_State *L, int idx)
{
    int is;

    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &exception_key);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

/* ----------------------------------------------------------------- helpers */

static int do_get(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 3);
    aa_sandbox_thaw(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    if (lua_isnil(L, -1) || aa_value_is_null(L, -1))
        lua_pushvalue(L, 3);
    return 1;
}

/* Time depends on the lengths alone. Two values that are no strings are never
 * equal: nil must not open a door. */
static int do_equals(lua_State *L)
{
    size_t n, m;
    const char *a, *b;
    volatile unsigned char differs;

    luaL_checkany(L, 2);
    if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, 2) != LUA_TSTRING) {
        lua_pushboolean(L, 0);
        return 1;
    }
    a = lua_tolstring(L, 1, &n);
    b = lua_tolstring(L, 2, &m);
    aa_vm_charge(L, 1 + m / 16);
    differs = n != m;
    for (size_t i = 0; i < m; i++)
        differs |= (unsigned char)((n ? a[i % n] : 0) ^ b[i]);
    lua_pushboolean(L, !differs);
    return 1;
}

static int do_log(lua_State *L)
{
    const aa_vm_conf_t *conf = aa_vm_of(L)->conf;
    char line[AA_VM_MESSAGE_MAX];
    int n = lua_gettop(L);
    const char *text;
    size_t len;

    aa_vm_charge(L, LOG_COST);
    luaL_checkstack(L, n + 8, "auth.log");
    push_place(L);
    for (int i = 1; i <= n; i++) {
        lua_pushliteral(L, " ");
        lua_pushcfunction(L, aa_sandbox_tostring);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        lua_concat(L, 3);
    }
    text = lua_tolstring(L, -1, &len);
    aa_text_clean(line, sizeof(line), text, len);
    if (conf->log)
        conf->log(conf->baton, AA_POLICY_LOG_SAID, line);
    return 0;
}

int aa_module_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_newtable(L);
    }
    else {
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
            lua_settop(L, 1);
            return 1; /* an array already, or read-only */
        }
    }
    aa_value_mark_array(L, -1);
    return 1;
}

static int do_freeze(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);

    lua_settop(L, 1);
    aa_value_make_strict(L, name);
    aa_value_freeze(L);
    return 1;
}

void aa_module_push_core(lua_State *L)
{
    static const luaL_Reg core[] = {
        {"fail", do_fail},           {"fail_at", do_fail_at},
        {"where", do_where},         {"read_only", do_read_only},
        {"known", do_known},         {"register", do_register},
        {"freeze", do_freeze},       {"authenticate", do_authenticate},
        {"exception", do_exception}, {"get", do_get},
        {"equals", do_equals},       {"log", do_log},
        {"array", aa_module_array},  {NULL, NULL}};

    luaL_newlib(L, core);
    aa_value_push_null(L);
    lua_setfield(L, -2, "null");
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &exception_key);
}
