/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file under reload: generations of it, and their idle Lua states. */
#ifndef AA_GENERATION_H
#define AA_GENERATION_H

#include "vm.h"

typedef struct aa_generation_t aa_generation_t;

/** A state for one request, and the generation that it belongs to. */
typedef struct aa_lease_t {
    aa_vm_t *vm; /* NULL: none could be made */
    aa_generation_t *generation;
} aa_lease_t;

/**
 * Look at the file if it is time to, then take the last used idle state of
 * the newest generation that loads, or make one.
 * @return APR_SUCCESS; APR_ENOMEM
 */
apr_status_t aa_generation_take(aa_lease_t *lease, aa_policy_t *policy);

/** Give it back; it is closed when its generation is old or it hit a limit. */
void aa_generation_return(aa_policy_t *policy, aa_lease_t *lease);

/** First 16 hex digits of the source's SHA-256; "" without the function. */
const char *aa_generation_id(const aa_generation_t *generation);

/** A policy's file, or its test's: the text, from malloc. NULL: *why says so,
 *  from malloc too. */
char *aa_generation_text(apr_size_t *len, char **why, const char *file);

/** The vocabulary that the policy was opened with. */
const aa_routes_t *aa_generation_routes(const aa_policy_t *policy);

#endif
