/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth policy check | routes, and the opening of both. */
#include <stdio.h>
#include <string.h>

#include "agentpolicy.h"
#include "apr_file_info.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "cli/command.h"
#include "cli/policy_command.h"

/* clang-format off */
const aa_option_t aa_policy_options[] = {
    {"--routes", "WORD", 1, "as in AgentAuthRoutes: NAME, +FILE, prefix=/PATH (langgraph)"},
    {"--gateway", NULL, 0, "as in a place with AgentAuthEnforce gateway"},
    {NULL, NULL, 0, NULL}
};
/* clang-format on */

const char *aa_cli_absolute(const char *file, const aa_cli_t *cli)
{
    char *full;

    if (apr_filepath_merge(&full, NULL, file, APR_FILEPATH_NATIVE, cli->pool) !=
        APR_SUCCESS)
        return file;
    return full;
}

int aa_cli_routes_open(const aa_routes_t **routes, const aa_cli_t *cli)
{
    const char *const *words = aa_cli_options(cli, "--routes");
    const char *name = NULL, *prefix = "", *why = NULL;
    apr_array_header_t *files =
        apr_array_make(cli->pool, 4, sizeof(const char *));

    for (; words && *words; words++) {
        if (**words == '+')
            APR_ARRAY_PUSH(files, const char *) =
                aa_cli_absolute(*words + 1, cli);
        else if (!strncmp(*words, "prefix=", 7))
            prefix = *words + 7;
        else if (name)
            return aa_cli_usage(cli,
                                "--routes: '%s' beside '%s': one map at "
                                "a time, additions begin with +",
                                *words, name);
        else
            name = *words;
    }
    APR_ARRAY_PUSH(files, const char *) = NULL;
    if (aa_routes_open(routes, &why, name ? name : "langgraph",
                       (const char *const *)files->elts, prefix,
                       aa_cli_option(cli, "--gateway") != NULL,
                       cli->pool) == APR_SUCCESS)
        return AA_EXIT_FINE;
    aa_cli_fail(cli, "%s", why ? why : "the route map does not load");
    return AA_EXIT_POLICY;
}

int aa_cli_unmatched(int *allow, const aa_cli_t *cli)
{
    const char *word = aa_cli_option(cli, "--unmatched");

    *allow = word && !strcmp(word, "allow");
    if (word && strcmp(word, "allow") && strcmp(word, "deny"))
        return aa_cli_usage(cli, "--unmatched: '%s' is neither allow nor deny",
                            word);
    return AA_EXIT_FINE;
}

static void log_to_stderr(void *baton, aa_policy_log_e about, const char *line)
{
    (void)baton;
    fprintf(stderr, "%s%s\n", about == AA_POLICY_LOG_BROKEN ? "error: " : "",
            line);
}

static void sha256(unsigned char out[32], const void *data, apr_size_t len)
{
    if (aa_crypto_sha256(out, data, len, NULL, 0) != APR_SUCCESS)
        memset(out, 0, 32);
}

int aa_cli_policy_open(aa_policy_t **policy, const aa_routes_t *routes,
                       const char *file, const aa_cli_t *cli)
{
    aa_policy_conf_t conf = {.file = aa_cli_absolute(file, cli),
                             .routes = routes,
                             .interval = apr_time_from_sec(1),
                             .log = log_to_stderr,
                             .sha256 = sha256};
    const char *why = NULL;
    apr_status_t rv = aa_policy_open(policy, &why, &conf, cli->pool);

    if (rv == APR_SUCCESS)
        return AA_EXIT_FINE;
    aa_cli_fail(cli, "%s", why ? why : "the policy does not load");
    return AA_EXIT_POLICY;
}

int aa_cli_policy_check(aa_cli_t *cli)
{
    const aa_routes_t *routes;
    aa_policy_t *policy;
    int status = aa_cli_routes_open(&routes, cli);

    if (status == AA_EXIT_FINE)
        status = aa_cli_policy_open(&policy, routes, cli->word, cli);
    if (status != AA_EXIT_FINE)
        return status;
    if (cli->json)
        return aa_cli_json(cli,
                           json_pack("{s:b, s:b}", "loads", 1, "authenticates",
                                     aa_policy_authenticates(policy)));
    printf("%s loads%s\n", cli->word,
           aa_policy_authenticates(policy) ? " and has authenticate" : "");
    return AA_EXIT_FINE;
}

const char *const aa_access_words[] = {
    [AA_ACCESS_POLICY] = "policy",
    [AA_ACCESS_USER] = "user",
    [AA_ACCESS_OPEN] = "open",
    [AA_ACCESS_REFUSE] = "refuse",
};

int aa_cli_policy_routes(aa_cli_t *cli)
{
    const aa_routes_t *routes;
    json_t *array = NULL;
    int status = aa_cli_routes_open(&routes, cli);

    if (status != AA_EXIT_FINE)
        return status;
    if (cli->json)
        array = json_array();
    for (int i = 0; i < aa_routes_count(routes); i++) {
        const aa_route_t *route = aa_routes_at(routes, i);
        const char *access = aa_access_words[aa_route_access(route)];

        if (array)
            json_array_append_new(array, json_pack("{s:s, s:s}", "route",
                                                   aa_route_name(route),
                                                   "access", access));
        else
            printf("%-7s %s\n", access, aa_route_name(route));
    }
    return array ? aa_cli_json(cli, array) : AA_EXIT_FINE;
}
