/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing HTTP: where it goes, what it says, and when it gives up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "base/http.h"
#include "model/limits.h"
#include "webserver.h"

static apr_pool_t *pool, *p;
static webserver_t *server;

/* ------------------------------------------------------------------ URLs */

typedef struct url_t {
    const char *url;
    int allowed;
} url_t;

static url_t urls[] = {
    {"https://op.example/jwks", 1},
    {"https://op.example:8443/jwks?a=b", 1},
    {"HTTPS://op.example/", 1},
    {"http://op.example/jwks", 0},
    {"http://127.0.0.1:80/", 1},
    {"http://127.9.9.9/", 1},
    {"http://128.0.0.1/", 0},
    {"http://[::1]:8080/", 1},
    {"http://[::2]/", 0},
    {"http://localhost/", 1},
    {"http://LOCALHOST/", 1},
    {"http://localhost.example/", 0},
    {"http://127.0.0.1.example/", 0},
    {"http://127.0.0.1@op.example/", 0},
    {"https://user@op.example/", 0},
    {"https://user:pw@op.example/", 0},
    {"https://@op.example/", 0},
    {"https://op.example/#f", 0},
    {"https://op.example/#", 0},
    {"https:/op.example/", 0},
    {"https:op.example", 0},
    {"https://", 0},
    {"//op.example/", 0},
    {"op.example", 0},
    {"", 0},
    {"file:///etc/passwd", 0},
    {"ftp://op.example/", 0},
    {"gopher://127.0.0.1/", 0},
    {"https://op.example/a b", 0},
    {"https://op.example/a\nb", 0},
    {"https://op.example/\xc3\xa4", 0},
    {"https://op.example\\@evil.example/", 0},
    {"http://0.0.0.0/", 0},
    {"http://10.0.0.1/", 0},
    {"http://169.254.169.254/", 0},
};

static void url_allowed(void **state)
{
    const url_t *row = *state;

    assert_int_equal(aa_http_allowed(row->url), row->allowed);
}

static void url_length(void **state)
{
    char *url = apr_palloc(p, AA_URL_MAX + 2);

    (void)state;
    memset(url, 'a', AA_URL_MAX + 1);
    memcpy(url, "https://op.example/", 19);
    url[AA_URL_MAX] = '\0';
    assert_int_equal(aa_http_allowed(url), 1);
    url[AA_URL_MAX] = 'a';
    url[AA_URL_MAX + 1] = '\0';
    assert_int_equal(aa_http_allowed(url), 0);
}

/* --------------------------------------------------------------- answers */

static const char *url_of(const char *path)
{
    return apr_psprintf(p, "http://127.0.0.1:%d%s", webserver_port(server),
                        path);
}

static apr_status_t get(aa_http_answer_t **answer, const char *path, int msec)
{
    const char *why;
    apr_status_t rv =
        aa_http_get(answer, &why, url_of(path), "application/json",
                    apr_time_from_msec(msec), p);

    assert_int_equal(rv == APR_SUCCESS, *answer != NULL);
    assert_int_equal(rv == APR_SUCCESS, why == NULL);
    return rv;
}

static void page(webserver_e how, int status, const char *head,
                 const char *body, size_t len)
{
    webserver_page_t pages[] = {{NULL, how, status, head, body, len},
                                {NULL, WEBSERVER_ANSWER, 0, NULL, NULL, 0}};

    webserver_pages(server, pages);
}

static void plain_answer(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    page(WEBSERVER_ANSWER, 200,
         "Content-Type: application/json \r\n"
         "Cache-Control: public, Max-Age=300\r\n",
         "{\"a\":1}", 0);
    assert_int_equal(get(&answer, "/x?y=z", 5000), APR_SUCCESS);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->content_type, "application/json");
    assert_string_equal(answer->body, "{\"a\":1}");
    assert_int_equal(answer->len, 7);
    assert_true(answer->max_age == apr_time_from_sec(300));
}

/* What goes out: HTTP/1.1, our name, the wish, and nothing about encodings,
 * cookies or proxies. */
static void request_head(void **state)
{
    aa_http_answer_t *answer;
    const char *head;

    (void)state;
    page(WEBSERVER_ANSWER, 200, "Set-Cookie: a=b\r\n", "", 0);
    assert_int_equal(get(&answer, "/p", 5000), APR_SUCCESS);
    assert_int_equal(get(&answer, "/p", 5000), APR_SUCCESS);
    head = webserver_head(server);
    assert_ptr_equal(strstr(head, "GET /p HTTP/1.1\r\n"), head);
    assert_non_null(strstr(head, "User-Agent: mod_agentauth\r\n"));
    assert_non_null(strstr(head, "Accept: application/json\r\n"));
    assert_null(strcasestr(head, "Accept-Encoding"));
    assert_null(strcasestr(head, "Cookie"));
    assert_null(strcasestr(head, "Authorization"));
    assert_null(answer->content_type);
    assert_string_equal(answer->body, "");
    assert_true(answer->max_age == -1);
}

/* The environment's proxy would see, and could change, the keys. */
static void proxy_of_environment(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    page(WEBSERVER_ANSWER, 200, NULL, "x", 0);
    assert_int_equal(get(&answer, "/", 5000), APR_SUCCESS);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void redirect(void **state)
{
    webserver_page_t pages[] = {
        {"/a", WEBSERVER_ANSWER, 302, "Location: /b\r\n", "no", 0},
        {"/b", WEBSERVER_ANSWER, 200, NULL, "yes", 0},
        {NULL, WEBSERVER_ANSWER, 0, NULL, NULL, 0}};
    int before = webserver_count(server);
    aa_http_answer_t *answer;

    (void)state;
    webserver_pages(server, pages);
    assert_int_equal(get(&answer, "/a", 5000), APR_SUCCESS);
    assert_int_equal(answer->status, 302);
    assert_string_equal(answer->body, "no");
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(get(&answer, "/b", 5000), APR_SUCCESS);
    assert_string_equal(answer->body, "yes");
}

static void silent(void **state)
{
    aa_http_answer_t *answer;
    apr_time_t began = apr_time_now();

    (void)state;
    page(WEBSERVER_SILENT, 200, NULL, "", 0);
    assert_int_equal(get(&answer, "/", 200), APR_TIMEUP);
    assert_true(apr_time_now() - began < apr_time_from_sec(3));
}

/* The time-out is for all of it, not for each byte. */
static void slow(void **state)
{
    static const char body[] = "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789";
    aa_http_answer_t *answer;

    (void)state;
    page(WEBSERVER_SLOW, 200, NULL, body, 0);
    assert_int_equal(get(&answer, "/", 200), APR_TIMEUP);
    page(WEBSERVER_SLOW, 200, NULL, "0123", 0);
    assert_int_equal(get(&answer, "/", 5000), APR_SUCCESS);
    assert_string_equal(answer->body, "0123");
}

static void closed(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    page(WEBSERVER_CLOSE, 200, NULL, "", 0);
    assert_int_equal(get(&answer, "/", 5000), APR_EGENERAL);
}

static void body_size(void **state)
{
    char *body = malloc(AA_HTTP_BODY_MAX + 1);
    aa_http_answer_t *answer;

    (void)state;
    memset(body, 'b', AA_HTTP_BODY_MAX + 1);
    page(WEBSERVER_ANSWER, 200, NULL, body, AA_HTTP_BODY_MAX);
    assert_int_equal(get(&answer, "/", 10000), APR_SUCCESS);
    assert_int_equal(answer->len, AA_HTTP_BODY_MAX);
    assert_int_equal(answer->body[answer->len], '\0');
    page(WEBSERVER_ANSWER, 200, NULL, body, AA_HTTP_BODY_MAX + 1);
    assert_int_equal(get(&answer, "/", 10000), APR_EGENERAL);
    page(WEBSERVER_ENDLESS_BODY, 200, NULL, "", 0);
    assert_int_equal(get(&answer, "/", 10000), APR_EGENERAL);
    page(WEBSERVER_ANSWER, 404, NULL, "", 0);
    free(body);
}

static void head_size(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    page(WEBSERVER_ENDLESS_HEAD, 200, NULL, "", 0);
    assert_int_equal(get(&answer, "/", 10000), APR_EGENERAL);
}

/* Sent unasked, a compressed body stays as it is: nothing to blow up. */
static void gzip_unasked(void **state)
{
    static const char body[] = "\x1f\x8b\x08\x00\x00";
    aa_http_answer_t *answer;

    (void)state;
    page(WEBSERVER_ANSWER, 200, "Content-Encoding: gzip\r\n", body, 5);
    assert_int_equal(get(&answer, "/", 5000), APR_SUCCESS);
    assert_int_equal(answer->len, 5);
    assert_memory_equal(answer->body, body, 5);
}

static void nobody_there(void **state)
{
    webserver_t *gone = webserver_start(0);
    int port = webserver_port(gone);
    aa_http_answer_t *answer;
    const char *why;

    (void)state;
    webserver_stop(gone);
    assert_int_equal(aa_http_get(&answer, &why,
                                 apr_psprintf(p, "http://127.0.0.1:%d/", port),
                                 NULL, apr_time_from_sec(5), p),
                     APR_EGENERAL);
    assert_non_null(why);
}

static void not_allowed(void **state)
{
    aa_http_answer_t *answer;
    const char *why;

    (void)state;
    assert_int_equal(aa_http_get(&answer, &why, "http://op.example/", NULL,
                                 apr_time_from_sec(1), p),
                     APR_EGENERAL);
    assert_non_null(strstr(why, "loopback"));
    assert_int_equal(aa_http_get(&answer, &why, "file:///etc/hostname", NULL,
                                 apr_time_from_sec(1), p),
                     APR_EGENERAL);
}

/* The server is reached and turned down for its certificate. */
static void certificate(void **state)
{
    webserver_t *tls = webserver_start(1);
    aa_http_answer_t *answer;
    const char *why;

    (void)state;
    assert_int_equal(aa_http_get(&answer, &why,
                                 apr_psprintf(p, "https://localhost:%d/",
                                              webserver_port(tls)),
                                 NULL, apr_time_from_sec(5), p),
                     APR_EGENERAL);
    assert_non_null(strcasestr(why, "certificate"));
    assert_int_equal(webserver_count(tls), 1);
    webserver_stop(tls);
}

static void max_ages(void **state)
{
    static const struct {
        const char *head;
        long seconds; /* -1: none */
    } ages[] = {
        {"Cache-Control: max-age=0\r\n", 0},
        {"cache-control:max-age=\"60\"\r\n", 60},
        {"Cache-Control: s-maxage=5\r\n", -1},
        {"Cache-Control: max-age=x\r\n", -1},
        {"Cache-Control: max-age=-5\r\n", -1},
        {"Cache-Control: max-age=99999999999999999999\r\n", 31536000},
        {"Cache-Control: no-store\r\n", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
        aa_http_answer_t *answer;

        page(WEBSERVER_ANSWER, 200, ages[i].head, "", 0);
        assert_int_equal(get(&answer, "/", 5000), APR_SUCCESS);
        assert_true(
            answer->max_age ==
            (ages[i].seconds < 0 ? -1 : apr_time_from_sec(ages[i].seconds)));
    }
}

static int row_begin(void **state)
{
    (void)state;
    return apr_pool_create(&p, pool);
}

static int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

#define ONE(function)                                                          \
    (struct CMUnitTest)                                                        \
    {                                                                          \
#function, function, row_begin, row_end, NULL                          \
    }

int main(void)
{
    struct CMUnitTest tests[sizeof(urls) / sizeof(*urls) + 16];
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_http_init();
    apr_pool_create(&pool, NULL);
    for (; n < sizeof(urls) / sizeof(*urls); n++)
        tests[n] = (struct CMUnitTest){urls[n].url, url_allowed, row_begin,
                                       row_end, &urls[n]};
    tests[n++] = ONE(url_length);
    tests[n++] = ONE(plain_answer);
    tests[n++] = ONE(request_head);
    tests[n++] = ONE(proxy_of_environment);
    tests[n++] = ONE(redirect);
    tests[n++] = ONE(silent);
    tests[n++] = ONE(slow);
    tests[n++] = ONE(closed);
    tests[n++] = ONE(body_size);
    tests[n++] = ONE(head_size);
    tests[n++] = ONE(gzip_unasked);
    tests[n++] = ONE(nobody_there);
    tests[n++] = ONE(not_allowed);
    tests[n++] = ONE(certificate);
    tests[n++] = ONE(max_ages);
    server = webserver_start(0);
    failed = _cmocka_run_group_tests("http", tests, n, NULL, NULL);
    webserver_stop(server);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
