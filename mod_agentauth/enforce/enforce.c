/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of one task in their order, and what they share. */
#include <stdarg.h>
#include <string.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

/* ----------------------------------------------------------------- answers */

apr_status_t aa_task_refuse(aa_task_t *task, aa_code_e code, const char *fmt,
                            ...)
{
    va_list ap;

    va_start(ap, fmt);
    task->error.code = code;
    task->error.reason = apr_pvsprintf(task->p, fmt, ap);
    if (code == AA_E_BUSY || code == AA_E_BACKEND_TIME)
        task->error.retry_after = 1;
    va_end(ap);
    return AA_EREFUSED;
}

apr_status_t aa_task_reply(aa_task_t *task, int status, const char *type,
                           const char *body, apr_size_t len)
{
    aa_reply_t *reply = apr_pcalloc(task->p, sizeof(*reply));

    reply->status = status;
    reply->content_type = type;
    reply->body = body;
    reply->len = len;
    task->reply = reply;
    return APR_SUCCESS;
}

/* The body is a template: some backends name what they did not find. */
static const char *hidden_text(aa_task_t *task, const char *template)
{
    const char *text;

    return template && aa_template_text(&text, template, task, task->json) ==
                           APR_SUCCESS
               ? text
               : "";
}

apr_status_t aa_task_hide(aa_task_t *task, const aa_ask_t *ask,
                          const char *reason)
{
    const aa_rule_t *rule = task->rule;
    int own = ask && ask->status;
    const char *type = own ? ask->type : rule->hidden_type;
    const char *body = hidden_text(task, own ? ask->body : rule->hidden_body);

    task->reason = reason;
    return aa_task_reply(task, own ? ask->status : rule->hidden_status, type,
                         body, strlen(body));
}

/* ----------------------------------------------------------------- filters */

static int is_event(const aa_policy_decision_t *decision,
                    const char *const *events)
{
    if (!events)
        return 1;
    for (; *events; events++) {
        const char *colon = strchr(*events, ':');
        size_t n = colon ? (size_t)(colon - *events) : 0;

        if (colon && strlen(decision->resource) == n &&
            !strncmp(decision->resource, *events, n) &&
            !strcmp(decision->action, colon + 1))
            return 1;
    }
    return 0;
}

int aa_task_decided(const aa_task_t *task, const char *const *events)
{
    const aa_policy_verdict_t *verdict = task->verdict;

    for (int i = 0; i < verdict->ndecisions; i++)
        if (is_event(&verdict->decisions[i], events))
            return 1;
    return 0;
}

json_t *aa_task_filter(const aa_task_t *task, const char *const *events)
{
    const aa_policy_verdict_t *verdict = task->verdict;
    json_t *filter = NULL;

    for (int i = 0; i < verdict->ndecisions; i++) {
        const aa_policy_decision_t *decision = &verdict->decisions[i];

        if (is_event(decision, events) && decision->effect == AA_POLICY_FILTER)
            filter = aa_filter_and(filter, decision->filter, task->p);
    }
    /* No such event was decided: nobody said that it may. */
    return aa_task_decided(task, events) ? filter : json_false();
}

json_t *aa_task_stamp(const aa_task_t *task, const char *member)
{
    const aa_policy_verdict_t *verdict = task->verdict;
    json_t *stamp = aa_json_own(json_object(), task->p), *pairs;
    int rest, clash;

    for (int i = 0; i < verdict->ndecisions; i++)
        if (is_event(&verdict->decisions[i], task->rule->events))
            json_object_update(
                stamp, json_object_get(verdict->decisions[i].set, member));
    aa_filter_pairs(&pairs, &rest, &clash,
                    aa_task_filter(task, task->rule->events), task->p);
    json_object_update(stamp, pairs);
    return stamp;
}

/* The members of the first one, overlaid by others of the object itself. */
static const json_t *overlay(const char *const *match, const json_t *object,
                             apr_pool_t *p)
{
    json_t *value = json_object_get(object, match[0]);
    json_t *view = aa_json_own(
        json_is_object(value) ? json_copy(value) : json_object(), p);

    for (int i = 1; match[i]; i++) {
        json_t *member = json_object_get(object, match[i]);

        if (member)
            json_object_set(view, match[i], member);
    }
    return view;
}

const json_t *aa_task_view(const aa_task_t *task, const char *const *match,
                           const json_t *object)
{
    json_t *view;

    if (!json_is_object(object)) {
        if (!task->rule->wrap || !object)
            return NULL;
        view = aa_json_own(json_object(), task->p);
        json_object_set(view, task->rule->wrap, (json_t *)object);
        return view;
    }
    if (!strcmp(match[0], "."))
        return object;
    return match[1] ? overlay(match, object, task->p)
                    : aa_member_at(object, match[0]);
}

int aa_task_each(const aa_task_t *task)
{
    return task->rule->each && json_is_array(task->json);
}

/* ----------------------------------------------------------------- backend */

apr_status_t aa_task_query(aa_backend_answer_t *answer, aa_task_t *task,
                           const char *method, const char *target,
                           const char *body, apr_size_t len)
{
    const char *why = NULL;
    apr_status_t rv;

    if (!len && !strcmp(method, "GET"))
        body = NULL; /* one that was dropped is still replaced, by nothing */
    rv = task->backend->ask(task->backend, answer, &why, method, target, body,
                            len, task->p);
    if (rv == APR_TIMEUP)
        return aa_task_refuse(task, AA_E_BACKEND_TIME, "%s %s: %s", method,
                              target, why ? why : "no answer in time");
    if (rv != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BACKEND, "%s %s: %s", method, target,
                              why ? why : "no answer");
    if ((answer->status >= 200 && answer->status < 300) ||
        answer->status == 400 || answer->status == 404 ||
        answer->status == 409 || answer->status == 410 || answer->status == 422)
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_BACKEND, "%s %s: status %d", method,
                          target, answer->status);
}

apr_status_t aa_task_json(json_t **json, aa_task_t *task,
                          const aa_backend_answer_t *answer)
{
    const char *why;

    if (aa_json_read(json, &why, answer->body, answer->len,
                     AA_BACKEND_DEPTH_MAX, task->p) == APR_SUCCESS)
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_BACKEND, "its answer is no JSON: %s", why);
}

apr_status_t aa_task_key(aa_object_key_t *key, aa_task_t *task,
                         const char *canonical)
{
    const char *name = apr_pstrcat(task->p, task->backend->name, "\n", NULL);

    if (aa_crypto_sha256(key->hash, name, strlen(name), canonical,
                         strlen(canonical)) == APR_SUCCESS)
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_INTERNAL, "SHA-256 failed");
}

/* --------------------------------------------------------------------- runs */

apr_status_t aa_task_who(unsigned char who[AA_SHA256_LEN],
                         const aa_task_t *task)
{
    const char *realm = apr_pstrcat(task->p, task->realm, "\n", NULL);

    return aa_crypto_sha256(who, realm, strlen(realm), task->identity,
                            strlen(task->identity));
}

static apr_status_t digests(unsigned char who[AA_SHA256_LEN],
                            unsigned char run[AA_SHA256_LEN],
                            const aa_task_t *task, const char *id)
{
    const char *name = apr_pstrcat(task->p, task->backend->name, "\n", NULL);
    apr_status_t rv = aa_task_who(who, task);

    return rv != APR_SUCCESS
               ? rv
               : aa_crypto_sha256(run, name, strlen(name), id, strlen(id));
}

void aa_task_remember_run(const aa_task_t *task, const char *id)
{
    unsigned char who[AA_SHA256_LEN], run[AA_SHA256_LEN];

    if (digests(who, run, task, aa_one_spelling(id, task->p)) == APR_SUCCESS)
        aa_runs_remember(task->runs, who, run);
}

static apr_status_t step_run(aa_task_t *task)
{
    unsigned char who[AA_SHA256_LEN], run[AA_SHA256_LEN];
    const char *id;

    if (!task->rule->asks_runs)
        return APR_SUCCESS;
    if (aa_template_text(&id, "{run_id}", task, NULL) == APR_SUCCESS &&
        digests(who, run, task, aa_one_spelling(id, task->p)) == APR_SUCCESS &&
        aa_runs_know(task->runs, who, run))
        return APR_SUCCESS;
    return aa_task_hide(task, NULL, "the run was not started by this user");
}

/* "/runs/ID" or "/threads/ID/runs/ID" */
static void remember_location(const aa_task_t *task, const char *location)
{
    const char *at = location ? strstr(location, "/runs/") : NULL;

    if (at && task->rule->remembers_run)
        aa_task_remember_run(
            task, apr_pstrmemdup(task->p, at + 6, strcspn(at + 6, "/?#")));
}

/* -------------------------------------------------------------------- steps */

/* Without a rule nothing carries a filter, nor a change that is not the
 * body's. */
static int wants_rule(const aa_task_t *task)
{
    const aa_policy_verdict_t *verdict = task->verdict;

    if (verdict->effect == AA_POLICY_FILTER)
        return 1;
    for (int i = 0; i < verdict->ndecisions; i++)
        if (verdict->decisions[i].set &&
            aa_route_body(task->match->route) != AA_BODY_JSON)
            return 1;
    return 0;
}

static apr_status_t step_rule(aa_task_t *task)
{
    if (!task->rule) {
        if (wants_rule(task))
            return aa_task_refuse(task, AA_E_NO_RULE, "%s has no enforce",
                                  aa_route_name(task->match->route));
        return APR_SUCCESS;
    }
    if (task->rule->refuse && !task->opened)
        return aa_task_refuse(task, AA_E_ROUTE_REFUSED, "%s: %s",
                              aa_route_name(task->match->route),
                              task->rule->refuse);
    return APR_SUCCESS;
}

static apr_status_t step_parse(aa_task_t *task)
{
    const char *why;

    if (!task->rule || !task->body)
        return APR_SUCCESS;
    if (!task->body_len) { /* as the backends take it */
        task->json = aa_json_own(json_object(), task->p);
        return APR_SUCCESS;
    }
    if (aa_json_parse(&task->json, &why, task->body, task->body_len,
                      AA_BODY_DEPTH_MAX, task->p) != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BODY_JSON, "%s", why);
    if (json_is_object(task->json) || aa_task_each(task))
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_ENFORCE_BODY, "it is no JSON object");
}

apr_status_t aa_enforce(aa_task_t *task)
{
    static apr_status_t (*const steps[])(aa_task_t *) = {
        step_rule,       step_parse,   step_run,     aa_step_rewrite,
        aa_step_created, aa_step_ask,  aa_step_list, aa_step_object,
        aa_step_batch,   aa_step_copy, NULL};
    apr_status_t rv = APR_SUCCESS;

    task->rule = aa_route_rule(task->match->route);
    for (int i = 0; steps[i] && rv == APR_SUCCESS && !task->reply; i++)
        if (i < 1 || task->rule)
            rv = steps[i](task);
    if (rv != APR_SUCCESS || task->reply)
        aa_enforce_end(task, NULL);
    return rv;
}

void aa_enforce_end(aa_task_t *task, const char *location)
{
    for (int i = 0; i < task->nkeys; i++)
        aa_object_bump(task->objects, &task->keys[i]);
    task->nkeys = 0;
    if (task->rule && location)
        remember_location(task, location);
    aa_object_release(task->hold);
    task->hold = NULL;
}

int aa_enforce_drops(const aa_rule_t *rule, const char *name)
{
    const char *const *pattern = rule ? rule->drop_headers : NULL;

    for (; pattern && *pattern; pattern++) {
        size_t n = strlen(*pattern);

        if (n && (*pattern)[n - 1] == '*' ? !strncasecmp(name, *pattern, n - 1)
                                          : !strcasecmp(name, *pattern))
            return 1;
    }
    return 0;
}
