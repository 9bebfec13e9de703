/* SPDX-License-Identifier: Apache-2.0 */
/* The module `agentauth.test`: how a test file says its cases. */
#ifndef AA_TESTFILE_H
#define AA_TESTFILE_H

#include "vm.h"

/** A test file under way. */
typedef struct aa_testfile_t {
    const char *policy;        /* as test.policy names it, or NULL */
    apr_array_header_t *cases; /* aa_case_t; method NULL: not told yet */
    apr_size_t left;           /* bytes that values may still take */
    apr_pool_t *p;
} aa_testfile_t;

/** The one that the state runs. */
aa_testfile_t *aa_testfile_of(lua_State *L);

/** [-0, +0, e] The table at @a t as a case; c->method is set last, when all of
 *  it is well. */
void aa_testcase_read(lua_State *L, int t, aa_case_t *c);

/** [-1, +0, e] The text on the top, plain; @a what it is, for the error. */
const char *aa_testcase_text(lua_State *L, const char *what);

/** [-0, +1, e] What `require "agentauth.test"` gives. */
void aa_testfile_push_module(lua_State *L);

/** [-0, +0, e] Make reading an undefined global, in the table of globals on
 *  the top, an error: a misspelled name would else be a word left out. */
void aa_testfile_make_strict(lua_State *L);

#endif
