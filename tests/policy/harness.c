/* SPDX-License-Identifier: Apache-2.0 */
/* A policy from a string, a request from a line: what the policy tests share.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/stat.h>

#include "apr_file_io.h"

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void on_log(void *baton, aa_policy_log_e about, const char *line)
{
    world_t *w = baton;
    size_t used;

    pthread_mutex_lock(&log_mutex);
    used = strlen(w->log);
    w->nlog++;
    snprintf(w->log + used, sizeof(w->log) - used, "%s %s\n",
             about == AA_POLICY_LOG_BROKEN ? "E" : "I", line);
    pthread_mutex_unlock(&log_mutex);
}

/* No cryptography is needed to see that the bytes go through. */
static void sum(unsigned char out[32], const void *data, apr_size_t len)
{
    const unsigned char *bytes = data;
    unsigned hash = 2166136261u;

    for (apr_size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    for (int i = 0; i < 32; i++, hash = hash * 16777619u + 1)
        out[i] = (unsigned char)(hash >> 24);
}

int world_setup(void **state)
{
    world_t *w = calloc(1, sizeof(*w));
    const char *why = NULL;

    apr_initialize();
    apr_pool_create(&w->p, NULL);
    strcpy(w->dir, "/tmp/agentpolicy-XXXXXX");
    if (!mkdtemp(w->dir) || aa_routes_open(&w->routes, &why, "langgraph", NULL,
                                           "", 0, w->p) != APR_SUCCESS) {
        fprintf(stderr, "world: %s\n", why ? why : "no directory");
        return -1;
    }
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_t *w = *state;
    char command[128];

    apr_pool_destroy(w->p);
    snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    if (system(command))
        return -1;
    free(w);
    return 0;
}

const char *world_file(world_t *w, const char *name, const char *text)
{
    const char *path = apr_pstrcat(w->p, w->dir, "/", name, NULL);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

void world_replace(const char *file, const char *text)
{
    char next[256];
    FILE *out;

    snprintf(next, sizeof(next), "%s.next", file);
    out = fopen(next, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(next, file), 0);
}

static aa_policy_conf_t conf_of(world_t *w, const char *file)
{
    return (aa_policy_conf_t){.file = file,
                              .routes = w->routes,
                              .interval = apr_time_from_sec(3600),
                              .budget = w->budget,
                              .memory = w->memory,
                              .log = on_log,
                              .baton = w,
                              .sha256 = sum};
}

static const char *file_of(world_t *w, const char *text)
{
    return world_file(w, apr_psprintf(w->p, "p%d.lua", w->nfiles++), text);
}

aa_policy_t *world_policy_file(world_t *w, const char *file, int interval_ms)
{
    aa_policy_conf_t conf = conf_of(w, file);
    aa_policy_t *policy = NULL;
    const char *why = NULL;

    if (interval_ms >= 0)
        conf.interval = apr_time_from_msec(interval_ms);
    if (aa_policy_open(&policy, &why, &conf, w->p) != APR_SUCCESS)
        fail_msg("%s does not load: %s", file, why);
    return policy;
}

aa_policy_t *world_policy(world_t *w, const char *text)
{
    return world_policy_file(w, file_of(w, text), -1);
}

const char *world_error(world_t *w, const char *text)
{
    aa_policy_conf_t conf = conf_of(w, file_of(w, text));
    aa_policy_t *policy = NULL;
    const char *why = NULL;

    if (aa_policy_open(&policy, &why, &conf, w->p) == APR_SUCCESS)
        fail_msg("loads, but must not: %s", text);
    assert_null(policy);
    assert_non_null(why);
    return why;
}

aa_policy_verdict_t world_ask_row(world_t *w, aa_policy_t *policy,
                                  const aa_route_match_t *match,
                                  const char *body)
{
    aa_policy_input_t input = {.method = "POST",
                               .path = "/test",
                               .query = w->query,
                               .body = body,
                               .body_len = body ? strlen(body) : 0,
                               .now = apr_time_from_sec(1700000000),
                               .allow_unmatched = w->allow_unmatched};
    const char *text = w->user ? w->user
                               : "{\"identity\":\"alice\",\"permissions\":"
                                 "[\"threads:read\",\"assistants:create\"],"
                                 "\"display_name\":\"Alice\","
                                 "\"is_authenticated\":true}";
    json_t *object = json_loads(text, 0, NULL);
    aa_policy_user_t user = {w->serial, object};
    aa_policy_verdict_t v;

    assert_non_null(object);
    assert_int_equal(aa_policy_decide(&v, policy, match, &input, &user, w->p),
                     APR_SUCCESS);
    json_decref(object);
    return v;
}

aa_policy_verdict_t world_ask(world_t *w, aa_policy_t *policy,
                              const char *request, const char *body)
{
    char *method = apr_pstrdup(w->p, request), *path = strchr(method, ' ');
    aa_route_match_t match;

    *path++ = '\0';
    if (aa_routes_find(&match, w->routes, method, path, w->p) != APR_SUCCESS)
        fail_msg("no row for %s %s", method, path);
    return world_ask_row(w, policy, &match, body);
}

aa_policy_verdict_t world_try(world_t *w, const char *policy,
                              const char *request, const char *body)
{
    return world_ask(w, world_policy(w, policy), request, body);
}

const char *world_json(world_t *w, const json_t *json)
{
    char *text, *copy;

    if (!json)
        return "";
    text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                JSON_REAL_PRECISION(15));
    copy = apr_pstrdup(w->p, text);
    free(text);
    return copy;
}

const char *world_say(world_t *w, const aa_policy_verdict_t *v)
{
    static const char *const causes[] = {
        "NONE", "FALSE",  "EXCEPTION", "ASSERT", "UNMATCHED", "ANONYMOUS",
        "LUA",  "BUDGET", "RESULT",    "QUERY",  "BODY",      "OURS"};

    if (v->effect == AA_POLICY_ALLOW)
        return "allow";
    if (v->effect == AA_POLICY_FILTER)
        return apr_pstrcat(w->p, "filter ", world_json(w, v->filter), NULL);
    if (v->status)
        return apr_psprintf(w->p, "deny %s %d %s", causes[v->cause], v->status,
                            v->detail);
    return apr_pstrcat(w->p, "deny ", causes[v->cause], v->detail ? " " : "",
                       v->detail, NULL);
}
