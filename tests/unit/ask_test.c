/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a backend: what is sent, what is taken for an answer. */
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
#include "asking.h"
#include "model/limits.h"
#include "webserver.h"

/* ---------------------------------------------------------- what is sent */

static void sends(const aa_http_ask_t *ask, const char *expected)
{
    aa_http_answer_t *answer;

    says(GOOD);
    assert_int_equal(put(&answer, ask), APR_SUCCESS);
    assert_string_equal(scripted_last(server), expected);
}

#define SENT(line, more)                                                       \
    apr_psprintf(p,                                                            \
                 line " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"                    \
                      "User-Agent: mod_agentauth\r\nAccept: */*\r\n"           \
                      "Accept-Encoding: identity\r\n" more,                    \
                 scripted_port(server))

static void get_request(void **state)
{
    aa_http_ask_t ask = question("GET", "/a/../b%2f?c=d%20e");

    (void)state;
    sends(&ask, SENT("GET /a/../b%%2f?c=d%%20e", "\r\n"));
}

static void post_request(void **state)
{
    static const char *const headers[] = {"X-One: 1", "X-Empty:", "X-Two:2",
                                          NULL};
    aa_http_ask_t ask = question("POST", "/x");

    (void)state;
    ask.body = "{\"a\":1}--";
    ask.len = 7;
    ask.headers = headers;
    sends(&ask, SENT("POST /x", "Content-Type: application/json\r\n"
                                "X-One: 1\r\nX-Empty:\r\nX-Two:2\r\n"
                                "Content-Length: 7\r\n\r\n{\"a\":1}"));
}

typedef struct send_t {
    const char *method;
    const char *body;
    const char *expected; /* the end of what is sent */
} send_t;

static send_t methods[] = {
    {"GET", NULL, "identity\r\n\r\n"},
    {"DELETE", NULL, "identity\r\n\r\n"},
    {"DELETE", "{}", "application/json\r\nContent-Length: 2\r\n\r\n{}"},
    {"PATCH", "{}", "application/json\r\nContent-Length: 2\r\n\r\n{}"},
    {"PUT", "{}", "application/json\r\nContent-Length: 2\r\n\r\n{}"},
    {"POST", NULL, "identity\r\nContent-Length: 0\r\n\r\n"},
    {"PUT", NULL, "identity\r\nContent-Length: 0\r\n\r\n"},
    {"PATCH", NULL, "identity\r\nContent-Length: 0\r\n\r\n"},
    {"POST", "", "application/json\r\nContent-Length: 0\r\n\r\n"},
};

static void method_sent(void **state)
{
    const send_t *row = *state;
    aa_http_ask_t ask = question(row->method, "/x");
    aa_http_answer_t *answer;
    const char *last;

    ask.body = row->body;
    ask.len = row->body ? strlen(row->body) : 0;
    says(GOOD);
    assert_int_equal(put(&answer, &ask), APR_SUCCESS);
    last = scripted_last(server);
    assert_ptr_equal(
        strstr(last, apr_pstrcat(p, row->method, " /x HTTP/1.1\r\n", NULL)),
        last);
    assert_true(strlen(last) > strlen(row->expected));
    assert_string_equal(last + strlen(last) - strlen(row->expected),
                        row->expected);
}

/* libcurl wants to be told to go on before it sends as much as this. */
static void large_body(void **state)
{
    aa_http_ask_t ask = question("POST", "/x");
    aa_http_answer_t *answer;

    (void)state;
    ask.len = 1500000;
    ask.body = memset(apr_palloc(p, ask.len), ' ', ask.len);
    says(GOOD);
    assert_int_equal(put(&answer, &ask), APR_SUCCESS);
    assert_null(strcasestr(scripted_last(server), "Expect"));
    assert_non_null(
        strstr(scripted_last(server), "Content-Length: 1500000\r\n"));
}

static void head_request(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    says(OK_HEAD "Content-Length: 5000\r\nX-Y: z\r\n\r\n");
    assert_int_equal(ask_for(&answer, "HEAD"), APR_SUCCESS);
    assert_int_equal(answer->len, 0);
    assert_string_equal(answer->body, "");
    assert_string_equal(apr_table_get(answer->headers, "x-y"), "z");
    assert_int_equal(ask_for(&answer, "HEAD"), APR_SUCCESS);
    assert_int_equal(scripted_connections(server), 1);
}

typedef struct unfit_t {
    const char *name;
    const char *method, *url, *body, *header, *socket;
    const char *why; /* part of it; NULL: it is asked */
} unfit_t;

static unfit_t unfits[] = {
    {"method in lower case", "get", "/", NULL, NULL, NULL, "method"},
    {"another method", "TRACE", "/", NULL, NULL, NULL, "method"},
    {"empty method", "", "/", NULL, NULL, NULL, "method"},
    {"two lines of a method", "GET / HTTP/1.1\r\nA", "/", NULL, NULL, NULL,
     "method"},
    {"GET with a body", "GET", "/", "{}", NULL, NULL, "no body"},
    {"HEAD with a body", "HEAD", "/", "{}", NULL, NULL, "no body"},
    {"blank in the URL", "GET", "/a b", NULL, NULL, NULL, "plain"},
    {"CR in the URL", "GET", "/a\r\nX: y", NULL, NULL, NULL, "plain"},
    {"fragment", "GET", "/a#b", NULL, NULL, NULL, "plain"},
    {"not ASCII", "GET", "/\xc3\xa4", NULL, NULL, NULL, "plain"},
    {"CR in a header", "GET", "/", NULL, "A: b\rC: d", NULL, "control"},
    {"LF in a header", "GET", "/", NULL, "A: b\nC: d", NULL, "control"},
    {"DEL in a header", "GET", "/", NULL, "A: b\x7f", NULL, "control"},
    {"no name", "GET", "/", NULL, ": b", NULL, "name"},
    {"no colon", "GET", "/", NULL, "A", NULL, "name"},
    {"for libcurl an empty one", "GET", "/", NULL, "A;", NULL, "name"},
    {"blank before the colon", "GET", "/", NULL, "A : b", NULL, "name"},
    {"length", "GET", "/", NULL, "content-length: 5", NULL, "caller"},
    {"coding", "GET", "/", NULL, "Transfer-Encoding: chunked", NULL, "caller"},
    {"encoding", "GET", "/", NULL, "Accept-Encoding: gzip", NULL, "caller"},
    {"upgrade", "GET", "/", NULL, "Upgrade: websocket", NULL, "caller"},
    {"type", "GET", "/", NULL, "Content-Type: text/plain", NULL, "caller"},
    {"relative socket", "GET", "/", NULL, NULL, "run/x.sock", "socket"},
    {"fit", "GET", "/a?b=c", NULL, "A: b\tc", NULL, NULL},
    {"a name that only begins alike", "GET", "/", NULL, "TE-X: 1", NULL, NULL},
};

static void unfit(void **state)
{
    const unfit_t *row = *state;
    const char *headers[] = {"X-First: 1", row->header, NULL};
    aa_http_ask_t ask = question(row->method, row->url);
    aa_http_answer_t *answer;

    ask.body = row->body;
    ask.len = row->body ? strlen(row->body) : 0;
    ask.headers = headers;
    ask.unix_socket = row->socket;
    says(GOOD);
    assert_int_equal(put(&answer, &ask), row->why ? APR_EGENERAL : APR_SUCCESS);
    if (row->why)
        assert_non_null(strstr(why, row->why));
    assert_int_equal(scripted_connections(server), !row->why);
}

typedef struct url_t {
    const char *url;
    int absolute;
} url_t;

static url_t urls[] = {
    {"http://op.example", 1},
    {"http://op.example/", 1},
    {"HTTPS://op.example:8443/a?b", 1},
    {"http://10.0.0.1:8123?x", 1},
    {"http://langgraph_api:8000/", 1},
    {"http://[::1]:8080/", 1},
    {"http://[::1]", 1},
    {"http://h:65535/", 1},
    {"http://h:65536/", 0},
    {"http://h:0/", 0},
    {"http://h:080/", 0},
    {"http://h:/", 0},
    {"http://h:1x/", 0},
    {"http://h:999999999999999999999/", 0},
    {"http://", 0},
    {"http:///", 0},
    {"http:///h/", 0},
    {"http://:80/", 0},
    {"http://u@h/", 0},
    {"http://u:p@h/", 0},
    {"http://h@/", 0},
    {"http://h%2e/", 0},
    {"http://h\\a/", 0},
    {"http://h#a/", 0},
    {"http://h;a/", 0},
    {"http://h,i/", 0},
    {"http://[::1/", 0},
    {"http://[]/", 0},
    {"http://[::1]a/", 0},
    {"http://[fe80::1%25eth0]/", 0},
    {"http://::1/", 0},
    {"http:/h/", 0},
    {"http:h/", 0},
    {"//h/", 0},
    {"h/", 0},
    {"", 0},
    {"ftp://h/", 0},
    {"file:///etc/passwd", 0},
    {"httpx://h/", 0},
};

static void url_absolute(void **state)
{
    const url_t *row = *state;

    assert_int_equal(aa_http_absolute(row->url), row->absolute);
}

static void url_length(void **state)
{
    char *url = apr_palloc(p, AA_BACKEND_URL_MAX + 2);

    (void)state;
    memset(url, 'a', AA_BACKEND_URL_MAX + 1);
    memcpy(url, "http://h/", 9);
    url[AA_BACKEND_URL_MAX + 1] = '\0';
    assert_int_equal(aa_http_absolute(url), 0);
    url[AA_BACKEND_URL_MAX] = '\0';
    assert_int_equal(aa_http_absolute(url), 1);
}

/* --------------------------------------------------- what is an answer */

typedef struct said_t {
    const char *name;
    scripted_e how;
    const char *raw;
    apr_status_t rv;
    const char *text; /* the body, or part of why */
} said_t;

#define BAD APR_EGENERAL
#define FINE APR_SUCCESS

static said_t said[] = {
    {"whole", SCRIPTED_KEEP, OK_HEAD "Content-Length: 4\r\n\r\nbody", FINE,
     "body"},
    {"shorter than its length", SCRIPTED_CLOSE,
     OK_HEAD "Content-Length: 5\r\n\r\nbody", BAD, ""},
    {"reset before its end", SCRIPTED_RESET,
     OK_HEAD "Content-Length: 5\r\n\r\nbody", BAD, ""},
    {"chunked", SCRIPTED_KEEP, CHUNKED "4\r\nbody\r\n0\r\n\r\n", FINE, "body"},
    {"chunked, without the last", SCRIPTED_CLOSE, CHUNKED "4\r\nbody\r\n", BAD,
     ""},
    {"chunked, within one", SCRIPTED_CLOSE, CHUNKED "5\r\nbody", BAD, ""},
    {"chunked, a size that is none", SCRIPTED_CLOSE,
     CHUNKED "z\r\nbody\r\n0\r\n\r\n", BAD, ""},
    {"chunked, cut within the trailer", SCRIPTED_CLOSE,
     CHUNKED "4\r\nbody\r\n0\r\n", BAD, ""},
    {"to the end of the connection", SCRIPTED_CLOSE,
     OK_HEAD "Connection: close\r\n\r\nbody", FINE, "body"},
    {"likewise, reset", SCRIPTED_RESET, OK_HEAD "Connection: close\r\n\r\nbody",
     BAD, ""},
    {"nothing", SCRIPTED_CLOSE, "", BAD, ""},
    {"within the head", SCRIPTED_CLOSE, OK_HEAD "Content-Le", BAD, ""},
    {"head without its end", SCRIPTED_CLOSE, OK_HEAD "Content-Length: 0\r\n",
     BAD, ""},
    {"HTTP/0.9", SCRIPTED_CLOSE, "{}", BAD, ""},
    {"HTTP/1.0", SCRIPTED_CLOSE, "HTTP/1.0 200 OK\r\n\r\nold", FINE, "old"},
    {"not HTTP", SCRIPTED_CLOSE, "SSH-2.0-OpenSSH\r\n\r\n", BAD, ""},
    {"HTTP/2 on this connection", SCRIPTED_CLOSE,
     "HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}", BAD, ""},
    {"no status", SCRIPTED_CLOSE, "HTTP/1.1 \r\nContent-Length: 2\r\n\r\n{}",
     BAD, ""},
    {"status of two digits", SCRIPTED_CLOSE,
     "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}", BAD, ""},
    {"status 600", SCRIPTED_KEEP,
     "HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\n{}", BAD, "status"},
    {"status 599", SCRIPTED_KEEP,
     "HTTP/1.1 599 X\r\nContent-Length: 2\r\n\r\n{}", FINE, "{}"},
    {"100 first", SCRIPTED_KEEP,
     "HTTP/1.1 100 Continue\r\nContent-Type: x/y\r\nContent-Length: 1\r\n"
     "\r\n" GOOD,
     FINE, "{}"},
    {"103 twice", SCRIPTED_KEEP,
     "HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 103 E\r\n\r\n" GOOD, FINE,
     "{}"},
    {"100 and no more", SCRIPTED_CLOSE, "HTTP/1.1 100 Continue\r\n\r\n", BAD,
     ""},
    {"101 unasked", SCRIPTED_KEEP,
     "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nbytes", BAD, "status"},
    {"gzip", SCRIPTED_KEEP,
     OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", BAD,
     "compressed"},
    {"br, in capitals", SCRIPTED_KEEP,
     OK_HEAD "CONTENT-ENCODING:BR\r\nContent-Length: 2\r\n\r\n{}", BAD,
     "compressed"},
    {"gzip after identity", SCRIPTED_KEEP,
     OK_HEAD "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"
             "Content-Length: 2\r\n\r\n{}",
     BAD, "compressed"},
    {"a list", SCRIPTED_KEEP,
     OK_HEAD "Content-Encoding: identity, gzip\r\nContent-Length: 2\r\n\r\n{}",
     BAD, "compressed"},
    {"folded", SCRIPTED_KEEP,
     OK_HEAD "Content-Encoding:\r\n gzip\r\nContent-Length: 2\r\n\r\n{}", BAD,
     ""},
    {"identity", SCRIPTED_KEEP,
     OK_HEAD "Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{}", FINE,
     "{}"},
    {"gzip of the transfer", SCRIPTED_CLOSE,
     OK_HEAD "Transfer-Encoding: gzip\r\n\r\n{}", BAD, "encoding"},
    {"gzip, chunked", SCRIPTED_KEEP,
     OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     BAD, "encoding"},
    {"chunked twice", SCRIPTED_KEEP,
     OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
             "\r\n2\r\n{}\r\n0\r\n\r\n",
     BAD, "twice"},
    {"two lengths", SCRIPTED_KEEP,
     OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", BAD, "twice"},
    {"two like lengths", SCRIPTED_KEEP,
     OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", BAD, "twice"},
    {"length and chunks", SCRIPTED_KEEP,
     OK_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\n{}\r\n0\r\n\r\n",
     BAD, "twice"},
    {"chunks and length", SCRIPTED_KEEP,
     OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"
             "2\r\n{}\r\n0\r\n\r\n",
     BAD, "twice"},
    {"negative length", SCRIPTED_KEEP, OK_HEAD "Content-Length: -1\r\n\r\n{}",
     BAD, ""},
    {"signed length", SCRIPTED_KEEP, OK_HEAD "Content-Length: +2\r\n\r\n{}",
     BAD, "number"},
    {"length in hex", SCRIPTED_KEEP, OK_HEAD "Content-Length: 0x2\r\n\r\n{}",
     BAD, "number"},
    {"list of lengths", SCRIPTED_KEEP, OK_HEAD "Content-Length: 2, 2\r\n\r\n{}",
     BAD, ""},
    {"no length", SCRIPTED_KEEP, OK_HEAD "Content-Length:\r\n\r\n{}", BAD, ""},
    {"endless length", SCRIPTED_KEEP,
     OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n{}", BAD, ""},
    {"field without a name", SCRIPTED_KEEP,
     OK_HEAD ": x\r\nContent-Length: 2\r\n\r\n{}", BAD, "malformed"},
    {"blank before the colon", SCRIPTED_KEEP,
     OK_HEAD "X : y\r\nContent-Length: 2\r\n\r\n{}", BAD, "malformed"},
    {"no colon", SCRIPTED_KEEP, OK_HEAD "X\r\nContent-Length: 2\r\n\r\n{}", BAD,
     ""},
    {"CR within", SCRIPTED_KEEP,
     OK_HEAD "X: a\rY: b\r\nContent-Length: 2\r\n\r\n{}", BAD, "control"},
    {"lines with LF alone", SCRIPTED_KEEP,
     "HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\n{}", FINE, "{}"},
    {"redirect", SCRIPTED_KEEP,
     "HTTP/1.1 302 F\r\nLocation: /y\r\nContent-Length: 2\r\n\r\nno", FINE,
     "no"},
    {"unauthorized", SCRIPTED_KEEP,
     "HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=x\r\n"
     "Content-Length: 2\r\n\r\nno",
     FINE, "no"},
    {"204", SCRIPTED_KEEP, "HTTP/1.1 204 N\r\n\r\n", FINE, ""},
    {"304", SCRIPTED_KEEP, "HTTP/1.1 304 N\r\n\r\n", FINE, ""},
    {"silent", SCRIPTED_SILENT, "x", APR_TIMEUP, ""},
};

/* One request each, whatever is said: no redirect is followed, nothing that
 * failed is sent again, and after a failure nothing is left in the way. */
static void answer_read(void **state)
{
    const said_t *row = *state;
    aa_http_ask_t ask = question("GET", "/x");
    aa_http_answer_t *answer;

    if (row->how == SCRIPTED_SILENT)
        ask.timeout = apr_time_from_msec(100);
    scripted_say(server, row->how, row->raw, 0);
    assert_int_equal(put(&answer, &ask), row->rv);
    if (row->rv == APR_SUCCESS)
        assert_string_equal(answer->body, row->text);
    else
        assert_non_null(strstr(why, row->text));
    assert_int_equal(scripted_requests(server), 1);
    says(OK_HEAD "Content-Length: 5\r\n\r\nafter");
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    assert_string_equal(answer->body, "after");
    assert_int_equal(scripted_connections(server),
                     1 + (row->rv != APR_SUCCESS || row->how != SCRIPTED_KEEP));
}

static void nul_in_head(void **state)
{
    static const char raw[] = OK_HEAD "X: a\0b\r\nContent-Length: 2\r\n\r\n{}";
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(server, SCRIPTED_KEEP, raw, sizeof(raw) - 1);
    assert_int_equal(ask_for(&answer, "GET"), APR_EGENERAL);
}

static void nul_in_body(void **state)
{
    static const char raw[] = OK_HEAD "Content-Length: 3\r\n\r\na\0b";
    aa_http_answer_t *answer;

    (void)state;
    scripted_say(server, SCRIPTED_KEEP, raw, sizeof(raw) - 1);
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    assert_int_equal(answer->len, 3);
    assert_memory_equal(answer->body, "a\0b", 4);
}

/* All of the last head, none of those before it, none of the trailers. */
static void fields_kept(void **state)
{
    aa_http_answer_t *answer;
    const apr_array_header_t *all;

    (void)state;
    says(
        "HTTP/1.1 103 E\r\nLink: a\r\nX-Early: 1\r\n\r\n" OK_HEAD
        "Content-Type: application/json\r\nETag:  \"x\" \r\nSet-Cookie: a=b\r\n"
        "set-cookie: c=d\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\nContent-Type: text/html\r\nX-Late: 1\r\n"
        "HTTP/1.1 500 x: y\r\n\r\n");
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    all = apr_table_elts(answer->headers);
    assert_int_equal(all->nelts, 6);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->content_type, "application/json");
    assert_string_equal(apr_table_get(answer->headers, "etag"), "\"x\"");
    assert_string_equal(apr_table_get(answer->headers, "x-empty"), "");
    assert_string_equal(APR_ARRAY_IDX(all, 3, apr_table_entry_t).key,
                        "set-cookie");
    assert_string_equal(APR_ARRAY_IDX(all, 3, apr_table_entry_t).val, "c=d");
    assert_string_equal(answer->body, "{}");
}

static const char *many_fields(int n, const char *field)
{
    char *raw = apr_palloc(p, 64 + (apr_size_t)n * strlen(field)), *to = raw;

    to = apr_cpystrn(to, OK_HEAD "Content-Length: 0\r\n", 64);
    while (--n)
        to = apr_cpystrn(to, field, strlen(field) + 1);
    apr_cpystrn(to, "\r\n", 3);
    return raw;
}

static void fields_bounded(void **state)
{
    aa_http_answer_t *answer;

    (void)state;
    says(many_fields(AA_HTTP_FIELDS_MAX, "A: b\r\n"));
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    assert_int_equal(apr_table_elts(answer->headers)->nelts,
                     AA_HTTP_FIELDS_MAX);
    says(many_fields(AA_HTTP_FIELDS_MAX + 1, "A: b\r\n"));
    assert_int_equal(ask_for(&answer, "GET"), APR_EGENERAL);
    assert_non_null(strstr(why, "too many"));
}

/* Also when it comes in many small answers that are not final. */
static void head_bounded(void **state)
{
    static const char early[] = "HTTP/1.1 103 E\r\nA: b\r\n\r\n";
    int n = AA_HTTP_HEADER_MAX / (int)(sizeof(early) - 1);
    char *raw = apr_palloc(p, (apr_size_t)(n + 1) * sizeof(early) + 100);
    char *to = raw;
    aa_http_answer_t *answer;

    (void)state;
    for (int i = 0; i < n - 2; i++)
        to = apr_cpystrn(to, early, sizeof(early));
    apr_cpystrn(to, GOOD, 100);
    says(raw);
    assert_int_equal(ask_for(&answer, "GET"), APR_SUCCESS);
    for (int i = 0; i < 3; i++)
        to = apr_cpystrn(to, early, sizeof(early));
    apr_cpystrn(to, GOOD, 100);
    says(raw);
    assert_int_equal(ask_for(&answer, "GET"), APR_EGENERAL);
    assert_non_null(strstr(why, "head"));
}

typedef struct size_row_t {
    const char *name;
    int chunked;
    apr_size_t len, max;
} size_row_t;

static size_row_t sizes[] = {
    {"length, at the maximum", 0, 100000, 100000},
    {"length, one more", 0, 100001, 100000},
    {"chunks, at the maximum", 1, 100000, 100000},
    {"chunks, one more", 1, 100001, 100000},
    {"nothing allowed, nothing said", 0, 0, 0},
    {"nothing allowed, a byte said", 0, 1, 0},
};

static void body_size(void **state)
{
    const size_row_t *row = *state;
    aa_http_ask_t ask = question("GET", "/x");
    char *body = memset(apr_palloc(p, row->len + 1), 'b', row->len + 1);
    int fits = row->len <= row->max;
    aa_http_answer_t *answer;

    body[row->len] = '\0';
    ask.max = row->max;
    says(row->chunked ? apr_psprintf(p, CHUNKED "%x\r\n%s\r\n0\r\n\r\n",
                                     (unsigned)row->len, body)
                      : apr_psprintf(p, OK_HEAD "Content-Length: %u\r\n\r\n%s",
                                     (unsigned)row->len, body));
    assert_int_equal(put(&answer, &ask), fits ? APR_SUCCESS : APR_ENOSPC);
    if (fits)
        assert_string_equal(answer->body, body);
}

/* ------------------------------------------------------------------- time */

static void drip(void **state)
{
    aa_http_ask_t ask = question("GET", "/x");
    apr_time_t began = apr_time_now();
    aa_http_answer_t *answer;

    (void)state;
    ask.timeout = apr_time_from_msec(300);
    scripted_say(server, SCRIPTED_DRIP, GOOD, 0);
    assert_int_equal(put(&answer, &ask), APR_TIMEUP);
    assert_true(apr_time_now() - began < apr_time_from_sec(2));
    ask.timeout = apr_time_from_sec(10);
    assert_int_equal(put(&answer, &ask), APR_SUCCESS);
}

static void nobody_there(void **state)
{
    aa_http_ask_t ask = question("GET", "/x");
    scripted_t *gone = scripted_start(NULL);
    aa_http_answer_t *answer;

    (void)state;
    ask.url = apr_psprintf(p, "http://127.0.0.1:%d/", scripted_port(gone));
    assert_int_equal(put(&answer, &ask), APR_SUCCESS);
    scripted_stop(gone);
    assert_int_equal(put(&answer, &ask), APR_EGENERAL);
}

/* ------------------------------------------------------------------- rest */

static void certificate(void **state)
{
    webserver_t *tls = webserver_start(1);
    aa_http_ask_t ask = question("GET", "/");
    aa_http_answer_t *answer;

    (void)state;
    ask.url = apr_psprintf(p, "https://localhost:%d/", webserver_port(tls));
    assert_int_equal(put(&answer, &ask), APR_EGENERAL);
    assert_non_null(strcasestr(why, "certificate"));
    assert_int_equal(webserver_count(tls), 1);
    webserver_stop(tls);
}

static void proxy_of_environment(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    says(OK_HEAD "Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}");
    ask_often(2, "GET");
    assert_null(strcasestr(scripted_last(server), "Cookie"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

int main(void)
{
    struct CMUnitTest tests[256];
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_http_init();
    apr_pool_create(&pool, NULL);
    ONE(get_request);
    ONE(post_request);
    ROWS(methods, method_sent, method);
    ONE(large_body);
    ONE(head_request);
    ROWS(unfits, unfit, name);
    ROWS(urls, url_absolute, url);
    ONE(url_length);
    ROWS(said, answer_read, name);
    ONE(nul_in_head);
    ONE(nul_in_body);
    ONE(fields_kept);
    ONE(fields_bounded);
    ONE(head_bounded);
    ROWS(sizes, body_size, name);
    ONE(drip);
    ONE(nobody_there);
    ONE(certificate);
    ONE(proxy_of_environment);
    failed = _cmocka_run_group_tests("ask", tests, n, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
