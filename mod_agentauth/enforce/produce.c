/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are fetched here, because they must be looked at, or stamped,
 * before anybody sees them. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"

const char *aa_task_target(const aa_task_t *task, const char *path,
                           const char *query)
{
    const char *target = "";

    while (*path == '/') {
        size_t n = strcspn(path + 1, "/");
        const char *segment = apr_pstrmemdup(task->p, path + 1, n);

        target = apr_pstrcat(task->p, target, "/",
                             aa_percent_encode(segment, task->p), NULL);
        path += n + 1;
    }
    return query && *query ? apr_pstrcat(task->p, target, "?", query, NULL)
                           : target;
}

void aa_task_pass(aa_task_t *task, const aa_backend_answer_t *answer,
                  apr_pool_t *p)
{
    aa_reply_t *reply = apr_pcalloc(p, sizeof(*reply));

    reply->status = answer->status;
    reply->content_type =
        answer->content_type ? apr_pstrdup(p, answer->content_type) : NULL;
    reply->body = apr_pstrmemdup(p, answer->body, answer->len);
    reply->len = answer->len;
    task->reply = reply;
}

/* The request itself, to the backend, as it would have gone on. */
static apr_status_t forward(aa_backend_answer_t *answer, aa_task_t *task)
{
    const char *method = strcmp(task->method, "HEAD") ? task->method : "GET";

    return aa_task_query(answer, task, method,
                         aa_task_target(task, task->path, task->query),
                         task->body, task->body_len);
}

/* ------------------------------------------------------------------ objects */

static int reads(const aa_task_t *task)
{
    return !strcmp(task->method, "GET") || !strcmp(task->method, "HEAD");
}

/* A name that is taken by somebody else's object. */
static apr_status_t conflict(aa_task_t *task)
{
    static const char body[] = "{\"error\":\"conflict\"}";

    task->reason = "the answer is an object that does not match";
    return aa_task_reply(task, 409, "application/json", body, sizeof(body) - 1);
}

apr_status_t aa_step_object(aa_task_t *task)
{
    const aa_rule_t *rule = task->rule;
    aa_backend_answer_t answer;
    json_t *filter, *object;
    apr_status_t rv;

    if (rule->check != AA_CHECK_OBJECT || rule->nasks)
        return APR_SUCCESS;
    filter = aa_task_filter(task, rule->events);
    if (!filter)
        return APR_SUCCESS;
    if ((rv = forward(&answer, task)) != APR_SUCCESS)
        return rv;
    if (answer.status >= 300) {
        if (reads(task))
            return aa_task_hide(task, NULL, "it is missing");
        aa_task_pass(task, &answer, task->p);
        return APR_SUCCESS;
    }
    if ((rv = aa_task_json(&object, task, &answer)) != APR_SUCCESS)
        return rv;
    if (!aa_filter_match(filter, aa_task_view(task, rule->match, object)))
        return reads(task) ? aa_task_hide(task, NULL, "it does not match")
                           : conflict(task);
    aa_task_pass(task, &answer, task->p);
    return APR_SUCCESS;
}

/* -------------------------------------------------------------------- batches
 */

/* Their ids are in the answer's body: known here before anybody else. */
apr_status_t aa_step_batch(aa_task_t *task)
{
    aa_backend_answer_t answer;
    json_t *runs, *run;
    size_t i;
    apr_status_t rv;

    if (!task->rule->remembers_run || !aa_task_each(task))
        return APR_SUCCESS;
    rv = forward(&answer, task);
    if (rv == APR_SUCCESS && answer.status < 300)
        rv = aa_task_json(&runs, task, &answer);
    if (rv != APR_SUCCESS)
        return rv;
    if (answer.status < 300)
        json_array_foreach(runs, i, run)
        {
            const char *id = json_string_value(json_object_get(run, "run_id"));

            if (id)
                aa_task_remember_run(task, id);
        }
    aa_task_pass(task, &answer, task->p);
    return APR_SUCCESS;
}

/* --------------------------------------------------------------------- copies
 */

/* What the policy sets on a copy, and its filter's equality over it. */
static json_t *copy_stamp(const aa_task_t *task, const char *member)
{
    const aa_policy_verdict_t *verdict = task->verdict;
    json_t *stamp = aa_json_own(json_object(), task->p), *pairs;
    int rest, clash;

    for (int i = 0; i < verdict->ndecisions; i++)
        if (!strcmp(verdict->decisions[i].action, "create"))
            json_object_update(
                stamp, json_object_get(verdict->decisions[i].set, member));
    aa_filter_pairs(&pairs, &rest, &clash,
                    aa_task_filter(task, task->rule->events), task->p);
    json_object_update(stamp, pairs);
    return stamp;
}

/* Where the new object is: as the row's own, with the names of the answer. */
static apr_status_t copy_target(const char **target, const aa_task_t *task,
                                const json_t *object)
{
    aa_route_match_t match = *task->match;
    aa_task_t other = *task;
    aa_filled_t filled;
    const char *why;
    apr_status_t rv;
    int named = 0;

    for (int i = 0; i < match.nparams; i++) {
        const char *id =
            json_string_value(json_object_get(object, match.params[i].name));

        if (id) {
            match.params[i].value = id;
            named = 1;
        }
    }
    other.match = &match;
    rv =
        aa_template_fill(&filled, &why, task->rule->asks[0].path, &other, NULL);
    *target = filled.target;
    return named ? rv : APR_EINVAL;
}

static int has_all(const json_t *metadata, const json_t *stamp)
{
    const char *key;
    json_t *value;

    json_object_foreach(
        (json_t *)stamp, key,
        value) if (!aa_member_same(json_object_get(metadata, key),
                                   value)) return 0;
    return 1;
}

/* A copy that cannot be stamped stays nobody's: it is removed again. */
static apr_status_t stamp_copy(aa_task_t *task, const char *target,
                               const char *member, json_t *stamp)
{
    json_t *body = aa_json_own(json_object(), task->p);
    aa_backend_answer_t answer, gone;
    const char *text;
    apr_status_t rv;

    json_object_set(body, member, stamp);
    text = aa_json_dump(body, task->p);
    rv = aa_task_query(&answer, task, "PATCH", target, text, strlen(text));
    if (rv == APR_SUCCESS && answer.status < 300) {
        aa_task_pass(task, &answer, task->p);
        return APR_SUCCESS;
    }
    if (aa_task_query(&gone, task, "DELETE", target, NULL, 0) != APR_SUCCESS)
        return AA_EREFUSED;
    return aa_task_refuse(task, AA_E_BACKEND, "the copy could not be stamped");
}

apr_status_t aa_step_copy(aa_task_t *task)
{
    const aa_rule_t *rule = task->rule;
    const char *member = rule->match[0], *target;
    aa_backend_answer_t answer;
    json_t *stamp, *object;
    apr_status_t rv;

    if (!rule->copies || !rule->nasks)
        return APR_SUCCESS;
    stamp = copy_stamp(task, member);
    if (!json_object_size(stamp))
        return APR_SUCCESS;
    rv = forward(&answer, task);
    if (rv == APR_SUCCESS && answer.status < 300)
        rv = aa_task_json(&object, task, &answer);
    if (rv != APR_SUCCESS)
        return rv;
    aa_task_pass(task, &answer, task->p);
    if (answer.status >= 300 || has_all(json_object_get(object, member), stamp))
        return APR_SUCCESS;
    if (copy_target(&target, task, object) != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BACKEND, "the copy has no name");
    return stamp_copy(task, target, member, stamp);
}
