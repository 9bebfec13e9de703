/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL digests, MAC and random numbers, and the text forms of bytes. */
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <zlib.h>

#include "apr_strings.h"
#include "base/crypto.h"

static EVP_MD *sha256_md; /* fetched once: a fetch costs more than a digest */

static const char base62[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

apr_status_t aa_crypto_init(void)
{
    if (!sha256_md)
        sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    return sha256_md ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t aa_crypto_random(void *out, apr_size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t aa_crypto_sha256(unsigned char out[AA_SHA256_LEN], const void *a,
                              apr_size_t alen, const void *b, apr_size_t blen)
{
    static __thread EVP_MD_CTX *ctx; /* one a thread, kept for its life */

    if (!ctx && !(ctx = EVP_MD_CTX_new()))
        return APR_ENOMEM;
    if (EVP_DigestInit_ex2(ctx, sha256_md, NULL) != 1 ||
        EVP_DigestUpdate(ctx, a, alen) != 1 ||
        (blen && EVP_DigestUpdate(ctx, b, blen) != 1) ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        return APR_EGENERAL;
    return APR_SUCCESS;
}

apr_status_t aa_crypto_hmac(unsigned char out[AA_SHA256_LEN], const void *key,
                            apr_size_t keylen, const void *data, apr_size_t len)
{
    unsigned int outlen = AA_SHA256_LEN;

    return HMAC(sha256_md, key, (int)keylen, data, len, out, &outlen)
               ? APR_SUCCESS
               : APR_EGENERAL;
}

int aa_crypto_same(const void *a, const void *b, apr_size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void aa_crypto_wipe(void *secret, apr_size_t len)
{
    OPENSSL_cleanse(secret, len);
}

const char *aa_base64url_encode(const void *data, apr_size_t len, apr_pool_t *p)
{
    const unsigned char *in = data;
    char *text = apr_palloc(p, (len + 2) / 3 * 4 + 1), *out = text;
    apr_size_t i;

    for (i = 0; i + 2 < len; i += 3) {
        *out++ = base64url[in[i] >> 2];
        *out++ = base64url[(in[i] & 3) << 4 | in[i + 1] >> 4];
        *out++ = base64url[(in[i + 1] & 15) << 2 | in[i + 2] >> 6];
        *out++ = base64url[in[i + 2] & 63];
    }
    if (i < len) {
        *out++ = base64url[in[i] >> 2];
        if (i + 1 < len) {
            *out++ = base64url[(in[i] & 3) << 4 | in[i + 1] >> 4];
            *out++ = base64url[(in[i + 1] & 15) << 2];
        }
        else {
            *out++ = base64url[(in[i] & 3) << 4];
        }
    }
    *out = '\0';
    return text;
}

static int base64url_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

apr_status_t aa_base64url_decode(unsigned char **pout, apr_size_t *poutlen,
                                 const char *text, apr_size_t len,
                                 apr_pool_t *p)
{
    unsigned char *out;
    apr_size_t n = 0;
    unsigned int bits = 0, have = 0;

    *pout = NULL;
    *poutlen = 0;
    if (len % 4 == 1)
        return APR_EINVAL;
    out = apr_palloc(p, len / 4 * 3 + 3);
    for (apr_size_t i = 0; i < len; i++) {
        int value = base64url_value((unsigned char)text[i]);

        if (value < 0)
            return APR_EINVAL;
        bits = bits << 6 | (unsigned int)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    if (bits)
        return APR_EINVAL; /* two spellings of one value are one too many */
    out[n] = '\0';
    *pout = out;
    *poutlen = n;
    return APR_SUCCESS;
}

const char *aa_hex(const void *data, apr_size_t len, apr_pool_t *p)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = data;
    char *text = apr_palloc(p, 2 * len + 1);

    for (apr_size_t i = 0; i < len; i++) {
        text[2 * i] = digits[in[i] >> 4];
        text[2 * i + 1] = digits[in[i] & 15];
    }
    text[2 * len] = '\0';
    return text;
}

apr_status_t aa_base62_random(char *out, apr_size_t len)
{
    unsigned char raw[64];
    apr_size_t have = 0;

    while (have < len) {
        if (aa_crypto_random(raw, sizeof(raw)) != APR_SUCCESS)
            return APR_EGENERAL;
        /* 248 = 4 * 62: bytes above it would favour the first letters. */
        for (apr_size_t i = 0; i < sizeof(raw) && have < len; i++)
            if (raw[i] < 248)
                out[have++] = base62[raw[i] % 62];
    }
    aa_crypto_wipe(raw, sizeof(raw));
    return APR_SUCCESS;
}

void aa_base62_crc(char out[6], apr_uint32_t value)
{
    for (int i = 5; i >= 0; i--) {
        out[i] = base62[value % 62];
        value /= 62;
    }
}

apr_uint32_t aa_crc32(const void *data, apr_size_t len)
{
    return (apr_uint32_t)crc32(0, data, (uInt)len);
}
