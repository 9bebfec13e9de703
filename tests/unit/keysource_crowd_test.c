/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that several processes and threads share: one fetch, one reading.
 *
 * Two sources over one shared struct stand for two processes, and one test
 * forks real ones. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "keysource_stage.h"

static void second_process_takes_over(void **state)
{
    aa_keysource_shared_t shared = {0, 0};
    aa_keysource_t *a = url_source(&shared), *b = url_source(&shared);
    aa_keysource_t *c = url_source(&shared);
    int before = webserver_count(server);

    (void)state;
    serve("/jwks", 200, one);
    assert_int_equal(aa_keysource_want(a, NOW, p), APR_SUCCESS);
    assert_int_equal(keys(b, NOW), -1);
    assert_int_equal(aa_keysource_want(b, NOW + SEC(1), p), APR_SUCCESS);
    assert_int_equal(keys(b, NOW + SEC(1)), 1);
    assert_int_equal(aa_keysource_want(b, NOW + SEC(2), p), APR_ENOENT);
    aa_keysource_tick(c, NOW + SEC(2), p);
    assert_int_equal(keys(c, NOW + SEC(2)), 1);
    assert_int_equal(webserver_count(server), before + 1);
    /* And a newer one. */
    serve("/jwks", 200, two);
    assert_int_equal(aa_keysource_want(b, NOW + SEC(60), p), APR_SUCCESS);
    aa_keysource_tick(a, NOW + SEC(61), p);
    assert_int_equal(keys(a, NOW + SEC(61)), 2);
    assert_int_equal(webserver_count(server), before + 2);
    /* A failed fetch of one holds the others off too. */
    serve("/jwks", 500, "");
    assert_int_equal(aa_keysource_want(a, NOW + SEC(120), p), APR_EAGAIN);
    assert_int_equal(aa_keysource_want(b, NOW + SEC(121), p), APR_EAGAIN);
    assert_int_equal(webserver_count(server), before + 3);
}

#define CHILDREN 4

/* Real processes over shared memory, all asking at the same time. */
static void forked_processes(void **state)
{
    aa_keysource_shared_t *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    aa_keysource_t *source;
    int before = webserver_count(server), status, gate[2];
    pid_t child[CHILDREN];

    (void)state;
    assert_true(shared != MAP_FAILED);
    memset(shared, 0, sizeof(*shared));
    source = url_source(shared);
    serve("/jwks", 200, one);
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            char c;

            close(gate[1]);
            (void)!read(gate[0], &c, 1); /* until all are there */
            /* EAGAIN while another fetches; then its result is there. */
            for (int n = 0; n < 500; n++) {
                if (aa_keysource_want(source, NOW, p) == APR_SUCCESS)
                    break;
                usleep(10000);
            }
            _exit(keys(source, NOW) == 1 ? 0 : 1);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(webserver_count(server), before + 1);
    assert_true(shared->version == 1);
    munmap(shared, sizeof(*shared));
}

#define THREADS 8

typedef struct crowd_t {
    aa_keysource_t *source;
    pthread_barrier_t gate;
    int again[THREADS];
} crowd_t;

typedef struct member_t {
    crowd_t *crowd;
    int i;
} member_t;

static void *crowd_member(void *data)
{
    member_t *member = data;
    apr_pool_t *mine;

    apr_pool_create_unmanaged_ex(&mine, NULL, NULL);
    pthread_barrier_wait(&member->crowd->gate);
    member->crowd->again[member->i] =
        aa_keysource_want(member->crowd->source, NOW, mine) == APR_EAGAIN;
    (void)keys(member->crowd->source, NOW);
    apr_pool_destroy(mine);
    return NULL;
}

/** Threads of a process that learn of what another one has fetched. */
typedef struct taking_t {
    aa_keysource_t *source;
    pthread_barrier_t gate;
    apr_time_t now;
    int wanted, away, old;
} taking_t;

static void *taking_member(void *data)
{
    taking_t *taking = data;
    apr_pool_t *mine;
    apr_status_t rv;

    apr_pool_create_unmanaged_ex(&mine, NULL, NULL);
    pthread_barrier_wait(&taking->gate);
    rv = aa_keysource_want(taking->source, taking->now, mine);
    if (rv != APR_SUCCESS && rv != APR_ENOENT)
        __atomic_add_fetch(&taking->away, 1, __ATOMIC_RELAXED);
    if (keys(taking->source, taking->now) != taking->wanted)
        __atomic_add_fetch(&taking->old, 1, __ATOMIC_RELAXED);
    apr_pool_destroy(mine);
    return NULL;
}

/* Who asks while another thread reads the file is not sent away. */
static void threads_wait_for_a_takeover(void **state)
{
    enum { ROUNDS = 40 };
    aa_keysource_shared_t shared = {0, 0};
    aa_keysource_t *a = url_source(&shared);
    taking_t taking = {.source = url_source(&shared)};
    pthread_t thread[THREADS];

    (void)state;
    assert_int_equal(pthread_barrier_init(&taking.gate, NULL, THREADS), 0);
    for (int round = 0; round < ROUNDS; round++) {
        taking.wanted = 1 + round % 2;
        taking.now = NOW + SEC(60 * round);
        serve("/jwks", 200, round % 2 ? two : one);
        assert_int_equal(aa_keysource_want(a, taking.now, p), APR_SUCCESS);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&thread[i], NULL, taking_member, &taking);
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
    pthread_barrier_destroy(&taking.gate);
    assert_int_equal(taking.away, 0);
    assert_int_equal(taking.old, 0);
}

/* One flies, the others do not wait for it. */
static void single_flight(void **state)
{
    webserver_page_t pages[] = {
        {NULL, WEBSERVER_SLOW, 200, NULL, "{\"keys\":[]}", 0}, LAST};
    int before = webserver_count(server), again = 0;
    pthread_t thread[THREADS];
    member_t member[THREADS];
    crowd_t crowd = {0};

    (void)state;
    webserver_pages(server, pages);
    crowd.source = url_source(NULL);
    pthread_barrier_init(&crowd.gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        member[i] = (member_t){&crowd, i};
        assert_int_equal(
            pthread_create(&thread[i], NULL, crowd_member, &member[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        again += crowd.again[i];
    }
    pthread_barrier_destroy(&crowd.gate);
    assert_int_equal(again, THREADS - 1);
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(keys(crowd.source, NOW), 0);
}

int main(void)
{
    struct CMUnitTest tests[8];
    size_t n = 0;

    keysource_begin();
    ONE(second_process_takes_over);
    ONE(threads_wait_for_a_takeover);
    ONE(forked_processes);
    ONE(single_flight);
    return keysource_run("keysource_crowd", tests, n);
}
