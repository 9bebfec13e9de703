/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: reads the tables of a route map word by word.
 *
 * Every function that returns int returns 1, or 0 with `why` set. */
#ifndef AA_FORM_H
#define AA_FORM_H

#include <jansson.h>
#include "apr_pools.h"
#include "apr_tables.h"

/** A table under way. */
typedef struct aa_form_t {
    apr_pool_t *p;
    const char *why; /* what is wrong, in p */
} aa_form_t;

/** Always 0, so that "return aa_form_fail(...)" reads well. */
int aa_form_fail(aa_form_t *form, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** The @a n-th item of a table that may have named fields beside its items. */
json_t *aa_form_item(const json_t *table, int n);

/** Fields of @a table are among @a words, its items are at most @a n. */
int aa_form_fields(aa_form_t *form, const json_t *table, const char *what,
                   const char *const *words, int n);

/** A field that is true or false; absent is false. */
int aa_form_flag(aa_form_t *form, int *flag, const json_t *table,
                 const char *name);

/** A field that is one of @a words; absent leaves @a choice 0. */
int aa_form_choice(aa_form_t *form, int *choice, const json_t *table,
                   const char *name, const char *const *words);

/** Appends the texts of a list (const char *) to @a texts; an empty table is
 *  an empty list, NULL adds none. */
int aa_form_texts(aa_form_t *form, apr_array_header_t *texts,
                  const json_t *list, const char *what);

/** The words of an array (const char *), NULL-terminated in place. */
const char *const *aa_form_terminated(apr_array_header_t *words);

#endif
