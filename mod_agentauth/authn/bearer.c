/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer JWTs: which issuer, which key, and who its claims say it is. */
#include <string.h>

#include "apr_strings.h"
#include "authn/authn.h"
#include "base/jose.h"
#include "base/json.h"
#include "keys/assertion.h"
#include "keys/issuer.h"
#include "model/limits.h"

#define RETRY_AFTER 5   /* seconds, when keys are away */
#define ID_MAX 128      /* bytes of a jti that goes into the log */
#define POOL_BYTES 8192 /* least an APR pool takes */
#define DECODED_RATIO 8 /* a decoded claim takes so much more than its text */

/* Tokens of other kinds, by their header (RFC 8725 s3.11). Our own assertion
 * is made for the backend and must not come back as a credential. */
static const char *const typ_refused[] = {
    "logout+jwt",
    AA_ASSERTION_TYP,
    "dpop+jwt",
    "secevent+jwt",
    "id_token+jwt",
    "token-introspection+jwt",
    "oauth-authz-req+jwt",
    "client-authentication+jwt",
    NULL,
};

/* And by their claims, since most of them bear no typ: an ID Token (OIDC Core
 * s2, s3.3.2.11), a security event, a logout token among them (RFC 8417). */
static const char *const kind_claims[] = {"nonce", "at_hash", "c_hash", NULL};

static apr_status_t kind_check(const json_t *claims, aa_error_t *err,
                               apr_pool_t *p)
{
    for (const char *const *name = kind_claims; *name; name++)
        if (json_object_get(claims, *name))
            return aa_refuse(err, p, AA_E_TOKEN_KIND,
                             "claim %s: it is an ID Token", *name);
    if (json_is_object(json_object_get(claims, "events")))
        return aa_refuse(err, p, AA_E_TOKEN_KIND,
                         "claim events: it is a security event");
    return APR_SUCCESS;
}

/* ------------------------------------------------------------- the proof */

static apr_status_t issuer_find(const aa_issuer_t **issuer,
                                const aa_authn_conf_t *conf,
                                const aa_jws_t *jws, aa_error_t *err,
                                apr_pool_t *p)
{
    for (aa_issuer_t *const *one = conf->issuers; *one; one++)
        if (jws->iss && !strcmp((*one)->url, jws->iss)) {
            *issuer = *one;
            return APR_SUCCESS;
        }
    return aa_refuse(err, p, AA_E_TOKEN_ISSUER, "iss '%.256s' is not known",
                     jws->iss ? jws->iss : "");
}

static apr_status_t keys_away(const aa_issuer_t *issuer, aa_error_t *err,
                              apr_pool_t *p)
{
    (void)aa_refuse(err, p, AA_E_KEYS_AWAY, "no current keys of %s",
                    issuer->url);
    if (err)
        err->retry_after = RETRY_AFTER;
    return AA_EREFUSED;
}

/* APR_ENOENT: the set has no such key; APR_EAGAIN: there is no set. */
static apr_status_t verify_with(const aa_jwks_t *set, const aa_jws_t *jws,
                                const aa_jwt_expect_t *expect, aa_error_t *err,
                                apr_pool_t *p)
{
    return set ? aa_jwt_verify(jws, set, expect, err, p) : APR_EAGAIN;
}

/* Once more with a newer set, when there is one, whoever has got it. */
static apr_status_t verify_again(const aa_jwks_t *set, const aa_jws_t *jws,
                                 const aa_issuer_t *issuer,
                                 const aa_jwt_expect_t *expect, aa_error_t *err,
                                 apr_pool_t *p)
{
    apr_status_t wanted = aa_keysource_want(issuer->keys, expect->now, p);
    aa_jwks_t *newer = aa_keysource_get(issuer->keys, expect->now);
    apr_status_t rv = newer ? APR_ENOENT : APR_EAGAIN;

    if (newer != set)
        rv = verify_with(newer, jws, expect, err, p);
    if (newer)
        aa_jwks_unref(newer);
    return rv == APR_ENOENT && wanted != APR_ENOENT && wanted != APR_SUCCESS
               ? APR_EAGAIN
               : rv;
}

static apr_status_t verify(const aa_jws_t *jws, const aa_issuer_t *issuer,
                           const aa_jwt_expect_t *expect, aa_error_t *err,
                           apr_pool_t *p)
{
    aa_jwks_t *set = aa_keysource_get(issuer->keys, expect->now);
    apr_status_t rv = verify_with(set, jws, expect, err, p);

    if (rv == APR_ENOENT || rv == APR_EAGAIN)
        rv = verify_again(set, jws, issuer, expect, err, p);
    if (set) /* kept so long: another one cannot have its address */
        aa_jwks_unref(set);
    if (rv == APR_EAGAIN)
        return keys_away(issuer, err, p);
    if (rv == APR_ENOENT)
        return aa_refuse(err, p, AA_E_TOKEN_KEY, "no key for kid '%.64s'",
                         jws->kid ? jws->kid : "");
    return rv;
}

/* --------------------------------------------------------- the principal */

/* An address is somebody's only once the issuer has checked it. */
static int email_unverified(const json_t *claims, const char *path,
                            apr_pool_t *p)
{
    const char *dot = strrchr(path, '.');
    const char *last = dot ? dot + 1 : path;
    const char *beside;

    if (strcmp(last, "email"))
        return 0;
    beside = apr_pstrcat(p, apr_pstrmemdup(p, path, (apr_size_t)(last - path)),
                         "email_verified", NULL);
    return !json_is_true(aa_json_at(claims, beside));
}

static apr_status_t identity_read(aa_principal_t *principal,
                                  const aa_issuer_t *issuer,
                                  const json_t *claims, aa_error_t *err,
                                  apr_pool_t *p)
{
    const char *claim =
        json_string_value(aa_json_at(claims, issuer->identity_claim));

    if (!claim || !*claim)
        return aa_refuse(err, p, AA_E_TOKEN_CLAIM, "claim %s is not a string",
                         issuer->identity_claim);
    if (email_unverified(claims, issuer->identity_claim, p))
        return aa_refuse(err, p, AA_E_TOKEN_CLAIM,
                         "claim %s: email_verified is not true",
                         issuer->identity_claim);
    principal->identity =
        apr_pstrcat(principal->pool, issuer->identity_prefix, claim, NULL);
    return APR_SUCCESS;
}

static void word_add(apr_array_header_t *words, const char *word)
{
    APR_ARRAY_PUSH(words, const char *) = word;
}

/* An array of strings, or the one string of OAuth's scope (RFC 6749 s3.3). */
static int words_read(apr_array_header_t *words, const json_t *claim,
                      apr_pool_t *p)
{
    const json_t *one;
    size_t i;

    if (json_is_string(claim)) {
        char *copy = apr_pstrdup(p, json_string_value(claim)), *state;

        for (char *word = apr_strtok(copy, " ", &state);
             word && words->nelts <= AA_PERMISSIONS_MAX;
             word = apr_strtok(NULL, " ", &state))
            word_add(words, word);
        return words->nelts <= AA_PERMISSIONS_MAX;
    }
    if (!json_is_array(claim) || json_array_size(claim) > AA_PERMISSIONS_MAX)
        return 0;
    json_array_foreach(claim, i, one)
    {
        if (!json_is_string(one))
            return 0;
        word_add(words, apr_pstrdup(p, json_string_value(one)));
    }
    return 1;
}

static apr_status_t permissions_read(aa_principal_t *principal,
                                     const aa_issuer_t *issuer,
                                     const json_t *claims, aa_error_t *err,
                                     apr_pool_t *p)
{
    const json_t *claim = aa_json_at(claims, issuer->permissions_claim);
    apr_array_header_t *words =
        apr_array_make(principal->pool, 8, sizeof(const char *));

    if (claim && !words_read(words, claim, principal->pool))
        return aa_refuse(err, p, AA_E_TOKEN_CLAIM,
                         "claim %s is neither a list of strings nor one string",
                         issuer->permissions_claim);
    word_add(words, NULL);
    principal->permissions = (const char *const *)words->elts;
    return APR_SUCCESS;
}

/* A jti that may stand in a log line. */
static const char *token_id(const json_t *claims, apr_pool_t *p)
{
    const char *jti = json_string_value(json_object_get(claims, "jti"));
    apr_size_t len = jti ? strlen(jti) : 0;

    if (!len || len > ID_MAX)
        return NULL;
    for (apr_size_t i = 0; i < len; i++)
        if (jti[i] <= 0x20 || jti[i] >= 0x7f)
            return NULL;
    return apr_pstrdup(p, jti);
}

static void times_fill(aa_principal_t *principal, const aa_jws_t *jws,
                       apr_time_t now)
{
    principal->expires = aa_jwt_expires(jws);
    principal->stale = now + AA_CACHE_TTL_MAX;
    if (principal->stale > principal->expires)
        principal->stale = principal->expires;
}

static apr_status_t principal_fill(aa_principal_t *principal,
                                   const aa_issuer_t *issuer,
                                   const aa_jws_t *jws, apr_time_t now,
                                   aa_error_t *err, apr_pool_t *p)
{
    apr_status_t rv;

    rv = identity_read(principal, issuer, jws->claims, err, p);
    if (rv == APR_SUCCESS)
        rv = permissions_read(principal, issuer, jws->claims, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    principal->claims = json_incref(jws->claims);
    principal->credential_id = token_id(jws->claims, principal->pool);
    principal->bytes = POOL_BYTES + DECODED_RATIO * jws->len;
    times_fill(principal, jws, now);
    if (aa_principal_seal(principal) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_TOKEN_CLAIM,
                         "identity or a permission is empty, too long or has "
                         "control characters");
    return APR_SUCCESS;
}

static apr_status_t prove(aa_principal_t **pprincipal,
                          const aa_credential_t *credential,
                          const aa_authn_conf_t *conf,
                          const aa_request_t *request, aa_error_t *err)
{
    apr_pool_t *p = request->pool;
    const aa_issuer_t *issuer = NULL;
    aa_jwt_expect_t expect = {0};
    aa_principal_t *principal;
    aa_jws_t *jws;
    apr_status_t rv;

    *pprincipal = NULL;
    rv = aa_jws_parse(&jws, credential->text, credential->len, err, p);
    if (rv == APR_SUCCESS)
        rv = issuer_find(&issuer, conf, jws, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    expect.iss = issuer->url;
    expect.aud = issuer->audiences;
    expect.alg = issuer->algorithms;
    expect.typ_refused = typ_refused;
    expect.now = request->now;
    expect.leeway = conf->leeway;
    rv = verify(jws, issuer, &expect, err, p);
    if (rv == APR_SUCCESS)
        rv = kind_check(jws->claims, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    principal = aa_principal_create(AA_METHOD_BEARER);
    if (!principal)
        return aa_refuse(err, p, AA_E_INTERNAL, "no memory");
    rv = principal_fill(principal, issuer, jws, request->now, err, p);
    if (rv == APR_SUCCESS)
        *pprincipal = principal;
    else
        aa_principal_unref(principal);
    return rv;
}

const aa_authn_method_t aa_authn_bearer = {AA_METHOD_BEARER, prove};
