/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to Lua tables and back; tables that a policy cannot change.
 *
 * A frozen table is an empty one in front of the real one: reading goes
 * through __index inside the virtual machine, writing meets __newindex. Raw
 * access is not in the sandbox, and the functions that are in it look through
 * the front by aa_value_thaw. */
#include "value.h"
#include "agentpolicy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>

/* What a value costs a reader beside its text. */
#define VALUE_COST 32
/* Bytes of one name in the path of a member. */
#define KEY_MAX 256

static const char array_key, null_key, strict_user_key;

static apr_status_t release(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

json_t *aa_value_own(json_t *value, apr_pool_t *p)
{
    if (value)
        apr_pool_cleanup_register(p, value, release, apr_pool_cleanup_null);
    return value;
}

const json_t *aa_value_at(const json_t *object, const char *path)
{
    const char *dot;

    for (; (dot = strchr(path, '.')); path = dot + 1) {
        char key[KEY_MAX];
        size_t n = (size_t)(dot - path);

        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        object = json_object_get(object, key);
    }
    return json_object_get(object, path);
}

/* ------------------------------------------------------------- null, array */

void aa_value_open(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
}

void aa_value_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&null_key);
}

int aa_value_is_null(lua_State *L, int idx)
{
    return lua_islightuserdata(L, idx) &&
           lua_touserdata(L, idx) == (const void *)&null_key;
}

void aa_value_mark_array(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, idx);
}

int aa_value_is_array(lua_State *L, int idx)
{
    int is;

    if (!lua_getmetatable(L, idx))
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

/* ------------------------------------------------------------------ frozen */

static int on_write(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
                                                    : luaL_typename(L, 2);

    return luaL_error(L, "this table is read-only: '%s' cannot be set", key);
}

static int on_len(lua_State *L)
{
    lua_pushinteger(L,
                    aa_value_thaw(L, 1) ? (lua_Integer)lua_rawlen(L, -1) : 0);
    return 1;
}

/* Upvalue 1: what the table is called. */
static int on_absent(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));

    /* A loop over an array part ends at an absent number. */
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    return luaL_error(
        L,
        "%s has no field '%s': it is absent or null (hint: auth.get(%s, "
        "\"%s\", default) reads what may be missing)",
        name, lua_tostring(L, 2), name, lua_tostring(L, 2));
}

void aa_value_freeze(lua_State *L)
{
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, on_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, on_len);
    lua_setfield(L, -2, "__len");
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_replace(L, -2);
}

static void push_strict_metatable(lua_State *L, const char *name)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, name);
    lua_pushcclosure(L, on_absent, 1);
    lua_setfield(L, -2, "__index");
}

void aa_value_make_strict(lua_State *L, const char *name)
{
    push_strict_metatable(L, name);
    lua_setmetatable(L, -2);
}

int aa_value_thaw(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return 0;
    lua_pushliteral(L, "__len");
    lua_rawget(L, -2);
    if (lua_tocfunction(L, -1) != on_len) {
        lua_pop(L, 2);
        return 0;
    }
    lua_pushliteral(L, "__index");
    lua_rawget(L, -3);
    lua_replace(L, -3);
    lua_pop(L, 1);
    return 1;
}

/* -------------------------------------------------------------- JSON to Lua */

static void push(lua_State *L, const json_t *value, int frozen,
                 const char *name, int depth);

static void push_array(lua_State *L, const json_t *value, int frozen,
                       const char *name, int depth)
{
    size_t n = json_array_size(value);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push(L, json_array_get(value, i), frozen, name, depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    aa_value_mark_array(L, -1);
}

static void push_object(lua_State *L, const json_t *value, int frozen,
                        const char *name, int depth)
{
    const char *key, *path = NULL;
    json_t *member;

    lua_createtable(L, 0, (int)json_object_size(value));
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (json_is_null(member))
            continue;
        lua_pushstring(L, key);
        if (name && json_is_object(member))
            path = lua_pushfstring(L, "%s.%s", name, key);
        push(L, member, frozen, path ? path : name, depth + 1);
        if (path)
            lua_remove(L, -2);
        path = NULL;
        lua_rawset(L, -3);
    }
}

/* The root of every user is called the same: one metatable serves them all. */
static void set_strict(lua_State *L, const char *name, int depth)
{
    if (depth > 0) {
        aa_value_make_strict(L, name);
        return;
    }
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &strict_user_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        push_strict_metatable(L, name);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &strict_user_key);
    }
    lua_setmetatable(L, -2);
}

static void push(lua_State *L, const json_t *value, int frozen,
                 const char *name, int depth)
{
    if (depth > AA_POLICY_DEPTH_MAX)
        luaL_error(L, "value is nested deeper than %d levels",
                   AA_POLICY_DEPTH_MAX);
    luaL_checkstack(L, 6, "value");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, value, frozen, name, depth);
        if (name)
            set_strict(L, name, depth);
        break;
    case JSON_ARRAY:
        push_array(L, value, frozen, name, depth);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        return;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        return;
    default:
        lua_pushnil(L);
        return;
    }
    if (frozen)
        aa_value_freeze(L);
}

void aa_value_push(lua_State *L, const json_t *value)
{
    push(L, value, 0, NULL, 0);
}

void aa_value_push_frozen(lua_State *L, const json_t *value, const char *name)
{
    push(L, value, 1, name, 0);
}

/* -------------------------------------------------------------- Lua to JSON */

static json_t *no_form(aa_reader_t *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return NULL;
}

static int pay(aa_reader_t *r, apr_size_t bytes)
{
    if (bytes > r->left) {
        no_form(r, "a value is too large");
        return 0;
    }
    r->left -= bytes;
    return 1;
}

/* What the keys of a table make it. */
typedef struct shape_t {
    apr_size_t strings, integers;
    lua_Integer max;
    int other;
} shape_t;

static shape_t shape_of(lua_State *L, int t)
{
    shape_t shape = {0, 0, 0, 0};

    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            shape.strings++;
        }
        else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1) {
            lua_Integer i = lua_tointeger(L, -2);

            shape.integers++;
            shape.max = i > shape.max ? i : shape.max;
        }
        else {
            shape.other = 1;
        }
    }
    return shape;
}

static json_t *read_value(lua_State *L, int idx, int depth, aa_reader_t *r);

static json_t *read_array(lua_State *L, int t, lua_Integer n, int depth,
                          aa_reader_t *r)
{
    json_t *array = json_array(), *item;

    if (!array)
        return no_form(r, "no memory");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, t, i);
        item = read_value(L, lua_gettop(L), depth + 1, r);
        lua_pop(L, 1);
        if (!item || json_array_append_new(array, item)) {
            json_decref(array);
            return no_form(r, "no memory");
        }
    }
    return array;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same members in the order of their names: Lua's own order changes from
 * state to state, and what goes out should not. */
static json_t *sorted(json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    const char **names, *name;
    json_t *result, *member;

    if (n < 2)
        return object;
    names = malloc(n * sizeof(*names));
    result = json_object();
    if (names && result) {
        json_object_foreach(object, name, member) names[i++] = name;
        qsort(names, n, sizeof(*names), by_name);
        for (i = 0; i < n; i++)
            json_object_set(result, names[i],
                            json_object_get(object, names[i]));
    }
    if (json_object_size(result) < n) {
        json_decref(result);
        result = NULL;
    }
    free(names);
    json_decref(object);
    return result;
}

static int read_member(json_t *object, lua_State *L, int depth, aa_reader_t *r)
{
    size_t len;
    const char *key = lua_tolstring(L, -2, &len);
    json_t *member;

    if (!pay(r, len))
        return 0;
    if (strlen(key) != len) {
        no_form(r, "a key contains a NUL");
        return 0;
    }
    member = read_value(L, lua_gettop(L), depth + 1, r);
    if (!member)
        return 0;
    if (json_object_set_new(object, key, member)) {
        no_form(r, "a key is not valid UTF-8");
        return 0;
    }
    return 1;
}

static json_t *read_object(lua_State *L, int t, int depth, aa_reader_t *r)
{
    json_t *object = json_object();

    if (!object)
        return no_form(r, "no memory");
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        if (!read_member(object, L, depth, r)) {
            lua_pop(L, 2);
            json_decref(object);
            return NULL;
        }
    }
    object = sorted(object);
    return object ? object : no_form(r, "no memory");
}

/* t is the real table; marked: it was decoded from an array or made by
 * auth.array, so that it may have holes and may be empty. */
static json_t *read_table(lua_State *L, int t, int depth, aa_reader_t *r)
{
    int marked = aa_value_is_array(L, t);
    shape_t shape = shape_of(L, t);

    if (shape.other)
        return no_form(r, "a key is neither a string nor an index");
    if (shape.strings && (shape.integers || marked))
        return no_form(r, "a table is both a list and an object");
    if (shape.strings || (!shape.integers && !marked))
        return read_object(L, t, depth, r);
    if (!marked && (apr_size_t)shape.max != shape.integers)
        return no_form(r, "a list has holes (hint: auth.null fills them)");
    if ((lua_Unsigned)shape.max > r->left / VALUE_COST)
        return no_form(r, "a value is too large");
    return read_array(L, t, shape.max, depth, r);
}

static json_t *read_string(lua_State *L, int idx, aa_reader_t *r)
{
    size_t len;
    const char *text = lua_tolstring(L, idx, &len);
    json_t *string;

    if (!pay(r, len))
        return NULL;
    if (memchr(text, '\0', len))
        return no_form(r, "a string contains a NUL");
    string = json_stringn(text, len);
    return string ? string : no_form(r, "a string is not valid UTF-8");
}

static json_t *read_number(lua_State *L, int idx, aa_reader_t *r)
{
    double real;

    if (lua_isinteger(L, idx))
        return json_integer(lua_tointeger(L, idx));
    real = lua_tonumber(L, idx);
    return isfinite(real) ? json_real(real)
                          : no_form(r, "a number is not finite");
}

static json_t *read_value(lua_State *L, int idx, int depth, aa_reader_t *r)
{
    json_t *value;

    if (depth > AA_POLICY_DEPTH_MAX)
        return no_form(r, "a value is nested too deep, or contains itself");
    if (!lua_checkstack(L, 8))
        return no_form(r, "no memory");
    if (!pay(r, VALUE_COST))
        return NULL;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, idx));
    case LUA_TNUMBER:
        return read_number(L, idx, r);
    case LUA_TSTRING:
        return read_string(L, idx, r);
    case LUA_TTABLE:
        if (!aa_value_thaw(L, idx))
            lua_pushvalue(L, idx);
        value = read_table(L, lua_gettop(L), depth, r);
        lua_pop(L, 1);
        return value;
    default:
        if (aa_value_is_null(L, idx))
            return json_null();
        return no_form(r, "a value is neither a table, a string, a number "
                          "nor a boolean");
    }
}

json_t *aa_value_read(lua_State *L, int idx, aa_reader_t *reader)
{
    return read_value(L, lua_absindex(L, idx), 0, reader);
}

/* --------------------------------------------------------------- comparing */

static int same(lua_State *L, int idx, const json_t *value, int depth);

static apr_size_t count_of(lua_State *L, int t)
{
    apr_size_t n = 0;

    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1))
        n++;
    return n;
}

/* Compare the value on the top with a member and pop it; *found counts the
 * keys that the table has. */
static int same_item(lua_State *L, const json_t *item, apr_size_t *found,
                     int depth)
{
    int is = same(L, lua_gettop(L), item, depth + 1);

    *found += !lua_isnil(L, -1);
    lua_pop(L, 1);
    return is;
}

static int same_table(lua_State *L, int t, const json_t *value, int depth)
{
    apr_size_t found = 0, i;
    const char *key;
    json_t *item;

    if (json_is_array(value)) {
        if (!json_array_size(value))
            return aa_value_is_array(L, t) && !count_of(L, t);
        json_array_foreach(value, i, item)
        {
            lua_rawgeti(L, t, (lua_Integer)i + 1);
            if (!same_item(L, item, &found, depth))
                return 0;
        }
    }
    else {
        if (aa_value_is_array(L, t))
            return 0;
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            lua_pushstring(L, key);
            lua_rawget(L, t);
            if (!same_item(L, item, &found, depth))
                return 0;
        }
    }
    return found == count_of(L, t);
}

static int same_number(lua_State *L, int idx, const json_t *value)
{
    if (lua_isinteger(L, idx) && json_is_integer(value))
        return lua_tointeger(L, idx) == json_integer_value(value);
    return lua_tonumber(L, idx) == json_number_value(value);
}

static int same(lua_State *L, int idx, const json_t *value, int depth)
{
    size_t len;
    const char *text;
    int is;

    if (lua_isnil(L, idx))
        return !value || json_is_null(value);
    if (!value || depth > AA_POLICY_DEPTH_MAX)
        return 0;
    luaL_checkstack(L, 6, "value");
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        return json_is_boolean(value) &&
               lua_toboolean(L, idx) == json_is_true(value);
    case LUA_TNUMBER:
        return json_is_number(value) && same_number(L, idx, value);
    case LUA_TSTRING:
        text = lua_tolstring(L, idx, &len);
        return json_is_string(value) && json_string_length(value) == len &&
               !memcmp(text, json_string_value(value), len);
    case LUA_TTABLE:
        if (!json_is_object(value) && !json_is_array(value))
            return 0;
        if (!aa_value_thaw(L, idx))
            lua_pushvalue(L, idx);
        is = same_table(L, lua_gettop(L), value, depth);
        lua_pop(L, 1);
        return is;
    default:
        return aa_value_is_null(L, idx) && json_is_null(value);
    }
}

int aa_value_same(lua_State *L, int idx, const json_t *value)
{
    return same(L, lua_absindex(L, idx), value, 0);
}
