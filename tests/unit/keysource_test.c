/* SPDX-License-Identifier: Apache-2.0 */
/* Where keys come from: fetched once, kept, and refused when stale. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "apr_file_io.h"
#include "apr_strings.h"
#include "keysource_stage.h"
#include "model/limits.h"
#include "tokens.h"

/* --------------------------------------------------------- configuration */

typedef struct config_t {
    const char *name;
    const char *algorithms[3];
    const char *secret;
    const char *jwks, *url;
    aa_code_e code;
} config_t;

#define S32 "0123456789abcdef0123456789abcdef"
static config_t configs[] = {
    {"40 HS256 with 32 bytes", {"HS256"}, S32, NULL, NULL, AA_E_NONE},
    {"40 HS256 with 31 bytes",
     {"HS256"},
     "0123456789abcdef0123456789abcde",
     NULL,
     NULL,
     AA_E_TOKEN_ALG},
    {"40 HS384 with 32 bytes", {"HS384"}, S32, NULL, NULL, AA_E_TOKEN_ALG},
    {"40 HS512 with 32 bytes", {"HS512"}, S32, NULL, NULL, AA_E_TOKEN_ALG},
    {"40 HS256 HS512 with 32 bytes",
     {"HS256", "HS512"},
     S32,
     NULL,
     NULL,
     AA_E_TOKEN_ALG},
    {"40 HS512 with 64 bytes", {"HS512"}, S32 S32, NULL, NULL, AA_E_NONE},
    {"40 HS256 without a secret", {"HS256"}, NULL, NULL, NULL, AA_E_TOKEN_ALG},
    {"40 HS256 ES256 with a secret",
     {"HS256", "ES256"},
     S32,
     NULL,
     NULL,
     AA_E_TOKEN_ALG},
    {"40 HS256 ES256 without",
     {"ES256", "HS256"},
     NULL,
     NULL,
     NULL,
     AA_E_TOKEN_ALG},
    {"40 secret and key set",
     {"HS256"},
     S32,
     "https://op/jwks",
     NULL,
     AA_E_TOKEN_ALG},
    {"41 EdDSA", {"EdDSA"}, NULL, NULL, NULL, AA_E_NONE},
    {"41 ES256K", {"ES256K"}, NULL, NULL, NULL, AA_E_TOKEN_ALG},
    {"none", {"none"}, NULL, NULL, NULL, AA_E_TOKEN_ALG},
    {"no algorithm", {NULL}, NULL, NULL, NULL, AA_E_TOKEN_ALG},
    {"discovery over https", {"ES256"}, NULL, NULL, "https://op/", AA_E_NONE},
    {"discovery over http",
     {"ES256"},
     NULL,
     NULL,
     "http://op/",
     AA_E_KEYS_AWAY},
    {"discovery on loopback",
     {"ES256"},
     NULL,
     NULL,
     "http://127.0.0.1:1/",
     AA_E_NONE},
    {"discovery with a query",
     {"ES256"},
     NULL,
     NULL,
     "https://op/?a",
     AA_E_KEYS_AWAY},
    {"issuer is no URL, set has one",
     {"ES256"},
     NULL,
     "https://op/jwks",
     "op",
     AA_E_NONE},
    {"set over http", {"ES256"}, NULL, "http://op/jwks", NULL, AA_E_KEYS_AWAY},
    {"set on loopback",
     {"ES256"},
     NULL,
     "http://localhost:1/",
     NULL,
     AA_E_NONE},
    {"set at a relative file",
     {"ES256"},
     NULL,
     "jwks.json",
     NULL,
     AA_E_KEYS_AWAY},
    {"set in a missing file",
     {"ES256"},
     NULL,
     "/nonexistent/jwks",
     NULL,
     AA_E_KEYS_AWAY},
    {"set in a directory", {"ES256"}, NULL, "/", NULL, AA_E_KEYS_AWAY},
    {"set in a device", {"ES256"}, NULL, "/dev/zero", NULL, AA_E_KEYS_AWAY},
};

static void configuration(void **state)
{
    const config_t *row = *state;
    aa_issuer_t issuer =
        issuer_of(row->url ? row->url : "https://op", row->jwks);
    aa_keysource_t *source;
    aa_error_t err = {0};
    apr_status_t rv;

    issuer.algorithms = row->algorithms;
    issuer.secret = row->secret;
    issuer.secret_len = row->secret ? strlen(row->secret) : 0;
    rv = aa_keysource_create(&source, &issuer, conf_of(), NULL, &err, p);
    assert_int_equal(rv, row->code ? AA_EREFUSED : APR_SUCCESS);
    assert_int_equal(err.code, row->code);
    assert_int_equal(source != NULL, rv == APR_SUCCESS);
    if (row->code)
        assert_non_null(err.reason);
    if (row->secret && source) {
        assert_int_equal(keys(source, NOW), 1);
        assert_int_equal(aa_keysource_want(source, NOW, p), APR_ENOENT);
    }
}

/* ----------------------------------------------------------------- fetch */

/* An unknown kid causes one fetch, and the next one an interval later. */
static void one_fetch_an_interval(void **state)
{
    aa_keysource_shared_t shared = {0, 0};
    aa_keysource_t *source = url_source(&shared);
    int before = webserver_count(server);

    (void)state;
    serve("/jwks", 200, one);
    assert_int_equal(keys(source, NOW), -1);
    assert_int_equal(webserver_count(server), before); /* get never fetches */
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    assert_int_equal(keys(source, NOW), 1);
    for (int i = 0; i < 60; i++)
        assert_int_equal(aa_keysource_want(source, NOW + SEC(i), p),
                         APR_ENOENT);
    assert_int_equal(webserver_count(server), before + 1);
    serve("/jwks", 200, two);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(60), p), APR_SUCCESS);
    assert_int_equal(keys(source, NOW + SEC(60)), 2);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(60), p), APR_ENOENT);
    assert_int_equal(webserver_count(server), before + 2);
}

/* A clock that was set back does not stop fetching, nor start a storm. */
static void clock_set_back(void **state)
{
    aa_keysource_t *source = url_source(NULL);
    int before = webserver_count(server);

    (void)state;
    serve("/jwks", 200, one);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    assert_int_equal(aa_keysource_want(source, NOW - SEC(59), p), APR_ENOENT);
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(aa_keysource_want(source, NOW - SEC(3600), p),
                     APR_SUCCESS);
    assert_int_equal(aa_keysource_want(source, NOW - SEC(3599), p), APR_ENOENT);
    assert_int_equal(webserver_count(server), before + 2);
}

typedef struct bad_t {
    const char *name;
    webserver_page_t page;
} bad_t;

static bad_t bads[] = {
    {"status 500", {NULL, WEBSERVER_ANSWER, 500, NULL, "{\"keys\":[]}", 0}},
    {"status 404", {NULL, WEBSERVER_ANSWER, 404, NULL, "{\"keys\":[]}", 0}},
    {"status 204", {NULL, WEBSERVER_ANSWER, 204, NULL, "", 0}},
    {"redirect",
     {"/jwks", WEBSERVER_ANSWER, 302, "Location: /other\r\n", "{\"keys\":[]}",
      0}},
    {"HTML", {NULL, WEBSERVER_ANSWER, 200, NULL, "<html></html>", 0}},
    {"no set", {NULL, WEBSERVER_ANSWER, 200, NULL, "{\"keys\":1}", 0}},
    {"cut", {NULL, WEBSERVER_ANSWER, 200, NULL, "{\"keys\":[", 0}},
    {"nothing", {NULL, WEBSERVER_ANSWER, 200, NULL, "", 0}},
    {"gzip bomb",
     {NULL, WEBSERVER_ANSWER, 200, "Content-Encoding: gzip\r\n",
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10}},
    {"huge", {NULL, WEBSERVER_ENDLESS_BODY, 200, NULL, "", 0}},
    {"closes", {NULL, WEBSERVER_CLOSE, 200, NULL, "", 0}},
    {"closes early",
     {NULL, WEBSERVER_ANSWER, 200, "Content-Length: 99\r\n", "{\"keys\":[]}",
      0}},
};

/* A failed fetch: 503 for the interval, one request, the old set stays until
 * it is too old, and is refused then. */
static void failing(void **state)
{
    const bad_t *row = *state;
    webserver_page_t pages[] = {row->page, LAST};
    aa_keysource_t *source = url_source(NULL);
    int before = webserver_count(server);

    webserver_pages(server, pages);
    lines = 0;
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_EAGAIN);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(59), p), APR_EAGAIN);
    assert_int_equal(keys(source, NOW), -1);
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(lines, 1);
    serve("/jwks", 200, one);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(60), p), APR_SUCCESS);
    webserver_pages(server, pages);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(120), p), APR_EAGAIN);
    aa_keysource_tick(source, NOW + SEC(700), p);
    assert_int_equal(keys(source, NOW + SEC(60 + 86400)), 1);
    assert_int_equal(keys(source, NOW + SEC(60 + 86400) + 1), -1);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(60 + 86401), p),
                     APR_EAGAIN);
    serve("/jwks", 200, one);
    assert_int_equal(aa_keysource_want(source, NOW + SEC(90000), p),
                     APR_SUCCESS);
    assert_int_equal(keys(source, NOW + SEC(90000)), 1);
}

/* A provider that takes the connection and says nothing. */
static void silent_provider(void **state)
{
    webserver_page_t pages[] = {{NULL, WEBSERVER_SILENT, 200, NULL, "", 0},
                                LAST};
    aa_issuer_t issuer = issuer_of("https://op", url_of("/jwks"));
    aa_keysource_conf_t conf = *conf_of();
    apr_time_t began = apr_time_now();
    aa_keysource_t *source;

    (void)state;
    conf.timeout = apr_time_from_msec(200);
    webserver_pages(server, pages);
    assert_int_equal(
        aa_keysource_create(&source, &issuer, &conf, NULL, NULL, p),
        APR_SUCCESS);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_EAGAIN);
    assert_true(apr_time_now() - began < SEC(3));
}

/* An issuer that publishes no key any more is believed. */
static void keys_withdrawn(void **state)
{
    aa_keysource_t *source = url_source(NULL);

    (void)state;
    serve("/jwks", 200, two);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    serve("/jwks", 200, "{\"keys\":[]}");
    assert_int_equal(aa_keysource_want(source, NOW + SEC(60), p), APR_SUCCESS);
    assert_int_equal(keys(source, NOW + SEC(60)), 0);
}

static void tick_refreshes(void **state)
{
    aa_keysource_t *source = url_source(NULL);
    int before = webserver_count(server);

    (void)state;
    serve("/jwks", 200, one);
    aa_keysource_tick(source, NOW, p); /* nothing yet: due at once */
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(keys(source, NOW), 1);
    serve("/jwks", 200, two);
    for (int i = 0; i < 600; i++)
        aa_keysource_tick(source, NOW + SEC(i), p);
    assert_int_equal(webserver_count(server), before + 1);
    aa_keysource_tick(source, NOW + SEC(600), p);
    assert_int_equal(webserver_count(server), before + 2);
    assert_int_equal(keys(source, NOW + SEC(600)), 2);
    /* A failing refresh is tried again an interval later, not each second. */
    serve("/jwks", 500, "");
    for (int i = 0; i < 120; i++)
        aa_keysource_tick(source, NOW + SEC(1200 + i), p);
    assert_int_equal(webserver_count(server), before + 4);
    assert_int_equal(keys(source, NOW + SEC(1320)), 2);
}

/* ------------------------------------------------------------------ kept */

/* The provider is down at the next start: the kept set serves. */
static void kept_over_restart(void **state)
{
    aa_keysource_t *source = url_source(NULL);
    struct stat st;
    int before;

    (void)state;
    serve("/jwks", 200, one);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    assert_int_equal(stat(kept_file(url_of("/jwks")), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    serve("/jwks", 500, "");
    before = webserver_count(server);
    source = url_source(NULL);
    assert_int_equal(keys(source, NOW + SEC(1)), 1);
    assert_int_equal(keys(source, NOW + SEC(86400)), 1);
    assert_int_equal(keys(source, NOW + SEC(86401)), -1);
    aa_keysource_tick(source, NOW + SEC(599), p); /* fresh: not due */
    assert_int_equal(webserver_count(server), before);
    aa_keysource_tick(source, NOW + SEC(600), p);
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(keys(source, NOW + SEC(600)), 1);
}

/* What is no kept set of ours is as if it were not there. */
static void kept_spoilt(void **state)
{
    const char *file = kept_file(url_of("/jwks"));
    const char *elsewhere = apr_pstrcat(p, dir, "/elsewhere", NULL);

    (void)state;
    write_file(file, "{\"keys\":[");
    assert_int_equal(keys(url_source(NULL), apr_time_now()), -1);
    write_file(file, one);
    assert_int_equal(keys(url_source(NULL), apr_time_now()), 1);
    unlink(file);
    write_file(elsewhere, one);
    assert_int_equal(symlink(elsewhere, file), 0);
    assert_int_equal(keys(url_source(NULL), apr_time_now()), -1);
    unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(keys(url_source(NULL), apr_time_now()), -1);
}

/* Nowhere to keep it: the process that fetched has it all the same. */
static void kept_nowhere(void **state)
{
    aa_issuer_t issuer = issuer_of("https://op", url_of("/jwks"));
    aa_keysource_conf_t conf = *conf_of();
    aa_keysource_t *source;

    (void)state;
    serve("/jwks", 200, one);
    conf.cache_dir = "/nonexistent";
    assert_int_equal(
        aa_keysource_create(&source, &issuer, &conf, NULL, NULL, p),
        APR_SUCCESS);
    lines = 0;
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    assert_int_equal(keys(source, NOW), 1);
    assert_int_equal(lines, 1);
}

/* ------------------------------------------------------------- discovery */

typedef struct discovery_t {
    const char *name;
    const char *issuer;   /* path of the configured issuer */
    const char *at;       /* path of the document */
    const char *says;     /* path of the issuer that it says; NULL: none */
    const char *jwks_uri; /* path, or a whole URL; NULL: none */
    int requests;
    apr_status_t rv;
} discovery_t;

#define OIDC "/.well-known/openid-configuration"
#define OAUTH "/.well-known/oauth-authorization-server"
static discovery_t discoveries[] = {
    {"115 issuer at the root", "", OIDC, "", "/jwks", 2, APR_SUCCESS},
    {"115 issuer with a slash", "/", OIDC, "/", "/jwks", 2, APR_SUCCESS},
    {"115 issuer with a path", "/t", "/t" OIDC, "/t", "/jwks", 2, APR_SUCCESS},
    {"115 issuer with a path and a slash", "/t/", "/t" OIDC, "/t/", "/jwks", 2,
     APR_SUCCESS},
    {"115 RFC 8414 at the root", "", OAUTH, "", "/jwks", 3, APR_SUCCESS},
    {"115 RFC 8414 with a path", "/t", OAUTH "/t", "/t", "/jwks", 3,
     APR_SUCCESS},
    {"115 another issuer", "", OIDC, "/x", "/jwks", 1, APR_EAGAIN},
    {"115 a slash too many", "", OIDC, "/", "/jwks", 1, APR_EAGAIN},
    {"115 a slash too few", "/", OIDC, "", "/jwks", 1, APR_EAGAIN},
    {"115 no issuer", "", OIDC, NULL, "/jwks", 1, APR_EAGAIN},
    {"115 no jwks_uri", "", OIDC, "", NULL, 1, APR_EAGAIN},
    {"115 jwks_uri over http", "", OIDC, "", "http://op.example/jwks", 1,
     APR_EAGAIN},
    {"115 jwks_uri is a file", "", OIDC, "", "file:///etc/passwd", 1,
     APR_EAGAIN},
    {"115 no document", "", "/elsewhere", "", "/jwks", 2, APR_EAGAIN},
};

static void discovery(void **state)
{
    const discovery_t *row = *state;
    aa_issuer_t issuer = issuer_of(url_of(row->issuer), NULL);
    aa_keysource_t *source = source_of(&issuer, NULL);
    json_t *document = json_object();
    int before = webserver_count(server);
    webserver_page_t pages[] = {{row->at, WEBSERVER_ANSWER, 200, NULL, NULL, 0},
                                {"/jwks", WEBSERVER_ANSWER, 200, NULL, one, 0},
                                LAST};
    char *text;

    if (row->says)
        json_object_set_new(document, "issuer", json_string(url_of(row->says)));
    if (row->jwks_uri)
        json_object_set_new(document, "jwks_uri",
                            json_string(row->jwks_uri[0] == '/'
                                            ? url_of(row->jwks_uri)
                                            : row->jwks_uri));
    text = json_dumps(document, 0);
    pages[0].body = text;
    webserver_pages(server, pages);
    assert_int_equal(aa_keysource_want(source, NOW, p), row->rv);
    assert_int_equal(webserver_count(server), before + row->requests);
    assert_int_equal(keys(source, NOW), row->rv == APR_SUCCESS ? 1 : -1);
    /* However it went, the interval holds. */
    assert_int_equal(aa_keysource_want(source, NOW + SEC(59), p),
                     row->rv == APR_SUCCESS ? APR_ENOENT : APR_EAGAIN);
    assert_int_equal(webserver_count(server), before + row->requests);
    serve("/none", 404, "");
    free(text);
    json_decref(document);
}

/* Without an answer there is no second address to ask. */
static void discovery_nobody(void **state)
{
    webserver_page_t pages[] = {{NULL, WEBSERVER_CLOSE, 200, NULL, "", 0},
                                LAST};
    aa_issuer_t issuer = issuer_of(url_of(""), NULL);
    aa_keysource_t *source = source_of(&issuer, NULL);
    int before = webserver_count(server);

    (void)state;
    webserver_pages(server, pages);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_EAGAIN);
    assert_int_equal(webserver_count(server), before + 1);
}

/* ------------------------------------------------------------------ file */

/* Another inode each time: no clock granularity can hide the change. */
static void replace(const char *file, const char *text)
{
    const char *fresh = apr_pstrcat(p, file, ".fresh", NULL);

    write_file(fresh, text);
    assert_int_equal(rename(fresh, file), 0);
}

static void file_source(void **state)
{
    const char *file = apr_pstrcat(p, dir, "/set", NULL);
    aa_issuer_t issuer = issuer_of("https://op", file);
    aa_keysource_t *source;

    (void)state;
    write_file(file, one);
    source = source_of(&issuer, NULL);
    assert_int_equal(keys(source, NOW), 1);
    assert_int_equal(keys(source, NOW + SEC(10000000)), 1); /* ages not */
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_ENOENT);
    replace(file, two);
    assert_int_equal(keys(source, NOW), 1);
    aa_keysource_tick(source, NOW, p);
    assert_int_equal(keys(source, NOW), 2);
    replace(file, one);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_SUCCESS);
    assert_int_equal(keys(source, NOW), 1);
    assert_int_equal(aa_keysource_want(source, NOW, p), APR_ENOENT);
}

/* A broken file keeps the old set, and is complained of once. */
static void file_broken(void **state)
{
    const char *file = apr_pstrcat(p, dir, "/set", NULL);
    aa_issuer_t issuer = issuer_of("https://op", file);
    aa_keysource_t *source;

    (void)state;
    write_file(file, two);
    source = source_of(&issuer, NULL);
    lines = 0;
    replace(file, "{\"keys\":[");
    for (int i = 0; i < 5; i++)
        aa_keysource_tick(source, NOW, p);
    assert_int_equal(keys(source, NOW), 2);
    assert_int_equal(lines, 1);
    unlink(file);
    for (int i = 0; i < 5; i++)
        aa_keysource_tick(source, NOW, p);
    assert_int_equal(keys(source, NOW), 2);
    assert_int_equal(lines, 2);
    write_file(file, one);
    aa_keysource_tick(source, NOW, p);
    assert_int_equal(keys(source, NOW), 1);
}

static void file_at_start(void **state)
{
    const char *file = apr_pstrcat(p, dir, "/set", NULL);
    aa_issuer_t issuer = issuer_of("https://op", file);
    static const char *const texts[] = {"", "{\"keys\":[", "{\"keys\":[]}",
                                        "{\"keys\":[{\"kty\":\"oct\"}]}"};
    aa_keysource_t *source;
    aa_error_t err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        write_file(file, texts[i]);
        assert_int_equal(
            aa_keysource_create(&source, &issuer, conf_of(), NULL, &err, p),
            AA_EREFUSED);
        assert_null(source);
        assert_int_equal(err.code, AA_E_KEYS_AWAY);
    }
    write_file(file, one);
    assert_int_equal(
        aa_keysource_create(&source, &issuer, conf_of(), NULL, &err, p),
        APR_SUCCESS);
}

int main(void)
{
    struct CMUnitTest
        tests[COUNT(configs) + COUNT(bads) + COUNT(discoveries) + 24];
    size_t n = 0;

    keysource_begin();
    ROWS(configs, configuration)
    ROWS(bads, failing)
    ROWS(discoveries, discovery)
    ONE(one_fetch_an_interval);
    ONE(clock_set_back);
    ONE(silent_provider);
    ONE(keys_withdrawn);
    ONE(tick_refreshes);
    ONE(kept_over_restart);
    ONE(kept_spoilt);
    ONE(kept_nowhere);
    ONE(discovery_nobody);
    ONE(file_source);
    ONE(file_broken);
    ONE(file_at_start);
    return keysource_run("keysource", tests, n);
}
