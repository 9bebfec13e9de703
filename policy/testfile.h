/* SPDX-License-Identifier: Apache-2.0 */
/* The module `agentauth.test`: how a test file says its cases. */
#ifndef AA_TESTFILE_H
#define AA_TESTFILE_H

#include "vm.h"

/** A test file under way. */
typedef struct aa_testfile_t aa_testfile_t;

/** [-0, +1, e] What `require "agentauth.test"` gives. */
void aa_testfile_push_module(lua_State *L);

/** [-0, +0, e] Make reading an undefined global, in the table of globals on
 *  the top, an error: a misspelled name would else be a word left out. */
void aa_testfile_make_strict(lua_State *L);

#endif
