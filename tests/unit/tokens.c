/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys and signs tokens with OpenSSL, so that tests judge from outside.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "apr_strings.h"
#include "tokens.h"

static apr_status_t key_release(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

static apr_status_t json_release(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

static EVP_PKEY *own(EVP_PKEY *key, apr_pool_t *p)
{
    if (!key)
        abort();
    apr_pool_cleanup_register(p, key, key_release, apr_pool_cleanup_null);
    return key;
}

EVP_PKEY *token_key_rsa(unsigned bits, apr_pool_t *p)
{
    return own(EVP_RSA_gen(bits), p);
}

EVP_PKEY *token_key_ec(const char *crv, apr_pool_t *p)
{
    return own(EVP_EC_gen(crv), p);
}

EVP_PKEY *token_key_ed25519(apr_pool_t *p)
{
    return own(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), p);
}

const char *token_base64url(const void *data, size_t len, apr_pool_t *p)
{
    unsigned char *text = apr_palloc(p, len / 3 * 4 + 5);
    int n = EVP_EncodeBlock(text, data, (int)len);

    while (n && text[n - 1] == '=')
        n--;
    text[n] = '\0';
    for (int i = 0; i < n; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    return (char *)text;
}

/* A number of the key, padded to len bytes (0: as long as it is). */
static void number_set(json_t *jwk, const char *member, EVP_PKEY *key,
                       const char *param, int len, apr_pool_t *p)
{
    unsigned char bytes[2048];
    BIGNUM *bn = NULL;

    if (EVP_PKEY_get_bn_param(key, param, &bn) != 1)
        abort();
    len = len ? len : BN_num_bytes(bn);
    if (BN_bn2binpad(bn, bytes, len) != len)
        abort();
    BN_free(bn);
    json_object_set_new(jwk, member,
                        json_string(token_base64url(bytes, (size_t)len, p)));
}

static void ec_fill(json_t *jwk, EVP_PKEY *key, apr_pool_t *p)
{
    int bits = EVP_PKEY_get_bits(key), len = (bits + 7) / 8;

    json_object_set_new(jwk, "kty", json_string("EC"));
    json_object_set_new(jwk, "crv", json_sprintf("P-%d", bits));
    number_set(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, len, p);
    number_set(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, len, p);
}

static void okp_fill(json_t *jwk, EVP_PKEY *key, apr_pool_t *p)
{
    unsigned char bytes[32];
    size_t len = sizeof(bytes);

    EVP_PKEY_get_raw_public_key(key, bytes, &len);
    json_object_set_new(jwk, "kty", json_string("OKP"));
    json_object_set_new(jwk, "crv", json_string("Ed25519"));
    json_object_set_new(jwk, "x", json_string(token_base64url(bytes, len, p)));
}

json_t *token_jwk(EVP_PKEY *key, const char *kid, apr_pool_t *p)
{
    json_t *jwk = json_object();

    apr_pool_cleanup_register(p, jwk, json_release, apr_pool_cleanup_null);
    if (EVP_PKEY_is_a(key, "RSA")) {
        json_object_set_new(jwk, "kty", json_string("RSA"));
        number_set(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0, p);
        number_set(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0, p);
    }
    else if (EVP_PKEY_is_a(key, "EC"))
        ec_fill(jwk, key, p);
    else
        okp_fill(jwk, key, p);
    if (kid)
        json_object_set_new(jwk, "kid", json_string(kid));
    return jwk;
}

const char *token_jwks(apr_pool_t *p, ...)
{
    json_t *list = json_array(), *set = json_pack("{s:o}", "keys", list), *jwk;
    char *text;
    const char *copy;
    va_list ap;

    va_start(ap, p);
    while ((jwk = va_arg(ap, json_t *)))
        json_array_append(list, jwk);
    va_end(ap);
    text = json_dumps(set, JSON_COMPACT);
    copy = apr_pstrdup(p, text);
    free(text);
    json_decref(set);
    return copy;
}

/* DER -> r and s side by side. */
static size_t ec_raw(unsigned char *sig, size_t len, EVP_PKEY *key)
{
    const unsigned char *der = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    int n = (EVP_PKEY_get_bits(key) + 7) / 8;
    unsigned char raw[256];

    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, n);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + n, n);
    ECDSA_SIG_free(pair);
    memcpy(sig, raw, 2 * (size_t)n);
    return 2 * (size_t)n;
}

static size_t key_sign(unsigned char *sig, size_t room, EVP_PKEY *key,
                       const char *alg, const EVP_MD *md, const char *text)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t len = room;

    if (EVP_PKEY_is_a(key, "ED25519"))
        md = NULL;
    if (EVP_DigestSignInit(ctx, &pctx, md, NULL, key) != 1)
        abort();
    if (alg[0] == 'P') {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }
    if (EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text,
                       strlen(text)) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    return EVP_PKEY_is_a(key, "EC") ? ec_raw(sig, len, key) : len;
}

const char *token_sign(token_key_t key, const char *alg, const char *header,
                       const char *claims, apr_pool_t *p)
{
    const EVP_MD *md = strstr(alg, "384")   ? EVP_sha384()
                       : strstr(alg, "512") ? EVP_sha512()
                                            : EVP_sha256();
    const char *text =
        apr_pstrcat(p, token_base64url(header, strlen(header), p), ".",
                    token_base64url(claims, strlen(claims), p), NULL);
    unsigned char sig[2048];
    unsigned int hmac_len = sizeof(sig);
    size_t len;

    if (key.key)
        len = key_sign(sig, sizeof(sig), key.key, alg, md, text);
    else {
        HMAC(md, key.secret, (int)strlen(key.secret),
             (const unsigned char *)text, strlen(text), sig, &hmac_len);
        len = hmac_len;
    }
    return apr_pstrcat(p, text, ".", token_base64url(sig, len, p), NULL);
}
