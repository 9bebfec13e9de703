/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that a state has brought to their normal form before.
 *
 * Most policies return the same few tables again and again: reading one into
 * JSON and checking it costs several times what finding it here does. Two
 * tables that are spelt the same are the same; the same table may be spelt in
 * two ways, since Lua keeps no order, and then is kept twice. */
#include "memo.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#include <lua.h>

#define DEPTH_MAX 8 /* filters are flat */

static int put(aa_memo_key_t *key, const void *bytes, size_t len)
{
    if (len > sizeof(key->bytes) - key->len)
        return 0;
    memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
    return 1;
}

static int spell(aa_memo_key_t *key, lua_State *L, int idx, int depth);

/* t is the real table; one that is marked as a list may have holes. */
static int spell_table(aa_memo_key_t *key, lua_State *L, int t, int depth)
{
    char mark = aa_value_is_array(L, t) ? '[' : '{';
    int fits = depth < DEPTH_MAX && lua_checkstack(L, 8) && put(key, &mark, 1);

    if (!fits)
        return 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        fits = spell(key, L, lua_gettop(L) - 1, depth) &&
               spell(key, L, lua_gettop(L), depth);
        if (!fits) {
            lua_pop(L, 2);
            return 0;
        }
    }
    return put(key, "}", 1);
}

static int spell(aa_memo_key_t *key, lua_State *L, int idx, int depth)
{
    lua_Integer integer;
    lua_Number real;
    const char *text;
    size_t len;
    int fits;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, idx, &len);
        return put(key, "s", 1) && put(key, &len, sizeof(len)) &&
               put(key, text, len);
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            integer = lua_tointeger(L, idx);
            return put(key, "i", 1) && put(key, &integer, sizeof(integer));
        }
        real = lua_tonumber(L, idx);
        return put(key, "d", 1) && put(key, &real, sizeof(real));
    case LUA_TBOOLEAN:
        return put(key, lua_toboolean(L, idx) ? "t" : "f", 1);
    case LUA_TTABLE:
        if (!aa_value_thaw(L, idx))
            lua_pushvalue(L, idx);
        fits = spell_table(key, L, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
        return fits;
    default:
        return 0; /* no filter has it; the slow way says so */
    }
}

void aa_memo_spell(aa_memo_key_t *key, lua_State *L, int idx)
{
    key->len = 0;
    key->hash = 2166136261u;
    if (!spell(key, L, lua_absindex(L, idx), 0))
        key->len = 0;
    for (apr_size_t i = 0; i < key->len; i++)
        key->hash = (key->hash ^ (unsigned char)key->bytes[i]) * 16777619u;
}

json_t *aa_memo_find(const char **text, const aa_memo_t *memo,
                     const aa_memo_key_t *key)
{
    int i = (int)(key->hash % AA_MEMO_SLOTS);

    if (!key->len || memo->slots[i].len != key->len ||
        memo->slots[i].hash != key->hash ||
        memcmp(memo->slots[i].bytes, key->bytes, key->len))
        return NULL;
    *text = memo->slots[i].text;
    return memo->slots[i].normal;
}

static void clear_slot(aa_memo_t *memo, int i)
{
    free(memo->slots[i].bytes);
    free(memo->slots[i].text);
    json_decref(memo->slots[i].normal);
    memset(&memo->slots[i], 0, sizeof(memo->slots[i]));
}

void aa_memo_keep(aa_memo_t *memo, const aa_memo_key_t *key, json_t *normal)
{
    int i = (int)(key->hash % AA_MEMO_SLOTS);
    char *bytes;

    if (!key->len || !(bytes = malloc(key->len)))
        return;
    memcpy(bytes, key->bytes, key->len);
    clear_slot(memo, i);
    memo->slots[i].hash = key->hash;
    memo->slots[i].len = key->len;
    memo->slots[i].bytes = bytes;
    memo->slots[i].normal = json_incref(normal);
    memo->slots[i].text = json_dumps(normal, JSON_COMPACT | JSON_ENSURE_ASCII);
}

void aa_memo_clear(aa_memo_t *memo)
{
    for (int i = 0; i < AA_MEMO_SLOTS; i++)
        clear_slot(memo, i);
}
