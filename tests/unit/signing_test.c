/* SPDX-License-Identifier: Apache-2.0 */
/* Our own keys and what they sign: files, rotation, the assertion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <openssl/pem.h>

#include "apr_general.h"
#include "apr_file_info.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "base/json.h"
#include "keys/assertion.h"
#include "keys/signing.h"
#include "model/limits.h"
#include "tokens.h"

#define SEC(n) apr_time_from_sec(n)
#define NOW SEC(1700000000)
#define ROTATE SEC(1000)
#define KEEP SEC(500)

static apr_pool_t *pool, *p;
static const char *dir;

/* ----------------------------------------------------------------- tools */

static int files(const char **last)
{
    apr_finfo_t finfo;
    apr_dir_t *d;
    int n = 0;

    assert_int_equal(apr_dir_open(&d, dir, p), APR_SUCCESS);
    while (apr_dir_read(&finfo, APR_FINFO_NAME, d) == APR_SUCCESS)
        if (finfo.name[0] != '.') {
            n++;
            if (last)
                *last = apr_pstrcat(p, dir, "/", finfo.name, NULL);
        }
    apr_dir_close(d);
    return n;
}

static void dir_empty(void)
{
    const char *file;

    while (files(&file))
        assert_int_equal(unlink(file), 0);
}

static aa_signing_t *open_at(apr_time_t now)
{
    aa_signing_t *signing;
    aa_error_t err = {0};

    assert_int_equal(aa_signing_open(&signing, dir, ROTATE, KEEP, now, &err, p),
                     APR_SUCCESS);
    return signing;
}

static const char *kid_at(const aa_signing_t *signing, size_t i)
{
    json_t *set;
    const char *why, *text = aa_signing_jwks(signing);

    assert_int_equal(aa_json_parse(&set, &why, text, strlen(text), 8, p),
                     APR_SUCCESS);
    return json_string_value(json_object_get(
        json_array_get(json_object_get(set, "keys"), i), "kid"));
}

static int published(const aa_signing_t *signing)
{
    const char *text = aa_signing_jwks(signing);
    aa_jwks_t *set;
    int count;

    assert_int_equal(aa_jwks_parse(&set, text, strlen(text), NULL, p),
                     APR_SUCCESS);
    count = aa_jwks_count(set);
    aa_jwks_unref(set);
    return count;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    const char *file = apr_pstrcat(p, dir, "/", name, NULL);
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(file, mode), 0);
}

static const char *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text;
    char *data;
    long len;

    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &data);
    text = apr_pstrmemdup(p, data, (apr_size_t)len);
    BIO_free(bio);
    return text;
}

/* ----------------------------------------------------------------- files */

static void first_key(void **state)
{
    aa_signing_t *signing = open_at(NOW), *again;
    const char *file = "";
    struct stat st;

    (void)state;
    assert_int_equal(files(&file), 1);
    assert_non_null(strstr(file, "/signing-1700000000-"));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(published(signing), 1);
    assert_null(strstr(aa_signing_jwks(signing), "\"d\""));
    again = open_at(NOW + ROTATE); /* not older than that: the same key */
    assert_int_equal(files(NULL), 1);
    assert_string_equal(aa_signer_kid(aa_signing_current(again)),
                        aa_signer_kid(aa_signing_current(signing)));
}

static void rotation(void **state)
{
    const char *first = aa_signer_kid(aa_signing_current(open_at(NOW)));
    apr_time_t second_at = NOW + ROTATE + SEC(1);
    aa_signing_t *signing = open_at(second_at);
    const char *second = aa_signer_kid(aa_signing_current(signing));

    (void)state;
    assert_string_not_equal(first, second);
    assert_int_equal(published(signing), 2);
    assert_string_equal(kid_at(signing, 0), second); /* newest first */
    assert_string_equal(kid_at(signing, 1), first);
    assert_int_equal(published(open_at(second_at + KEEP)), 2);
    signing = open_at(second_at + KEEP + SEC(1));
    assert_int_equal(published(signing), 1);
    assert_string_equal(kid_at(signing, 0), second);
    assert_int_equal(files(NULL), 1);
}

static void other_files(void **state)
{
    (void)state;
    write_file("pepper", "x", 0600);
    write_file("signing-.pem", "x", 0600);
    write_file("signing-1-abcdefgh.pem.12345678.new", "x", 0600);
    write_file("signing-99999999999999999999-abcdefgh.pem", "x", 0600);
    assert_int_equal(published(open_at(NOW)), 1);
    assert_int_equal(files(NULL), 5);
}

typedef struct file_t {
    const char *name;
    int usable;
    mode_t mode;
    const char *crv; /* NULL: RSA; "": no PEM at all */
} file_t;

static file_t key_files[] = {
    {"key of ours", 1, 0600, "P-256"},
    {"key that only its owner reads", 1, 0400, "P-256"},
    {"key that the group may read", 0, 0640, "P-256"},
    {"key that all may read", 0, 0604, "P-256"},
    {"key of another curve", 0, 0600, "P-384"},
    {"RSA key", 0, 0600, NULL},
    {"broken key", 0, 0600, ""},
};

static void key_file(void **state)
{
    const file_t *row = *state;
    aa_signing_t *signing;
    aa_error_t err = {0};
    const char *text = !row->crv    ? pem_of(token_key_rsa(2048, p))
                       : !*row->crv ? "-----BEGIN PRIVATE KEY-----\nAA"
                                    : pem_of(token_key_ec(row->crv, p));

    write_file("signing-1700000000-abcdefgh.pem", text, row->mode);
    assert_int_equal(aa_signing_open(&signing, dir, ROTATE, KEEP, NOW, &err, p),
                     row->usable ? APR_SUCCESS : AA_EREFUSED);
    assert_int_equal(signing != NULL, row->usable);
    if (!row->usable) {
        assert_int_equal(err.code, AA_E_ASSERTION);
        assert_non_null(strstr(err.reason, "signing-1700000000-abcdefgh.pem"));
    }
}

static void key_file_is_link(void **state)
{
    aa_signing_t *signing;

    (void)state;
    write_file("elsewhere", pem_of(token_key_ec("P-256", p)), 0600);
    assert_int_equal(
        symlink("elsewhere",
                apr_pstrcat(p, dir, "/signing-1700000000-abcdefgh.pem", NULL)),
        0);
    assert_int_equal(aa_signing_open(&signing, dir, ROTATE, KEEP, NOW, NULL, p),
                     AA_EREFUSED);
}

static void no_directory(void **state)
{
    aa_signing_t *signing;
    aa_error_t err = {0};

    (void)state;
    assert_int_equal(
        aa_signing_open(&signing, "/nonexistent", ROTATE, KEEP, NOW, &err, p),
        AA_EREFUSED);
    assert_int_equal(err.code, AA_E_ASSERTION);
}

/* ---------------------------------------------------------------- signer */

/* RFC 7638: the kid is the hash of the required members, in order. */
static void thumbprint(void **state)
{
    EVP_PKEY *key = token_key_ec("P-256", p);
    json_t *jwk = token_jwk(key, NULL, p), *own;
    unsigned char digest[AA_SHA256_LEN];
    aa_signer_t *signer;
    const char *text;

    (void)state;
    assert_int_equal(aa_signer_load(&signer, pem_of(key), p), APR_SUCCESS);
    text = apr_psprintf(
        p, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
        json_string_value(json_object_get(jwk, "x")),
        json_string_value(json_object_get(jwk, "y")));
    assert_int_equal(aa_crypto_sha256(digest, text, strlen(text), NULL, 0), 0);
    assert_string_equal(aa_signer_kid(signer),
                        token_base64url(digest, sizeof(digest), p));
    own = aa_signer_public(signer, p);
    assert_int_equal(json_object_size(own), 7);
    assert_true(
        json_equal(json_object_get(own, "x"), json_object_get(jwk, "x")));
    assert_true(
        json_equal(json_object_get(own, "y"), json_object_get(jwk, "y")));
    assert_string_equal(json_string_value(json_object_get(own, "alg")),
                        "ES256");
    assert_string_equal(json_string_value(json_object_get(own, "use")), "sig");
}

/* Often enough that r or s begins with a zero byte now and then. */
static void signatures(void **state)
{
    aa_signer_t *signer;
    const char *pem;
    json_t *set;
    aa_jwks_t *jwks;
    const char *text;

    (void)state;
    assert_int_equal(aa_signer_generate(&pem, p), APR_SUCCESS);
    assert_non_null(strstr(pem, "-----BEGIN PRIVATE KEY-----"));
    assert_int_equal(aa_signer_load(&signer, pem, p), APR_SUCCESS);
    set = json_pack("{s:[O]}", "keys", aa_signer_public(signer, p));
    text = aa_json_dump(set, p);
    json_decref(set);
    assert_int_equal(aa_jwks_parse(&jwks, text, strlen(text), NULL, p),
                     APR_SUCCESS);
    for (int i = 0; i < 600; i++) {
        static const char *const aud[] = {"b", NULL};
        static const char *const alg[] = {"ES256", NULL};
        aa_jwt_expect_t e = {"a", aud, alg, NULL, NULL, NOW, 0};
        const char *compact;
        aa_jws_t *jws;

        assert_int_equal(
            aa_signer_sign(&compact, signer, "x",
                           "{\"iss\":\"a\",\"aud\":\"b\",\"exp\":1800000000}",
                           p),
            APR_SUCCESS);
        assert_int_equal(aa_jws_parse(&jws, compact, strlen(compact), NULL, p),
                         APR_SUCCESS);
        assert_int_equal(aa_jwt_verify(jws, jwks, &e, NULL, p), APR_SUCCESS);
    }
    aa_jwks_unref(jwks);
}

#define THREADS 4

static void *sign_often(void *signer)
{
    apr_pool_t *mine;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&mine, NULL, NULL);

    for (int i = 0; i < 200 && rv == APR_SUCCESS; i++) {
        const char *compact;

        rv = aa_signer_sign(&compact, signer, "x", "{}", mine);
    }
    apr_pool_destroy(mine);
    return rv == APR_SUCCESS ? NULL : signer;
}

/* One key signs in all threads at once. */
static void signer_is_shared(void **state)
{
    const aa_signer_t *signer = aa_signing_current(open_at(NOW));
    pthread_t thread[THREADS];
    void *failed;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, sign_often, (void *)signer), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], &failed), 0);
        assert_null(failed);
    }
}

/* ------------------------------------------------------------- assertion */

static aa_assertion_t sample(void)
{
    aa_assertion_t a = {0};
    json_t *decisions = aa_json_own(
        json_pack("[{s:s,s:s,s:s,s:{s:s}}]", "res", "threads", "act", "read",
                  "kind", "filter", "flt", "owner", "op:alice"),
        p);

    a.iss = "https://gw.example";
    a.aud = "http://127.0.0.1:2024";
    a.sub = "op:alice";
    a.decision_id = "d1";
    a.permissions = aa_json_own(json_pack("[s]", "threads:read"), p);
    a.user = aa_json_own(json_pack("{s:s}", "identity", "op:alice"), p);
    a.decisions = decisions;
    a.method = "POST";
    a.path = "/threads/search";
    a.now = NOW + 999999;
    return a;
}

static aa_jws_t *make(const aa_assertion_t *a, const aa_signing_t *signing)
{
    const char *compact;
    aa_error_t err = {0};
    aa_jws_t *jws;

    assert_int_equal(
        aa_assertion_make(&compact, a, aa_signing_current(signing), &err, p),
        APR_SUCCESS);
    assert_int_equal(aa_jws_parse(&jws, compact, strlen(compact), &err, p),
                     APR_SUCCESS);
    return jws;
}

static const char *text_of(const aa_jws_t *jws, const char *claim)
{
    return json_string_value(json_object_get(jws->claims, claim));
}

static void assertion_claims(void **state)
{
    static const char *const alg[] = {"ES256", NULL};
    static const char *const aud[] = {"http://127.0.0.1:2024", NULL};
    aa_jwt_expect_t e = {"https://gw.example", aud, alg, NULL, NULL, NOW, 0};
    aa_signing_t *signing = open_at(NOW);
    aa_assertion_t a = sample();
    const char *text = aa_signing_jwks(signing);
    aa_jws_t *jws;
    aa_jwks_t *set;

    (void)state;
    a.query = "a=1&b=%20";
    a.body = "{\"limit\":1}";
    a.body_len = strlen(a.body);
    a.policy = "0123456789abcdef";
    jws = make(&a, signing);
    assert_string_equal(json_string_value(json_object_get(jws->header, "typ")),
                        "agentauth+jwt");
    assert_string_equal(jws->kid, aa_signer_kid(aa_signing_current(signing)));
    assert_int_equal(json_object_size(jws->header), 3);
    assert_int_equal(json_object_size(jws->claims), 14);
    assert_int_equal(json_integer_value(json_object_get(jws->claims, "iat")),
                     1700000000);
    assert_int_equal(json_integer_value(json_object_get(jws->claims, "exp")),
                     1700000030);
    assert_string_equal(text_of(jws, "jti"), "d1");
    assert_string_equal(text_of(jws, "sub"), "op:alice");
    assert_string_equal(text_of(jws, "htm"), "POST");
    assert_string_equal(text_of(jws, "htp"), "/threads/search");
    assert_string_equal(text_of(jws, "pol"), "0123456789abcdef");
    /* as another implementation of SHA-256 and base64url has it */
    assert_string_equal(text_of(jws, "htq"),
                        "sbvo2XtnC_-2_3vKnTt8aB_sFRFNGsA8hgedRajgAck");
    assert_string_equal(text_of(jws, "bdy"),
                        "FW_t75r5doXQ5vQ-6-VdiuZ_y_NLL-ojwrGvBhtLzfA");
    assert_true(
        json_equal(json_object_get(jws->claims, "perm"), a.permissions));
    assert_true(json_equal(json_object_get(jws->claims, "usr"), a.user));
    assert_true(json_equal(json_object_get(jws->claims, "dec"), a.decisions));
    assert_int_equal(aa_jwks_parse(&set, text, strlen(text), NULL, p),
                     APR_SUCCESS);
    assert_int_equal(aa_jwt_verify(jws, set, &e, NULL, p), APR_SUCCESS);
    e.now = NOW + SEC(30);
    assert_int_equal(aa_jwt_verify(jws, set, &e, NULL, p), AA_EREFUSED);
    aa_jwks_unref(set);
}

/* Without body and policy: no such claims; htq as that of "". */
static void assertion_least(void **state)
{
    aa_signing_t *signing = open_at(NOW);
    aa_assertion_t a = sample();
    aa_jws_t *jws = make(&a, signing);

    (void)state;
    assert_int_equal(json_object_size(jws->claims), 12);
    assert_null(text_of(jws, "bdy"));
    assert_null(text_of(jws, "pol"));
    assert_string_equal(text_of(jws, "htq"),
                        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    a.query = "";
    assert_string_equal(text_of(make(&a, signing), "htq"), text_of(jws, "htq"));
    a.body = "";
    assert_string_equal(text_of(make(&a, signing), "bdy"), text_of(jws, "htq"));
}

static void assertion_size(void **state)
{
    const aa_signer_t *signer = aa_signing_current(open_at(NOW));
    aa_assertion_t a = sample();
    const char *compact = NULL;
    apr_size_t len = 0;
    aa_error_t err = {0};

    (void)state;
    for (int fill = 4000; fill < 9000; fill++) {
        char *path = apr_palloc(p, (apr_size_t)fill + 1);

        memset(path, 'p', (apr_size_t)fill);
        path[fill] = '\0';
        a.path = path;
        if (aa_assertion_make(&compact, &a, signer, &err, p) != APR_SUCCESS)
            break;
        len = strlen(compact);
        fill += len < AA_ASSERTION_MAX - 40 ? 20 : 0;
    }
    assert_int_equal(err.code, AA_E_HEADER_SIZE);
    assert_null(compact);
    assert_in_range(len, AA_ASSERTION_MAX - 2, AA_ASSERTION_MAX);
}

/* A claim that cannot be told is no assertion, not one with a hole. */
static void assertion_holes(void **state)
{
    const aa_signer_t *signer = aa_signing_current(open_at(NOW));
    const char *compact;
    aa_error_t err = {0};
    aa_assertion_t a = sample();

    (void)state;
    a.path = "/\xff";
    assert_int_equal(aa_assertion_make(&compact, &a, signer, &err, p),
                     AA_EREFUSED);
    assert_int_equal(err.code, AA_E_ASSERTION);
    assert_null(compact);
    a = sample();
    a.aud = NULL;
    assert_int_equal(aa_assertion_make(&compact, &a, signer, &err, p),
                     AA_EREFUSED);
    a = sample();
    a.decisions = NULL;
    assert_int_equal(aa_assertion_make(&compact, &a, signer, &err, p),
                     AA_EREFUSED);
    a = sample();
    assert_int_equal(aa_assertion_make(&compact, &a, signer, &err, p),
                     APR_SUCCESS);
}

/* ----------------------------------------------------------------- frame */

static int row_begin(void **state)
{
    (void)state;
    if (apr_pool_create(&p, pool))
        return -1;
    dir_empty();
    return 0;
}

static int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

static int begin(void **state)
{
    static char name[] = "signing-XXXXXX";

    (void)state;
    if (!mkdtemp(name))
        return -1;
    dir = realpath(name, NULL);
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

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ONE(function)                                                          \
    tests[n++] = (struct CMUnitTest)                                           \
    {                                                                          \
#function, function, row_begin, row_end, NULL                          \
    }

int main(void)
{
    struct CMUnitTest tests[COUNT(key_files) + 16];
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_crypto_init();
    apr_pool_create(&pool, NULL);
    for (; n < COUNT(key_files); n++)
        tests[n] = (struct CMUnitTest){key_files[n].name, key_file, row_begin,
                                       row_end, &key_files[n]};
    ONE(first_key);
    ONE(rotation);
    ONE(other_files);
    ONE(key_file_is_link);
    ONE(no_directory);
    ONE(thumbprint);
    ONE(signatures);
    ONE(signer_is_shared);
    ONE(assertion_claims);
    ONE(assertion_least);
    ONE(assertion_size);
    ONE(assertion_holes);
    failed = _cmocka_run_group_tests("signing", tests, n, begin, end);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
