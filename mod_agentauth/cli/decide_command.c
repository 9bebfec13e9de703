/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth policy decide */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/policy_command.h"
#include "model/limits.h"

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

static int user_take(aa_question_t *question, const aa_cli_t *cli)
{
    const char *text = aa_cli_option(cli, "--user"), *why = NULL;
    json_t *user;

    if (!text)
        return aa_cli_usage(cli, "--user JSON is missing");
    if (aa_json_parse(&user, &why, text, strlen(text), AA_JOSE_DEPTH_MAX,
                      cli->pool) != APR_SUCCESS)
        return aa_cli_usage(cli, "--user is no JSON: %s", why);
    why = aa_cli_user(&question->user, user, cli->pool);
    return why ? aa_cli_usage(cli, "--user: %s", why) : AA_EXIT_FINE;
}

static int request_take(aa_question_t *question, const aa_cli_t *cli)
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

static json_t *decision_json(const aa_policy_decision_t *decision)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "resource",
                               decision->resource, "action", decision->action,
                               "effect", aa_effect_words[decision->effect]);

    if (decision->filter)
        json_object_set(object, "filter", decision->filter);
    if (decision->set)
        json_object_set(object, "set", decision->set);
    return object;
}

static json_t *verdict_json(const aa_policy_verdict_t *verdict,
                            const char *route)
{
    json_t *object =
        json_pack("{s:s, s:s}", "effect", aa_effect_words[verdict->effect],
                  "route", route);
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
        aa_cli_text_add(object, "cause", aa_cause_words[verdict->cause]);
        if (verdict->status)
            json_object_set_new(object, "status",
                                json_integer(verdict->status));
        aa_cli_text_add(object, "detail", verdict->detail);
        aa_cli_text_add(object, "reason", verdict->reason);
    }
    aa_cli_text_add(object, "handler", verdict->handler);
    return object;
}

static json_t *answer_json(const aa_answer_t *answer)
{
    json_t *object;

    if (!answer->access)
        return verdict_json(&answer->verdict, answer->route);
    object = json_pack("{s:s, s:s}", "effect", aa_effect_words[answer->effect],
                       "access", answer->access);
    aa_cli_text_add(object, "route", answer->route);
    return object;
}

static int decide(const aa_cli_t *cli, const aa_routes_t *routes,
                  aa_policy_t *policy, aa_question_t *question)
{
    aa_answer_t answer;

    question->body = aa_cli_option(cli, "--body");
    question->now = apr_time_now();
    aa_cli_ask(&answer, routes, policy, question, cli->pool);
    if (aa_cli_json(cli, answer_json(&answer)) != AA_EXIT_FINE)
        return AA_EXIT_FAILURE;
    return answer.effect == AA_POLICY_DENY && aa_cli_option(cli, "--exit-code")
               ? AA_EXIT_DENY
               : AA_EXIT_FINE;
}

int aa_cli_policy_decide(aa_cli_t *cli)
{
    const aa_routes_t *routes;
    aa_policy_t *policy;
    aa_question_t question = {0};
    int status = user_take(&question, cli);

    if (status == AA_EXIT_FINE)
        status = request_take(&question, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_unmatched(&question.allow_unmatched, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_routes_open(&routes, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_policy_open(&policy, routes, cli->word, cli);
    return status == AA_EXIT_FINE ? decide(cli, routes, policy, &question)
                                  : status;
}
