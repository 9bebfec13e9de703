/* SPDX-License-Identifier: Apache-2.0 */
/* The backend that is really there: what goes below its base, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "enforce/remote.h"
#include "model/limits.h"
#include "scripted.h"

static apr_pool_t *pool, *p;
static aa_http_pool_t *asker;
static scripted_t *server;
static aa_backend_answer_t answer;
static const char *why;

static int test_begin(void **state)
{
    (void)state;
    apr_pool_create(&p, pool);
    assert_int_equal(aa_http_pool_make(&asker, p), APR_SUCCESS);
    server = scripted_start(NULL);
    return 0;
}

static int test_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    scripted_stop(server);
    return 0;
}

static const char *base(const char *path)
{
    return apr_psprintf(p, "http://127.0.0.1:%d%s", scripted_port(server),
                        path);
}

static aa_backend_t *backend(const char *path, apr_interval_time_t timeout)
{
    aa_backend_t *made;

    assert_int_equal(
        aa_remote_backend(&made, asker, base(path), NULL, NULL, timeout, p),
        APR_SUCCESS);
    return made;
}

static apr_status_t ask(const aa_backend_t *whom, const char *method,
                        const char *target, const char *body)
{
    memset(&answer, 0x5a, sizeof(answer));
    return whom->ask(whom, &answer, &why, method, target, body,
                     body ? strlen(body) : 0, p);
}

static void below_the_base(void **state)
{
    aa_backend_t *b = backend("/base/", 0);

    (void)state;
    assert_string_equal(b->name, base("/base"));
    scripted_say(server, SCRIPTED_KEEP,
                 "HTTP/1.1 404 N\r\nContent-Type: application/json\r\n"
                 "ETag: x\r\nContent-Length: 2\r\n\r\n{}",
                 0);
    assert_int_equal(ask(b, "GET", "/threads/x?y=1", NULL), APR_SUCCESS);
    assert_ptr_equal(
        strstr(scripted_last(server), "GET /base/threads/x?y=1 HTTP/1.1\r\n"),
        scripted_last(server));
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.content_type, "application/json");
    assert_string_equal(answer.body, "{}");
    assert_int_equal(answer.len, 2);
    assert_string_equal(apr_table_get(answer.headers, "etag"), "x");
}

static void body_and_headers(void **state)
{
    apr_table_t *headers = apr_table_make(p, 2);
    aa_backend_t *b;

    (void)state;
    apr_table_set(headers, "X-Tenant", "a");
    assert_int_equal(
        aa_remote_backend(&b, asker, base(""), NULL, headers, 0, p),
        APR_SUCCESS);
    apr_table_set(headers, "X-Tenant", "b"); /* copied: of no effect */
    assert_int_equal(ask(b, "POST", "/threads/search", "{\"a\":1}"),
                     APR_SUCCESS);
    assert_non_null(strstr(scripted_last(server), "\r\nX-Tenant: a\r\n"));
    assert_non_null(strstr(scripted_last(server), "\r\n\r\n{\"a\":1}"));
    assert_int_equal(answer.status, 204);
    assert_null(answer.content_type);
    assert_string_equal(answer.body, "");
}

static void bad_header(void **state)
{
    apr_table_t *headers = apr_table_make(p, 2);
    aa_backend_t *b;

    (void)state;
    apr_table_set(headers, "X-Tenant", "a\r\nX-Other: b");
    assert_int_equal(
        aa_remote_backend(&b, asker, base(""), NULL, headers, 0, p),
        APR_SUCCESS);
    assert_int_equal(ask(b, "GET", "/", NULL), APR_EGENERAL);
    assert_int_equal(scripted_connections(server), 0);
}

/* The target stays below the base and cannot change the host. */
static void bad_target(void **state)
{
    static const char *const targets[] = {"",     "x",          "@127.0.0.1/",
                                          ":1/",  ".example/",  "/a b",
                                          "/a#b", "/a\r\nB: c", "/\xc3\xa4"};
    aa_backend_t *b = backend("", 0);

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        assert_int_equal(ask(b, "GET", targets[i], NULL), APR_EGENERAL);
        assert_non_null(why);
        assert_null(answer.body);
        assert_int_equal(answer.status, 0);
    }
    assert_int_equal(scripted_connections(server), 0);
    assert_int_equal(ask(b, "GET", "/", NULL), APR_SUCCESS);
}

static void too_late(void **state)
{
    (void)state;
    scripted_say(server, SCRIPTED_SILENT, "x", 0);
    assert_int_equal(
        ask(backend("", apr_time_from_msec(100)), "GET", "/", NULL),
        APR_TIMEUP);
    assert_null(answer.body);
}

static void too_large(void **state)
{
    aa_backend_t *b = backend("", 0);
    char *raw = apr_palloc(p, AA_BACKEND_ANSWER_MAX + 100);

    (void)state;
    for (int more = 0; more < 2; more++) {
        int n = apr_snprintf(raw, 100,
                             "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                             AA_BACKEND_ANSWER_MAX + more);

        memset(raw + n, 'x', AA_BACKEND_ANSWER_MAX + 1);
        scripted_say(server, SCRIPTED_KEEP, raw,
                     (size_t)(n + AA_BACKEND_ANSWER_MAX + more));
        assert_int_equal(ask(b, "GET", "/", NULL),
                         more ? APR_ENOSPC : APR_SUCCESS);
        assert_int_equal(answer.len, more ? 0 : AA_BACKEND_ANSWER_MAX);
    }
}

static void unix_socket(void **state)
{
    const char *path = apr_psprintf(p, "/tmp/aa-remote-%d.sock", (int)getpid());
    scripted_t *other = scripted_start(path);
    aa_backend_t *b;

    (void)state;
    scripted_say(other, SCRIPTED_ECHO, "", 0);
    assert_int_equal(
        aa_remote_backend(&b, asker, "http://localhost/base", path, NULL, 0, p),
        APR_SUCCESS);
    assert_string_equal(
        b->name, apr_pstrcat(p, "unix:", path, "|http://localhost/base", NULL));
    assert_int_equal(ask(b, "GET", "/x", NULL), APR_SUCCESS);
    assert_string_equal(answer.body, "/base/x");
    scripted_stop(other);
    unlink(path);
}

static void bad_base(void **state)
{
    static const char *const bases[] = {"",
                                        "h",
                                        "ftp://h/",
                                        "http://u@h/",
                                        "http://h/?a",
                                        "http://h/a/../b",
                                        "balancer://b"};
    aa_backend_t *b;

    (void)state;
    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        assert_int_equal(
            aa_remote_backend(&b, asker, bases[i], NULL, NULL, 0, p),
            APR_EINVAL);
        assert_null(b);
    }
    assert_int_equal(
        aa_remote_backend(&b, asker, "http://h", "x.sock", NULL, 0, p),
        APR_EINVAL);
}

#define ONE(function)                                                          \
    cmocka_unit_test_setup_teardown(function, test_begin, test_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(below_the_base), ONE(body_and_headers), ONE(bad_header),
        ONE(bad_target),     ONE(too_late),         ONE(too_large),
        ONE(unix_socket),    ONE(bad_base),
    };
    int failed;

    apr_initialize();
    aa_http_init();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests_name("remote", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
