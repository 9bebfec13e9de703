/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate: algorithms, keys and signatures of a token, row by row.
 *
 * A number before a name is that of the security checklist. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jwk.h"
#include "jws_stage.h"
#include "model/limits.h"

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

/* --------------------------------------------------- signatures in ECDSA */

static alg_t curves[] = {
    {"44 ES256 signatures of wrong form", "ES256", "p256", AA_E_NONE},
    {"44 ES384 signatures of wrong form", "ES384", "p384", AA_E_NONE},
    {"44 ES512 signatures of wrong form", "ES512", "p521", AA_E_NONE},
};

/* A right token, and the two halves that its signature consists of. */
typedef struct halves_t {
    const char *token, *text;
    const unsigned char *r, *s;
    apr_size_t len; /* bytes of each */
    BIGNUM *order;
} halves_t;

static halves_t halves_of(const alg_t *row)
{
    halves_t right = {0};
    const char *sig;
    unsigned char *raw;

    right.token = alg_token(row);
    right.text = two_parts(right.token);
    sig = strrchr(right.token, '.') + 1;
    assert_int_equal(aa_base64url_decode(&raw, &right.len, sig, strlen(sig), p),
                     APR_SUCCESS);
    right.len /= 2;
    right.r = raw;
    right.s = raw + right.len;
    assert_int_equal(EVP_PKEY_get_bn_param(key_of(row).key,
                                           OSSL_PKEY_PARAM_EC_ORDER,
                                           &right.order),
                     1);
    return right;
}

/* The right token with other bytes for its signature. */
static aa_code_e judge_bytes(const halves_t *right, const void *sig,
                             apr_size_t len)
{
    aa_jwt_expect_t e = expect();
    const char *token =
        apr_pstrcat(p, right->text, ".", token_base64url(sig, len, p), NULL);

    return judge(token, strlen(token), jwks, &e);
}

static aa_code_e judge_halves(const halves_t *right, const void *r,
                              const void *s)
{
    unsigned char sig[132];

    memcpy(sig, r, right->len);
    memcpy(sig + right->len, s, right->len);
    return judge_bytes(right, sig, 2 * right->len);
}

/* 44: 0, 1, order - 1 and order are no halves, alone or together. */
static void halves_out_of_range(const halves_t *right)
{
    unsigned char number[4][66] = {{0}};
    const int len = (int)right->len;

    number[1][len - 1] = 1;
    assert_int_equal(BN_bn2binpad(right->order, number[3], len), len);
    memcpy(number[2], number[3], right->len);
    number[2][len - 1]--; /* an order is odd */
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++)
            assert_int_equal(judge_halves(right, number[i], number[j]),
                             AA_E_TOKEN_SIGNATURE);
        assert_int_equal(judge_halves(right, number[i], right->s),
                         AA_E_TOKEN_SIGNATURE);
        assert_int_equal(judge_halves(right, right->r, number[i]),
                         AA_E_TOKEN_SIGNATURE);
    }
}

/* 44: the same number modulo the order, where it fits in, is another one. */
static void halves_not_reduced(const halves_t *right)
{
    const int len = (int)right->len;

    for (int i = 0; i < 2; i++) {
        BIGNUM *n = BN_bin2bn(i ? right->s : right->r, len, NULL);
        unsigned char sum[66];

        assert_int_equal(BN_add(n, n, right->order), 1);
        if (BN_bn2binpad(n, sum, len) == len)
            assert_int_equal(
                judge_halves(right, i ? right->r : sum, i ? sum : right->s),
                AA_E_TOKEN_SIGNATURE);
        else
            assert_true(len < 66); /* P-521 has seven bits to spare */
        BN_free(n);
    }
}

/* 44: the right numbers, cut, padded or exchanged. */
static void halves_of_other_length(const halves_t *right)
{
    unsigned char sig[134] = {0};
    const apr_size_t len = right->len;

    memset(sig, 0xff, 2 * len);
    assert_int_equal(judge_bytes(right, sig, 2 * len), AA_E_TOKEN_SIGNATURE);
    memset(sig, 0, sizeof(sig));
    memcpy(sig, right->r, 2 * len);
    assert_int_equal(judge_bytes(right, sig, 2 * len), AA_E_NONE);
    assert_int_equal(judge_bytes(right, sig, 2 * len - 1),
                     AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge_bytes(right, sig, 2 * len + 2),
                     AA_E_TOKEN_SIGNATURE);
    sig[0] = sig[len + 1] = 0;
    memcpy(sig + 1, right->r, len);
    memcpy(sig + len + 2, right->s, len);
    assert_int_equal(judge_bytes(right, sig, 2 * len + 2),
                     AA_E_TOKEN_SIGNATURE);
    assert_int_equal(judge_halves(right, right->s, right->r),
                     AA_E_TOKEN_SIGNATURE);
}

static void signature_forms(void **state)
{
    halves_t right = halves_of(*state);

    assert_int_equal(judge_halves(&right, right.r, right.s), AA_E_NONE);
    halves_out_of_range(&right);
    halves_not_reduced(&right);
    halves_of_other_length(&right);
    BN_free(right.order);
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

int main(void)
{
    struct CMUnitTest tests[COUNT(algs) + COUNT(answers) + COUNT(curves) + 8];
    static const struct CMUnitTest single[] = {
        {"40 public key as HMAC secret", public_key_as_secret, row_begin,
         row_end, NULL},
        {"38 jwk in the header", key_brought_along, row_begin, row_end, NULL},
        {"44 ECDSA signature in DER", signature_der, row_begin, row_end, NULL},
    };
    size_t n = 0;

    ROWS(algs, algorithm)
    ROWS(curves, signature_forms)
    ROWS(answers, known_answer)
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return jws_run("jws_algorithm", tests, n);
}
