/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file that changes: atomic, forward only, a broken one keeps the
 * old, also with many threads and in a forked process. */
#include "harness.h"

#include <pthread.h>
#include <sys/wait.h>

#include "apr_file_io.h"

#define THREADS 8
#define REWRITES 40

/* Two numbers that a torn policy would tell apart. */
static char *version(world_t *w, int n)
{
    return apr_psprintf(w->p,
                        "local auth = require 'agentauth'\n"
                        "local n = %d\n"
                        "auth.on(function() return {n = n, m = %d} end)\n",
                        n, n);
}

/* The version that decides; fails when it is none. */
static int ask(aa_policy_t *policy, apr_pool_t *p)
{
    static aa_event_t event = {.resource = "threads", .action = "read"};
    static aa_route_t route = {.events = &event, .nevents = 1};
    aa_route_match_t match = {.route = &route};
    aa_policy_input_t input = {.method = "GET", .path = "/"};
    json_t *object = json_pack("{s:s}", "identity", "a");
    aa_policy_user_t user = {0, object};
    aa_policy_verdict_t v;
    json_int_t n = -1;

    if (aa_policy_decide(&v, policy, &match, &input, &user, p) == APR_SUCCESS &&
        v.effect == AA_POLICY_FILTER) {
        n = json_integer_value(json_object_get(v.filter, "n"));
        if (n != json_integer_value(json_object_get(v.filter, "m")))
            n = -1;
    }
    json_decref(object);
    return (int)n;
}

static void newer_is_used(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 0);

    assert_int_equal(ask(policy, w->p), 1);
    for (int i = 2; i < 10; i++) {
        world_replace(file, version(w, i));
        assert_int_equal(ask(policy, w->p), i);
        assert_null(aa_policy_stale(policy, w->p));
    }
    assert_contains(w->log, "was reloaded");
}

/* Same size, and within one tick of the file system's clock. */
static void same_size_in_place(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 0);

    for (int i = 2; i < 10; i++) {
        world_file(w, "p.lua", version(w, i));
        assert_int_equal(ask(policy, w->p), i);
    }
}

static void interval(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 3600 * 1000);

    world_replace(file, version(w, 2));
    assert_int_equal(ask(policy, w->p), 1);
    assert_null(aa_policy_stale(policy, w->p));
}

static void broken_keeps_old(void **state)
{
    static const char *const broken[] = {"syntax error(", "error('at load')",
                                         "require 'agentauth'.on(1)",
                                         "while true do end", "\033Lua"};
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 0);

    for (int i = 0; i < 5; i++) {
        int lines;

        world_replace(file, broken[i]);
        assert_int_equal(ask(policy, w->p), 1);
        assert_contains(aa_policy_stale(policy, w->p), "p.lua");
        lines = w->nlog;
        for (int again = 0; again < 5; again++)
            assert_int_equal(ask(policy, w->p), 1);
        assert_int_equal(w->nlog, lines); /* said once */
        assert_contains(w->log, "E policy was not reloaded");
    }
    assert_int_equal(unlink(file), 0);
    assert_int_equal(ask(policy, w->p), 1);
    assert_contains(aa_policy_stale(policy, w->p), "No such file");
    world_replace(file, version(w, 1));
    assert_int_equal(ask(policy, w->p), 1);
    assert_null(aa_policy_stale(policy, w->p));
    world_replace(file, version(w, 2));
    assert_int_equal(ask(policy, w->p), 2);
    assert_null(aa_policy_stale(policy, w->p));
}

static void authenticate_comes_and_goes(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 0);

    assert_int_equal(aa_policy_authenticates(policy), 0);
    world_replace(file, "require 'agentauth'.authenticate(function() end)");
    assert_int_equal(aa_policy_authenticates(policy), 1);
    world_replace(file, version(w, 2));
    assert_int_equal(aa_policy_authenticates(policy), 0);
}

typedef struct shared_t {
    aa_policy_t *policy;
    int stop;
    int bad;
    long asked;
    int last;
} shared_t;

static void *worker(void *baton)
{
    shared_t *s = baton;
    apr_pool_t *p;
    int seen = 0;
    long asked = 0;

    apr_pool_create_unmanaged_ex(&p, NULL, NULL);
    while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
        int n = ask(s->policy, p);

        if (n < seen)
            __atomic_fetch_add(&s->bad, 1, __ATOMIC_RELAXED);
        seen = n;
        asked++;
        apr_pool_clear(p);
    }
    __atomic_fetch_add(&s->asked, asked, __ATOMIC_RELAXED);
    apr_pool_destroy(p);
    return NULL;
}

static void threads(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    shared_t s = {.policy = world_policy_file(w, file, 0)};
    pthread_t ids[THREADS];
    int newest = 1;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, worker, &s), 0);
    for (int i = 0; i < REWRITES; i++) {
        int is_broken = i % 4 == 3;

        world_replace(file, is_broken ? "broken(" : version(w, ++newest));
        /* the change is seen before the next one comes */
        while (is_broken ? !aa_policy_stale(s.policy, w->p)
                         : ask(s.policy, w->p) != newest)
            continue;
        if (is_broken)
            assert_int_equal(ask(s.policy, w->p), newest);
    }
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    print_message("%ld decisions, %d bad\n", s.asked, s.bad);
    assert_int_equal(s.bad, 0);
    assert_true(s.asked > 0);
}

/* A policy that was opened before the fork decides and reloads after it. */
static void forked(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "p.lua", version(w, 1));
    aa_policy_t *policy = world_policy_file(w, file, 0);
    int status;
    pid_t child;

    assert_int_equal(ask(policy, w->p), 1);
    child = fork();
    if (!child) {
        int is_right = ask(policy, w->p) == 1;

        world_replace(file, version(w, 2));
        _exit(is_right && ask(policy, w->p) == 2 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(ask(policy, w->p), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(newer_is_used),
        WORLD(same_size_in_place),
        WORLD(interval),
        WORLD(broken_keeps_old),
        WORLD(authenticate_comes_and_goes),
        WORLD(threads),
        WORLD(forked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
