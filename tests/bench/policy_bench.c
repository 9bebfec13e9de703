/* SPDX-License-Identifier: Apache-2.0 */
/* How long a decision takes: an owner policy, one thread, limits armed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agentpolicy.h"
#include "apr_general.h"

#define ROUNDS 200000 /* by default */

static const char policy_text[] = "local auth = require 'agentauth'\n"
                                  "auth.on(function(ctx, value)\n"
                                  "  value.metadata = value.metadata or {}\n"
                                  "  value.metadata.owner = ctx.user.identity\n"
                                  "  return { owner = ctx.user.identity }\n"
                                  "end)\n"
                                  "auth.on.threads.read(function(ctx, value)\n"
                                  "  return { owner = ctx.user.identity }\n"
                                  "end)\n";

/* 253 bytes. */
static const char body_text[] =
    "{\"thread_id\":\"6f8d2a0e-6a42-4c8e-9a5e-2f6d3f1b7c11\",\"metadata\":{"
    "\"title\":\"Trip to Lisbon\",\"tags\":[\"travel\",\"family\",\"spring\"],"
    "\"score\":1.10,\"source\":\"web\",\"graph_id\":\"agent\",\"n\":12345},"
    "\"if_exists\":\"raise\",\"ttl\":{\"strategy\":\"delete\",\"ttl\":43200},"
    "\"x\":\"yyyyyyyy\"}";

static double now(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "policy_bench: %s\n", what);
    exit(1);
}

static int rounds = ROUNDS;

typedef struct bench_t {
    apr_pool_t *p, *request;
    const aa_routes_t *routes;
    aa_policy_t *policy;
    json_t *user;
} bench_t;

static void measure(bench_t *b, const char *name, const char *method,
                    const char *path, const char *body, int is_fresh)
{
    aa_policy_input_t input = {.method = method,
                               .path = path,
                               .body = body,
                               .body_len = body ? strlen(body) : 0,
                               .now = apr_time_now()};
    aa_policy_user_t user = {1, b->user};
    aa_policy_verdict_t verdict;
    aa_route_match_t match;
    double wall = 0, cpu = 0;

    if (aa_routes_find(&match, b->routes, method, path, b->p) != APR_SUCCESS)
        die("no route");
    for (int i = -rounds / 10; i < rounds; i++) {
        if (i == 0) {
            wall = now(CLOCK_MONOTONIC);
            cpu = now(CLOCK_THREAD_CPUTIME_ID);
        }
        if (is_fresh)
            user.serial++;
        if (aa_policy_decide(&verdict, b->policy, &match, &input, &user,
                             b->request) != APR_SUCCESS ||
            verdict.effect != AA_POLICY_FILTER)
            die(verdict.reason ? verdict.reason : "not filtered");
        apr_pool_clear(b->request);
    }
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    printf("%-36s %10.0f decisions/s %8.0f ns CPU\n", name, rounds / wall,
           cpu / rounds * 1e9);
}

static json_t *make_user(void)
{
    return json_pack("{s:s,s:[s,s,s],s:s,s:b,s:s,s:s,s:{s:s}}", "identity",
                     "alice", "permissions", "threads:read", "threads:create",
                     "runs", "display_name", "Alice", "is_authenticated", 1,
                     "email", "alice@example.com", "team", "blue", "org", "id",
                     "acme");
}

static const struct {
    const char *name, *method, *path, *body;
    int is_fresh;
} cases[] = {
    {"no body, user known", "GET", "/threads/42", NULL, 0},
    {"no body, user new each time", "GET", "/threads/42", NULL, 1},
    {"253-byte body, create, spliced", "POST", "/threads", body_text, 0},
    {"253-byte body, user new each time", "POST", "/threads", body_text, 1},
};

int main(int argc, char **argv)
{
    char file[] = "/tmp/policy_bench-XXXXXX";
    int fd = mkstemp(file);
    aa_policy_conf_t conf = {.file = file, .interval = apr_time_from_msec(250)};
    const char *why = NULL;
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bench_t b;

    if (argc > 1 && (rounds = atoi(argv[1])) < 1)
        die("usage: policy_bench [ROUNDS [CASE]]");
    if (!out || fputs(policy_text, out) < 0 || fclose(out))
        die("cannot write the policy");
    apr_initialize();
    apr_pool_create(&b.p, NULL);
    apr_pool_create(&b.request, b.p);
    if (aa_routes_open(&b.routes, &why, "langgraph", NULL, "", 0, b.p) !=
        APR_SUCCESS)
        die(why);
    conf.routes = b.routes;
    if (aa_policy_open(&b.policy, &why, &conf, b.p) != APR_SUCCESS)
        die(why);
    b.user = make_user();
    for (int i = 0; i < 4; i++)
        if (argc < 3 || atoi(argv[2]) == i)
            measure(&b, cases[i].name, cases[i].method, cases[i].path,
                    cases[i].body, cases[i].is_fresh);
    json_decref(b.user);
    remove(file);
    apr_pool_destroy(b.p);
    return 0;
}
