/* SPDX-License-Identifier: Apache-2.0 */
/* Signs with our own P-256 keys: ES256, compact form. */
#include <string.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "base/json.h"

#define COORDINATE_LEN 32

struct aa_signer_t {
    EVP_PKEY *key;
    EVP_PKEY_CTX *ready; /* set up once, copied for each signature */
    const char *kid, *x, *y;
};

static apr_status_t key_release(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

static apr_status_t ctx_release(void *ctx)
{
    EVP_PKEY_CTX_free(ctx);
    return APR_SUCCESS;
}

apr_status_t aa_signer_generate(const char **pem, apr_pool_t *p)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    apr_status_t rv = APR_EGENERAL;
    char *text;
    long len;

    *pem = NULL;
    if (key && bio &&
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ==
            1 &&
        (len = BIO_get_mem_data(bio, &text)) > 0) {
        *pem = apr_pstrmemdup(p, text, (apr_size_t)len);
        rv = APR_SUCCESS;
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rv;
}

/* One coordinate of the public point, base64url; NULL when there is none. */
static const char *coordinate(const EVP_PKEY *key, const char *name,
                              apr_pool_t *p)
{
    unsigned char bytes[COORDINATE_LEN];
    BIGNUM *bn = NULL;
    const char *text = NULL;

    if (EVP_PKEY_get_bn_param(key, name, &bn) == 1 &&
        BN_bn2binpad(bn, bytes, sizeof(bytes)) == sizeof(bytes))
        text = aa_base64url_encode(bytes, sizeof(bytes), p);
    BN_free(bn);
    return text;
}

/* RFC 7638 s3.1: the required members in order, nothing else. */
static const char *thumbprint(const char *x, const char *y, apr_pool_t *p)
{
    const char *text = apr_psprintf(
        p, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x,
        y);
    unsigned char digest[AA_SHA256_LEN];

    if (aa_crypto_sha256(digest, text, strlen(text), NULL, 0) != APR_SUCCESS)
        return NULL;
    return aa_base64url_encode(digest, sizeof(digest), p);
}

/* OpenSSL would ask at the terminal for the password of an encrypted key. */
static int no_password(char *buf, int size, int rwflag, void *baton)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)baton;
    return -1;
}

static EVP_PKEY *key_read(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key =
        bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    char group[32] = "";

    BIO_free(bio);
    if (key && EVP_PKEY_is_a(key, "EC") &&
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group,
                                       sizeof(group), NULL) == 1 &&
        !strcmp(group, "prime256v1"))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

apr_status_t aa_signer_load(aa_signer_t **psigner, const char *pem,
                            apr_pool_t *p)
{
    aa_signer_t *signer = apr_pcalloc(p, sizeof(*signer));

    *psigner = NULL;
    signer->key = key_read(pem);
    ERR_clear_error();
    if (!signer->key)
        return APR_EINVAL;
    apr_pool_cleanup_register(p, signer->key, key_release,
                              apr_pool_cleanup_null);
    signer->ready = EVP_PKEY_CTX_new(signer->key, NULL);
    if (!signer->ready)
        return APR_EGENERAL;
    apr_pool_cleanup_register(p, signer->ready, ctx_release,
                              apr_pool_cleanup_null);
    if (EVP_PKEY_sign_init(signer->ready) != 1 ||
        EVP_PKEY_CTX_set_signature_md(signer->ready, EVP_sha256()) != 1)
        return APR_EGENERAL;
    signer->x = coordinate(signer->key, OSSL_PKEY_PARAM_EC_PUB_X, p);
    signer->y = coordinate(signer->key, OSSL_PKEY_PARAM_EC_PUB_Y, p);
    if (!signer->x || !signer->y)
        return APR_EGENERAL;
    signer->kid = thumbprint(signer->x, signer->y, p);
    if (!signer->kid)
        return APR_EGENERAL;
    *psigner = signer;
    return APR_SUCCESS;
}

const char *aa_signer_kid(const aa_signer_t *signer)
{
    return signer->kid;
}

json_t *aa_signer_public(const aa_signer_t *signer, apr_pool_t *p)
{
    return aa_json_own(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "kty", "EC",
                                 "crv", "P-256", "x", signer->x, "y", signer->y,
                                 "kid", signer->kid, "alg", "ES256", "use",
                                 "sig"),
                       p);
}

/* OpenSSL speaks DER; JOSE wants r and s side by side (RFC 7518 s3.4). */
static int der_to_raw(unsigned char raw[2 * COORDINATE_LEN],
                      const unsigned char *der, size_t len)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    int ok = sig &&
             BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, COORDINATE_LEN) ==
                 COORDINATE_LEN &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + COORDINATE_LEN,
                          COORDINATE_LEN) == COORDINATE_LEN;

    ECDSA_SIG_free(sig);
    return ok;
}

static int digest_sign(unsigned char raw[2 * COORDINATE_LEN],
                       const aa_signer_t *signer, const char *text)
{
    unsigned char digest[AA_SHA256_LEN], der[128];
    size_t len = sizeof(der);
    EVP_PKEY_CTX *ctx;
    int ok;

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
        return 0;
    ctx = EVP_PKEY_CTX_dup(signer->ready);
    ok = ctx && EVP_PKEY_sign(ctx, der, &len, digest, sizeof(digest)) == 1 &&
         der_to_raw(raw, der, len);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

apr_status_t aa_signer_sign(const char **compact, const aa_signer_t *signer,
                            const char *typ, const char *claims, apr_pool_t *p)
{
    unsigned char raw[2 * COORDINATE_LEN];
    const char *header, *signed_text;

    *compact = NULL;
    header =
        apr_psprintf(p, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"%s\"}",
                     signer->kid, typ);
    signed_text =
        apr_pstrcat(p, aa_base64url_encode(header, strlen(header), p), ".",
                    aa_base64url_encode(claims, strlen(claims), p), NULL);
    if (!digest_sign(raw, signer, signed_text))
        return APR_EGENERAL;
    *compact = apr_pstrcat(p, signed_text, ".",
                           aa_base64url_encode(raw, sizeof(raw), p), NULL);
    return APR_SUCCESS;
}
