/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a route map: Lua as a data language, in a bare and bounded state. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "apr_strings.h"

#include "map.h"
#include "word.h"

#define CHUNK "map" /* its name in messages; the file's takes its place */
#define KEY_MAX 256 /* bytes of a key */

static const char *const map_words[] = {"route",   "path",    "query", "body",
                                        "literal", "gateway", NULL};

/** One map under way; every C function finds it in the state's extra space. */
typedef struct map_t {
    json_t *rows;
    apr_size_t memory; /* bytes the state holds */
    apr_size_t json;   /* bytes its rows became */
    const char *fault; /* why a value has no JSON form; constant */
    const char *text;  /* the map */
    apr_size_t len;
    int gateway; /* what the map reads as `gateway` */
    apr_pool_t *p;
} map_t;

static char source_tag; /* its address: registry key of a source's metatable */

static map_t *map_of(lua_State *L)
{
    return *(map_t **)lua_getextraspace(L);
}

/* ------------------------------------------------------------- the bounds */

static void *bounded_alloc(void *ud, void *old, size_t old_size, size_t size)
{
    map_t *map = ud;
    void *block;

    if (!old)
        old_size = 0; /* then it is a type, not a size */
    if (!size) {
        free(old);
        map->memory -= old_size;
        return NULL;
    }
    if (size > old_size && map->memory + size - old_size > AA_MAP_MEMORY)
        return NULL;
    block = realloc(old, size);
    if (block)
        map->memory += size - old_size;
    return block;
}

static void on_budget_spent(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, on_budget_spent, LUA_MASKCOUNT, 1);
    luaL_error(L, "the map used up its %d instructions", AA_MAP_BUDGET);
}

/* ----------------------------------------------------------- Lua -> JSON
 *
 * Nothing here may raise a Lua error, which would leak the JSON made so far:
 * only raw reads are used, and what is wrong is left in map->fault. */

static json_t *json_of(lua_State *L, int idx, int depth);

static json_t *fault(lua_State *L, const char *what)
{
    map_of(L)->fault = what;
    return NULL;
}

/* 1 when the rows' JSON may grow by @a size and something for the node. */
static int charge(lua_State *L, apr_size_t size)
{
    map_t *map = map_of(L);

    map->json += size + 64;
    return map->json <= AA_MAP_JSON_MAX;
}

static json_t *json_of_string(lua_State *L, int idx)
{
    size_t len;
    const char *text = lua_tolstring(L, idx, &len);
    json_t *json;

    if (memchr(text, '\0', len))
        return fault(L, "a string with a NUL");
    if (!charge(L, len))
        return fault(L, "the map is too large");
    json = json_stringn(text, len);
    return json ? json : fault(L, "a string that is not valid UTF-8");
}

static json_t *json_of_number(lua_State *L, int idx)
{
    json_t *json = lua_isinteger(L, idx) ? json_integer(lua_tointeger(L, idx))
                                         : json_real(lua_tonumber(L, idx));

    return json ? json : fault(L, "a number that is not finite");
}

static int is_source(lua_State *L, int idx)
{
    int same;

    if (!lua_getmetatable(L, idx))
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &source_tag);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static json_t *json_of_array(lua_State *L, int idx, int depth)
{
    json_t *array = json_array(), *item;
    lua_Unsigned i, n = lua_rawlen(L, idx);

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, idx, (lua_Integer)i);
        item = json_of(L, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
        if (!item || json_array_append_new(array, item)) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* The key at @a idx as text in @a buf; NULL when it cannot be one. */
static const char *key_text(char buf[KEY_MAX], lua_State *L, int idx)
{
    const char *text;
    size_t len;

    if (lua_isinteger(L, idx)) {
        apr_snprintf(buf, KEY_MAX, "%" APR_INT64_T_FMT,
                     (apr_int64_t)lua_tointeger(L, idx));
        return buf;
    }
    if (lua_type(L, idx) != LUA_TSTRING)
        return NULL;
    text = lua_tolstring(L, idx, &len); /* a string already: stays as it is */
    return len < KEY_MAX && !memchr(text, '\0', len) ? text : NULL;
}

static json_t *json_of_object(lua_State *L, int idx, int depth)
{
    json_t *object = json_object(), *value;
    char buf[KEY_MAX];
    const char *key;

    lua_pushnil(L);
    while (lua_next(L, idx)) {
        key = key_text(buf, L, lua_gettop(L) - 1);
        value = key && charge(L, strlen(key))
                    ? json_of(L, lua_gettop(L), depth + 1)
                    : fault(L, "a key that is no short text, or too many");
        lua_pop(L, 1);
        if (!value || json_object_set_new(object, key, value)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* How many keys a table has, at most one more than its array part. */
static lua_Unsigned count_keys(lua_State *L, int idx)
{
    lua_Unsigned n = 0, enough = lua_rawlen(L, idx) + 1;

    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (++n == enough) {
            lua_pop(L, 1);
            break;
        }
    }
    return n;
}

static json_t *json_of_table(lua_State *L, int idx, int depth)
{
    lua_Unsigned n = lua_rawlen(L, idx);

    if (depth > AA_MAP_DEPTH_MAX || !lua_checkstack(L, 4))
        return fault(L, "tables nested too deep");
    if (!charge(L, 0))
        return fault(L, "the map is too large");
    return n && count_keys(L, idx) == n ? json_of_array(L, idx, depth)
                                        : json_of_object(L, idx, depth);
}

/* @a idx is absolute. */
static json_t *json_of(lua_State *L, int idx, int depth)
{
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        return json_of_string(L, idx);
    case LUA_TNUMBER:
        return json_of_number(L, idx);
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, idx));
    case LUA_TTABLE:
        return json_of_table(L, idx, depth);
    default:
        return fault(L, "a function where data is expected");
    }
}

/* -------------------------------------------------- what a map may say */

/* route { … }  [-0, +0, v] */
static int map_route(lua_State *L)
{
    map_t *map = map_of(L);
    lua_Debug ar;
    json_t *row;
    int failed;

    if (lua_gettop(L) != 1 || !lua_istable(L, 1) || is_source(L, 1))
        return luaL_error(L, "route takes one table: route { \"GET\", … }");
    if (json_array_size(map->rows) >= AA_ROUTES_ROWS_MAX)
        return luaL_error(L, "more than %d rows", AA_ROUTES_ROWS_MAX);
    ar.currentline = 0;
    if (lua_getstack(L, 1, &ar))
        lua_getinfo(L, "l", &ar);
    map->fault = NULL;
    row = json_of(L, 1, 0);
    failed = !row || json_array_append_new(
                         map->rows, json_pack("{s:i,s:o}", "line",
                                              ar.currentline, "row", row));
    if (failed)
        return luaL_error(L, "%s", map->fault ? map->fault : "no memory");
    return 0;
}

/* Pushes a source.  [-0, +1, m] */
static void push_source(lua_State *L, const char *from)
{
    lua_createtable(L, 0, 3);
    lua_pushstring(L, from);
    lua_setfield(L, -2, "$from");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &source_tag);
    lua_setmetatable(L, -2);
}

/* Pops a value and makes it a field of the source below, unless it is nil.
 * [-1, +0, m] */
static int take_field(lua_State *L, const char *name)
{
    int given = !lua_isnil(L, -1);

    if (given)
        lua_setfield(L, -2, name);
    else
        lua_pop(L, 1);
    return given;
}

/* Makes the item or field @a name of the table at 2 one of the source on the
 * top. [-0, +0, m] */
static lua_Unsigned take_word(lua_State *L, const char *name, const char *as)
{
    if (name)
        lua_pushstring(L, name);
    else
        lua_pushinteger(L, 1);
    lua_rawget(L, 2);
    return (lua_Unsigned)take_field(L, as);
}

/* path "name", query { "name", split = "." }  [-0, +1, v] */
static int source_call(lua_State *L)
{
    const char *from;
    lua_Unsigned fields;

    lua_settop(L, 2);
    lua_getfield(L, 1, "$from");
    from = lua_tostring(L, 3); /* stays at 3 */
    push_source(L, from);
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        take_field(L, "$key");
        return 1;
    }
    if (lua_istable(L, 2) && !is_source(L, 2)) {
        fields = take_word(L, NULL, "$key");
        fields += take_word(L, "split", "$split");
        fields += take_word(L, "except", "$except");
        if (fields && count_keys(L, 2) == fields)
            return 1;
    }
    return luaL_error(L, "%s takes a name, or { \"name\", split = \".\" }",
                      from);
}

/* body.params would be nil, and a member would silently be missing. */
static int source_index(lua_State *L)
{
    const char *name = luaL_tolstring(L, 2, NULL);

    lua_getfield(L, 1, "$from");
    return luaL_error(L, "a path into a source is a string: %s \"%s\"",
                      lua_tostring(L, -1), name);
}

/* literal(v)  [-0, +1, m] */
static int map_literal(lua_State *L)
{
    lua_settop(L, 1);
    push_source(L, "literal");
    lua_pushvalue(L, 1);
    take_field(L, "$value");
    return 1;
}

/* A misspelled word would be nil, and a member would silently be missing. */
static int global_index(lua_State *L)
{
    const char *word = luaL_tolstring(L, 2, NULL);

    return luaL_error(L, "unknown word '%s'%s", word,
                      aa_word_hint(word, map_words, map_of(L)->p));
}

static int global_newindex(lua_State *L)
{
    return luaL_error(L, "'%s' must be local", luaL_tolstring(L, 2, NULL));
}

/* ---------------------------------------------------------- the state */

static void set_function(lua_State *L, const char *name, lua_CFunction f)
{
    lua_pushcfunction(L, f);
    lua_setfield(L, -2, name);
}

/* Makes the metatable that marks a source. */
static void open_sources(lua_State *L)
{
    lua_newtable(L);
    set_function(L, "__call", source_call);
    set_function(L, "__index", source_index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &source_tag);
}

static void open_globals(lua_State *L)
{
    static const char *const sources[] = {"path", "query", "body", NULL};
    int i;

    lua_pushglobaltable(L);
    set_function(L, "route", map_route);
    set_function(L, "literal", map_literal);
    for (i = 0; sources[i]; i++) {
        push_source(L, sources[i]);
        lua_setfield(L, -2, sources[i]);
    }
    lua_pushboolean(L, map_of(L)->gateway);
    lua_setfield(L, -2, "gateway");
    lua_newtable(L);
    set_function(L, "__index", global_index);
    set_function(L, "__newindex", global_newindex);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/* Everything that may fail runs in here, below one pcall. */
static int run(lua_State *L)
{
    map_t *map = map_of(L);

    open_sources(L);
    open_globals(L);
    lua_sethook(L, on_budget_spent, LUA_MASKCOUNT, AA_MAP_BUDGET);
    if (luaL_loadbufferx(L, map->text, map->len, "=" CHUNK, "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* Lua cuts long file names, so it is told a short one. */
static const char *message(lua_State *L, const char *file, apr_pool_t *p)
{
    const char *text = lua_tostring(L, -1);
    size_t len = strlen(CHUNK ":");

    if (text && !strncmp(text, CHUNK ":", len))
        return apr_psprintf(p, "%s:%s", file, text + len);
    return apr_psprintf(p, "%s: %s", file, text ? text : "failed");
}

apr_status_t aa_map_run(json_t *rows, const char **why, const char *file,
                        const char *text, apr_size_t len, int gateway,
                        apr_pool_t *p)
{
    map_t map = {rows, 0, 0, NULL, text, len, gateway, p};
    lua_State *L = lua_newstate(bounded_alloc, &map);
    apr_status_t rv = APR_SUCCESS;

    if (!L)
        return APR_ENOMEM;
    *(map_t **)lua_getextraspace(L) = &map;
    lua_pushcfunction(L, run);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        *why = message(L, file, p);
        rv = APR_EINVAL;
    }
    lua_close(L);
    return rv;
}
