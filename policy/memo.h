/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that a state has brought to their normal form before. */
#ifndef AA_MEMO_H
#define AA_MEMO_H

#include <jansson.h>
#include "apr.h"

#define AA_MEMO_KEY_MAX 512 /* bytes; what is longer is not kept */
#define AA_MEMO_SLOTS 64

typedef struct lua_State lua_State;

/** A filter as a handler returned it, spelt as bytes. */
typedef struct aa_memo_key_t {
    apr_uint32_t hash;
    apr_size_t len; /* 0: too long or too strange to be kept */
    char bytes[AA_MEMO_KEY_MAX];
} aa_memo_key_t;

/** A fact, not a decision: this table has this normal form. */
typedef struct aa_memo_t {
    struct {
        apr_uint32_t hash;
        apr_size_t len;
        char *bytes;
        json_t *normal;
        char *text; /* of normal: compact ASCII JSON; NULL: no memory */
    } slots[AA_MEMO_SLOTS];
} aa_memo_t;

/** [-0, +0, -] Spell the table at @a idx. Metamethods are not asked. */
void aa_memo_spell(aa_memo_key_t *key, lua_State *L, int idx);

/** Borrowed, with its text, until something is kept; NULL when it is not
 *  known. */
json_t *aa_memo_find(const char **text, const aa_memo_t *memo,
                     const aa_memo_key_t *key);

/** Keep @a normal, of which a reference is taken. */
void aa_memo_keep(aa_memo_t *memo, const aa_memo_key_t *key, json_t *normal);

void aa_memo_clear(aa_memo_t *memo);

#endif
