/* SPDX-License-Identifier: Apache-2.0 */
/* JWK sets: which keys are usable, and a signature checked with them. */
#include <string.h>
#include <cjose/cjose.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "apr_atomic.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/jwk.h"
#include "base/log.h"
#include "model/limits.h"

/* One usable key; exactly one of cjose and evp is set. */
typedef struct jwk_t {
    aa_kty_e kty;
    const char *kid;          /* NULL: has none */
    const aa_jose_alg_t *alg; /* the key's own; NULL: any that fits */
    const char *crv;          /* EC, OKP */
    apr_size_t len;           /* bytes of modulus or secret */
    cjose_jwk_t *cjose;       /* RSA, EC, oct */
    EVP_PKEY *evp;            /* Ed25519, which cjose does not know */
} jwk_t;

struct aa_jwks_t {
    apr_uint32_t refs;
    apr_pool_t *pool; /* owns everything, this struct included */
    jwk_t *keys;
    int count;
};

typedef struct bytes_t {
    unsigned char *data;
    apr_size_t len;
} bytes_t;

static const struct {
    const char *name;
    cjose_jwk_ec_curve curve;
    apr_size_t len; /* bytes of a coordinate */
} curves[] = {
    {"P-256", CJOSE_JWK_EC_P_256, 32},
    {"P-384", CJOSE_JWK_EC_P_384, 48},
    {"P-521", CJOSE_JWK_EC_P_521, 66},
};

/* ------------------------------------------------------------ references */

static apr_status_t cjose_release(void *key)
{
    cjose_jwk_release(key);
    return APR_SUCCESS;
}

static apr_status_t evp_release(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

/* Takes the key that import made; 0 when it made none. */
static int keep(jwk_t *key, cjose_jwk_t *cjose, EVP_PKEY *evp, apr_pool_t *p)
{
    key->cjose = cjose;
    key->evp = evp;
    if (cjose)
        apr_pool_cleanup_register(p, cjose, cjose_release,
                                  apr_pool_cleanup_null);
    if (evp)
        apr_pool_cleanup_register(p, evp, evp_release, apr_pool_cleanup_null);
    return cjose || evp;
}

/* The set outlives the request that fetched it: a pool of its own. */
static aa_jwks_t *jwks_create(int room)
{
    apr_pool_t *pool;
    aa_jwks_t *jwks;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return NULL;
    jwks = apr_pcalloc(pool, sizeof(*jwks));
    jwks->pool = pool;
    jwks->refs = 1;
    jwks->keys =
        apr_pcalloc(pool, (apr_size_t)(room ? room : 1) * sizeof(*jwks->keys));
    return jwks;
}

void aa_jwks_ref(aa_jwks_t *jwks)
{
    apr_atomic_inc32(&jwks->refs);
}

void aa_jwks_unref(aa_jwks_t *jwks)
{
    if (jwks && apr_atomic_dec32(&jwks->refs) == 0)
        apr_pool_destroy(jwks->pool);
}

int aa_jwks_count(const aa_jwks_t *jwks)
{
    return jwks->count;
}

/* --------------------------------------------------------------- import */

/* A base64url member of at most max bytes, decoded; 0 when it is not one. */
static int bytes_read(bytes_t *bytes, const json_t *jwk, const char *name,
                      apr_size_t max, apr_pool_t *p)
{
    const json_t *member = json_object_get(jwk, name);

    return json_is_string(member) && json_string_length(member) <= max * 2 &&
           aa_base64url_decode(&bytes->data, &bytes->len,
                               json_string_value(member),
                               json_string_length(member), p) == APR_SUCCESS &&
           bytes->len > 0 && bytes->len <= max;
}

static const char *rsa_unfit(const bytes_t *n, const bytes_t *e)
{
    BIGNUM *modulus = BN_bin2bn(n->data, (int)n->len, NULL);
    BIGNUM *exponent = BN_bin2bn(e->data, (int)e->len, NULL);
    const char *why = NULL;

    if (!modulus || !exponent)
        why = "no memory";
    else if (BN_num_bits(modulus) < AA_RSA_BITS_MIN ||
             BN_num_bits(modulus) > AA_RSA_BITS_MAX || !BN_is_odd(modulus))
        why = "the modulus is too short, too long or even";
    else if (BN_is_one(exponent) || !BN_is_odd(exponent) ||
             BN_num_bits(exponent) > AA_RSA_EXPONENT_BITS_MAX)
        why = "the exponent is even, 1 or too long";
    BN_free(modulus);
    BN_free(exponent);
    return why;
}

static const char *rsa_import(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p,
                              apr_pool_t *p)
{
    cjose_jwk_rsa_keyspec spec;
    bytes_t n, e;
    const char *why;

    if (!bytes_read(&n, jwk, "n", AA_RSA_BITS_MAX / 8 + 1, p) ||
        !bytes_read(&e, jwk, "e", AA_RSA_EXPONENT_BITS_MAX / 8, p))
        return "n or e is not usable";
    why = rsa_unfit(&n, &e);
    if (why)
        return why;
    while (n.len && !*n.data) { /* so that len is the signature's */
        n.data++;
        n.len--;
    }
    memset(&spec, 0, sizeof(spec));
    spec.n = n.data;
    spec.nlen = n.len;
    spec.e = e.data;
    spec.elen = e.len;
    key->len = n.len;
    return keep(key, cjose_jwk_create_RSA_spec(&spec, NULL), NULL, keep_p)
               ? NULL
               : "OpenSSL refused it";
}

static const char *ec_import(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p,
                             apr_pool_t *p)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    cjose_jwk_ec_keyspec spec;
    bytes_t x, y;
    size_t i = 0, n = sizeof(curves) / sizeof(*curves);

    while (i < n && crv && strcmp(curves[i].name, crv))
        i++;
    if (!crv || i == n)
        return "the curve is not supported";
    if (!bytes_read(&x, jwk, "x", curves[i].len, p) ||
        !bytes_read(&y, jwk, "y", curves[i].len, p) || x.len != curves[i].len ||
        y.len != curves[i].len)
        return "x or y is not a coordinate of its curve";
    memset(&spec, 0, sizeof(spec));
    spec.crv = curves[i].curve;
    spec.x = x.data;
    spec.xlen = x.len;
    spec.y = y.data;
    spec.ylen = y.len;
    key->crv = curves[i].name;
    return keep(key, cjose_jwk_create_EC_spec(&spec, NULL), NULL, keep_p)
               ? NULL
               : "OpenSSL refused it";
}

static const char *okp_import(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p,
                              apr_pool_t *p)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    bytes_t x;

    if (!crv || strcmp(crv, "Ed25519"))
        return "the curve is not supported";
    if (!bytes_read(&x, jwk, "x", 32, p) || x.len != 32)
        return "x is not usable";
    key->crv = "Ed25519";
    return keep(key, NULL,
                EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.data,
                                            x.len),
                keep_p)
               ? NULL
               : "OpenSSL refused it";
}

static const struct {
    const char *name;
    aa_kty_e kty;
    const char *(*import)(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p,
                          apr_pool_t *p);
} kinds[] = {
    {"RSA", AA_KTY_RSA, rsa_import},
    {"EC", AA_KTY_EC, ec_import},
    {"OKP", AA_KTY_OKP, okp_import},
};

/* use and key_ops (RFC 7517 s4.2, s4.3): absent, or meant for verifying. */
static int may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;

    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig")))
        return 0;
    if (!ops)
        return 1;
    json_array_foreach(ops, i, op)
    {
        if (json_is_string(op) && !strcmp(json_string_value(op), "verify"))
            return 1;
    }
    return 0;
}

/* kid and alg; 0 when one is there and not usable. */
static int names_read(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p)
{
    const json_t *kid = json_object_get(jwk, "kid");
    const json_t *alg = json_object_get(jwk, "alg");

    if (kid && (!json_is_string(kid) || json_string_length(kid) > AA_KID_MAX))
        return 0;
    if (kid)
        key->kid = apr_pstrdup(keep_p, json_string_value(kid));
    if (!alg)
        return 1;
    key->alg =
        json_is_string(alg) ? aa_jose_alg_find(json_string_value(alg)) : NULL;
    return key->alg && key->alg->kty == key->kty;
}

/* Why the key cannot be used; NULL when it can and key is filled. */
static const char *key_import(jwk_t *key, const json_t *jwk, apr_pool_t *keep_p,
                              apr_pool_t *p)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty")), *why;
    size_t i = 0, n = sizeof(kinds) / sizeof(*kinds);

    while (i < n && kty && strcmp(kinds[i].name, kty))
        i++;
    if (!kty || i == n)
        return "the kty is not RSA, EC or OKP";
    key->kty = kinds[i].kty;
    if (!may_verify(jwk))
        return "it is not meant for verifying";
    if (json_object_get(jwk, "d"))
        return "its private half is published";
    if (!names_read(key, jwk, keep_p))
        return "its kid or alg is not usable";
    why = kinds[i].import(key, jwk, keep_p, p);
    if (!why && key->alg && key->alg->crv && strcmp(key->alg->crv, key->crv))
        why = "its alg is for another curve";
    return why;
}

/* All that can be used; the others are counted, not fatal. */
static void keys_import(aa_jwks_t *jwks, const json_t *keys, apr_pool_t *p)
{
    const char *last = NULL;
    const json_t *one;
    int skipped = 0;
    size_t i;

    json_array_foreach(keys, i, one)
    {
        jwk_t key = {0};
        const char *why = i < AA_JWKS_KEYS_MAX
                              ? key_import(&key, one, jwks->pool, p)
                              : "the set is too long";

        if (why) {
            last = why;
            skipped++;
            continue;
        }
        jwks->keys[jwks->count++] = key;
    }
    ERR_clear_error();
    if (skipped)
        aa_log(AA_LOG_DEBUG, AA_E_NONE, 0,
               "JWK set: %d usable keys, %d skipped, the last one because %s",
               jwks->count, skipped, last);
}

apr_status_t aa_jwks_parse(aa_jwks_t **jwks, const char *text, apr_size_t len,
                           aa_error_t *err, apr_pool_t *p)
{
    json_t *set, *keys;
    const char *why;
    apr_size_t room;

    *jwks = NULL;
    if (len > AA_JWKS_BYTES_MAX)
        return aa_refuse(err, p, AA_E_KEYS_AWAY, "JWK set: too many bytes");
    if (aa_json_parse(&set, &why, text, len, AA_JOSE_DEPTH_MAX, p) !=
        APR_SUCCESS)
        return aa_refuse(err, p, AA_E_KEYS_AWAY, "JWK set: %s", why);
    keys = json_object_get(set, "keys");
    if (!json_is_array(keys))
        return aa_refuse(err, p, AA_E_KEYS_AWAY,
                         "JWK set: no object with an array \"keys\"");
    room = json_array_size(keys);
    *jwks = jwks_create(room < AA_JWKS_KEYS_MAX ? (int)room : AA_JWKS_KEYS_MAX);
    if (!*jwks)
        return APR_ENOMEM;
    keys_import(*jwks, keys, p);
    return APR_SUCCESS;
}

apr_status_t aa_jwks_from_secret(aa_jwks_t **pjwks, const void *secret,
                                 apr_size_t len)
{
    aa_jwks_t *jwks;
    jwk_t *key;

    *pjwks = NULL;
    if (len < AA_SHA256_LEN || len > AA_SECRET_MAX)
        return APR_EINVAL;
    jwks = jwks_create(1);
    if (!jwks)
        return APR_ENOMEM;
    key = jwks->keys;
    key->kty = AA_KTY_OCT;
    key->len = len;
    if (!keep(key, cjose_jwk_create_oct_spec(secret, len, NULL), NULL,
              jwks->pool)) {
        aa_jwks_unref(jwks);
        return APR_EGENERAL;
    }
    jwks->count = 1;
    *pjwks = jwks;
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- verify */

/* A configured secret has no kid; a token may name one all the same. */
static int named(const jwk_t *key, const aa_jws_t *jws)
{
    return !jws->kid || key->kty == AA_KTY_OCT ||
           (key->kid && !strcmp(key->kid, jws->kid));
}

static int fits(const jwk_t *key, const aa_jose_alg_t *alg)
{
    if (key->kty != alg->kty || (key->alg && key->alg != alg))
        return 0;
    if (alg->crv && strcmp(alg->crv, key->crv))
        return 0;
    return alg->kty != AA_KTY_OCT || key->len >= alg->hash_len;
}

static int ed25519_verifies(const jwk_t *key, const aa_jws_t *jws)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx &&
             EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->evp) == 1 &&
             EVP_DigestVerify(ctx, jws->signature, jws->signature_len,
                              (const unsigned char *)jws->compact,
                              jws->signed_len) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static int cjose_verifies(const jwk_t *key, const aa_jws_t *jws)
{
    cjose_jws_t *copy = cjose_jws_import(jws->compact, jws->len, NULL);
    int ok = copy && cjose_jws_verify(copy, key->cjose, NULL);

    cjose_jws_release(copy);
    return ok;
}

static int verifies(const jwk_t *key, const aa_jws_t *jws,
                    const aa_jose_alg_t *alg)
{
    apr_size_t len = alg->signature_len ? alg->signature_len : key->len;
    int ok;

    /* Another length is another form (DER, say), or reads past its end. */
    if (jws->signature_len != len)
        return 0;
    ok = key->evp ? ed25519_verifies(key, jws) : cjose_verifies(key, jws);
    ERR_clear_error(); /* mod_ssl reads the queue of this thread too */
    return ok;
}

apr_status_t aa_jwks_verify(const aa_jwks_t *jwks, const aa_jws_t *jws,
                            const aa_jose_alg_t *alg, aa_error_t *err,
                            apr_pool_t *p)
{
    int found = 0, tried = 0;

    for (int i = 0; i < jwks->count && tried < AA_JWKS_TRIES_MAX; i++) {
        const jwk_t *key = &jwks->keys[i];

        if (!named(key, jws))
            continue;
        found |= jws->kid || key->kty == AA_KTY_OCT;
        if (!fits(key, alg))
            continue;
        tried++;
        if (verifies(key, jws, alg))
            return APR_SUCCESS;
    }
    if (tried)
        return aa_refuse(err, p, AA_E_TOKEN_SIGNATURE,
                         "the signature fits none of %d keys", tried);
    /* The key is there and is meant for something else: no newer set would
     * make this token right. */
    if (found)
        return aa_refuse(err, p, AA_E_TOKEN_ALG,
                         "the key of this kid does not fit alg %s", alg->name);
    return APR_ENOENT;
}
