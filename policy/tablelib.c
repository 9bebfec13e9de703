/* SPDX-License-Identifier: Apache-2.0 */
/* The table functions of a policy: raw lengths, bounded spans, charged.
 *
 * Lua's own ask __len and __index, so that a table can claim 2^60 elements
 * and keep a C loop busy for ever. */
#include "sandbox.h"
#include "value.h"

#include <lua.h>
#include <lauxlib.h>

/* 1 to AA_VM_SPAN_MAX elements from i to j; 0 when there are none. */
static lua_Integer span(lua_State *L, const char *name, lua_Integer i,
                        lua_Integer j)
{
    lua_Unsigned n;

    if (i > j)
        return 0;
    n = (lua_Unsigned)j - (lua_Unsigned)i;
    if (n >= AA_VM_SPAN_MAX)
        luaL_error(L, "table.%s: more than %d elements", name, AA_VM_SPAN_MAX);
    aa_vm_charge(L, (apr_size_t)n + 1);
    return (lua_Integer)n + 1;
}

static void check_writable(lua_State *L, int arg)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    if (aa_value_thaw(L, arg))
        luaL_error(L, "this table is read-only");
}

static int do_concat(lua_State *L)
{
    size_t len;
    const char *sep;
    lua_Integer i, n;
    luaL_Buffer b;

    aa_sandbox_thaw(L, 1);
    sep = luaL_optlstring(L, 2, "", &len);
    i = luaL_optinteger(L, 3, 1);
    n = span(L, "concat", i,
             luaL_optinteger(L, 4, (lua_Integer)lua_rawlen(L, 1)));
    luaL_buffinit(L, &b);
    for (lua_Integer k = 0; k < n; k++) {
        int type = lua_rawgeti(L, 1, i + k);

        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(L, "invalid value (a %s) in table for 'concat'",
                              lua_typename(L, type));
        luaL_addvalue(&b);
        if (k + 1 < n)
            luaL_addlstring(&b, sep, len);
    }
    luaL_pushresult(&b);
    return 1;
}

static int do_insert(lua_State *L)
{
    lua_Integer n, at;

    check_writable(L, 1);
    n = (lua_Integer)lua_rawlen(L, 1) + 1;
    if (lua_gettop(L) == 2) {
        lua_rawseti(L, 1, n);
        return 0;
    }
    if (lua_gettop(L) != 3)
        return luaL_error(L, "wrong number of arguments to 'insert'");
    at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, at >= 1 && at <= n, 2, "position out of bounds");
    span(L, "insert", at, n);
    for (; n > at; n--) {
        lua_rawgeti(L, 1, n - 1);
        lua_rawseti(L, 1, n);
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int do_remove(lua_State *L)
{
    lua_Integer n, at;

    check_writable(L, 1);
    n = (lua_Integer)lua_rawlen(L, 1);
    at = luaL_optinteger(L, 2, n);
    if (lua_gettop(L) > 1)
        luaL_argcheck(L, n + 1 == at || (at >= 1 && at <= n + 1) || (!n && !at),
                      2, "position out of bounds");
    span(L, "remove", at, n);
    lua_rawgeti(L, 1, at);
    for (; at < n; at++) {
        lua_rawgeti(L, 1, at + 1);
        lua_rawseti(L, 1, at);
    }
    if (at >= 1 && at <= n) {
        lua_pushnil(L);
        lua_rawseti(L, 1, at);
    }
    return 1;
}

static int do_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 4);
    lua_Integer n = span(L, "move", from, luaL_checkinteger(L, 3));
    int target = lua_isnoneornil(L, 5) ? 1 : 5;

    check_writable(L, target);
    lua_settop(L, 5);
    if (target == 5)
        aa_sandbox_thaw(L, 1);
    else
        luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, !n || to <= LUA_MAXINTEGER - n + 1, 4,
                  "destination wrap around");
    for (lua_Integer k = 0; k < n; k++) {
        /* backwards when the spans overlap the other way round */
        lua_Integer i = to > from && target == 1 ? n - 1 - k : k;

        lua_rawgeti(L, 1, from + i);
        lua_rawseti(L, target, to + i);
    }
    lua_pushvalue(L, target);
    return 1;
}

static int do_unpack(lua_State *L)
{
    lua_Integer i, n;

    aa_sandbox_thaw(L, 1);
    i = luaL_optinteger(L, 2, 1);
    n = span(L, "unpack", i,
             luaL_optinteger(L, 3, (lua_Integer)lua_rawlen(L, 1)));
    luaL_checkstack(L, (int)n, "too many results to unpack");
    for (lua_Integer k = 0; k < n; k++)
        lua_rawgeti(L, 1, i + k);
    return (int)n;
}

/* Upvalue 1: Lua's own, which on a plain table is raw. */
static int do_sort(lua_State *L)
{
    lua_Integer n;

    check_writable(L, 1);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        return luaL_error(L, "table.sort: a table with __len");
    n = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer rest = n; rest > 0; rest /= 2)
        span(L, "sort", 1, n);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void aa_sandbox_table(lua_State *L)
{
    static const luaL_Reg own[] = {{"concat", do_concat}, {"insert", do_insert},
                                   {"remove", do_remove}, {"move", do_move},
                                   {"unpack", do_unpack}, {NULL, NULL}};

    luaL_setfuncs(L, own, 0);
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, do_sort, 1);
    lua_setfield(L, -2, "sort");
}
