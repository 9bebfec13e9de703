/* SPDX-License-Identifier: Apache-2.0 */
/* From a credential to a principal: known, proved, or judged by the policy. */
#include <string.h>

#include "authn/authn.h"
#include "authn/seen.h"

static const aa_authn_method_t *const kinds[AA_METHOD_COUNT] = {
    [AA_METHOD_BEARER] = &aa_authn_bearer,
    [AA_METHOD_APIKEY] = &aa_authn_apikey,
};

/** One call of aa_authn_check. */
typedef struct check_t {
    const aa_authn_conf_t *conf;
    const aa_authn_policy_t *policy; /* NULL: is not asked here */
    const aa_request_t *request;
    unsigned methods;
    aa_error_t *err;
} check_t;

/* A fact of one realm, issuer set or kind is not a fact of another: all of
 * them are in the key. */
static apr_status_t digest_fill(aa_credential_t *credential,
                                const aa_authn_conf_t *conf)
{
    unsigned char head[sizeof(conf->cache_salt) + 1];

    memcpy(head, conf->cache_salt, sizeof(conf->cache_salt));
    head[sizeof(conf->cache_salt)] = (unsigned char)credential->method;
    return aa_crypto_sha256(credential->digest, head, sizeof(head),
                            credential->text, credential->len);
}

static apr_status_t prove(aa_principal_t **principal,
                          const aa_credential_t *credential,
                          const check_t *check)
{
    const aa_authn_method_t *kind = kinds[credential->method];
    apr_status_t rv = kind->prove(principal, credential, check->conf,
                                  check->request, check->err);

    if ((rv == APR_SUCCESS && *principal) || rv == AA_EREFUSED)
        return rv;
    return aa_refuse(check->err, check->request->pool, AA_E_INTERNAL,
                     "%s: status %d", aa_method_words[credential->method], rv);
}

static apr_status_t cached_or_proved(aa_principal_t **principal,
                                     const aa_credential_t *credential,
                                     const check_t *check)
{
    aa_authn_cache_t *cache = check->conf->cache;
    apr_time_t now = check->request->now;
    apr_status_t rv;

    *principal = aa_authn_cache_get(cache, credential->digest, now);
    if (*principal)
        return APR_SUCCESS;
    rv = prove(principal, credential, check);
    if (rv == APR_SUCCESS)
        aa_authn_cache_put(cache, credential->digest, *principal, now);
    return rv;
}

static apr_status_t known_or_proved(aa_principal_t **principal,
                                    aa_credential_t *credential,
                                    const check_t *check)
{
    int seen = credential->has_digest;
    apr_status_t rv;

    if (!check->conf->cache)
        return prove(principal, credential, check);
    if (!seen && digest_fill(credential, check->conf) != APR_SUCCESS)
        return aa_refuse(check->err, check->request->pool, AA_E_INTERNAL,
                         "SHA-256 failed");
    rv = cached_or_proved(principal, credential, check);
    if (rv != APR_SUCCESS)
        aa_seen_forget(check->request->seen);
    else if (!seen)
        aa_seen_keep(check->request->seen, credential, check->conf);
    return rv;
}

/* Ask the policy's authenticate. What it says is never cached: it saw the
 * whole request, not only the credential. */
static apr_status_t judge(aa_principal_t **principal,
                          aa_credential_t *credential,
                          const aa_principal_t *verified, const check_t *check,
                          aa_error_t *err)
{
    apr_status_t rv;

    *principal = NULL;
    rv = check->policy->authenticate(principal, check->policy->baton,
                                     check->request, verified, err);
    if (rv == APR_SUCCESS && *principal) {
        if (!verified)
            credential->method = AA_METHOD_POLICY;
        return rv;
    }
    if (rv == APR_ENOENT || rv == AA_EREFUSED)
        return rv;
    return aa_refuse(err, check->request->pool, AA_E_INTERNAL,
                     "authenticate: status %d", rv);
}

/* A credential of a kind of ours. When it is wrong that is the answer: the
 * policy is asked about those who are known, not about failures. */
static apr_status_t check_ours(aa_principal_t **principal,
                               aa_credential_t *credential,
                               const check_t *check)
{
    aa_principal_t *verified = NULL;
    apr_status_t rv;

    if (!(check->methods & check->conf->configured &
          AA_METHOD_BIT(credential->method)) ||
        !kinds[credential->method])
        return aa_refuse(check->err, check->request->pool, AA_E_METHOD_OFF,
                         "a credential of kind %s does not count here",
                         aa_method_words[credential->method]);
    rv = known_or_proved(&verified, credential, check);
    if (rv != APR_SUCCESS)
        return rv;
    if (!check->policy) {
        *principal = verified;
        return APR_SUCCESS;
    }
    rv = judge(principal, credential, verified, check, check->err);
    if (rv == APR_ENOENT) { /* nothing to say: the verified one stays */
        *principal = verified;
        return APR_SUCCESS;
    }
    aa_principal_unref(verified);
    return rv;
}

/* No credential of ours. @a otherwise is the answer when the policy is not
 * asked, or has nothing to say; *check->err fits it. */
static apr_status_t check_other(aa_principal_t **principal,
                                aa_credential_t *credential,
                                apr_status_t otherwise, const check_t *check)
{
    aa_error_t err = {0};
    apr_status_t rv;

    if (!check->policy ||
        (otherwise != APR_ENOENT && credential->method != AA_METHOD_POLICY))
        return otherwise;
    rv = judge(principal, credential, NULL, check, &err);
    if (rv == APR_ENOENT)
        return otherwise;
    if (check->err)
        *check->err = err;
    return rv;
}

apr_status_t aa_authn_check(aa_principal_t **principal,
                            aa_credential_t *credential,
                            const aa_authn_conf_t *conf, unsigned methods,
                            const aa_authn_policy_t *policy,
                            const aa_request_t *request, aa_error_t *err)
{
    check_t check = {conf, NULL, request, methods, err};
    apr_status_t rv;

    *principal = NULL;
    if (err)
        memset(err, 0, sizeof(*err));
    if (methods & AA_METHOD_BIT(AA_METHOD_POLICY))
        check.policy = policy;
    rv = aa_credential_find(credential, conf, request, err);
    if (rv == APR_SUCCESS && credential->method != AA_METHOD_POLICY)
        return check_ours(principal, credential, &check);
    if (rv == APR_SUCCESS)
        rv = aa_refuse(err, request->pool, AA_E_CREDENTIAL_FORM,
                       "Bearer token of no known shape");
    return check_other(principal, credential, rv, &check);
}
