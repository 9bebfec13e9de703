/* SPDX-License-Identifier: Apache-2.0 */
/* Makes requests of a user and carries their decisions out. */
#include <stdarg.h>

#include "apr_file_io.h"
#include "apr_strings.h"
#include "base/json.h"
#include "enforce_backend.h"
#include "enforce_stage.h"

/* --------------------------------------------------------------- the stage */

static const char *file_of(enforce_t *t, const char *name, const char *text)
{
    const char *path = apr_pstrcat(t->p, t->stage->dir, "/", name, NULL);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

void on_map(enforce_t *t, const char *map)
{
    const char *files[2] = {NULL, NULL}, *why = "";

    if (!strncmp(map, "route", 5)) {
        files[0] = file_of(t, "map.lua", map);
        map = "crud";
    }
    if (aa_routes_open(&t->routes, &why, map, files, "", 1, t->p) !=
        APR_SUCCESS)
        fail_msg("%s", why);
    on_policy(t, "auth.on(function() return true end)");
}

void on_policy(enforce_t *t, const char *lua)
{
    aa_policy_conf_t conf = {.routes = t->routes, .interval = SECOND};
    const char *why = "",
               *text = apr_pstrcat(t->p, "local auth = require \"agentauth\"\n",
                                   lua, NULL);

    conf.file = file_of(t, "policy.lua", text);
    if (aa_policy_open(&t->policy, &why, &conf, t->p) != APR_SUCCESS)
        fail_msg("%s", why);
}

void by_json(enforce_t *t, const char *event, json_t *filter)
{
    const char *why = "";
    json_t *normal;

    if (!filter) {
        json_object_del(t->filters, event);
        return;
    }
    if (aa_filter_normalise(&normal, &why, filter, t->p) != APR_SUCCESS)
        fail_msg("%s", why);
    json_object_set(t->filters, event, normal);
}

void by_filter(enforce_t *t, const char *event, const char *filter)
{
    by_json(t, event, filter ? parsed(t, filter) : NULL);
}

int enforce_open(void **state)
{
    enforce_t *t;
    stage_t *stage;

    if (stage_open(state))
        return -1;
    stage = *state;
    t = apr_pcalloc(stage->pool, sizeof(*t));
    t->stage = stage;
    t->p = stage->pool;
    t->user = "alice";
    t->now = T0;
    t->filters = aa_json_own(json_object(), t->p);
    fake_open(&t->fake, t->p);
    on_map(t, "langgraph");
    *state = t;
    return aa_objects_open(&t->objects, stage->state.objects, t->p) ||
           aa_runs_open(&t->runs, t->p);
}

int enforce_close(void **state)
{
    enforce_t *t = *state;

    *state = t->stage;
    return stage_close(state);
}

/* ------------------------------------------------------------- the backend */

json_t *parsed(enforce_t *t, const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

    if (!json)
        fail_msg("%s: %s", text, error.text);
    return aa_json_own(json, t->p);
}

void has(enforce_t *t, const char *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    json_object_set(t->fake.objects, path,
                    parsed(t, apr_pvsprintf(t->p, fmt, ap)));
    va_end(ap);
}

void has_thread(enforce_t *t, const char *id, const char *metadata)
{
    has(t, apr_pstrcat(t->p, "/threads/", id, NULL),
        "{\"thread_id\":\"%s\",\"metadata\":%s}", id, metadata);
}

const json_t *there(enforce_t *t, const char *path)
{
    return json_object_get(t->fake.objects, path);
}

void says(enforce_t *t, const char *question, int status, const char *type,
          const char *body)
{
    if (!status)
        json_object_del(t->fake.says, question);
    else
        json_object_set_new(t->fake.says, question,
                            json_pack("{s:i,s:s?,s:s}", "status", status,
                                      "type", type, "body", body));
}

void fails(enforce_t *t, const char *question, apr_status_t rv)
{
    json_object_set_new(t->fake.says, question, json_pack("{s:i}", "rv", rv));
}

/* ------------------------------------------------------------- the request */

/* Filters as the test says them, in place of the policy's. */
static void filter_all(enforce_t *t)
{
    for (int i = 0; i < t->verdict.ndecisions; i++) {
        aa_policy_decision_t *decision = &t->verdict.decisions[i];
        const char *event =
            apr_pstrcat(t->p, decision->resource, ":", decision->action, NULL);
        json_t *filter = json_object_get(t->filters, event);

        if (!filter)
            filter = json_object_get(t->filters, "*");
        if (!filter)
            continue;
        t->verdict.effect = decision->effect = AA_POLICY_FILTER;
        decision->filter = filter;
    }
}

static json_t *user_of(enforce_t *t)
{
    return aa_json_own(json_pack("{s:s,s:[s],s:b}", "identity", t->user,
                                 "permissions", "p1", "is_authenticated", 1),
                       t->p);
}

static void decides(enforce_t *t, aa_policy_input_t *input)
{
    aa_policy_user_t user = {0, user_of(t)};

    if (aa_routes_find(&t->match, t->routes, input->method, input->path,
                       t->p) != APR_SUCCESS)
        fail_msg("%s %s: no row", input->method, input->path);
    t->task.user = user.object;
    memset(&t->verdict, 0, sizeof(t->verdict));
    assert_int_equal(
        aa_policy_decide(&t->verdict, t->policy, &t->match, input, &user, t->p),
        APR_SUCCESS);
    if (t->verdict.effect == AA_POLICY_DENY)
        fail_msg("%s %s: denied: %s", input->method, input->path,
                 t->verdict.reason);
    filter_all(t);
}

/* As the policy left it. */
static void takes_body(enforce_t *t, const aa_policy_input_t *input)
{
    aa_task_t *task = &t->task;

    task->body = input->body;
    task->body_len = input->body_len;
    if (t->verdict.body) {
        task->body = t->verdict.body;
        task->body_len = t->verdict.body_len;
    }
    if (!task->body && aa_route_body(t->match.route) == AA_BODY_JSON)
        task->body = "";
}

static void takes(enforce_t *t, const aa_policy_input_t *input)
{
    aa_task_t *task = &t->task;

    task->objects = t->objects;
    task->runs = t->runs;
    task->backend = &t->fake.backend;
    task->webhook = t->webhook;
    task->match = &t->match;
    task->verdict = &t->verdict;
    task->identity = t->user;
    task->realm = REALM;
    task->path = input->path;
    task->method = input->method;
    task->query = input->query;
    task->now = t->now;
    task->p = t->p;
    takes_body(t, input);
}

static const char *outcome(enforce_t *t)
{
    const aa_reply_t *reply = t->task.reply;

    if (t->rv == AA_EREFUSED)
        return aa_codes[t->task.error.code].number;
    assert_int_equal(t->rv, APR_SUCCESS);
    return reply ? apr_psprintf(t->p, "%d %.*s", reply->status, (int)reply->len,
                                reply->body)
                 : "go";
}

const char *begins(enforce_t *t, const char *method, const char *target,
                   const char *body)
{
    const char *query = strchr(target, '?');
    aa_policy_input_t input = {.method = method, .now = t->now};

    input.path = apr_pstrmemdup(t->p, target, strcspn(target, "?"));
    input.query = query ? query + 1 : NULL;
    input.body = body;
    input.body_len = body ? strlen(body) : 0;
    memset(&t->task, 0, sizeof(t->task));
    decides(t, &input);
    takes(t, &input);
    json_array_clear(t->fake.asked);
    json_array_clear(t->fake.bodies);
    t->rv = aa_enforce(&t->task);
    return outcome(t);
}

const char *asks(enforce_t *t, const char *method, const char *target,
                 const char *body)
{
    const char *what = begins(t, method, target, body);

    if (t->rv == APR_SUCCESS)
        aa_enforce_end(&t->task, t->location);
    return what;
}

/* ------------------------------------------------------------ what came out */

const char *body_of(enforce_t *t)
{
    const aa_task_t *task = &t->task;

    if (task->reply)
        return apr_pstrmemdup(t->p, task->reply->body, task->reply->len);
    return task->body ? apr_pstrmemdup(t->p, task->body, task->body_len) : NULL;
}

const char *asked(enforce_t *t)
{
    const char *all = NULL;
    json_t *line;
    size_t i;

    json_array_foreach(t->fake.asked, i, line) all = apr_pstrcat(
        t->p, all ? all : "", all ? ", " : "", json_string_value(line), NULL);
    return all ? all : "";
}

const char *body_asked(enforce_t *t, int i)
{
    return json_string_value(json_array_get(t->fake.bodies, (size_t)i));
}

const char *header_of(enforce_t *t, const char *name)
{
    const apr_table_t *headers = t->task.reply ? t->task.reply->headers : NULL;

    return headers ? apr_table_get(headers, name) : NULL;
}

int is_free(enforce_t *t, const char *path)
{
    static const aa_lock_e exclusive = AA_LOCK_EXCLUSIVE;
    aa_object_key_t key;
    aa_hold_t *hold;

    if (aa_task_key(&key, &t->task, path) != APR_SUCCESS ||
        aa_object_hold(&hold, t->objects, &key, &exclusive, 1, 0, t->p) !=
            APR_SUCCESS)
        return 0;
    aa_object_release(hold);
    return 1;
}

void same_json(enforce_t *t, const char *is, const char *shall)
{
    assert_non_null(is);
    if (!json_equal(parsed(t, is), parsed(t, shall)))
        fail_msg("%s\nshall be\n%s", is, shall);
}
