/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a verdict: every event of the row is decided, one denial
 * denies, and what the handlers changed is put into the body. */
#include "agentpolicy.h"
#include "payload.h"
#include "event.h"
#include "generation.h"
#include "query.h"
#include "value.h"

#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

/** One request while it is decided. */
typedef struct decide_t {
    aa_policy_verdict_t *verdict;
    const aa_route_match_t *match;
    const aa_policy_input_t *input;
    const aa_policy_user_t *user;
    apr_pool_t *p;
    aa_vm_t *vm;
    json_t *query;
    aa_body_t body;
    int has_body; /* it was opened */
    int size;     /* room in verdict->decisions */
} decide_t;

static int deny(decide_t *d, aa_policy_cause_e cause, const char *reason)
{
    aa_event_deny(d->verdict, cause, reason);
    return 0;
}

/* --------------------------------------------------------------- one event */

static aa_policy_decision_t *one_more(decide_t *d)
{
    aa_policy_verdict_t *v = d->verdict;

    if (v->ndecisions == d->size) {
        int size = d->size ? d->size * 2 : 2;
        aa_policy_decision_t *grown =
            apr_pcalloc(d->p, sizeof(*grown) * (apr_size_t)size);

        if (d->size)
            memcpy(grown, v->decisions, sizeof(*grown) * (apr_size_t)d->size);
        v->decisions = grown;
        d->size = size;
    }
    return &v->decisions[v->ndecisions++];
}

/* 1: allowed, perhaps under a filter; 0: the verdict says why not. */
static int run(decide_t *d, aa_scene_t *scene, aa_part_t *part)
{
    aa_policy_decision_t *decision;
    aa_outcome_t outcome = {0};
    int handler;

    if (d->verdict->ndecisions == AA_POLICY_EVENTS_MAX)
        return deny(d, AA_CAUSE_BODY, "the request has too many events");
    decision = one_more(d);
    decision->resource = scene->resource;
    decision->action = scene->action;
    scene->match = d->match;
    scene->query = d->query;
    scene->input = d->input;
    scene->user = d->user;
    scene->body = part ? part->root : NULL;
    handler = aa_vm_find(d->vm, scene->resource, scene->action);
    if (handler >= 0)
        aa_event_run(&outcome, d->verdict, d->vm, handler, scene, d->p);
    else if (d->input->allow_unmatched)
        outcome.effect = AA_POLICY_ALLOW;
    else
        deny(d, AA_CAUSE_UNMATCHED,
             apr_pstrcat(d->p, "no handler for ", scene->resource, ":",
                         scene->action, NULL));
    if (outcome.effect == AA_POLICY_DENY)
        return 0;
    if (part && aa_body_change(part, outcome.changes, d->p) != APR_SUCCESS)
        return deny(d, AA_CAUSE_OURS, "the body could not be changed");
    decision->effect = outcome.effect;
    decision->filter = outcome.filter;
    decision->filter_text = outcome.filter_text;
    decision->set = outcome.set;
    return 1;
}

/* ------------------------------------------------------------ events of a row
 */

static int is_one_of(const char *text, const char *const *words)
{
    for (; text && *words; words++)
        if (!strcmp(*words, text))
            return 1;
    return 0;
}

/* 1: the request says that the event happens. */
static int happens(const decide_t *d, const aa_event_t *event,
                   const aa_part_t *part)
{
    const json_t *at;

    if (!event->when)
        return 1;
    if (event->when_query) {
        at = json_object_get(d->query, event->when);
        return at && !is_one_of(json_string_value(at), event->when_in);
    }
    at = part ? aa_value_at(part->root, event->when) : NULL;
    if (!at || json_is_null(at))
        return 0;
    return !event->when_in || is_one_of(json_string_value(at), event->when_in);
}

/* Run an event on one part. 0: denied. */
static int run_on(decide_t *d, const aa_event_t *event, aa_part_t *part,
                  int *count)
{
    aa_scene_t scene = {.resource = event->resource,
                        .action = event->action,
                        .members = event->members,
                        .nmembers = event->nmembers};

    if (!happens(d, event, part))
        return 1;
    (*count)++;
    return run(d, &scene, part);
}

static int run_event(decide_t *d, const aa_event_t *event, int *count)
{
    aa_part_t *single = d->has_body && !d->body.is_list ? d->body.parts : NULL;

    if (!event->each)
        return run_on(d, event, single, count);
    for (int i = 0; i < d->body.nparts; i++)
        if (!run_on(d, event, &d->body.parts[i], count))
            return 0;
    return 1;
}

static int run_events(decide_t *d)
{
    const aa_route_t *route = d->match->route;
    int count = 0;

    for (int i = 0; i < route->nevents; i++)
        if (!run_event(d, &route->events[i], &count))
            return 0;
    if (!count && !route->events_optional)
        return deny(d, AA_CAUSE_BODY,
                    "the body selects none of the row's events");
    return 1;
}

/* Map `none`: the method is the action, path and query are the value. */
static int run_none(decide_t *d)
{
    json_t *value = aa_value_own(json_object(), d->p);
    aa_scene_t scene = {.resource = "http", .whole = value};
    int is_head = !strcmp(d->input->method, "HEAD");
    char *action = apr_pstrdup(d->p, is_head ? "get" : d->input->method);

    for (char *c = action; *c; c++)
        *c = (char)apr_tolower(*c);
    scene.action = action;
    if (json_object_set_new(value, "path", json_string(d->input->path)) ||
        json_object_set(value, "query", d->query))
        return deny(d, AA_CAUSE_QUERY, "the path is not valid UTF-8");
    return run(d, &scene, NULL);
}

/* ------------------------------------------------------------- the request */

static int open_query(decide_t *d, int is_none)
{
    const char *why = NULL;
    aa_query_e mode = is_none ? AA_QUERY_ONCE : AA_QUERY_NAMED;

    if (!is_none && (!d->input->query || !*d->input->query))
        return 1;
    if (aa_query_parse(&d->query, &why, d->input->query, mode,
                       is_none ? NULL : d->match->route->query_names,
                       d->p) != APR_SUCCESS)
        return deny(d, AA_CAUSE_QUERY, why);
    return 1;
}

static int open_body(decide_t *d)
{
    const aa_route_t *route = d->match->route;
    const char *why = NULL;
    int is_list = 0;

    for (int i = 0; i < route->nevents; i++)
        is_list |= route->events[i].each;
    if (!route->reads_body && !is_list)
        return 1;
    if (aa_body_open(&d->body, &why, d->input->body, d->input->body_len,
                     is_list, d->p) != APR_SUCCESS)
        return deny(d, AA_CAUSE_BODY, why);
    d->has_body = 1;
    return 1;
}

/* All events were let in: the strictest of them is the verdict. */
static void conclude(decide_t *d)
{
    aa_policy_verdict_t *v = d->verdict;
    aa_span_t body = {NULL, 0};
    json_t *filter = NULL;
    int filtered = 0;

    for (int i = 0; i < v->ndecisions; i++) {
        if (v->decisions[i].effect != AA_POLICY_FILTER)
            continue;
        filter = filtered++
                     ? aa_filter_and(filter, v->decisions[i].filter, d->p)
                     : v->decisions[i].filter;
        v->filter_text = filtered == 1 ? v->decisions[i].filter_text : NULL;
        if (!filter) {
            deny(d, AA_CAUSE_OURS, "the filters could not be joined");
            return;
        }
    }
    if (d->has_body)
        body = aa_body_close(&d->body, d->p);
    v->body = body.text;
    v->body_len = body.len;
    v->filter = filter;
    v->effect = filter ? AA_POLICY_FILTER : AA_POLICY_ALLOW;
}

static int is_anonymous(const aa_policy_user_t *user)
{
    const json_t *is;

    if (!user || !json_is_object(user->object))
        return 1;
    is = json_object_get(user->object, "is_authenticated");
    return is && !json_is_true(is);
}

static int decide(decide_t *d, aa_policy_t *policy)
{
    const aa_routes_t *routes = aa_generation_routes(policy);
    int is_none = routes && aa_routes_is_none(routes);

    if (is_anonymous(d->user))
        return deny(d, AA_CAUSE_ANONYMOUS,
                    "the user says of itself that it "
                    "is not authenticated");
    if (!open_query(d, is_none))
        return 0;
    if (is_none)
        return run_none(d);
    return open_body(d) && run_events(d);
}

static void set_id(aa_policy_verdict_t *verdict, const aa_lease_t *lease,
                   apr_pool_t *p)
{
    const char *id = aa_generation_id(lease->generation);

    if (*id)
        verdict->policy_id = apr_pstrdup(p, id);
}

apr_status_t aa_policy_decide(aa_policy_verdict_t *verdict, aa_policy_t *policy,
                              const aa_route_match_t *match,
                              const aa_policy_input_t *input,
                              const aa_policy_user_t *user, apr_pool_t *p)
{
    decide_t d = {.verdict = verdict,
                  .match = match,
                  .input = input,
                  .user = user,
                  .p = p};
    aa_lease_t lease;

    memset(verdict, 0, sizeof(*verdict));
    if (aa_generation_take(&lease, policy) != APR_SUCCESS) {
        aa_event_deny(verdict, AA_CAUSE_OURS, "no Lua state could be made");
        return APR_SUCCESS;
    }
    d.vm = lease.vm;
    set_id(verdict, &lease, p);
    if (decide(&d, policy))
        conclude(&d);
    aa_generation_return(policy, &lease);
    return APR_SUCCESS;
}

apr_status_t aa_policy_authenticate(json_t **user, aa_policy_verdict_t *verdict,
                                    aa_policy_t *policy,
                                    const aa_policy_who_t *who, apr_pool_t *p)
{
    const char *why = NULL;
    json_t *query = NULL;
    aa_lease_t lease;
    apr_status_t rv;

    *user = NULL;
    memset(verdict, 0, sizeof(*verdict));
    if (aa_query_parse(&query, &why, who->query, AA_QUERY_ALL, NULL, p) !=
        APR_SUCCESS) {
        aa_event_deny(verdict, AA_CAUSE_QUERY, why);
        return APR_EINVAL;
    }
    if (aa_generation_take(&lease, policy) != APR_SUCCESS) {
        aa_event_deny(verdict, AA_CAUSE_OURS, "no Lua state could be made");
        return APR_EINVAL;
    }
    set_id(verdict, &lease, p);
    if (!lease.vm->authenticates)
        rv = APR_ENOENT; /* the handler went away with a reload */
    else
        rv = aa_event_authenticate(user, verdict, lease.vm, who, query, p);
    aa_generation_return(policy, &lease);
    return rv;
}
