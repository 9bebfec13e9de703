/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy can name and call: an allow list, and nothing that can loop
 * in C without being charged for it. */
#ifndef AA_SANDBOX_H
#define AA_SANDBOX_H

#include "vm.h"

/** [-0, +0, e] Make the globals and the module `agentauth`. */
void aa_sandbox_open(lua_State *L);

/** [-0, +0, e] Compile and run the policy, then freeze its globals. */
void aa_sandbox_run(lua_State *L, const aa_vm_conf_t *conf);

/** [-0, +0, e] Change Lua's own library, the table on the top, to ours. */
void aa_sandbox_string(lua_State *L);
void aa_sandbox_table(lua_State *L);

/** Replace the field by a function that charges for its string arguments and
 *  then does what it did. [-0, +0, e] */
void aa_sandbox_charge(lua_State *L, int table, const char *field);

/** [-0, +0, e] Make the argument readable without its frozen front. */
void aa_sandbox_thaw(lua_State *L, int arg);

/** [-0, +1, e] The table `core` of lua/agentauth.lua. */
void aa_module_push_core(lua_State *L);

/** tostring for policies: never an address. */
int aa_sandbox_tostring(lua_State *L);

/** [-0, +1, -] The message of the last assert that failed. */
void aa_sandbox_push_asserted(lua_State *L);

/** [-0, +0, -] 1 when the value is an HTTPException. */
int aa_module_is_exception(lua_State *L, int idx);

/** [-0, +1, -] The authenticate handler, or nil. */
void aa_module_push_authenticate(lua_State *L);

/** auth.array for policies. */
int aa_module_array(lua_State *L);

/** The reason phrase of a status from 400 to 599. */
const char *aa_module_phrase(int status);

#endif
