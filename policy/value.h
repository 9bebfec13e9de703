/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to Lua tables and back; tables that a policy cannot change.
 *
 * Stack effects are in Lua's notation: [-popped, +pushed, e: may raise]. */
#ifndef AA_VALUE_H
#define AA_VALUE_H

#include <jansson.h>
#include "apr_pools.h"

typedef struct lua_State lua_State;

/** Release @a value when @a p is cleared; returns it. NULL stays NULL. */
json_t *aa_value_own(json_t *value, apr_pool_t *p);

/** The member at a path "a.b" of objects, or NULL. Borrowed. */
const json_t *aa_value_at(const json_t *object, const char *path);

/** [-0, +0, e] Once in a new state, before anything else here. */
void aa_value_open(lua_State *L);

/** [-0, +1, e] auth.null, which writes a JSON null. */
void aa_value_push_null(lua_State *L);
int aa_value_is_null(lua_State *L, int idx);

/** [-0, +1, e] A table, string, number, boolean; null becomes nil. Arrays are
 *  marked, so that they stay arrays when they are empty. */
void aa_value_push(lua_State *L, const json_t *value);

/**
 * [-0, +1, e] The same, but frozen.
 * @param name in strict objects, which raise when an absent field is read,
 *             what the error calls the table ("ctx.user"); NULL: not strict
 */
void aa_value_push_frozen(lua_State *L, const json_t *value, const char *name);

/** [-0, +0, e] Mark the table at @a idx as an array. */
void aa_value_mark_array(lua_State *L, int idx);

/** [-0, +0, -] 1 when the table at @a idx is marked. */
int aa_value_is_array(lua_State *L, int idx);

/** [-1, +1, e] Put a frozen front before the table on the top. */
void aa_value_freeze(lua_State *L);

/** [-0, +0, e] Make reading an absent string field of the table on the top an
 *  error that calls the table @a name. */
void aa_value_make_strict(lua_State *L, const char *name);

/** [-0, +(0|1), -] When the value at @a idx is a frozen table, push the table
 *  behind it and return 1. Never hand that one to a policy. */
int aa_value_thaw(lua_State *L, int idx);

/** What Lua values are read into, and how much. */
typedef struct aa_reader_t {
    apr_size_t left; /* bytes that may still be made, roughly */
    const char *why; /* what is wrong, a constant */
} aa_reader_t;

/** [-0, +0, -] A Lua value as JSON, a new reference; nil is null. NULL with
 *  reader->why when it has no JSON form. Members are in the order of their
 *  names. Metamethods are not asked. */
json_t *aa_value_read(lua_State *L, int idx, aa_reader_t *reader);

/** [-0, +0, e] 1 when the value at @a idx is what aa_value_push made of
 *  @a value (NULL: absent), or equal to it. */
int aa_value_same(lua_State *L, int idx, const json_t *value);

#endif
