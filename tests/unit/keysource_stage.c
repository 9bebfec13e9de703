/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of key sources stand on: an issuer that is served by the test, a
 * directory for kept sets, a clock of the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "apr_file_info.h"
#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/http.h"
#include "base/log.h"
#include "keysource_stage.h"
#include "tokens.h"

apr_pool_t *pool, *p;
webserver_t *server;
const char *dir;
const char *one, *two;
int lines;
static const char *const es256[] = {"ES256", NULL};
static const char *const audiences[] = {"me", NULL};

static void count_line(aa_log_level_e level, aa_code_e code, apr_status_t rv,
                       const char *line)
{
    (void)code;
    (void)rv;
    (void)line;
    lines += level <= AA_LOG_WARNING;
}

/* ----------------------------------------------------------------- tools */

const char *url_of(const char *path)
{
    return apr_psprintf(p, "http://127.0.0.1:%d%s", webserver_port(server),
                        path);
}

aa_issuer_t issuer_of(const char *url, const char *jwks)
{
    aa_issuer_t issuer = {0};

    issuer.url = url;
    issuer.jwks = jwks;
    issuer.audiences = audiences;
    issuer.algorithms = es256;
    return issuer;
}

const aa_keysource_conf_t *conf_of(void)
{
    static aa_keysource_conf_t conf;

    conf.cache_dir = dir;
    conf.interval = SEC(60);
    conf.refresh = SEC(600);
    conf.max_age = SEC(86400);
    conf.timeout = SEC(5);
    return &conf;
}

aa_keysource_t *source_of(const aa_issuer_t *issuer,
                          aa_keysource_shared_t *shared)
{
    aa_keysource_t *source;
    aa_error_t err = {0};

    assert_int_equal(
        aa_keysource_create(&source, issuer, conf_of(), shared, &err, p),
        APR_SUCCESS);
    return source;
}

aa_keysource_t *url_source(aa_keysource_shared_t *shared)
{
    aa_issuer_t issuer = issuer_of("https://op", url_of("/jwks"));

    return source_of(&issuer, shared);
}

/* Usable keys in use; -1: no set that may be used. */
int keys(aa_keysource_t *source, apr_time_t now)
{
    aa_jwks_t *set = aa_keysource_get(source, now);
    int count = set ? aa_jwks_count(set) : -1;

    aa_jwks_unref(set);
    return count;
}

void serve(const char *path, int status, const char *body)
{
    webserver_page_t pages[] = {{path, WEBSERVER_ANSWER, status, NULL, body, 0},
                                LAST};

    webserver_pages(server, pages);
}

void write_file(const char *file, const char *text)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

const char *kept_file(const char *url)
{
    unsigned char digest[AA_SHA256_LEN];

    assert_int_equal(aa_crypto_sha256(digest, url, strlen(url), NULL, 0), 0);
    return apr_pstrcat(p, dir, "/", aa_hex(digest, sizeof(digest), p), ".json",
                       NULL);
}

static void dir_empty(void)
{
    apr_finfo_t finfo;
    apr_dir_t *d;

    assert_int_equal(apr_dir_open(&d, dir, p), APR_SUCCESS);
    while (apr_dir_read(&finfo, APR_FINFO_NAME, d) == APR_SUCCESS)
        if (finfo.name[0] != '.')
            unlink(apr_pstrcat(p, dir, "/", finfo.name, NULL));
    apr_dir_close(d);
}

/* ----------------------------------------------------------------- frame */

int row_begin(void **state)
{
    (void)state;
    if (apr_pool_create(&p, pool))
        return -1;
    dir_empty();
    return 0;
}

int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

static int begin(void **state)
{
    EVP_PKEY *a = token_key_ec("P-256", pool), *b = token_key_ec("P-256", pool);
    static char name[] = "keysource-XXXXXX";

    (void)state;
    one = token_jwks(pool, token_jwk(a, "a", pool), NULL);
    two = token_jwks(pool, token_jwk(a, "a", pool), token_jwk(b, "b", pool),
                     NULL);
    if (!mkdtemp(name))
        return -1;
    dir = realpath(name, NULL);
    aa_log_to(count_line);
    return !dir;
}

static int end(void **state)
{
    (void)row_begin(state);
    (void)row_end(state);
    rmdir(dir);
    free((char *)dir);
    return 0;
}

int keysource_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
    int failed;

    server = webserver_start(0);
    failed = _cmocka_run_group_tests(name, tests, n, begin, end);
    webserver_stop(server);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}

void keysource_begin(void)
{
    apr_initialize();
    aa_crypto_init();
    aa_http_init();
    apr_pool_create(&pool, NULL);
}
