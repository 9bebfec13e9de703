/* SPDX-License-Identifier: Apache-2.0 */
/* Which credential decides, and who it proves: one interface, one file each.
 *
 * Explicit credentials (Authorization, the API key header) beat the cookie.
 * Exactly one decides; a wrong one never falls through to the next. */
#ifndef AA_AUTHN_H
#define AA_AUTHN_H

#include "account/account.h"
#include "authn/cache.h"
#include "keys/issuer.h"
#include "model/error.h"
#include "model/principal.h"
#include "model/request.h"

/** The policy's authenticate handler, given from above (authn/policy.c).
 *  APR_ENOENT: no credential of mine; AA_EREFUSED: refused. */
typedef struct aa_authn_policy_t {
    apr_status_t (*authenticate)(aa_principal_t **principal, void *baton,
                                 const aa_request_t *request,
                                 const aa_principal_t *verified,
                                 aa_error_t *err);
    void *baton;
} aa_authn_policy_t;

#define AA_CACHE_SALT_LEN 16 /* random, so that no two are the same */

/** What counts in one virtual host. Immutable after start. */
typedef struct aa_authn_conf_t {
    const char *realm;
    const char *const *key_prefixes; /* NULL-terminated; first issues */
    const char *key_header;          /* "X-API-Key" */
    aa_issuer_t *const *issuers;     /* NULL-terminated, may be empty */
    const aa_accounts_t *accounts;   /* NULL: no store configured */
    aa_authn_cache_t *cache;         /* NULL: nothing is cached */
    unsigned char cache_salt[AA_CACHE_SALT_LEN]; /* of realm, issuer set */
    apr_interval_time_t leeway; /* clock skew for tokens; 60s */
    unsigned configured;        /* AA_METHOD_BITs that have a tenant */
} aa_authn_conf_t;

typedef struct aa_credential_t {
    aa_method_e method;
    const char *text; /* key or token, borrowed from the request's headers */
    apr_size_t len;
    int in_authorization; /* it came in Authorization */
    int in_key_header;    /* it came in the API key header (maybe both) */
    int foreign_key;      /* the API key header holds none of ours */
    int has_digest;       /* the next is filled */
    unsigned char digest[AA_SHA256_LEN]; /* the cache's key for it */
} aa_credential_t;

/**
 * Find the one credential of a request (design: precedence and shapes).
 * @param credential ->text NULL on APR_ENOENT; with AA_EREFUSED its method is
 *                   AA_METHOD_POLICY when it is of no kind of ours but whole,
 *                   so that the policy's authenticate may still know it
 * @return APR_SUCCESS; APR_ENOENT: none at all; AA_EREFUSED with
 *         AA_E_TWO_CREDENTIALS, AA_E_CREDENTIAL_FORM, AA_E_FOREIGN_KEY
 */
AA_CHECKED apr_status_t aa_credential_find(aa_credential_t *credential,
                                           const aa_authn_conf_t *conf,
                                           const aa_request_t *request,
                                           aa_error_t *err);

/**
 * Who sent the request.
 * @param principal a reference, released by the caller
 * @param methods   AA_METHOD_BITs that count at this place
 * @param policy    NULL when the place's policy has no authenticate handler
 * @return APR_SUCCESS; APR_ENOENT: nobody; AA_EREFUSED: a credential that is
 *         wrong, or ours failed
 */
AA_CHECKED apr_status_t aa_authn_check(aa_principal_t **principal,
                                       aa_credential_t *credential,
                                       const aa_authn_conf_t *conf,
                                       unsigned methods,
                                       const aa_authn_policy_t *policy,
                                       const aa_request_t *request,
                                       aa_error_t *err);

/** A kind of credential: const, one for each file. */
typedef struct aa_authn_method_t {
    aa_method_e method;
    /** A new reference or AA_EREFUSED; what is proved here may be cached. */
    apr_status_t (*prove)(aa_principal_t **principal,
                          const aa_credential_t *credential,
                          const aa_authn_conf_t *conf,
                          const aa_request_t *request, aa_error_t *err);
} aa_authn_method_t;

extern const aa_authn_method_t aa_authn_bearer;
extern const aa_authn_method_t aa_authn_apikey;

#endif
