/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate: form, signature and claims of a token, row by row.
 *
 * A number before a name is that of the security checklist. Each refusal has
 * a neighbour that differs in the one thing refused and is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "base/jwk.h"
#include "model/limits.h"
#include "tokens.h"

#define NOW apr_time_from_sec(1700000000)
#define SECRET                                                                 \
    "0123456789abcdef0123456789abcdef"                                         \
    "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"p256\"}"
#define CLAIMS_BUT "\"iss\":\"https://op\",\"aud\":\"me\""
#define EXP ",\"exp\":1700000300"
#define CLAIMS "{" CLAIMS_BUT EXP "}"
#define FORM AA_E_TOKEN_FORM
#define TIME AA_E_TOKEN_TIME
#define DEPTH_16 "{" CLAIMS_BUT EXP ",\"d\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"
#define DEPTH_17 "{" CLAIMS_BUT EXP ",\"d\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"

static apr_pool_t *pool, *p; /* of the program, of one row */
static EVP_PKEY *rsa, *p256, *p384, *p521, *ed;
static aa_jwks_t *jwks, *secrets;

static const char *const all_algs[] = {
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA", NULL};
static const char *const audiences[] = {"other", "me", NULL};
static const char *const typ_refused[] = {"logout+jwt", NULL};

static aa_jwt_expect_t expect(void)
{
    aa_jwt_expect_t e = {"https://op",         audiences, all_algs,
                         typ_refused,          NULL,      NOW,
                         apr_time_from_sec(60)};

    return e;
}

/* Parse and verify; the code of the refusal, AA_E_NONE when it is let in. */
static aa_code_e judge(const char *compact, apr_size_t len,
                       const aa_jwks_t *set, const aa_jwt_expect_t *e)
{
    aa_error_t err = {0};
    aa_jws_t *jws;
    apr_status_t rv = aa_jws_parse(&jws, compact, len, &err, p);

    if (rv == APR_SUCCESS)
        rv = aa_jwt_verify(jws, set, e, &err, p);
    else
        assert_null(jws);
    if (rv == APR_ENOENT)
        return AA_E_TOKEN_KEY;
    assert_int_equal(rv == APR_SUCCESS, err.code == AA_E_NONE);
    return err.code;
}

/* --------------------------------------------------- header and claims */

typedef struct row_t {
    const char *name;
    const char *header; /* NULL: HEADER */
    const char *claims; /* NULL: CLAIMS */
    aa_code_e code;     /* AA_E_NONE: let in */
} row_t;

static row_t rows[] = {
    {"a plain token", NULL, NULL, AA_E_NONE},
    /* 37 */
    {"37 header is an array", "[\"alg\"]", NULL, FORM},
    {"37 header is a string", "\"ES256\"", NULL, FORM},
    {"37 header is no JSON", "{alg:ES256}", NULL, FORM},
    {"37 header has bytes after it", HEADER " x", NULL, FORM},
    {"37 header has blanks after it", HEADER " \n", NULL, AA_E_NONE},
    {"37 header has alg twice",
     "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"p256\"}", NULL, FORM},
    {"37 header has alg twice, one of them escaped",
     "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\",\"kid\":\"p256\"}", NULL, FORM},
    {"37 header has alg escaped once",
     "{\"\\u0061lg\":\"ES256\",\"kid\":\"p256\"}", NULL, AA_E_NONE},
    {"37 payload is an array", NULL, "[1]", FORM},
    {"37 payload is null", NULL, "null", FORM},
    {"37 payload is empty text", NULL, "", FORM},
    {"37 payload has iss twice", NULL,
     "{\"iss\":\"https://op\"," CLAIMS_BUT EXP "}", FORM},
    {"37 payload has a member twice further down", NULL,
     "{" CLAIMS_BUT EXP ",\"a\":{\"b\":1,\"b\":2}}", FORM},
    {"37 payload has one name in two objects", NULL,
     "{" CLAIMS_BUT EXP ",\"a\":{\"b\":1},\"c\":{\"b\":2}}", AA_E_NONE},
    {"37 payload 17 deep", NULL, DEPTH_17, FORM},
    {"37 payload 16 deep", NULL, DEPTH_16, AA_E_NONE},
    {"37 payload is not UTF-8", NULL, "{" CLAIMS_BUT EXP ",\"a\":\"\xff\"}",
     FORM},
    {"37 payload is UTF-8", NULL, "{" CLAIMS_BUT EXP ",\"a\":\"\xc3\xa4\"}",
     AA_E_NONE},
    {"37 payload has a NUL in a claim", NULL,
     "{" CLAIMS_BUT EXP ",\"sub\":\"root\\u0000x\"}", FORM},
    {"37 payload has a NUL in a name", NULL,
     "{" CLAIMS_BUT EXP ",\"sub\\u0000\":\"x\"}", FORM},
    {"37 payload has a newline in a claim", NULL,
     "{" CLAIMS_BUT EXP ",\"sub\":\"a\\nb\"}", AA_E_NONE},
    {"37 payload has a lone surrogate", NULL,
     "{" CLAIMS_BUT EXP ",\"a\":\"\\ud800\"}", FORM},
    {"37 payload has a number out of range", NULL,
     "{" CLAIMS_BUT EXP ",\"a\":1e999}", FORM},
    {"37 iss is a number", NULL, "{\"iss\":1,\"aud\":\"me\"" EXP "}", FORM},
    /* 38 */
    {"38 crit", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"crit\":[\"x\"],\"x\":1}",
     NULL, FORM},
    {"38 crit is empty", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"crit\":[]}",
     NULL, FORM},
    {"38 crit names b64",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"crit\":[\"b64\"],\"b64\":true}",
     NULL, FORM},
    {"38 b64 alone", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"b64\":true}", NULL,
     FORM},
    {"38 an unknown member", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"x\":1}",
     NULL, AA_E_NONE},
    {"38 jku, x5u, x5c beside a known kid",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"jku\":\"http://127.0.0.1:1/\","
     "\"x5u\":\"http://127.0.0.1:1/\",\"x5c\":[\"AAAA\"]}",
     NULL, AA_E_NONE},
    {"38 jku beside an unknown kid",
     "{\"alg\":\"ES256\",\"kid\":\"new\",\"jku\":\"http://127.0.0.1:1/\"}",
     NULL, AA_E_TOKEN_KEY},
    {"alg is a number", "{\"alg\":1,\"kid\":\"p256\"}", NULL, FORM},
    {"alg is missing", "{\"kid\":\"p256\"}", NULL, FORM},
    {"alg is none", "{\"alg\":\"none\",\"kid\":\"p256\"}", NULL,
     AA_E_TOKEN_ALG},
    {"alg is None", "{\"alg\":\"None\",\"kid\":\"p256\"}", NULL,
     AA_E_TOKEN_ALG},
    {"alg is empty", "{\"alg\":\"\",\"kid\":\"p256\"}", NULL, AA_E_TOKEN_ALG},
    {"alg in lower case", "{\"alg\":\"es256\",\"kid\":\"p256\"}", NULL,
     AA_E_TOKEN_ALG},
    {"alg of JWE", "{\"alg\":\"dir\",\"kid\":\"p256\"}", NULL, AA_E_TOKEN_ALG},
    {"alg ES256K", "{\"alg\":\"ES256K\",\"kid\":\"p256\"}", NULL,
     AA_E_TOKEN_ALG},
    {"kid is a number", "{\"alg\":\"ES256\",\"kid\":256}", NULL, FORM},
    {"kid is null", "{\"alg\":\"ES256\",\"kid\":null}", NULL, FORM},
    {"kid is unknown", "{\"alg\":\"ES256\",\"kid\":\"p257\"}", NULL,
     AA_E_TOKEN_KEY},
    {"kid in another case", "{\"alg\":\"ES256\",\"kid\":\"P256\"}", NULL,
     AA_E_TOKEN_KEY},
    {"kid is missing", "{\"alg\":\"ES256\"}", NULL, AA_E_NONE},
    /* 42 */
    {"42 typ is refused",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"logout+jwt\"}", NULL,
     AA_E_TOKEN_KIND},
    {"42 typ is refused in capitals",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"Logout+JWT\"}", NULL,
     AA_E_TOKEN_KIND},
    {"42 typ is refused as a media type",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"application/logout+jwt\"}",
     NULL, AA_E_TOKEN_KIND},
    {"42 typ is a number", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":1}",
     NULL, FORM},
    {"42 typ is at+jwt",
     "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"at+jwt\"}", NULL,
     AA_E_NONE},
    {"42 typ is JWT", "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"JWT\"}",
     NULL, AA_E_NONE},
    /* iss, aud */
    {"iss has a slash more", NULL,
     "{\"iss\":\"https://op/\",\"aud\":\"me\"" EXP "}", AA_E_TOKEN_ISSUER},
    {"iss is missing", NULL, "{\"aud\":\"me\"" EXP "}", AA_E_TOKEN_ISSUER},
    {"aud is missing", NULL, "{\"iss\":\"https://op\"" EXP "}",
     AA_E_TOKEN_AUDIENCE},
    {"aud is another", NULL, "{\"iss\":\"https://op\",\"aud\":\"you\"" EXP "}",
     AA_E_TOKEN_AUDIENCE},
    {"aud is a prefix", NULL, "{\"iss\":\"https://op\",\"aud\":\"m\"" EXP "}",
     AA_E_TOKEN_AUDIENCE},
    {"aud is a list with ours", NULL,
     "{\"iss\":\"https://op\",\"aud\":[\"you\",\"me\"]" EXP "}", AA_E_NONE},
    {"aud is a list without ours", NULL,
     "{\"iss\":\"https://op\",\"aud\":[\"you\"]" EXP "}", AA_E_TOKEN_AUDIENCE},
    {"aud is an empty list", NULL, "{\"iss\":\"https://op\",\"aud\":[]" EXP "}",
     AA_E_TOKEN_AUDIENCE},
    {"aud is a list with ours and a number", NULL,
     "{\"iss\":\"https://op\",\"aud\":[\"me\",1]" EXP "}", AA_E_TOKEN_AUDIENCE},
    {"aud is an object", NULL,
     "{\"iss\":\"https://op\",\"aud\":{\"me\":\"me\"}" EXP "}",
     AA_E_TOKEN_AUDIENCE},
    /* 43; the clock says 1700000000, leeway is 60 */
    {"43 exp is missing", NULL, "{" CLAIMS_BUT "}", TIME},
    {"43 exp is past by the leeway", NULL,
     "{" CLAIMS_BUT ",\"exp\":1699999940}", TIME},
    {"43 exp is past by less than the leeway", NULL,
     "{" CLAIMS_BUT ",\"exp\":1699999941}", AA_E_NONE},
    {"43 exp is past by a fraction less than the leeway", NULL,
     "{" CLAIMS_BUT ",\"exp\":1699999940.5}", AA_E_NONE},
    {"43 exp is a string", NULL, "{" CLAIMS_BUT ",\"exp\":\"1700000300\"}",
     TIME},
    {"43 exp is negative", NULL, "{" CLAIMS_BUT ",\"exp\":-1700000300}", TIME},
    {"43 exp is 1e300", NULL, "{" CLAIMS_BUT ",\"exp\":1e300}", TIME},
    {"43 exp is 2^63-1", NULL, "{" CLAIMS_BUT ",\"exp\":9223372036854775807}",
     TIME},
    {"43 exp is 2^63", NULL, "{" CLAIMS_BUT ",\"exp\":9223372036854775808}",
     FORM},
    {"43 exp is in the year 9999", NULL,
     "{" CLAIMS_BUT ",\"exp\":253402300799}", AA_E_NONE},
    {"43 exp is in the year 10000", NULL,
     "{" CLAIMS_BUT ",\"exp\":253402300800}", TIME},
    {"43 exp is true", NULL, "{" CLAIMS_BUT ",\"exp\":true}", TIME},
    {"43 exp is null", NULL, "{" CLAIMS_BUT ",\"exp\":null}", TIME},
    {"43 exp is a list", NULL, "{" CLAIMS_BUT ",\"exp\":[1700000300]}", TIME},
    {"43 exp is NaN", NULL, "{" CLAIMS_BUT ",\"exp\":NaN}", FORM},
    {"43 exp has an exponent", NULL, "{" CLAIMS_BUT ",\"exp\":1.7000003e9}",
     AA_E_NONE},
    {"43 nbf is ahead", NULL, "{" CLAIMS_BUT EXP ",\"nbf\":1700000061}", TIME},
    {"43 nbf is ahead by the leeway", NULL,
     "{" CLAIMS_BUT EXP ",\"nbf\":1700000060}", AA_E_NONE},
    {"43 nbf is ahead by a fraction more", NULL,
     "{" CLAIMS_BUT EXP ",\"nbf\":1700000060.5}", TIME},
    {"43 nbf is a string", NULL, "{" CLAIMS_BUT EXP ",\"nbf\":\"0\"}", TIME},
    {"43 nbf is negative", NULL, "{" CLAIMS_BUT EXP ",\"nbf\":-1}", TIME},
    {"43 nbf is 1e300", NULL, "{" CLAIMS_BUT EXP ",\"nbf\":1e300}", TIME},
    {"43 iat is ahead", NULL, "{" CLAIMS_BUT EXP ",\"iat\":1700000061}", TIME},
    {"43 iat is ahead by the leeway", NULL,
     "{" CLAIMS_BUT EXP ",\"iat\":1700000060}", AA_E_NONE},
    {"43 iat is false", NULL, "{" CLAIMS_BUT EXP ",\"iat\":false}", TIME},
};

static void header_and_claims(void **state)
{
    const row_t *row = *state;
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token =
        token_sign(key, "ES256", row->header ? row->header : HEADER,
                   row->claims ? row->claims : CLAIMS, p);

    assert_int_equal(judge(token, strlen(token), jwks, &e), row->code);
}

/* -------------------------------------------------------- compact form */

typedef struct form_t {
    const char *name;
    const char *(*spoil)(const char *token);
    aa_code_e code;
} form_t;

static const char *as_is(const char *token)
{
    return token;
}

static const char *put(const char *token, char at, const char *with)
{
    const char *dot = at == '<' ? token : strchr(token, '.');

    if (at == '2')
        dot = strchr(dot + 1, '.');
    if (at == '>')
        dot = token + strlen(token);
    return apr_pstrcat(p, apr_pstrmemdup(p, token, (apr_size_t)(dot - token)),
                       with, dot, NULL);
}

static const char *padded(const char *token)
{
    return put(token, '>', "=");
}

static const char *header_padded(const char *token)
{
    return put(token, '1', "=");
}

static const char *with_plus(const char *token)
{
    char *copy = apr_pstrdup(p, token);

    strrchr(copy, '.')[1] = '+';
    return copy;
}

static const char *blank_behind(const char *token)
{
    return put(token, '>', " ");
}

static const char *newline_inside(const char *token)
{
    return put(token, '2', "\n");
}

static const char *blank_before(const char *token)
{
    return put(token, '<', " ");
}

static const char *fourth_part(const char *token)
{
    return put(token, '>', ".");
}

static const char *five_parts(const char *token)
{
    return put(token, '1', ".AAAA.AAAA");
}

static const char *no_signature(const char *token)
{
    return apr_pstrmemdup(p, token,
                          (apr_size_t)(strrchr(token, '.') + 1 - token));
}

static const char *two_parts(const char *token)
{
    return apr_pstrmemdup(p, token, (apr_size_t)(strrchr(token, '.') - token));
}

static const char *no_header(const char *token)
{
    return strchr(token, '.');
}

static const char *no_payload(const char *token)
{
    return apr_pstrcat(p, two_parts(two_parts(token)), ".", strrchr(token, '.'),
                       NULL);
}

static const char *one_more(const char *token) /* 64 bytes are 86 characters */
{
    return put(token, '>', "AAA"); /* 89: one more than a multiple of four */
}

static const char *spare_bits(const char *token)
{
    char *copy = apr_pstrdup(p, token);

    copy[strlen(copy) - 1]++; /* A Q g w have no spare bit set, B R h x do */
    return copy;
}

static const char *json_form(const char *token)
{
    (void)token;
    return "{\"payload\":\"AAAA\",\"signatures\":[]}";
}

static const char *empty(const char *token)
{
    (void)token;
    return "";
}

static const char *dots(const char *token)
{
    (void)token;
    return "..";
}

/* Claims filled up so that the token has len bytes. */
static const char *of_length(apr_size_t len)
{
    token_key_t key = {p256, NULL};
    apr_size_t fill = (len - 43 - 2 - 86) / 4 * 3 - 80;

    for (;; fill++) {
        char *pad = apr_palloc(p, fill + 1);
        const char *claims, *token;

        memset(pad, 'x', fill);
        pad[fill] = '\0';
        claims =
            apr_pstrcat(p, "{" CLAIMS_BUT EXP ",\"x\":\"", pad, "\"}", NULL);
        token = token_sign(key, "ES256", HEADER, claims, p);
        if (strlen(token) >= len)
            return token;
    }
}

static const char *largest(const char *token)
{
    (void)token;
    token = of_length(AA_JWT_MAX - 1);
    assert_in_range(strlen(token), AA_JWT_MAX - 1, AA_JWT_MAX);
    return token;
}

static const char *too_large(const char *token)
{
    (void)token;
    return of_length(AA_JWT_MAX + 1);
}

static const char *kid_of(apr_size_t len)
{
    token_key_t key = {p256, NULL};
    char *kid = apr_palloc(p, len + 1);

    memset(kid, 'k', len);
    kid[len] = '\0';
    return token_sign(
        key, "ES256",
        apr_pstrcat(p, "{\"alg\":\"ES256\",\"kid\":\"", kid, "\"}", NULL),
        CLAIMS, p);
}

static const char *kid_largest(const char *token)
{
    (void)token;
    return kid_of(AA_KID_MAX);
}

static const char *kid_too_large(const char *token)
{
    (void)token;
    return kid_of(AA_KID_MAX + 1);
}

static form_t forms[] = {
    {"36 three parts", as_is, AA_E_NONE},
    {"36 '=' behind the signature", padded, FORM},
    {"36 '=' behind the header", header_padded, FORM},
    {"36 '+' in the signature", with_plus, FORM},
    {"36 blank behind", blank_behind, FORM},
    {"36 blank before", blank_before, FORM},
    {"36 newline inside", newline_inside, FORM},
    {"36 a fourth, empty part", fourth_part, FORM},
    {"36 five parts (JWE)", five_parts, FORM},
    {"36 empty signature", no_signature, FORM},
    {"36 two parts", two_parts, FORM},
    {"36 empty header", no_header, FORM},
    {"36 empty payload", no_payload, FORM},
    {"36 length mod 4 is 1", one_more, FORM},
    {"36 bits to spare in the last character", spare_bits, FORM},
    {"36 JSON serialisation", json_form, FORM},
    {"36 no bytes", empty, FORM},
    {"36 two dots", dots, FORM},
    {"36 as many bytes as there may be", largest, AA_E_NONE},
    {"36 a byte too many", too_large, FORM},
    {"kid as long as it may be, unknown", kid_largest, AA_E_TOKEN_KEY},
    {"kid too long", kid_too_large, FORM},
};

static void compact_form(void **state)
{
    const form_t *row = *state;
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = row->spoil(token_sign(key, "ES256", HEADER, CLAIMS, p));

    assert_int_equal(judge(token, strlen(token), jwks, &e), row->code);
}

/* Bytes above 0x7f and NUL, at every place of every part. */
static void every_byte(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(key, "ES256", HEADER, CLAIMS, p);
    apr_size_t len = strlen(token);

    (void)state;
    for (apr_size_t i = 0; i < len; i++) {
        static const char bad[] = {'\0', '\x80', '\xff', '%', '/', ' '};
        char *copy = apr_pstrdup(p, token);

        copy[i] = bad[i % sizeof(bad)];
        assert_int_equal(judge(copy, len, jwks, &e), FORM);
        assert_int_not_equal(judge(token, i, jwks, &e), AA_E_NONE);
    }
    assert_int_equal(judge(token, len, jwks, &e), AA_E_NONE);
}

/* A token in memory without a NUL behind it is read within its length. */
static void no_nul_behind(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(key, "ES256", HEADER, CLAIMS, p);
    apr_size_t len = strlen(token);
    char *longer = apr_pstrcat(p, token, "AAAA.AAAA", NULL);

    (void)state;
    assert_int_equal(judge(longer, len, jwks, &e), AA_E_NONE);
    assert_int_equal(judge(longer, strlen(longer), jwks, &e), FORM);
}

/* ------------------------------------------------------------ algorithms */

typedef struct alg_t {
    const char *name, *alg, *kid;
    aa_code_e code;
} alg_t;

static alg_t algs[] = {
    {"RS256", "RS256", "rsa", AA_E_NONE},
    {"RS384", "RS384", "rsa", AA_E_NONE},
    {"RS512", "RS512", "rsa", AA_E_NONE},
    {"PS256", "PS256", "rsa", AA_E_NONE},
    {"PS384", "PS384", "rsa", AA_E_NONE},
    {"PS512", "PS512", "rsa", AA_E_NONE},
    {"ES256", "ES256", "p256", AA_E_NONE},
    {"ES384", "ES384", "p384", AA_E_NONE},
    {"ES512", "ES512", "p521", AA_E_NONE},
    {"EdDSA", "EdDSA", "ed", AA_E_NONE},
    {"HS256", "HS256", NULL, AA_E_NONE},
    {"HS384", "HS384", NULL, AA_E_NONE},
    {"HS512", "HS512", NULL, AA_E_NONE},
    {"41 ES384 with a P-256 key", "ES384", "p256", AA_E_TOKEN_ALG},
    {"41 ES256 with a P-384 key", "ES256", "p384", AA_E_TOKEN_ALG},
    {"41 ES512 with a P-384 key", "ES512", "p384", AA_E_TOKEN_ALG},
    {"39 RS256 with an EC key", "RS256", "p256", AA_E_TOKEN_ALG},
    {"39 ES256 with an RSA key", "ES256", "rsa", AA_E_TOKEN_ALG},
    {"39 EdDSA with an EC key", "EdDSA", "p256", AA_E_TOKEN_ALG},
    {"40 HS256 with an RSA key's kid", "HS256", "rsa", AA_E_TOKEN_ALG},
};

static token_key_t key_of(const alg_t *row)
{
    token_key_t key = {NULL, SECRET};

    if (row->alg[0] == 'R' || row->alg[0] == 'P')
        key.key = rsa;
    else if (!strcmp(row->alg, "EdDSA"))
        key.key = ed;
    else if (row->alg[0] == 'E')
        key.key = row->kid && !strcmp(row->kid, "p384")   ? p384
                  : row->kid && !strcmp(row->kid, "p521") ? p521
                                                          : p256;
    return key;
}

static const char *alg_token(const alg_t *row)
{
    const char *header =
        row->kid ? apr_psprintf(p, "{\"alg\":\"%s\",\"kid\":\"%s\"}", row->alg,
                                row->kid)
                 : apr_psprintf(p, "{\"alg\":\"%s\"}", row->alg);

    return token_sign(key_of(row), row->alg, header, CLAIMS, p);
}

/* The last character but one, whose six bits all count. */
static const char *flipped(const char *token)
{
    char *copy = apr_pstrdup(p, token);
    char *at = copy + strlen(copy) - 2;

    *at = *at == 'A' ? 'B' : 'A';
    return copy;
}

static void algorithm(void **state)
{
    const alg_t *row = *state;
    const aa_jwks_t *set = row->kid ? jwks : secrets;
    const char *token = alg_token(row), *bad = flipped(token);
    aa_jwt_expect_t e = expect();
    const char *none[] = {"XX256", NULL}, *one[] = {row->alg, NULL};
    char *other = apr_pstrdup(p, token);

    assert_int_equal(judge(token, strlen(token), set, &e), row->code);
    if (row->code != AA_E_NONE)
        return;
    assert_int_equal(judge(bad, strlen(bad), set, &e), AA_E_TOKEN_SIGNATURE);
    /* A byte of the payload: 'exp' becomes another number or text. */
    strchr(other, '.')[20] ^= 1;
    assert_int_not_equal(judge(other, strlen(other), set, &e), AA_E_NONE);
    /* The list of the caller decides, not the header. */
    e.alg = none;
    assert_int_equal(judge(token, strlen(token), set, &e), AA_E_TOKEN_ALG);
    e.alg = one;
    assert_int_equal(judge(token, strlen(token), set, &e), AA_E_NONE);
}

/* The oldest trick: HMAC with the text of the public key as secret. */
static void public_key_as_secret(void **state)
{
    const char *text = token_jwks(p, token_jwk(rsa, "rsa", p), NULL);
    token_key_t key = {NULL, text};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(
        key, "HS256", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", CLAIMS, p);
    const char *bare =
        token_sign(key, "HS256", "{\"alg\":\"HS256\"}", CLAIMS, p);

    (void)state;
    assert_int_equal(judge(token, strlen(token), jwks, &e), AA_E_TOKEN_ALG);
    assert_int_equal(judge(bare, strlen(bare), jwks, &e), AA_E_TOKEN_KEY);
}

/* 38: a key that the token brings along proves nothing. */
static void key_brought_along(void **state)
{
    EVP_PKEY *mine = token_key_ec("P-256", p);
    json_t *jwk = token_jwk(mine, "p256", p);
    char *text = json_dumps(jwk, JSON_COMPACT);
    const char *header = apr_psprintf(
        p, "{\"alg\":\"ES256\",\"kid\":\"p256\",\"jwk\":%s}", text);
    token_key_t forger = {mine, NULL}, owner = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *forged = token_sign(forger, "ES256", header, CLAIMS, p);
    const char *honest = token_sign(owner, "ES256", header, CLAIMS, p);

    (void)state;
    free(text);
    assert_int_equal(judge(forged, strlen(forged), jwks, &e),
                     AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge(honest, strlen(honest), jwks, &e), AA_E_NONE);
}

/* 44: signatures of the wrong form over the right text. */
static void signature_forms(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(key, "ES256", HEADER, CLAIMS, p);
    const char *text = two_parts(token);
    /* the order of P-256 */
    static const unsigned char order[32] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    unsigned char sig[66], *raw;
    apr_size_t rawlen;

    (void)state;
    assert_int_equal(
        aa_base64url_decode(&raw, &rawlen, strrchr(token, '.') + 1, 86, p),
        APR_SUCCESS);
    for (int i = 0; i < 8; i++) {
        apr_size_t len = 64;
        const char *bad;

        memset(sig, 0, sizeof(sig));
        switch (i) {
        case 0: /* r = s = 0 */
            break;
        case 1: /* r = s = 1 */
            sig[31] = sig[63] = 1;
            break;
        case 2: /* r = s = order */
            memcpy(sig, order, 32);
            memcpy(sig + 32, order, 32);
            break;
        case 3: /* all ones */
            memset(sig, 0xff, 64);
            break;
        case 4: /* s = 0 */
            memcpy(sig, raw, 32);
            break;
        case 5: /* cut */
            memcpy(sig, raw, 64);
            len = 63;
            break;
        case 6: /* longer by two zeros: r and s each padded */
            memcpy(sig + 1, raw, 32);
            memcpy(sig + 34, raw + 32, 32);
            len = 66;
            break;
        default: /* r and s exchanged */
            memcpy(sig, raw + 32, 32);
            memcpy(sig + 32, raw, 32);
        }
        bad = apr_pstrcat(p, text, ".", token_base64url(sig, len, p), NULL);
        assert_int_equal(judge(bad, strlen(bad), jwks, &e),
                         AA_E_TOKEN_SIGNATURE);
    }
    assert_int_equal(judge(token, strlen(token), jwks, &e), AA_E_NONE);
}

/* A DER signature is not JOSE's form. */
static void signature_der(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(key, "ES256", HEADER, CLAIMS, p);
    const char *text = two_parts(token), *bad;
    unsigned char sig[256];
    size_t len = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p256),
                     1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text,
                                    strlen(text)),
                     1);
    EVP_MD_CTX_free(ctx);
    bad = apr_pstrcat(p, text, ".", token_base64url(sig, len, p), NULL);
    assert_int_equal(judge(bad, strlen(bad), jwks, &e), AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge(token, strlen(token), jwks, &e), AA_E_NONE);
}

/* ---------------------------------------------------------- known answers */

#define RFC7515_PAYLOAD                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"         \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

typedef struct answer_t {
    const char *name, *alg, *jwk, *signed_text, *signature;
} answer_t;

static answer_t answers[] = {
    {"RFC 7515 A.2", "RS256",
     "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0"
     "l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
     "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
     "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
     "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
     "yuXpoQ\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." RFC7515_PAYLOAD,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B"
     "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ"
     "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
     "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
     "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"RFC 7515 A.3", "ES256",
     "{\"kty\":\"EC\",\"crv\":\"P-256\","
     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
     "UJqPP3-Kg6NU1Q"},
    {"RFC 8037 A.4", "EdDSA",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
     "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7"
     "sVvpAr_MuM0KAg"},
};

/* These have no aud, one has no JSON: the signature alone is looked at. */
static void known_answer(void **state)
{
    const answer_t *row = *state;
    const char *set = apr_pstrcat(p, "{\"keys\":[", row->jwk, "]}", NULL);
    aa_jws_t jws = {0};
    unsigned char *sig;
    aa_jwks_t *one;

    assert_int_equal(aa_jwks_parse(&one, set, strlen(set), NULL, p),
                     APR_SUCCESS);
    assert_int_equal(aa_jwks_count(one), 1);
    jws.compact = apr_pstrcat(p, row->signed_text, ".", row->signature, NULL);
    jws.len = strlen(jws.compact);
    jws.signed_len = strlen(row->signed_text);
    assert_int_equal(aa_base64url_decode(&sig, &jws.signature_len,
                                         row->signature, strlen(row->signature),
                                         p),
                     APR_SUCCESS);
    jws.signature = sig;
    assert_int_equal(
        aa_jwks_verify(one, &jws, aa_jose_alg_find(row->alg), NULL, p),
        APR_SUCCESS);
    sig[jws.signature_len / 2] ^= 1;
    jws.compact = apr_pstrcat(p, row->signed_text, ".",
                              token_base64url(sig, jws.signature_len, p), NULL);
    assert_int_equal(
        aa_jwks_verify(one, &jws, aa_jose_alg_find(row->alg), NULL, p),
        AA_EREFUSED);
    aa_jwks_unref(one);
}

/* ----------------------------------------------------------------- others */

static void nonce(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *with = token_sign(key, "ES256", HEADER,
                                  "{" CLAIMS_BUT EXP ",\"nonce\":\"n1\"}", p);
    const char *without = token_sign(key, "ES256", HEADER, CLAIMS, p);

    (void)state;
    e.nonce = "n1";
    assert_int_equal(judge(with, strlen(with), jwks, &e), AA_E_NONE);
    assert_int_equal(judge(without, strlen(without), jwks, &e),
                     AA_E_TOKEN_CLAIM);
    e.nonce = "n2";
    assert_int_equal(judge(with, strlen(with), jwks, &e), AA_E_TOKEN_CLAIM);
}

static void expires(void **state)
{
    token_key_t key = {p256, NULL};
    const char *with =
        token_sign(key, "ES256", HEADER, "{\"exp\":1700000000.25}", p);
    const char *without = token_sign(key, "ES256", HEADER, "{}", p);
    aa_jws_t *jws;

    (void)state;
    assert_int_equal(aa_jws_parse(&jws, with, strlen(with), NULL, p),
                     APR_SUCCESS);
    assert_true(aa_jwt_expires(jws) == NOW + 250000);
    assert_int_equal(aa_jws_parse(&jws, without, strlen(without), NULL, p),
                     APR_SUCCESS);
    assert_true(aa_jwt_expires(jws) == 0);
}

/* No leeway: to the microsecond. */
static void no_leeway(void **state)
{
    token_key_t key = {p256, NULL};
    aa_jwt_expect_t e = expect();
    const char *token = token_sign(key, "ES256", HEADER, CLAIMS, p);

    (void)state;
    e.leeway = 0;
    e.now = apr_time_from_sec(1700000300) - 1;
    assert_int_equal(judge(token, strlen(token), jwks, &e), AA_E_NONE);
    e.now++;
    assert_int_equal(judge(token, strlen(token), jwks, &e), TIME);
}

/* ----------------------------------------------------------------- frame */

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
    const char *text;

    (void)state;
    rsa = token_key_rsa(2048, pool);
    p256 = token_key_ec("P-256", pool);
    p384 = token_key_ec("P-384", pool);
    p521 = token_key_ec("P-521", pool);
    ed = token_key_ed25519(pool);
    text = token_jwks(
        pool, token_jwk(rsa, "rsa", pool), token_jwk(p256, "p256", pool),
        token_jwk(p384, "p384", pool), token_jwk(p521, "p521", pool),
        token_jwk(ed, "ed", pool), NULL);
    return aa_jwks_parse(&jwks, text, strlen(text), NULL, pool) ||
           aa_jwks_count(jwks) != 5 ||
           aa_jwks_from_secret(&secrets, SECRET, strlen(SECRET));
}

static int end(void **state)
{
    (void)state;
    aa_jwks_unref(jwks);
    aa_jwks_unref(secrets);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROWS(array, function)                                                  \
    for (size_t i = 0; i < COUNT(array); i++)                                  \
        tests[n++] = (struct CMUnitTest){array[i].name, function, row_begin,   \
                                         row_end, &array[i]};

int main(void)
{
    struct CMUnitTest
        tests[COUNT(rows) + COUNT(forms) + COUNT(algs) + COUNT(answers) + 16];
    static const struct CMUnitTest single[] = {
        {"36 every byte of a token", every_byte, row_begin, row_end, NULL},
        {"36 no NUL behind a token", no_nul_behind, row_begin, row_end, NULL},
        {"40 public key as HMAC secret", public_key_as_secret, row_begin,
         row_end, NULL},
        {"38 jwk in the header", key_brought_along, row_begin, row_end, NULL},
        {"44 ECDSA signatures of wrong form", signature_forms, row_begin,
         row_end, NULL},
        {"44 ECDSA signature in DER", signature_der, row_begin, row_end, NULL},
        {"nonce", nonce, row_begin, row_end, NULL},
        {"exp in microseconds", expires, row_begin, row_end, NULL},
        {"43 no leeway", no_leeway, row_begin, row_end, NULL},
    };
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_crypto_init();
    apr_pool_create(&pool, NULL);
    ROWS(rows, header_and_claims)
    ROWS(forms, compact_form)
    ROWS(algs, algorithm)
    ROWS(answers, known_answer)
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    failed = _cmocka_run_group_tests("jws", tests, n, begin, end);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
