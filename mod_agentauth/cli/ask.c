/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a policy, without a server: who, which row, what is decided.
 */
#include <string.h>

#include "apr_strings.h"
#include "authn/policy.h"
#include "cli/policy_command.h"
#include "model/principal.h"

const char *const aa_effect_words[] = {
    [AA_POLICY_DENY] = "deny",
    [AA_POLICY_ALLOW] = "allow",
    [AA_POLICY_FILTER] = "filter",
};

const char *const aa_cause_words[] = {
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

/* What a client is answered: the policy's choice, else the cause's code's. */
static int status_of(const aa_policy_verdict_t *verdict)
{
    return verdict->status ? verdict->status
                           : aa_codes[aa_policy_code(verdict->cause)].status;
}

/* ---------------------------------------------------------------------- who */

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

const char *aa_cli_user(const json_t **user, json_t *given, apr_pool_t *p)
{
    const char *identity =
        json_string_value(json_object_get(given, "identity"));
    aa_principal_t *principal;

    if (!identity)
        return "no object with an identity";
    principal = aa_principal_create(
        aa_identity_reserved(identity) ? AA_METHOD_OPEN : AA_METHOD_POLICY);
    if (!principal)
        return "out of memory";
    apr_pool_cleanup_register(p, principal, principal_release,
                              apr_pool_cleanup_null);
    principal->identity = identity;
    principal->permissions =
        string_list(json_object_get(given, "permissions"), p);
    principal->claims = json_incref(given);
    if (!principal->permissions || aa_principal_seal(principal) != APR_SUCCESS)
        return "identity and permissions are text without control characters";
    *user = principal->user;
    return NULL;
}

/* ------------------------------------------------------------------- answer */

static void refuse(aa_answer_t *answer, int status, const char *access)
{
    answer->effect = AA_POLICY_DENY;
    answer->status = status;
    answer->access = access;
}

/* As in httpd: what `authenticate` says counts, nil leaves who was proved. */
static int authenticate(aa_answer_t *answer, const aa_routes_t *routes,
                        aa_policy_t *policy, const aa_question_t *question,
                        const aa_route_match_t *match, apr_pool_t *p)
{
    const char *path = aa_routes_strip(routes, question->path), *why;
    aa_policy_who_t who = {
        .method = question->method,
        .path = path ? path : question->path,
        .query = question->query,
        .match = match->route ? match : NULL,
        .headers = question->headers,
        .claims = question->user,
    };
    json_t *user;
    apr_status_t rv =
        aa_policy_authenticate(&user, &answer->verdict, policy, &who, p);

    if (rv == APR_ENOENT)
        return 1;
    if (rv != APR_SUCCESS) {
        answer->user = NULL;
        refuse(answer, status_of(&answer->verdict), NULL);
        return 0;
    }
    why = json_is_string(json_object_get(user, "identity")) &&
                  aa_identity_reserved(
                      json_string_value(json_object_get(user, "identity")))
              ? "authenticate returned a name that is taken"
              : aa_cli_user(&answer->user, user, p);
    if (why) {
        answer->verdict.cause = AA_CAUSE_RESULT;
        answer->verdict.reason = why;
        answer->user = NULL;
        refuse(answer, 500, NULL);
    }
    return !why;
}

static void decide(aa_answer_t *answer, const aa_routes_t *routes,
                   aa_policy_t *policy, const aa_question_t *question,
                   const aa_route_match_t *match, apr_pool_t *p)
{
    aa_policy_user_t user = {0, answer->user};
    aa_policy_input_t input = {
        .method = question->method,
        .path = aa_routes_strip(routes, question->path),
        .query = question->query,
        .body = question->body,
        .body_len = question->body ? strlen(question->body) : 0,
        .now = question->now,
        .allow_unmatched = question->allow_unmatched,
    };

    if (aa_policy_decide(&answer->verdict, policy, match, &input, &user, p) !=
        APR_SUCCESS)
        answer->verdict.cause = AA_CAUSE_OURS;
    answer->effect = answer->verdict.effect;
    if (answer->effect == AA_POLICY_DENY)
        answer->status = status_of(&answer->verdict);
}

/* The original bytes where no handler changed them; a row that takes no body
 * drops it. */
static void pass_body(aa_answer_t *answer, const aa_question_t *question,
                      const aa_route_t *route)
{
    const aa_policy_verdict_t *verdict = &answer->verdict;

    if (answer->effect == AA_POLICY_DENY || !route)
        return;
    if (verdict->body) {
        answer->body = verdict->body;
        answer->body_len = verdict->body_len;
    }
    else if (question->body && aa_route_body(route) != AA_BODY_NONE) {
        answer->body = question->body;
        answer->body_len = strlen(question->body);
    }
}

void aa_cli_ask(aa_answer_t *answer, const aa_routes_t *routes,
                aa_policy_t *policy, const aa_question_t *question,
                apr_pool_t *p)
{
    aa_route_match_t match = {0};
    aa_access_e access = AA_ACCESS_REFUSE;

    memset(answer, 0, sizeof(*answer));
    answer->user = question->user;
    if (aa_routes_find(&match, routes, question->method, question->path, p) ==
        APR_SUCCESS) {
        access = aa_route_access(match.route);
        answer->route = aa_route_name(match.route);
    }
    else {
        match.route = NULL;
    }
    if (question->authenticate && aa_policy_authenticates(policy) &&
        !authenticate(answer, routes, policy, question, &match, p))
        return;
    if (!answer->user && access != AA_ACCESS_OPEN)
        refuse(answer, 401, "nobody");
    else if (!match.route)
        refuse(answer, 404, "no route");
    else if (access == AA_ACCESS_REFUSE)
        refuse(answer, 403, aa_access_words[access]);
    else if (access == AA_ACCESS_POLICY)
        decide(answer, routes, policy, question, &match, p);
    else {
        answer->effect = AA_POLICY_ALLOW;
        answer->access = aa_access_words[access];
    }
    pass_body(answer, question, match.route);
}
