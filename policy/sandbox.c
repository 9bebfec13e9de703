/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy can name and call: an allow list, and nothing that can loop
 * in C without being charged for it.
 *
 * Left out on purpose. coroutine: each new one would start with an instruction
 * count of its own. getmetatable, raw*: they look behind frozen tables. The
 * pattern functions: their backtracking cannot be interrupted. load*, dofile,
 * string.dump: bytecode can break the virtual machine. */
#include "sandbox.h"
#include "embedded.h"
#include "testfile.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

/* Bytes of a string argument that cost one instruction. */
#define BYTES_AN_INSTRUCTION 16

static const char asserted_key, environment_key, globals_key, module_key;
static const char finish_key;

/* ------------------------------------------------------------ base library */

/* As in Lua, but it remembers what it raised: an assert that ends a handler
 * is a refusal, any other error is a mistake in the policy. */
static int do_assert(lua_State *L)
{
    aa_vm_t *vm = aa_vm_of(L);
    const char *where;

    luaL_checkany(L, 1);
    if (lua_toboolean(L, 1))
        return lua_gettop(L);
    if (lua_gettop(L) < 2)
        lua_pushliteral(L, "assertion failed!");
    lua_settop(L, 2);
    luaL_where(L, 1);
    where = lua_tostring(L, -1);
    snprintf(vm->assert_at, sizeof(vm->assert_at), "%s", where);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &asserted_key);
    vm->asserted = 1;
    return lua_error(L);
}

void aa_sandbox_push_asserted(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &asserted_key);
}

void aa_sandbox_thaw(lua_State *L, int arg)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    if (aa_value_thaw(L, arg))
        lua_replace(L, arg);
}

static int do_next(lua_State *L)
{
    aa_sandbox_thaw(L, 1);
    lua_settop(L, 2);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

/* The table itself is the state of the loop, never what is behind it. */
static int do_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushcfunction(L, do_next);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* __gc runs where no hook fires; the others make C code meet Lua code in
 * places where nothing is charged. */
static int do_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__len", "__mode", "__close"};

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2,
                     "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (lua_istable(L, 2) && aa_value_thaw(L, 2))
        return luaL_error(L, "a read-only table cannot be a metatable");
    for (size_t i = 0; lua_istable(L, 2) && i < 4; i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a policy's metatable cannot have %s",
                              refused[i]);
        lua_pop(L, 1);
    }
    lua_setmetatable(L, 1);
    return 1;
}

/* The handler runs after the stack is unwound: called from inside the count
 * hook, as Lua's own does it, it would run without limits. */
static int do_xpcall(lua_State *L)
{
    int n = lua_gettop(L);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    if (lua_pcall(L, n - 2, LUA_MULTRET, 0) == LUA_OK)
        return lua_gettop(L) - 2;
    lua_pushvalue(L, 2);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* Without the addresses of Lua's own: they tell where memory is. */
int aa_sandbox_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) > LUA_TSTRING || lua_islightuserdata(L, 1)) {
        if (aa_value_is_null(L, 1))
            lua_pushliteral(L, "null");
        else if (luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
            luaL_tolstring(L, 1, NULL);
        else
            lua_pushstring(L, luaL_typename(L, 1));
        return 1;
    }
    luaL_tolstring(L, 1, NULL);
    return 1;
}

static int do_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    int is_test = aa_vm_of(L)->conf->testfile != NULL;
    const char *module = is_test ? "agentauth.test" : "agentauth";

    if (strcmp(name, module))
        return luaL_error(L,
                          "there is no module '%s' (hint: a %s can "
                          "only require \"%s\")",
                          name, is_test ? "test file" : "policy", module);
    if (is_test)
        aa_testfile_push_module(L);
    else
        lua_rawgetp(L, LUA_REGISTRYINDEX, &module_key);
    return 1;
}

/* ---------------------------------------------------------- charging in C */

/* Upvalue 1: what is called, in the same frame; it has no upvalues itself. */
static int charged(lua_State *L)
{
    lua_CFunction f = lua_tocfunction(L, lua_upvalueindex(1));
    apr_size_t bytes = 0;

    for (int i = lua_gettop(L); i > 0; i--)
        if (lua_type(L, i) == LUA_TSTRING)
            bytes += lua_rawlen(L, i);
    if (bytes >= BYTES_AN_INSTRUCTION)
        aa_vm_charge(L, bytes / BYTES_AN_INSTRUCTION);
    return f(L);
}

void aa_sandbox_charge(lua_State *L, int table, const char *field)
{
    table = lua_absindex(L, table);
    lua_getfield(L, table, field);
    lua_pushcclosure(L, charged, 1);
    lua_setfield(L, table, field);
}

/* ------------------------------------------------------------ environment */

/* Assignment to a global: while the policy loads it defines one, afterwards
 * it would carry one user's data to the next. */
static int on_global(lua_State *L)
{
    const char *name = luaL_tolstring(L, 2, NULL);

    if (!aa_vm_of(L)->loading)
        return luaL_error(L,
                          "global '%s' cannot be assigned: globals are "
                          "read-only once the policy is loaded (hint: "
                          "local %s = ...)",
                          name, name);
    lua_settop(L, 3);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
    lua_insert(L, 2);
    lua_rawset(L, 2);
    return 0;
}

/* [-1, +0] Copy the fields named to the table below. */
static void copy_fields(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
    lua_pop(L, 1);
}

static void push_base(lua_State *L)
{
    static const char *const kept[] = {"error",    "ipairs", "pcall", "select",
                                       "tonumber", "type",   NULL};
    static const luaL_Reg own[] = {{"assert", do_assert},
                                   {"next", do_next},
                                   {"pairs", do_pairs},
                                   {"setmetatable", do_setmetatable},
                                   {"tostring", aa_sandbox_tostring},
                                   {"xpcall", do_xpcall},
                                   {"require", do_require},
                                   {NULL, NULL}};

    luaL_newlib(L, own);
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    copy_fields(L, kept);
    aa_sandbox_charge(L, -1, "tonumber");
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, -2, "_VERSION");
}

static void open_library(lua_State *L, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
}

static void add_libraries(lua_State *L)
{
    open_library(L, luaopen_string);
    aa_sandbox_string(L);
    aa_value_freeze(L);
    lua_setfield(L, -2, "string");
    open_library(L, luaopen_table);
    aa_sandbox_table(L);
    aa_value_freeze(L);
    lua_setfield(L, -2, "table");
    open_library(L, luaopen_math);
    lua_pushnil(L); /* a seed would be kept for the next request */
    lua_setfield(L, -2, "randomseed");
    aa_value_freeze(L);
    lua_setfield(L, -2, "math");
    open_library(L, luaopen_utf8);
    aa_sandbox_charge(L, -1, "len");
    aa_sandbox_charge(L, -1, "codepoint");
    aa_sandbox_charge(L, -1, "offset");
    aa_value_freeze(L);
    lua_setfield(L, -2, "utf8");
}

/* [-1, +1] A frozen front whose writes go to on_global. */
static void push_environment(lua_State *L)
{
    aa_value_freeze(L);
    lua_getmetatable(L, -1);
    lua_pushcfunction(L, on_global);
    lua_setfield(L, -2, "__newindex");
    lua_pop(L, 1);
}

/* [-1, +0] Run lua/agentauth.lua with core; keep what it returns. */
static void load_module(lua_State *L)
{
    if (luaL_loadbufferx(L, (const char *)aa_embedded_agentauth,
                         aa_embedded_agentauth_len, "=agentauth", "t"))
        lua_error(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_setupvalue(L, -2, 1);
    aa_module_push_core(L);
    lua_call(L, 1, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &finish_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &module_key);
}

void aa_sandbox_open(lua_State *L)
{
    push_base(L);
    add_libraries(L);
    if (aa_vm_of(L)->conf->testfile)
        aa_testfile_make_strict(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &globals_key);
    lua_pushvalue(L, -1);
    push_environment(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "_G");
    /* Nothing of the full libraries stays reachable. */
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_pop(L, 1);
    load_module(L);
}

/* --------------------------------------------------------- global tables */

static void freeze_deep(lua_State *L, int done);

/* [-0, +0] Every plain table in the table at t becomes a frozen one. */
static void freeze_members(lua_State *L, int t, int done)
{
    luaL_checkstack(L, 10, "global tables");
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        if (!lua_istable(L, -1))
            continue;
        if (lua_getmetatable(L, -1)) { /* the author's own kind, or frozen */
            lua_pop(L, 1);
            continue;
        }
        freeze_deep(L, done);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, t);
    }
}

/* [-1, +1] done: from real table to front, so that cycles end. */
static void freeze_deep(lua_State *L, int done)
{
    int t = lua_gettop(L);

    lua_pushvalue(L, t);
    if (lua_rawget(L, done) == LUA_TTABLE) {
        lua_replace(L, t);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, t);
    lua_pushvalue(L, t);
    aa_value_freeze(L);
    lua_rawset(L, done);
    freeze_members(L, t, done);
    lua_pushvalue(L, t);
    lua_rawget(L, done);
    lua_replace(L, t);
}

static void freeze_globals(lua_State *L)
{
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
    freeze_members(L, lua_gettop(L), lua_gettop(L) - 1);
    lua_pop(L, 2);
}

void aa_sandbox_run(lua_State *L, const aa_vm_conf_t *conf)
{
    lua_pushfstring(L, "=%s", conf->name);
    if (luaL_loadbufferx(L, conf->source, conf->len, lua_tostring(L, -1), "t"))
        lua_error(L);
    lua_remove(L, -2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &finish_key);
    lua_call(L, 0, 0);
    freeze_globals(L);
}
