/* SPDX-License-Identifier: Apache-2.0 */
/* The command `agentauth`: its words, and where they lead. */
#include <stdio.h>
#include <sys/stat.h>

#include "apr_general.h"
#include "base/crypto.h"
#include "cli/command.h"

/* clang-format off */
const aa_option_t aa_global_options[] = {
    {"--state", "DIR", 0, "state directory (AGENTAUTH_STATE; " AA_STATE_DIR ")"},
    {"--realm", "R", 0, "realm; needed when httpd has more than one, or none yet"},
    {"--json", NULL, 0, "print JSON, one line"},
    {"--help", NULL, 0, "say how a command is used"},
    {"--version", NULL, 0, "say the version"},
    {NULL, NULL, 0, NULL}
};

const aa_command_t aa_commands[] = {
    {"user", "create", "NAME", aa_user_create_options,
     "make a user", aa_cli_user_create},
    {"user", "list", NULL, NULL,
     "list the users of the realm", aa_cli_user_list},
    {"user", "disable", "NAME", NULL,
     "refuse all keys of a user until enabled again", aa_cli_user_disable},
    {"user", "enable", "NAME", NULL,
     "let a disabled user in again", aa_cli_user_enable},
    {"user", "delete", "NAME", NULL,
     "remove a user and its keys for good", aa_cli_user_delete},
    {"key", "create", NULL, aa_key_create_options,
     "make an API key and print it, once", aa_cli_key_create},
    {"key", "list", NULL, NULL,
     "list the keys of the realm that are not revoked", aa_cli_key_list},
    {"key", "revoke", "ID", NULL,
     "end a key; every process knows before this returns", aa_cli_key_revoke},
    {"key", "rotate", "ID", aa_key_rotate_options,
     "print a successor of a key and end the old one", aa_cli_key_rotate},
    {"policy", "check", "FILE", aa_policy_options,
     "load a policy and say what is wrong with it", aa_cli_policy_check},
    {"policy", "routes", NULL, aa_policy_options,
     "list the rows of a route map", aa_cli_policy_routes},
    {"policy", "decide", "FILE", aa_policy_decide_options,
     "say what a policy decides on one request", aa_cli_policy_decide},
    {"policy", "test", "FILE...", aa_policy_test_options,
     "run the tests NAME_test.lua of policies", aa_cli_policy_test},
    {"explain", NULL, "CODE", NULL,
     "say what an error code means and what to do", aa_cli_explain},
    {NULL, NULL, NULL, NULL, NULL, NULL}
};
/* clang-format on */

int main(int argc, const char *const *argv, const char *const *env)
{
    aa_cli_t cli = {0};
    int status;

    if (apr_app_initialize(&argc, &argv, &env) != APR_SUCCESS ||
        apr_pool_create(&cli.pool, NULL) != APR_SUCCESS ||
        aa_crypto_init() != APR_SUCCESS)
        return AA_EXIT_FAILURE;
    umask(077); /* nothing made here is for others */
    status = aa_cli_parse(&cli, argc, argv);
    if (status == AA_EXIT_FINE && cli.command)
        status = cli.command->run(&cli);
    /* A new key that nobody got to see is not fine. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("agentauth: standard output cannot be written\n", stderr);
        if (status == AA_EXIT_FINE)
            status = AA_EXIT_FAILURE;
    }
    apr_terminate(); /* wipes what was secret */
    return status;
}
