/* SPDX-License-Identifier: Apache-2.0 */
/* Published vectors against the function that verifies all our tokens.
 *
 * 44 of the security checklist. tests/vectors/README.md says whose they are.
 * Their payloads are seldom JSON and never claims of ours, so the header, the
 * form and the signature are looked at, and aa_jwt_verify is left out. */
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
#include "base/jwk.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define EMPTY_OBJECT "e30" /* {} */

typedef struct vector_t {
    const json_t *key;
    int number, valid;            /* as published */
    const char *text, *signature; /* signature NULL: text is a token */
} vector_t;

typedef struct book_t {
    const char *file;
    size_t cases, valid; /* less in the file: somebody lost some */
    json_t *json;
    vector_t *vectors;
} book_t;

static book_t jws = {"jws.json", 401, 46, NULL, NULL};
static book_t ed25519 = {"ed25519.json", 151, 88, NULL, NULL};
static apr_pool_t *root, *p; /* of the program, of one row */

/* -------------------------------------------------------------- verdicts */

/* The key as a set of its own, less one member when it is told so. */
static aa_jwks_t *set_of(const json_t *key, const char *without)
{
    json_t *copy = json_copy((json_t *)key), *keys;
    const char *k = json_string_value(json_object_get(key, "k"));
    unsigned char *secret;
    aa_jwks_t *set = NULL;
    apr_size_t len;
    char *text;

    if (without)
        assert_int_equal(json_object_del(copy, without), 0);
    keys = json_pack("{s:[o]}", "keys", copy);
    text = json_dumps(keys, JSON_COMPACT);
    json_decref(keys);
    if (k) {
        assert_int_equal(aa_base64url_decode(&secret, &len, k, strlen(k), p),
                         APR_SUCCESS);
        assert_int_equal(aa_jwks_from_secret(&set, secret, len), APR_SUCCESS);
    }
    else
        assert_int_equal(aa_jwks_parse(&set, text, strlen(text), NULL, p),
                         APR_SUCCESS);
    free(text);
    return set;
}

/* The gate sees the token with {} for its payload, which must only be
 * base64url; what is verified is the token as it was published. */
static aa_jws_t *token_parsed(const char *token)
{
    const char *payload = strchr(token, '.');
    const char *end = payload ? strchr(payload + 1, '.') : NULL, *gate;
    unsigned char *bytes;
    aa_jws_t *parsed;
    apr_size_t len;

    if (!end ||
        aa_base64url_decode(&bytes, &len, payload + 1,
                            (apr_size_t)(end - payload - 1), p) != APR_SUCCESS)
        return NULL;
    gate =
        apr_pstrcat(p, apr_pstrmemdup(p, token, (apr_size_t)(payload - token)),
                    "." EMPTY_OBJECT, end, NULL);
    if (aa_jws_parse(&parsed, gate, strlen(gate), NULL, p) != APR_SUCCESS)
        return NULL;
    parsed->compact = token;
    parsed->len = strlen(token);
    parsed->signed_len = (apr_size_t)(end - token);
    return parsed;
}

/* Bytes and their signature, which is how Ed25519 comes. */
static aa_jws_t *bytes_signed(const char *text, const char *signature)
{
    aa_jws_t *made = apr_pcalloc(p, sizeof(*made));
    unsigned char *bytes, *sig;

    assert_int_equal(
        aa_base64url_decode(&bytes, &made->len, text, strlen(text), p),
        APR_SUCCESS);
    assert_int_equal(aa_base64url_decode(&sig, &made->signature_len, signature,
                                         strlen(signature), p),
                     APR_SUCCESS);
    made->compact = (const char *)bytes;
    made->signed_len = made->len;
    made->signature = sig;
    made->alg = "EdDSA";
    return made;
}

static int accepted(const vector_t *vector, const char *without)
{
    aa_jws_t *one = vector->signature
                        ? bytes_signed(vector->text, vector->signature)
                        : token_parsed(vector->text);
    aa_jwks_t *set;
    apr_status_t rv;

    if (!one)
        return 0;
    set = set_of(vector->key, without);
    rv = aa_jwks_verify(set, one, aa_jose_alg_find(one->alg), NULL, p);
    aa_jwks_unref(set);
    return rv == APR_SUCCESS;
}

/* ------------------------------------------------------------------ rows */

/* Cases whose verdict has a reason beside the signature. Ours is another one
 * than the published one where `deviates`. The reason is tested as well: the
 * token is let in by the same key `without` that member, or it is, without
 * any '?', that of the case `like`, which is valid. */
typedef struct reason_t {
    int number, deviates;
    const char *without;
    int like;
    const char *why;
} reason_t;

static const reason_t reasons[] = {
    {346, 1, "alg", 0, "the key is for PS256, the token has PS384"},
    {347, 1, "alg", 0, "the key is for ES521, which is no algorithm"},
    {350, 1, "alg", 0, "the key is for PS256, the token has PS384"},
    {351, 1, "alg", 0, "the key is for ES521, which is no algorithm"},
    {353, 0, "use", 0, "the key is for encryption"},
    {354, 0, "use", 0, "the key is for encryption"},
    {355, 0, "key_ops", 0, "the key is for encryption"},
    {356, 0, "key_ops", 0, "the key is for encryption"},
    {367, 1, NULL, 357, "the text is that of a valid token to the byte"},
    {370, 1, NULL, 357, "the text is that of a valid token to the byte"},
    {372, 1, NULL, 357, "a '?' in base64url, which lax decoders skip"},
    {373, 1, NULL, 357, "a '?' in base64url, which lax decoders skip"},
};

static const vector_t *vector_find(const book_t *book, int number)
{
    for (size_t i = 0; i < book->cases; i++)
        if (book->vectors[i].number == number)
            return &book->vectors[i];
    return NULL;
}

static const reason_t *reason_find(int number)
{
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (reasons[i].number == number)
            return &reasons[i];
    return NULL;
}

/* Accepted or refused as it was published. */
static void published_case(void **state)
{
    const vector_t *vector = *state;

    assert_int_equal(accepted(vector, NULL), vector->valid);
}

static const char *less_marks(const char *token)
{
    char *out = apr_pstrdup(p, token), *to = out;

    for (; *token; token++)
        if (*token != '?')
            *to++ = *token;
    *to = '\0';
    return out;
}

/* Accepted or refused for the reason that our table gives. */
static void reasoned_case(void **state)
{
    const vector_t *vector = *state, *like;
    const reason_t *reason = reason_find(vector->number);

    print_message("%d: %s\n", reason->number, reason->why);
    assert_int_equal(accepted(vector, NULL),
                     reason->deviates ? !vector->valid : vector->valid);
    if (reason->without) {
        assert_true(accepted(vector, reason->without));
        return;
    }
    like = vector_find(&jws, reason->like);
    assert_non_null(like);
    assert_true(like->valid && accepted(like, NULL));
    assert_string_equal(less_marks(vector->text), like->text);
}

/* No reason outlives its case, and no file loses its valid half. */
static void nothing_is_lost(void **state)
{
    const book_t *books[] = {&jws, &ed25519};

    (void)state;
    for (size_t i = 0; i < COUNT(reasons); i++)
        assert_non_null(vector_find(&jws, reasons[i].number));
    for (size_t i = 0; i < COUNT(books); i++) {
        size_t valid = 0;

        for (size_t j = 0; j < books[i]->cases; j++)
            valid += (size_t)books[i]->vectors[j].valid;
        assert_int_equal(valid, books[i]->valid);
    }
}

/* ----------------------------------------------------------------- frame */

static int row_begin(void **state)
{
    (void)state;
    return apr_pool_create(&p, root);
}

static int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

static struct CMUnitTest test_of(const book_t *book, const vector_t *vector,
                                 const char *name)
{
    struct CMUnitTest test = {0};

    test.name =
        apr_psprintf(root, "44 %s %d %s", book->file, vector->number, name);
    test.test_func = book == &jws && reason_find(vector->number)
                         ? reasoned_case
                         : published_case;
    test.setup_func = row_begin;
    test.teardown_func = row_end;
    test.initial_state = (void *)vector;
    return test;
}

/* [number, name, valid, text, signature of the text or nothing] */
static void row_read(vector_t *vector, const char **name, json_t *row,
                     const json_t *key)
{
    json_error_t error;

    vector->key = key;
    vector->signature = json_string_value(json_array_get(row, 4));
    if (json_unpack_ex(row, &error, 0, "[i s b s]", &vector->number, name,
                       &vector->valid, &vector->text)) {
        print_error("%s\n", error.text);
        exit(1);
    }
}

/* The tests of a file; how many they are. */
static size_t book_open(struct CMUnitTest *tests, book_t *book)
{
    const char *srcdir = getenv("srcdir"), *name;
    json_error_t error;
    json_t *group, *row;
    size_t i, j, n = 0;

    book->json =
        json_load_file(apr_pstrcat(root, srcdir ? srcdir : ".",
                                   "/tests/vectors/", book->file, NULL),
                       JSON_REJECT_DUPLICATES, &error);
    book->vectors = apr_pcalloc(root, book->cases * sizeof(vector_t));
    json_array_foreach(book->json, i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, row)
        {
            vector_t *vector = &book->vectors[n];

            if (n++ == book->cases)
                break;
            row_read(vector, &name, row, json_object_get(group, "key"));
            tests[n - 1] = test_of(book, vector, name);
        }
    }
    if (n != book->cases) {
        print_error("%s: not %d cases\n", book->file, (int)book->cases);
        exit(1);
    }
    return n;
}

int main(void)
{
    struct CMUnitTest *tests;
    size_t n;
    int failed;

    apr_initialize();
    aa_crypto_init();
    apr_pool_create(&root, NULL);
    tests = apr_pcalloc(root, (jws.cases + ed25519.cases + 1) * sizeof(*tests));
    n = book_open(tests, &jws);
    n += book_open(tests + n, &ed25519);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_is_lost);
    failed = _cmocka_run_group_tests("jws_vectors", tests, n, NULL, NULL);
    json_decref(jws.json);
    json_decref(ed25519.json);
    apr_pool_destroy(root);
    apr_terminate();
    return failed != 0; /* 256 of them would be an exit code of 0 */
}
