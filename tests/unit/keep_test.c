/* SPDX-License-Identifier: Apache-2.0 */
/* Kept connections: when one is used again, when not, and by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "apr_thread_proc.h"
#include "asking.h"
#include "model/limits.h"

/* -------------------------------------------------------- kept connections */

static void reuse(void **state)
{
    (void)state;
    says(GOOD);
    ask_often(20, "GET");
    ask_often(20, "POST");
    ask_often(20, "DELETE");
    says(CHUNKED "2\r\n{}\r\n0\r\n\r\n");
    ask_often(20, "PATCH");
    assert_int_equal(scripted_requests(server), 80);
    assert_int_equal(scripted_connections(server), 1);
}

static void two_places(void **state)
{
    scripted_t *other = scripted_start(NULL);
    aa_http_ask_t ask = question("GET", "/x");
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(other, SCRIPTED_KEEP, OK_HEAD "Content-Length: 5\r\n\r\nother",
                 0);
    says(GOOD);
    ask.url = apr_psprintf(p, "http://127.0.0.1:%d/x", scripted_port(other));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(&answer, &ask), APR_SUCCESS);
        assert_string_equal(answer->body, "other");
        assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
        assert_string_equal(answer->body, "{}");
    }
    assert_int_equal(scripted_connections(server), 1);
    assert_int_equal(scripted_connections(other), 1);
    scripted_stop(other);
}

static void unix_socket(void **state)
{
    const char *path = apr_psprintf(p, "/tmp/aa-ask-%d.sock", (int)getpid());
    scripted_t *other = scripted_start(path);
    aa_http_ask_t ask = question("GET", "/x");
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(other, SCRIPTED_ECHO, "", 0);
    says(GOOD);
    for (int i = 0; i < 3; i++) { /* the same URL over the two */
        ask.unix_socket = path;
        assert_int_equal(put(&answer, &ask), APR_SUCCESS);
        assert_string_equal(answer->body, "/x");
        ask.unix_socket = NULL;
        assert_int_equal(put(&answer, &ask), APR_SUCCESS);
        assert_string_equal(answer->body, "{}");
    }
    assert_int_equal(scripted_connections(server), 1);
    assert_int_equal(scripted_connections(other), 1);
    scripted_stop(other);
    unlink(path);
}

/* "Connection: close" is believed. */
static void not_kept(void **state)
{
    (void)state;
    scripted_say(server, SCRIPTED_KEEP,
                 OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\n{}", 0);
    ask_often(3, "GET");
    assert_int_equal(scripted_connections(server), 3);
}

/* Closed by the other side while it was idle: even a POST is safe. */
static void stale(void **state)
{
    (void)state;
    scripted_say(server, SCRIPTED_CLOSE, GOOD, 0);
    for (int i = 0; i < 3; i++) {
        ask_often(1, i == 1 ? "GET" : "POST");
        scripted_await_closed(server, i + 1);
    }
    assert_int_equal(scripted_requests(server), 3);
    assert_int_equal(scripted_connections(server), 3);
}

/* Closed when the request was read: a GET is asked again, once. */
static void dies_under_get(void **state)
{
    (void)state;
    scripted_say(server, SCRIPTED_DIES, GOOD, 0);
    ask_often(1, "GET");
    ask_often(1, "GET");
    assert_int_equal(scripted_requests(server), 3);
    assert_int_equal(scripted_connections(server), 2);
    ask_often(1, "HEAD");
    assert_int_equal(scripted_requests(server), 5);
}

static void dies_for_ever(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(server, SCRIPTED_ONCE, GOOD, 0);
    ask_often(1, "GET");
    assert_int_equal(ask_for(&answer, "GET"), APR_EGENERAL);
    assert_int_equal(scripted_requests(server), 3);
}

static char *unsafe[] = {"POST", "PATCH", "PUT", "DELETE"};

/* It may have been carried out: nobody does it twice. */
static void dies_under_write(void **state)
{
    const char *method = *state;
    aa_http_answer_t *answer;
    aa_http_ask_t ask = question(method, "/x");

    scripted_say(server, SCRIPTED_DIES, GOOD, 0);
    ask.body = "{}";
    ask.len = 2;
    ask_often(1, "GET");
    assert_int_equal(put(&answer, &ask), APR_EGENERAL);
    assert_int_equal(scripted_requests(server), 2);
    assert_int_equal(put(&answer, &ask), APR_SUCCESS);
    assert_int_equal(scripted_requests(server), 3);
}

/* What came unasked would be taken for the answer to the next question. */
static void unasked(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(server, SCRIPTED_TWICE, OK_HEAD "Content-Length: 3\r\n\r\nold",
                 0);
    ask_often(1, "GET");
    scripted_await_twice(server, 1);
    says(GOOD);
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    assert_string_equal(answer->body, "{}");
    assert_int_equal(scripted_connections(server), 2);
}

/* The same in one piece with the answer, and after the head of a HEAD. */
static void surplus(void **state)
{
    static const char *const methods_[] = {"GET", "HEAD"};
    aa_http_answer_t *answer;

    (void)state;
    for (int i = 0; i < 2; i++) {
        says(OK_HEAD "Content-Length: 3\r\n\r\nold" OK_HEAD
                     "Content-Length: 3\r\n\r\nbad");
        assert_int_equal(ask_for(&answer, methods_[i]), APR_SUCCESS);
        says(GOOD);
        assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
        assert_string_equal(answer->body, "{}");
    }
}

static void swept(void **state)
{
    (void)state;
    says(GOOD);
    ask_often(1, "GET");
    aa_http_pool_sweep(asker, apr_time_now());
    ask_often(1, "GET");
    assert_int_equal(scripted_connections(server), 1);
    aa_http_pool_sweep(asker, apr_time_now() + AA_HTTP_IDLE_TIME +
                                  apr_time_from_sec(1));
    scripted_await_closed(server, 1);
    ask_often(1, "GET");
    assert_int_equal(scripted_connections(server), 2);
}

/* Too long idle for a request that may not be sent twice, not for others. */
static void aged(void **state)
{
    (void)state;
    says(GOOD);
    ask_often(1, "POST");
    apr_sleep(AA_HTTP_IDLE_UNSAFE + apr_time_from_msec(20));
    ask_often(1, "GET");
    ask_often(1, "POST");
    assert_int_equal(scripted_connections(server), 1);
    apr_sleep(AA_HTTP_IDLE_UNSAFE + apr_time_from_msec(20));
    ask_often(1, "POST");
    assert_int_equal(scripted_connections(server), 2);
}

/* ---------------------------------------------------------------- threads */

#define THREADS 24

static struct {
    apr_thread_mutex_t *lock;
    int faults;
} crowd;

static void *APR_THREAD_FUNC one_of_many(apr_thread_t *thread, void *data)
{
    apr_pool_t *own = apr_thread_pool_get(thread);
    int rounds = *(int *)data, faults = 0;

    for (int i = 0; i < rounds; i++) {
        aa_http_ask_t ask = {0};
        aa_http_answer_t *answer;
        const char *fault, *target;

        target = apr_psprintf(own, "/%pp/%d", (void *)thread, i);
        ask.method = i % 2 ? "POST" : "GET";
        ask.url = apr_psprintf(own, "http://127.0.0.1:%d%s",
                               scripted_port(server), target);
        ask.max = 1024;
        ask.timeout = apr_time_from_sec(20);
        if (aa_http_ask(&answer, &fault, asker, &ask, own) != APR_SUCCESS ||
            strcmp(answer->body, target))
            faults++;
    }
    apr_thread_mutex_lock(crowd.lock);
    crowd.faults += faults;
    apr_thread_mutex_unlock(crowd.lock);
    return NULL;
}

static void crowd_run(int n, int rounds)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;

    crowd.faults = 0;
    apr_thread_mutex_create(&crowd.lock, APR_THREAD_MUTEX_DEFAULT, p);
    for (int i = 0; i < n; i++)
        assert_int_equal(
            apr_thread_create(&threads[i], NULL, one_of_many, &rounds, p),
            APR_SUCCESS);
    for (int i = 0; i < n; i++)
        apr_thread_join(&rv, threads[i]);
    assert_int_equal(crowd.faults, 0);
}

/* Each gets the answer to its own question, over few connections. */
static void threads_at_once(void **state)
{
    (void)state;
    scripted_say(server, SCRIPTED_ECHO, "", 0);
    crowd_run(8, 50);
    assert_int_equal(scripted_requests(server), 400);
    assert_in_range(scripted_connections(server), 1, 8);
}

/* More at once than are kept: the surplus is closed. */
static void idle_bounded(void **state)
{
    scripted_t *others[AA_HTTP_IDLE_MAX + 1];
    aa_http_answer_t *answer;
    int open = 0;

    (void)state;
    for (int i = 0; i <= AA_HTTP_IDLE_MAX; i++) {
        aa_http_ask_t ask = question("GET", "/");

        others[i] = scripted_start(NULL);
        ask.url =
            apr_psprintf(p, "http://127.0.0.1:%d/", scripted_port(others[i]));
        assert_int_equal(put(&answer, &ask), APR_SUCCESS);
    }
    scripted_await_closed(others[0], 1); /* the one idle longest */
    for (int i = 0; i <= AA_HTTP_IDLE_MAX; i++)
        open += !scripted_closed(others[i]);
    assert_int_equal(open, AA_HTTP_IDLE_MAX);
    for (int i = 0; i <= AA_HTTP_IDLE_MAX; i++)
        scripted_stop(others[i]);
}

/* Programs that httpd starts do not inherit the connection: while one runs, it
 * is closed all the same. */
static void close_on_exec(void **state)
{
    FILE *program;

    (void)state;
    says(GOOD);
    ask_often(1, "GET");
    program = popen("cat", "w");
    assert_non_null(program);
    apr_pool_clear(p);
    scripted_await_closed(server, 1);
    pclose(program);
}

int main(void)
{
    struct CMUnitTest tests[64];
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_http_init();
    apr_pool_create(&pool, NULL);
    ONE(reuse);
    ONE(two_places);
    ONE(unix_socket);
    ONE(not_kept);
    ONE(stale);
    ONE(dies_under_get);
    ONE(dies_for_ever);
    for (size_t i = 0; i < LENGTH(unsafe); i++)
        tests[n++] = (struct CMUnitTest){
            apr_pstrcat(pool, "dies under ", unsafe[i], NULL), dies_under_write,
            test_begin, test_end, unsafe[i]};
    ONE(unasked);
    ONE(surplus);
    ONE(swept);
    ONE(aged);
    ONE(threads_at_once);
    ONE(idle_bounded);
    ONE(close_on_exec);
    failed = _cmocka_run_group_tests("keep", tests, n, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
