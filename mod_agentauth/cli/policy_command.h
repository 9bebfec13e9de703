/* SPDX-License-Identifier: Apache-2.0 */
/* Inside cli/: how the policy commands open maps and policies. */
#ifndef AA_POLICY_COMMAND_H
#define AA_POLICY_COMMAND_H

#include "agentpolicy.h"
#include "cli/command.h"

/** The words of --routes; an exit status, what is not fine is explained. */
int aa_cli_routes_open(const aa_routes_t **routes, const aa_cli_t *cli);
/** The FILE of the command line; likewise. */
int aa_cli_policy_open(aa_policy_t **policy, const aa_routes_t *routes,
                       const aa_cli_t *cli);

/** By aa_access_e. */
extern const char *const aa_access_words[];

#endif
