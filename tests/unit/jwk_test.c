/* SPDX-License-Identifier: Apache-2.0 */
/* JWK sets: which keys are skipped, and which key a token is tried with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "model/limits.h"
#include "tokens.h"

#define NOW apr_time_from_sec(1700000000)
#define CLAIMS "{\"iss\":\"https://op\",\"aud\":\"me\",\"exp\":1700000300}"

static apr_pool_t *pool, *p;
static EVP_PKEY *rsa, *weak, *ec, *ed;

static aa_code_e judge(const char *token, const aa_jwks_t *set)
{
    static const char *const audiences[] = {"me", NULL};
    static const char *const algs[] = {"RS256", "PS256", "ES256",
                                       "ES384", "EdDSA", "HS256",
                                       "HS384", "HS512", NULL};
    aa_jwt_expect_t e = {"https://op", audiences, algs, NULL, NULL, NOW, 0};
    aa_error_t err = {0};
    aa_jws_t *jws;
    apr_status_t rv = aa_jws_parse(&jws, token, strlen(token), &err, p);

    if (rv == APR_SUCCESS)
        rv = aa_jwt_verify(jws, set, &e, &err, p);
    return rv == APR_ENOENT ? AA_E_TOKEN_KEY : err.code;
}

static const char *sign(EVP_PKEY *key, const char *alg, const char *kid)
{
    token_key_t with = {key, NULL};
    const char *header =
        kid ? apr_psprintf(p, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid)
            : apr_psprintf(p, "{\"alg\":\"%s\"}", alg);

    return token_sign(with, alg, header, CLAIMS, p);
}

static aa_jwks_t *parse(const char *text)
{
    aa_jwks_t *set = NULL;

    assert_int_equal(aa_jwks_parse(&set, text, strlen(text), NULL, p),
                     APR_SUCCESS);
    return set;
}

/* ------------------------------------------------- one key, one change */

typedef struct row_t {
    const char *name;
    EVP_PKEY **key;
    const char *member; /* set to value (JSON), or removed when that is NULL */
    const char *value;
    int usable;
} row_t;

static row_t rows[] = {
    {"RSA as it is", &rsa, "x-none", NULL, 1},
    {"EC as it is", &ec, "x-none", NULL, 1},
    {"Ed25519 as it is", &ed, "x-none", NULL, 1},
    {"39 use is sig", &ec, "use", "\"sig\"", 1},
    {"39 use is enc", &ec, "use", "\"enc\"", 0},
    {"39 use is a number", &ec, "use", "1", 0},
    {"39 use is empty", &ec, "use", "\"\"", 0},
    {"39 key_ops has verify", &ec, "key_ops", "[\"sign\",\"verify\"]", 1},
    {"39 key_ops without verify", &ec, "key_ops", "[\"sign\"]", 0},
    {"39 key_ops is empty", &ec, "key_ops", "[]", 0},
    {"39 key_ops is a string", &ec, "key_ops", "\"verify\"", 0},
    {"39 kty is missing", &ec, "kty", NULL, 0},
    {"39 kty is a number", &ec, "kty", "1", 0},
    {"39 kty in lower case", &ec, "kty", "\"ec\"", 0},
    {"39 kty of another kind", &ec, "kty", "\"RSA\"", 0},
    {"45 kty oct", &ec, "kty", "\"oct\"", 0},
    {"39 alg fits", &ec, "alg", "\"ES256\"", 1},
    {"39 alg of another kty", &ec, "alg", "\"RS256\"", 0},
    {"39 alg of another curve", &ec, "alg", "\"ES384\"", 0},
    {"39 alg of encryption", &rsa, "alg", "\"RSA-OAEP\"", 0},
    {"39 alg is a number", &ec, "alg", "1", 0},
    {"39 alg none", &ec, "alg", "\"none\"", 0},
    {"kid is a number", &ec, "kid", "1", 0},
    {"kid is a string", &ec, "kid", "\"1\"", 1},
    {"private half is published", &ec, "d", "\"AAAA\"", 0},
    {"x5c beside", &rsa, "x5c", "[\"AAAA\"]", 1},
    {"41 RSA of 1024 bits", &weak, "x-none", NULL, 0},
    {"41 exponent 1", &rsa, "e", "\"AQ\"", 0},
    {"41 exponent 0", &rsa, "e", "\"AA\"", 0},
    {"41 exponent 2", &rsa, "e", "\"Ag\"", 0},
    {"41 exponent even", &rsa, "e", "\"AQAA\"", 0},
    {"41 exponent 3", &rsa, "e", "\"Aw\"", 1},
    {"41 exponent of 72 bits", &rsa, "e", "\"AQAAAAAAAAAB\"", 0},
    {"41 exponent empty", &rsa, "e", "\"\"", 0},
    {"41 exponent a number", &rsa, "e", "65537", 0},
    {"41 exponent padded", &rsa, "e", "\"AQAB=\"", 0},
    {"41 modulus missing", &rsa, "n", NULL, 0},
    {"41 modulus short", &rsa, "n", "\"AQAB\"", 0},
    {"41 curve missing", &ec, "crv", NULL, 0},
    {"41 curve unknown", &ec, "crv", "\"secp256k1\"", 0},
    {"41 curve of another size", &ec, "crv", "\"P-384\"", 0},
    {"41 curve is a number", &ec, "crv", "256", 0},
    {"41 point off the curve", &ec, "x",
     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"", 0},
    {"41 coordinate short", &ec, "x", "\"AAAA\"", 0},
    {"41 coordinate missing", &ec, "y", NULL, 0},
    {"41 Ed25519 short", &ed, "x", "\"AAAA\"", 0},
    {"41 X25519", &ed, "crv", "\"X25519\"", 0},
    {"41 Ed448", &ed, "crv", "\"Ed448\"", 0},
};

static void one_change(void **state)
{
    const row_t *row = *state;
    json_t *jwk = token_jwk(*row->key, "k", p);
    aa_jwks_t *set;

    json_object_del(jwk, row->member);
    if (row->value)
        json_object_set_new(jwk, row->member,
                            json_loads(row->value, JSON_DECODE_ANY, NULL));
    set = parse(token_jwks(p, jwk, NULL));
    assert_int_equal(aa_jwks_count(set), row->usable);
    aa_jwks_unref(set);
}

/* ------------------------------------------------------- text of a set */

typedef struct text_t {
    const char *name, *text;
    int accepted;
} text_t;

static text_t texts[] = {
    {"empty list", "{\"keys\":[]}", 1},
    {"other members beside", "{\"keys\":[],\"x\":1}", 1},
    {"list of no objects", "{\"keys\":[1,null,\"a\",[],true]}", 1},
    {"no member keys", "{}", 0},
    {"keys is an object", "{\"keys\":{}}", 0},
    {"a bare list", "[]", 0},
    {"a string", "\"keys\"", 0},
    {"keys twice", "{\"keys\":[],\"keys\":[]}", 0},
    {"HTML", "<html><body>keys</body></html>", 0},
    {"nothing", "", 0},
    {"cut", "{\"keys\":[", 0},
    {"16 deep", "{\"keys\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", 1},
    {"17 deep", "{\"keys\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", 0},
};

static void set_text(void **state)
{
    const text_t *row = *state;
    aa_error_t err = {0};
    aa_jwks_t *set = NULL;
    apr_status_t rv =
        aa_jwks_parse(&set, row->text, strlen(row->text), &err, p);

    assert_int_equal(rv, row->accepted ? APR_SUCCESS : AA_EREFUSED);
    assert_int_equal(set != NULL, row->accepted);
    if (set)
        assert_int_equal(aa_jwks_count(set), 0);
    else
        assert_int_equal(err.code, AA_E_KEYS_AWAY);
    aa_jwks_unref(set);
}

static void set_size(void **state)
{
    char *text = apr_palloc(p, AA_JWKS_BYTES_MAX + 2);
    aa_jwks_t *set;

    (void)state;
    memset(text, ' ', AA_JWKS_BYTES_MAX + 1);
    memcpy(text, "{\"keys\":[]}", 11);
    assert_int_equal(aa_jwks_parse(&set, text, AA_JWKS_BYTES_MAX, NULL, p),
                     APR_SUCCESS);
    aa_jwks_unref(set);
    assert_int_equal(aa_jwks_parse(&set, text, AA_JWKS_BYTES_MAX + 1, NULL, p),
                     AA_EREFUSED);
}

/* ------------------------------------------------------------- choosing */

/* 39: the JWK's own alg binds: RS256 with a key for PS256 is refused. */
static void alg_of_the_key(void **state)
{
    json_t *jwk = token_jwk(rsa, "k", p);
    aa_jwks_t *set;

    (void)state;
    json_object_set_new(jwk, "alg", json_string("PS256"));
    set = parse(token_jwks(p, jwk, NULL));
    assert_int_equal(judge(sign(rsa, "RS256", "k"), set), AA_E_TOKEN_ALG);
    assert_int_equal(judge(sign(rsa, "PS256", "k"), set), AA_E_NONE);
    /* Without kid nothing in the set fits: maybe a newer one does. */
    assert_int_equal(judge(sign(rsa, "RS256", NULL), set), AA_E_TOKEN_KEY);
    aa_jwks_unref(set);
}

/* 45: two keys with one kid; both count. */
static void duplicate_kid(void **state)
{
    EVP_PKEY *other = token_key_ec("P-256", p);
    aa_jwks_t *set =
        parse(token_jwks(p, token_jwk(other, "k", p), token_jwk(rsa, "k", p),
                         token_jwk(ec, "k", p), NULL));

    (void)state;
    assert_int_equal(judge(sign(ec, "ES256", "k"), set), AA_E_NONE);
    assert_int_equal(judge(sign(other, "ES256", "k"), set), AA_E_NONE);
    assert_int_equal(judge(sign(rsa, "RS256", "k"), set), AA_E_NONE);
    assert_int_equal(judge(sign(token_key_ec("P-256", p), "ES256", "k"), set),
                     AA_E_TOKEN_SIGNATURE);
    aa_jwks_unref(set);
}

/* A token without kid is tried with those that fit, and not with all. */
static void tries_are_bounded(void **state)
{
    const char *token = sign(ec, "ES256", NULL),
               *named = sign(ec, "ES256", "last");
    json_t *list = json_array(), *set_json = json_pack("{s:o}", "keys", list);
    char *text;
    aa_jwks_t *set;

    (void)state;
    for (int i = 0; i < AA_JWKS_TRIES_MAX - 1; i++)
        json_array_append(list, token_jwk(token_key_ec("P-256", p), NULL, p));
    json_array_append(list, token_jwk(rsa, NULL, p)); /* fits not: no try */
    json_array_append(list, token_jwk(ec, "last", p));
    text = json_dumps(set_json, 0);
    set = parse(text);
    assert_int_equal(judge(token, set), AA_E_NONE);
    aa_jwks_unref(set);
    free(text);
    json_array_insert(list, 0, token_jwk(token_key_ec("P-256", p), NULL, p));
    text = json_dumps(set_json, 0);
    set = parse(text);
    assert_int_equal(judge(token, set), AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge(named, set), AA_E_NONE);
    aa_jwks_unref(set);
    free(text);
    json_decref(set_json);
}

/* 39: a key without kid is not the one that a token names. */
static void key_without_kid(void **state)
{
    aa_jwks_t *set = parse(token_jwks(p, token_jwk(ec, NULL, p), NULL));

    (void)state;
    assert_int_equal(judge(sign(ec, "ES256", "k"), set), AA_E_TOKEN_KEY);
    assert_int_equal(judge(sign(ec, "ES256", NULL), set), AA_E_NONE);
    aa_jwks_unref(set);
}

/* 39: the key that use=enc takes away is not there for a token either. */
static void encryption_key(void **state)
{
    json_t *jwk = token_jwk(ec, "k", p);
    aa_jwks_t *set;

    (void)state;
    json_object_set_new(jwk, "use", json_string("enc"));
    set = parse(token_jwks(p, jwk, NULL));
    assert_int_equal(judge(sign(ec, "ES256", "k"), set), AA_E_TOKEN_KEY);
    aa_jwks_unref(set);
    json_object_set_new(jwk, "use", json_string("sig"));
    set = parse(token_jwks(p, jwk, NULL));
    assert_int_equal(judge(sign(ec, "ES256", "k"), set), AA_E_NONE);
    aa_jwks_unref(set);
}

/* 45: a thousand keys, every fourth bad in its own way; the good ones work
 * and it takes a bounded time. */
static void thousand_keys(void **state)
{
    json_t *list = json_array(), *set_json = json_pack("{s:o}", "keys", list);
    json_t *bad[4], *good[3];
    apr_time_t began;
    char *text;
    aa_jwks_t *set;

    (void)state;
    bad[0] = json_pack("{s:s,s:s}", "kty", "oct", "k", "AAAA");
    bad[1] = json_pack("{s:s,s:i}", "kty", "RSA", "n", 1);
    bad[2] = json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256", "x",
                       "!", "y", "!");
    bad[3] = json_null();
    good[0] = token_jwk(rsa, NULL, p);
    good[1] = token_jwk(ec, NULL, p);
    good[2] = token_jwk(ed, NULL, p);
    for (int i = 0; i < 1000; i++) {
        json_t *jwk =
            json_deep_copy(i % 4 == 3 ? bad[i / 4 % 4] : good[i % 4 % 3]);

        if (json_is_object(jwk))
            json_object_set_new(jwk, "kid", json_sprintf("k%d", i));
        json_array_append_new(list, jwk);
    }
    text = json_dumps(set_json, JSON_COMPACT);
    began = apr_time_now();
    set = parse(text);
    assert_int_equal(aa_jwks_count(set), 750);
    assert_int_equal(judge(sign(ed, "EdDSA", "k998"), set), AA_E_NONE);
    assert_int_equal(judge(sign(rsa, "RS256", "k996"), set), AA_E_NONE);
    assert_int_equal(judge(sign(ec, "ES256", "k997"), set), AA_E_NONE);
    assert_int_equal(judge(sign(ec, "ES256", "k999"), set), AA_E_TOKEN_KEY);
    assert_true(apr_time_now() - began < apr_time_from_sec(5));
    aa_jwks_unref(set);
    free(text);
    json_decref(set_json);
    for (int i = 0; i < 4; i++)
        json_decref(bad[i]);
}

/* No more than AA_JWKS_KEYS_MAX are looked at. */
static void too_many_keys(void **state)
{
    json_t *list = json_array(), *set_json = json_pack("{s:o}", "keys", list);
    aa_jwks_t *set;
    char *text;

    (void)state;
    for (int i = 0; i < AA_JWKS_KEYS_MAX - 1; i++)
        json_array_append_new(list, json_null());
    json_array_append(list, token_jwk(ed, "in", p));
    json_array_append(list, token_jwk(ed, "out", p));
    text = json_dumps(set_json, JSON_COMPACT);
    set = parse(text);
    assert_int_equal(aa_jwks_count(set), 1);
    assert_int_equal(judge(sign(ed, "EdDSA", "in"), set), AA_E_NONE);
    assert_int_equal(judge(sign(ed, "EdDSA", "out"), set), AA_E_TOKEN_KEY);
    aa_jwks_unref(set);
    free(text);
    json_decref(set_json);
}

/* -------------------------------------------------------------- secrets */

static const char *sign_secret(const char *secret, const char *alg)
{
    token_key_t key = {NULL, secret};

    return token_sign(key, alg,
                      apr_psprintf(p, "{\"alg\":\"%s\",\"kid\":\"any\"}", alg),
                      CLAIMS, p);
}

/* 40: as long as the hash, or the algorithm is not to be had. */
static void secret_length(void **state)
{
    const char *s31 = "0123456789abcdef0123456789abcde";
    const char *s32 = "0123456789abcdef0123456789abcdef";
    const char *s48 = "0123456789abcdef0123456789abcdef0123456789abcdef";
    aa_jwks_t *set;

    (void)state;
    assert_int_equal(aa_jwks_from_secret(&set, s31, 31), APR_EINVAL);
    assert_null(set);
    assert_int_equal(aa_jwks_from_secret(&set, s32, AA_SECRET_MAX + 1),
                     APR_EINVAL);
    assert_int_equal(aa_jwks_from_secret(&set, s32, 32), APR_SUCCESS);
    assert_int_equal(judge(sign_secret(s32, "HS256"), set), AA_E_NONE);
    assert_int_equal(judge(sign_secret(s48, "HS256"), set),
                     AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge(sign_secret(s32, "HS384"), set), AA_E_TOKEN_ALG);
    assert_int_equal(judge(sign_secret(s32, "HS512"), set), AA_E_TOKEN_ALG);
    assert_int_equal(judge(sign(ec, "ES256", NULL), set), AA_E_TOKEN_ALG);
    aa_jwks_unref(set);
    assert_int_equal(aa_jwks_from_secret(&set, s48, 48), APR_SUCCESS);
    assert_int_equal(judge(sign_secret(s48, "HS384"), set), AA_E_NONE);
    assert_int_equal(judge(sign_secret(s48, "HS512"), set), AA_E_TOKEN_ALG);
    aa_jwks_unref(set);
}

/* A set of an issuer that holds an oct key gives no HMAC. */
static void oct_in_a_set(void **state)
{
    const char *secret = "0123456789abcdef0123456789abcdef";
    json_t *oct = json_pack("{s:s,s:s,s:s}", "kty", "oct", "kid", "any", "k",
                            token_base64url(secret, 32, p));
    aa_jwks_t *set = parse(token_jwks(p, oct, token_jwk(ec, "e", p), NULL));

    (void)state;
    assert_int_equal(aa_jwks_count(set), 1);
    assert_int_equal(judge(sign_secret(secret, "HS256"), set), AA_E_TOKEN_KEY);
    aa_jwks_unref(set);
    json_decref(oct);
}

/* A second reference keeps the set alive. */
static void references(void **state)
{
    aa_jwks_t *set = parse(token_jwks(p, token_jwk(ec, "k", p), NULL));

    (void)state;
    aa_jwks_ref(set);
    aa_jwks_unref(set);
    assert_int_equal(judge(sign(ec, "ES256", "k"), set), AA_E_NONE);
    aa_jwks_unref(set);
    aa_jwks_unref(NULL);
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

static int begin(void **state)
{
    (void)state;
    rsa = token_key_rsa(2048, pool);
    weak = token_key_rsa(1024, pool);
    ec = token_key_ec("P-256", pool);
    ed = token_key_ed25519(pool);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROWS(array, function)                                                  \
    for (size_t i = 0; i < COUNT(array); i++)                                  \
        tests[n++] = (struct CMUnitTest){array[i].name, function, row_begin,   \
                                         row_end, &array[i]};

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(texts) + 16];
    static const struct CMUnitTest single[] = {
        {"bytes of a set", set_size, row_begin, row_end, NULL},
        {"39 alg of the key binds", alg_of_the_key, row_begin, row_end, NULL},
        {"45 duplicate kid", duplicate_kid, row_begin, row_end, NULL},
        {"no kid: bounded tries", tries_are_bounded, row_begin, row_end, NULL},
        {"39 key without kid", key_without_kid, row_begin, row_end, NULL},
        {"39 key for encryption", encryption_key, row_begin, row_end, NULL},
        {"45 a thousand keys", thousand_keys, row_begin, row_end, NULL},
        {"45 too many keys", too_many_keys, row_begin, row_end, NULL},
        {"40 length of a secret", secret_length, row_begin, row_end, NULL},
        {"40 oct in a set", oct_in_a_set, row_begin, row_end, NULL},
        {"references", references, row_begin, row_end, NULL},
    };
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_crypto_init();
    apr_pool_create(&pool, NULL);
    ROWS(rows, one_change)
    ROWS(texts, set_text)
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    failed = _cmocka_run_group_tests("jwk", tests, n, begin, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
