/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are fetched here, because they must be looked at, or stamped,
 * before anybody sees them. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

aa_filled_t aa_task_target(const aa_task_t *task, const char *query)
{
    aa_filled_t filled = {"", ""};
    apr_pool_t *p = task->p;

    for (const char *path = task->path; *path == '/';) {
        size_t n = strcspn(path + 1, "/");
        const char *segment = apr_pstrmemdup(p, path + 1, n);

        filled.target = apr_pstrcat(p, filled.target, "/",
                                    aa_percent_encode(segment, p), NULL);
        filled.canonical = apr_pstrcat(
            p, filled.canonical, "/",
            aa_percent_encode(aa_one_spelling(segment, p), p), NULL);
        path += n + 1;
    }
    if (query && *query)
        filled.target = apr_pstrcat(p, filled.target, "?", query, NULL);
    return filled;
}

/* Of one message or one connection, or said by us (RFC 9110 s7.6.1). */
static int is_framing(const char *name)
{
    static const char *const framing[] = {"Connection",
                                          "Keep-Alive",
                                          "Transfer-Encoding",
                                          "Content-Length",
                                          "Content-Type",
                                          "Trailer",
                                          "Upgrade",
                                          "Proxy-Connection",
                                          "Date",
                                          "Server",
                                          "Proxy-Authenticate",
                                          "Set-Cookie",
                                          NULL};

    for (const char *const *one = framing; *one; one++)
        if (!strcasecmp(*one, name))
            return 1;
    return !strncasecmp(name, "AgentAuth-", 10);
}

apr_table_t *aa_task_headers(const aa_backend_answer_t *answer, apr_pool_t *p)
{
    apr_table_t *headers = apr_table_make(p, 8);
    const apr_array_header_t *all =
        answer->headers ? apr_table_elts(answer->headers) : NULL;

    for (int i = 0; all && i < all->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(all, i, apr_table_entry_t);

        if (!is_framing(e->key))
            apr_table_add(headers, e->key, e->val);
    }
    return headers;
}

void aa_task_pass(aa_task_t *task, const aa_backend_answer_t *answer,
                  apr_pool_t *p)
{
    aa_reply_t *reply = apr_pcalloc(p, sizeof(*reply));

    reply->status = answer->status;
    reply->content_type =
        answer->content_type ? apr_pstrdup(p, answer->content_type) : NULL;
    reply->headers = aa_task_headers(answer, p);
    reply->body = apr_pstrmemdup(p, answer->body, answer->len);
    reply->len = answer->len;
    task->reply = reply;
}

/* The request itself, to the backend, as it would have gone on. */
static apr_status_t forward(aa_backend_answer_t *answer, aa_task_t *task)
{
    const char *method = strcmp(task->method, "HEAD") ? task->method : "GET";

    return aa_task_query(answer, task, method,
                         aa_task_target(task, task->query).target, task->body,
                         task->body_len);
}

/* ------------------------------------------------------------------ objects */

static int reads(const aa_task_t *task)
{
    return !strcmp(task->method, "GET") || !strcmp(task->method, "HEAD");
}

/* What was learnt before says it, and stays true until the answer's head. Who
 * is refused costs a question, as who asks for a missing one does. */
static apr_status_t judge_known(int *done, aa_task_t *task,
                                const aa_side_t *side, const json_t *filter)
{
    static const aa_lock_e shared = AA_LOCK_SHARED;
    json_t *known = NULL;

    if (aa_object_hold(&task->hold, task->objects, &side->key, &shared, 1,
                       AA_ENFORCE_HOLD_WAIT, task->p) != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BUSY, "others hold the object");
    known = aa_known_recall(task, side);
    *done = known && aa_known_matches(known, filter);
    return APR_SUCCESS;
}

/* The answer goes on when it may be seen. */
static apr_status_t judge_answer(aa_task_t *task, json_t *object,
                                 const aa_backend_answer_t *answer,
                                 const json_t *filter)
{
    const json_t *view = aa_task_view(task, task->rule->match, object);

    if (!aa_filter_match(filter, view))
        return aa_task_hide(task, NULL, "it does not match");
    aa_task_pass(task, answer, task->p);
    return APR_SUCCESS;
}

/* @param side NULL: what it says is not kept */
static apr_status_t look_at(aa_task_t *task, const aa_side_t *side,
                            const json_t *filter)
{
    apr_uint64_t version =
        side ? aa_object_version(task->objects, &side->key) : 0;
    aa_backend_answer_t answer;
    json_t *object;
    apr_status_t rv = forward(&answer, task);

    if (rv != APR_SUCCESS)
        return rv;
    if (answer.status == 404 ||
        (answer.status >= 300 && answer.status == task->rule->hidden_status))
        return aa_task_hide(task, NULL, "it is missing");
    if (answer.status >= 300) {
        aa_task_pass(task, &answer, task->p);
        return APR_SUCCESS;
    }
    if ((rv = aa_task_json(&object, task, &answer)) != APR_SUCCESS)
        return rv;
    /* null is how some stores say that there is nothing */
    if (!json_is_object(object) && !json_is_null(object))
        return aa_task_refuse(task, AA_E_BACKEND, "its answer is no object");
    if (side)
        aa_known_keep(task, side, version, aa_known_of(task, side, object),
                      object);
    return judge_answer(task, object, &answer, filter);
}

apr_status_t aa_step_object(aa_task_t *task)
{
    json_t *filter = aa_task_filter(task, task->rule->events);
    aa_filled_t own;
    aa_side_t side = {.template = aa_route_name(task->match->route)};
    int known = 0;
    apr_status_t rv;

    if (task->rule->check != AA_CHECK_OBJECT || !filter)
        return APR_SUCCESS;
    if (!reads(task) || task->query || task->rule->nasks)
        return look_at(task, NULL, filter);
    own = aa_task_target(task, NULL);
    side.target = own.target;
    rv = aa_task_key(&side.key, task, own.canonical);
    if (rv == APR_SUCCESS)
        rv = judge_known(&known, task, &side, filter);
    return rv != APR_SUCCESS || known ? rv : look_at(task, &side, filter);
}

/* -------------------------------------------------------------------- batches
 */

/* Their ids are in the answer's body: known here before anybody else. */
apr_status_t aa_step_batch(aa_task_t *task)
{
    aa_backend_answer_t answer;
    json_t *runs = NULL, *run;
    size_t i;
    apr_status_t rv;

    if (!task->rule->remembers_run || !aa_task_each(task))
        return APR_SUCCESS;
    rv = forward(&answer, task);
    if (rv == APR_SUCCESS && answer.status < 300)
        rv = aa_task_json(&runs, task, &answer);
    if (rv != APR_SUCCESS)
        return rv;
    if (answer.status < 300 && !json_is_array(runs))
        return aa_task_refuse(task, AA_E_BACKEND, "its answer is no list");
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

/* A copy that would be nobody's, or another's, is removed again. */
static apr_status_t remove_copy(aa_task_t *task, const char *target,
                                aa_code_e code, const char *why)
{
    aa_backend_answer_t gone;

    if (aa_task_query(&gone, task, "DELETE", target, NULL, 0) != APR_SUCCESS)
        return AA_EREFUSED;
    return aa_task_refuse(task, code, "%s", why);
}

static apr_status_t stamp_copy(aa_task_t *task, const char *target,
                               const char *member, json_t *stamp)
{
    json_t *body = aa_json_own(json_object(), task->p);
    aa_backend_answer_t answer;
    const char *text;
    apr_status_t rv;

    json_object_set(body, member, stamp);
    text = aa_json_dump(body, task->p);
    rv = aa_task_query(&answer, task, "PATCH", target, text, strlen(text));
    if (rv == APR_SUCCESS && answer.status < 300) {
        aa_task_pass(task, &answer, task->p);
        return APR_SUCCESS;
    }
    return remove_copy(task, target, AA_E_BACKEND,
                       "the copy could not be stamped");
}

/* 1 when the copy, with its stamp, satisfies the filter. */
static int may_be(const aa_task_t *task, json_t *object, json_t *stamp)
{
    const char *const *match = task->rule->match;
    json_t *filter = aa_task_filter(task, task->rule->events);
    json_t *copy = aa_json_own(json_copy(object), task->p);
    json_t *was = json_object_get(object, match[0]), *member;

    member = aa_json_own(json_is_object(was) ? json_copy(was) : json_object(),
                         task->p);
    json_object_update(member, stamp);
    json_object_set(copy, match[0], member);
    return !filter || aa_filter_match(filter, aa_task_view(task, match, copy));
}

/* What was copied bears the stamp of its source, if any. */
static apr_status_t restamp(aa_task_t *task, json_t *object, json_t *stamp)
{
    const char *member = task->rule->match[0], *why;
    aa_filled_t filled;
    int may = may_be(task, object, stamp);

    if (may && aa_member_has(json_object_get(object, member), stamp))
        return APR_SUCCESS;
    task->answer = object;
    if (aa_template_fill(&filled, &why, task->rule->copies, task, task->json) !=
        APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BACKEND, "the copy has no name");
    if (!may)
        return remove_copy(task, filled.target, AA_E_STAMP,
                           "the copy does not satisfy the filter");
    return stamp_copy(task, filled.target, member, stamp);
}

apr_status_t aa_step_copy(aa_task_t *task)
{
    aa_backend_answer_t answer;
    json_t *stamp, *object;
    apr_status_t rv;

    if (!task->rule->copies)
        return APR_SUCCESS;
    stamp = aa_task_stamp(task, task->rule->match[0]);
    if (!json_object_size(stamp) && !aa_task_filter(task, task->rule->events))
        return APR_SUCCESS;
    rv = forward(&answer, task);
    if (rv == APR_SUCCESS && answer.status < 300)
        rv = aa_task_json(&object, task, &answer);
    if (rv != APR_SUCCESS)
        return rv;
    aa_task_pass(task, &answer, task->p);
    return answer.status < 300 ? restamp(task, object, stamp) : APR_SUCCESS;
}
