/* SPDX-License-Identifier: Apache-2.0 */
/* The string functions of a policy: no patterns, every loop in C bounded. */
#include "sandbox.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>

#define GLOB_PATTERN_MAX 1024 /* bytes */
/* Steps of a search that cost one instruction. */
#define STEPS_AN_INSTRUCTION 16

/* Lua's own repeats an empty string 2^60 times if told to. */
static int do_rep(lua_State *L)
{
    size_t len, seplen;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &seplen);
    luaL_Buffer b;

    if (n > AA_VM_SPAN_MAX)
        return luaL_error(L, "string.rep: more than %d repetitions",
                          AA_VM_SPAN_MAX);
    luaL_buffinit(L, &b);
    if (n > 0)
        aa_vm_charge(L, (apr_size_t)n + (apr_size_t)n * (len + seplen) / 64);
    for (lua_Integer i = 0; i < n; i++) {
        luaL_addlstring(&b, text, len);
        if (i + 1 < n)
            luaL_addlstring(&b, sep, seplen);
    }
    luaL_pushresult(&b);
    return 1;
}

/* Upvalue 1: string.byte. Its results are on the stack, one a byte. */
static int do_byte(lua_State *L)
{
    lua_Integer i = luaL_optinteger(L, 2, 1), j = luaL_optinteger(L, 3, i);
    lua_Integer len = (lua_Integer)(luaL_checkstring(L, 1), lua_rawlen(L, 1));

    i = i < 0 ? (i < -len ? 1 : len + i + 1) : i;
    j = j < 0 ? (j < -len ? 0 : len + j + 1) : (j > len ? len : j);
    if (j - i >= AA_VM_SPAN_MAX)
        return luaL_error(L, "string.byte: more than %d bytes", AA_VM_SPAN_MAX);
    if (j > i)
        aa_vm_charge(L, (apr_size_t)(j - i));
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* pack, packsize, unpack: "c2147483647" would write that many bytes. Upvalue
 * 1: the function itself, 2: its name. */
static int do_pack(lua_State *L)
{
    size_t len;
    const char *format = luaL_checklstring(L, 1, &len);
    const char *name = lua_tostring(L, lua_upvalueindex(2));

    for (size_t i = 0; i < len; i++) {
        unsigned long width = 0;

        for (; i < len && format[i] >= '0' && format[i] <= '9'; i++)
            if ((width = width * 10 + (unsigned)(format[i] - '0')) >
                AA_VM_SPAN_MAX)
                return luaL_error(L, "string.%s: a width above %d", name,
                                  AA_VM_SPAN_MAX);
        aa_vm_charge(L, 1 + width / 16);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* string.format without addresses; %% is stepped over. */
static int do_format(lua_State *L)
{
    size_t len;
    const char *format = luaL_checklstring(L, 1, &len);

    for (size_t i = 0; i + 1 < len; i++) {
        if (format[i] != '%')
            continue;
        for (i++; i < len && strchr("-+ #0123456789.", format[i]); i++)
            if (!format[i])
                break;
        if (i < len && format[i] == 'p')
            return luaL_error(L, "string.format: there is no '%%p' here");
    }
    aa_vm_charge(L, 1 + len / STEPS_AN_INSTRUCTION);
    for (int i = lua_gettop(L); i > 1; i--) {
        if (lua_type(L, i) == LUA_TSTRING)
            aa_vm_charge(L, lua_rawlen(L, i) / STEPS_AN_INSTRUCTION);
        else if (lua_istable(L, i) || lua_isfunction(L, i) ||
                 lua_isuserdata(L, i)) {
            lua_pushcfunction(L, aa_sandbox_tostring);
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
            lua_replace(L, i);
        }
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int do_startswith(lua_State *L)
{
    size_t len, n;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *start = luaL_checklstring(L, 2, &n);

    aa_vm_charge(L, n / 64);
    lua_pushboolean(L, n <= len && !memcmp(text, start, n));
    return 1;
}

static int do_endswith(lua_State *L)
{
    size_t len, n;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *end = luaL_checklstring(L, 2, &n);

    aa_vm_charge(L, n / 64);
    lua_pushboolean(L, n <= len && !memcmp(text + len - n, end, n));
    return 1;
}

static int do_contains(lua_State *L)
{
    size_t len, n;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *part = luaL_checklstring(L, 2, &n);

    aa_vm_charge(L, (len + n) / STEPS_AN_INSTRUCTION); /* memmem is linear */
    lua_pushboolean(L, memmem(text, len, part, n) != NULL);
    return 1;
}

static size_t char_at(const char *text, size_t at, size_t len)
{
    size_t n = 1;

    while (at + n < len && ((unsigned char)text[at + n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* '*' any characters, '?' one character, '\' takes the next one literally.
 * Only the last star is ever gone back to, so the work is at most the product
 * of the lengths, and it is charged as it is done. */
static int glob(lua_State *L, const char *s, size_t len, const char *g,
                size_t n)
{
    size_t i = 0, j = 0, star = (size_t)-1, from = 0, steps = 0;

    while (i < len) {
        size_t lit = j + 1 < n && g[j] == '\\' ? 1 : 0;

        if (++steps % 4096 == 0)
            aa_vm_charge(L, 4096 / STEPS_AN_INSTRUCTION);
        if (j < n && !lit && g[j] == '*') {
            star = j++;
            from = i;
        }
        else if (j < n && !lit && g[j] == '?') {
            i += char_at(s, i, len);
            j++;
        }
        else if (j < n && g[j + lit] == s[i]) {
            i++;
            j += lit + 1;
        }
        else if (star != (size_t)-1) {
            j = star + 1;
            i = ++from;
        }
        else {
            return 0;
        }
    }
    while (j < n && g[j] == '*')
        j++;
    return j == n;
}

static int do_glob(lua_State *L)
{
    size_t len, n;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &n);

    if (n > GLOB_PATTERN_MAX)
        return luaL_error(L, "string.glob: a pattern above %d bytes",
                          GLOB_PATTERN_MAX);
    aa_vm_charge(L, 1 + len / STEPS_AN_INSTRUCTION);
    lua_pushboolean(L, glob(L, text, len, pattern, n));
    return 1;
}

static int do_split(lua_State *L)
{
    size_t len, n;
    const char *text = luaL_checklstring(L, 1, &len), *found;
    const char *sep = luaL_checklstring(L, 2, &n), *end = text + len;
    lua_Integer i = 1;

    luaL_argcheck(L, n > 0, 2, "an empty separator");
    aa_vm_charge(L, (len + n) / STEPS_AN_INSTRUCTION);
    lua_newtable(L);
    while ((found = memmem(text, (size_t)(end - text), sep, n))) {
        if (i == AA_VM_SPAN_MAX)
            return luaL_error(L, "string.split: more than %d parts",
                              AA_VM_SPAN_MAX);
        lua_pushlstring(L, text, (size_t)(found - text));
        lua_rawseti(L, -2, i++);
        text = found + n;
    }
    lua_pushlstring(L, text, (size_t)(end - text));
    lua_rawseti(L, -2, i);
    aa_value_mark_array(L, -1);
    aa_vm_charge(L, (apr_size_t)i);
    return 1;
}

/* The field of the table on the top becomes f with the old one, and its name,
 * as upvalues. */
static void wrap(lua_State *L, const char *field, lua_CFunction f)
{
    lua_getfield(L, -1, field);
    lua_pushstring(L, field);
    lua_pushcclosure(L, f, 2);
    lua_setfield(L, -2, field);
}

void aa_sandbox_string(lua_State *L)
{
    static const char *const removed[] = {"find", "match", "gmatch",
                                          "gsub", "dump",  NULL};
    static const char *const charged[] = {"lower", "upper", "reverse", "sub",
                                          NULL};
    static const luaL_Reg own[] = {{"rep", do_rep},
                                   {"startswith", do_startswith},
                                   {"endswith", do_endswith},
                                   {"contains", do_contains},
                                   {"glob", do_glob},
                                   {"split", do_split},
                                   {NULL, NULL}};

    for (int i = 0; removed[i]; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, removed[i]);
    }
    for (int i = 0; charged[i]; i++)
        aa_sandbox_charge(L, -1, charged[i]);
    wrap(L, "byte", do_byte);
    wrap(L, "pack", do_pack);
    wrap(L, "packsize", do_pack);
    wrap(L, "unpack", do_pack);
    wrap(L, "format", do_format);
    luaL_setfuncs(L, own, 0);
}
