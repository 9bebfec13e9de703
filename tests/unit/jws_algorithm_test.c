/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate: algorithms, keys and signatures of a token, row by row.
 *
 * A number before a name is that of the security checklist. */
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

int main(void)
{
    struct CMUnitTest tests[COUNT(algs) + COUNT(answers) + 8];
    static const struct CMUnitTest single[] = {
        {"40 public key as HMAC secret", public_key_as_secret, row_begin,
         row_end, NULL},
        {"38 jwk in the header", key_brought_along, row_begin, row_end, NULL},
        {"44 ECDSA signatures of wrong form", signature_forms, row_begin,
         row_end, NULL},
        {"44 ECDSA signature in DER", signature_der, row_begin, row_end, NULL},
    };
    size_t n = 0;

    ROWS(algs, algorithm)
    ROWS(answers, known_answer)
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return jws_run("jws_algorithm", tests, n);
}
