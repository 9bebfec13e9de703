/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate: form and claims of a token, row by row.
 *
 * A number before a name is that of the security checklist. Each refusal has
 * a neighbour that differs in the one thing refused and is let in. */
#include "apr_strings.h"
#include "base/crypto.h"
#include "jws_stage.h"
#include "model/limits.h"

#define DEPTH_16 "{" CLAIMS_BUT EXP ",\"d\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"
#define DEPTH_17 "{" CLAIMS_BUT EXP ",\"d\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"

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

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(forms) + 8];
    static const struct CMUnitTest single[] = {
        {"36 every byte of a token", every_byte, row_begin, row_end, NULL},
        {"36 no NUL behind a token", no_nul_behind, row_begin, row_end, NULL},
        {"nonce", nonce, row_begin, row_end, NULL},
        {"exp in microseconds", expires, row_begin, row_end, NULL},
        {"43 no leeway", no_leeway, row_begin, row_end, NULL},
    };
    size_t n = 0;

    ROWS(rows, header_and_claims)
    ROWS(forms, compact_form)
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return jws_run("jws", tests, n);
}
