/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth policy decide */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/policy_command.h"
#include "model/limits.h"
#include "model/principal.h"

/* clang-format off */
const aa_option_t aa_policy_decide_options[] = {
    {"--routes", "WORD", 1, "as in AgentAuthRoutes: NAME, +FILE, prefix=/PATH (langgraph)"},
    {"--gateway", NULL, 0, "as in a place with AgentAuthEnforce gateway"},
    {"--user", "JSON", 0, "the user: an object with identity, permissions, …"},
    {"--request", "\"POST /x\"", 0, "method and path, with the query if any"},
    {"--body", "JSON", 0, "the request's body"},
    {"--unmatched", "allow", 0, "as in AgentAuthUnmatched: allow or deny (deny)"},
    {"--exit-code", NULL, 0, "end with 5 when the answer is deny"},
    {NULL, NULL, 0, NULL}
};
/* clang-format on */

/** What is decided on. */
typedef struct question_t {
    const char *method, *path, *query;
    const json_t *user;
    aa_policy_input_t input;
} question_t;

static const char *const *string_list(const json_t *array, apr_pool_t *p)
{
    const char **list =
        apr_pcalloc(p, (json_array_size(array) + 1) * sizeof(*list));

    for (size_t i = 0; i < json_array_size(array); i++) {
        list[i] = json_string_value(json_array_get(array, i));
        if (!list[i])
            return NULL;
    }
    return list;
}

static apr_status_t principal_release(void *principal)
{
    aa_principal_unref(principal);
    return APR_SUCCESS;
}

/* Completed in the way of a request: through a principal. */
static int user_take(question_t *question, const aa_cli_t *cli)
{
    const char *text = aa_cli_option(cli, "--user"), *why = NULL;
    aa_principal_t *principal;
    json_t *user;

    if (!text)
        return aa_cli_usage(cli, "--user JSON is missing");
    if (aa_json_parse(&user, &why, text, strlen(text), AA_JOSE_DEPTH_MAX,
                      cli->pool) != APR_SUCCESS ||
        !json_is_object(user) ||
        !json_is_string(json_object_get(user, "identity")))
        return aa_cli_usage(cli,
                            "--user is no JSON object with an identity%s"
                            "%s",
                            why ? ": " : "", why ? why : "");
    principal = aa_principal_create(AA_METHOD_POLICY);
    if (!principal)
        return aa_cli_fail(cli, "out of memory");
    apr_pool_cleanup_register(cli->pool, principal, principal_release,
                              apr_pool_cleanup_null);
    principal->identity = json_string_value(json_object_get(user, "identity"));
    principal->permissions =
        string_list(json_object_get(user, "permissions"), cli->pool);
    principal->claims = json_incref(user);
    if (!principal->permissions || aa_principal_seal(principal) != APR_SUCCESS)
        return aa_cli_usage(cli, "--user: identity and permissions are text "
                                 "without control characters");
    question->user = principal->user;
    return AA_EXIT_FINE;
}

static int request_take(question_t *question, const aa_cli_t *cli)
{
    const char *text = aa_cli_option(cli, "--request"), *path, *mark, *why;

    if (!text)
        return aa_cli_usage(cli, "--request \"METHOD /path\" is missing");
    path = strchr(text, ' ');
    if (!path || path == text || path[1] != '/')
        return aa_cli_usage(cli, "--request: '%s' is not \"METHOD /path\"",
                            text);
    question->method =
        apr_pstrmemdup(cli->pool, text, (apr_size_t)(path - text));
    mark = strchr(++path, '?');
    question->query = mark ? mark + 1 : NULL;
    question->path =
        mark ? apr_pstrmemdup(cli->pool, path, (apr_size_t)(mark - path))
             : path;
    if (!aa_path_plain(question->path, &why))
        return aa_cli_usage(cli, "--request: %s: %s", question->path, why);
    return AA_EXIT_FINE;
}

static int unmatched_take(question_t *question, const aa_cli_t *cli)
{
    const char *word = aa_cli_option(cli, "--unmatched");

    question->input.allow_unmatched = word && !strcmp(word, "allow");
    if (word && strcmp(word, "allow") && strcmp(word, "deny"))
        return aa_cli_usage(cli, "--unmatched: '%s' is neither allow nor deny",
                            word);
    return AA_EXIT_FINE;
}

static const char *const effect_words[] = {
    [AA_POLICY_DENY] = "deny",
    [AA_POLICY_ALLOW] = "allow",
    [AA_POLICY_FILTER] = "filter",
};

static const char *const cause_words[] = {
    [AA_CAUSE_NONE] = "none",
    [AA_CAUSE_FALSE] = "false",
    [AA_CAUSE_EXCEPTION] = "exception",
    [AA_CAUSE_ASSERT] = "assert",
    [AA_CAUSE_UNMATCHED] = "unmatched",
    [AA_CAUSE_ANONYMOUS] = "anonymous",
    [AA_CAUSE_LUA] = "lua",
    [AA_CAUSE_BUDGET] = "budget",
    [AA_CAUSE_RESULT] = "result",
    [AA_CAUSE_QUERY] = "query",
    [AA_CAUSE_BODY] = "body",
    [AA_CAUSE_OURS] = "internal",
};

static void text_add(json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new(object, name, json_string(text));
}

static json_t *decision_json(const aa_policy_decision_t *decision)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s}", "resource", decision->resource, "action",
                  decision->action, "effect", effect_words[decision->effect]);

    if (decision->filter)
        json_object_set(object, "filter", decision->filter);
    if (decision->set)
        json_object_set(object, "set", decision->set);
    return object;
}

static json_t *verdict_json(const aa_policy_verdict_t *verdict,
                            const char *route)
{
    json_t *object = json_pack("{s:s, s:s}", "effect",
                               effect_words[verdict->effect], "route", route);
    json_t *decisions = json_array();

    if (verdict->filter)
        json_object_set(object, "filter", verdict->filter);
    for (int i = 0; i < verdict->ndecisions; i++)
        json_array_append_new(decisions, decision_json(&verdict->decisions[i]));
    json_object_set_new(object, "decisions", decisions);
    if (verdict->body)
        json_object_set_new(object, "body",
                            json_stringn(verdict->body, verdict->body_len));
    if (verdict->effect == AA_POLICY_DENY) {
        text_add(object, "cause", cause_words[verdict->cause]);
        if (verdict->status)
            json_object_set_new(object, "status",
                                json_integer(verdict->status));
        text_add(object, "detail", verdict->detail);
        text_add(object, "reason", verdict->reason);
    }
    text_add(object, "handler", verdict->handler);
    return object;
}

/* A row that the policy is not asked about, or none at all. */
static int without_policy(const aa_cli_t *cli, const char *effect,
                          const char *route, const char *access)
{
    json_t *object =
        json_pack("{s:s, s:s}", "effect", effect, "access", access);

    text_add(object, "route", route);
    if (aa_cli_json(cli, object) != AA_EXIT_FINE)
        return AA_EXIT_FAILURE;
    return !strcmp(effect, "deny") && aa_cli_option(cli, "--exit-code")
               ? AA_EXIT_DENY
               : AA_EXIT_FINE;
}

static int decide(const aa_cli_t *cli, const aa_routes_t *routes,
                  aa_policy_t *policy, question_t *question)
{
    aa_policy_user_t user = {0, question->user};
    aa_policy_verdict_t verdict = {0};
    aa_route_match_t match;
    aa_access_e access;
    const char *name;

    if (aa_routes_find(&match, routes, question->method, question->path,
                       cli->pool) != APR_SUCCESS)
        return without_policy(cli, "deny", NULL, "no route");
    name = aa_route_name(match.route);
    access = aa_route_access(match.route);
    if (access != AA_ACCESS_POLICY)
        return without_policy(cli,
                              access == AA_ACCESS_REFUSE ? "deny" : "allow",
                              name, aa_access_words[access]);
    question->input.method = question->method;
    question->input.path = aa_routes_strip(routes, question->path);
    question->input.query = question->query;
    question->input.body = aa_cli_option(cli, "--body");
    question->input.body_len =
        question->input.body ? strlen(question->input.body) : 0;
    question->input.now = apr_time_now();
    if (aa_policy_decide(&verdict, policy, &match, &question->input, &user,
                         cli->pool) != APR_SUCCESS)
        return aa_cli_fail(cli, "the policy could not be asked");
    if (aa_cli_json(cli, verdict_json(&verdict, name)) != AA_EXIT_FINE)
        return AA_EXIT_FAILURE;
    return verdict.effect == AA_POLICY_DENY && aa_cli_option(cli, "--exit-code")
               ? AA_EXIT_DENY
               : AA_EXIT_FINE;
}

int aa_cli_policy_decide(aa_cli_t *cli)
{
    const aa_routes_t *routes;
    aa_policy_t *policy;
    question_t question = {0};
    int status = user_take(&question, cli);

    if (status == AA_EXIT_FINE)
        status = request_take(&question, cli);
    if (status == AA_EXIT_FINE)
        status = unmatched_take(&question, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_routes_open(&routes, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_policy_open(&policy, routes, cli);
    return status == AA_EXIT_FINE ? decide(cli, routes, policy, &question)
                                  : status;
}
