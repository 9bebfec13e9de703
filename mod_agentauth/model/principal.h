/* SPDX-License-Identifier: Apache-2.0 */
/* Who a request's user is: an immutable fact, shared by threads. */
#ifndef AA_PRINCIPAL_H
#define AA_PRINCIPAL_H

#include <jansson.h>
#include "apr_pools.h"
#include "apr_time.h"

/** The kinds of credential; the order is that of aa_method_words[]. */
typedef enum aa_method_e {
    AA_METHOD_SESSION = 0,
    AA_METHOD_BEARER,
    AA_METHOD_APIKEY,
    AA_METHOD_POLICY,
    AA_METHOD_OPEN, /* AgentAuthOpenAccess, AgentAuthOptional: nobody */
    AA_METHOD_COUNT
} aa_method_e;

/** A set of kinds, one bit each. */
#define AA_METHOD_BIT(m) (1u << (m))

/** How one place shows a principal to its backend; made once, then kept. */
typedef struct aa_rendering_t {
    struct aa_rendering_t *next;
    const void *key;      /* which claims are shown: the list's address */
    const char *identity; /* percent-encoded, as in AgentAuth-Identity */
    const char *user;     /* ASCII JSON, as in AgentAuth-User */
} aa_rendering_t;

/**
 * A user who is known, as one credential proved it. Immutable once made;
 * lives in a pool of its own and is released with aa_principal_unref.
 * `user` is the object that policy and backend see: identity, permissions,
 * display_name, is_authenticated and all verified claims.
 */
typedef struct aa_principal_t {
    aa_method_e method;
    const char *identity;           /* 1 to AA_IDENTITY_MAX bytes of UTF-8 */
    const char *const *permissions; /* NULL-terminated, never NULL */
    json_t *user;                   /* owned; shared read-only */
    json_t *claims;                 /* verified claims as they came, or NULL */
    const char *credential_id;      /* key id or jti for the log; may be NULL */
    apr_time_t expires;             /* end of the credential; 0: none */
    apr_uint64_t serial;            /* unique in this process */
    /* how long the fact may be believed */
    apr_time_t stale;        /* cached facts end here */
    apr_uint32_t epoch_slot; /* which slot of the epoch page */
    apr_uint64_t epoch;      /* its value before the store was read */
    int has_epoch;           /* 0: no durable record behind this */
    /* internal */
    aa_rendering_t *renderings; /* grows by compare-and-swap only */
    apr_uint32_t refs;
    apr_pool_t *pool; /* owns everything above */
    apr_size_t bytes; /* estimate for the cache's bound */
} aa_principal_t;

/**
 * Begin a principal in a pool of its own (thread-safe allocator, no parent),
 * with one reference. Fill it, then call aa_principal_seal.
 */
aa_principal_t *aa_principal_create(aa_method_e method);

/** Who nobody is: the names are taken, no credential may prove them. */
#define AA_GUEST "guest"
#define AA_ANONYMOUS "anonymous"

/** 1 when @a identity is one of them. */
int aa_identity_reserved(const char *identity);

/**
 * Complete `user` from identity, permissions and claims and give the serial.
 * Claims named like our own four members never replace them.
 * @return APR_SUCCESS; APR_EINVAL when the identity or a permission is not
 *         1 to its maximum bytes of UTF-8 without control characters, or when
 *         a credential would prove a reserved identity
 */
apr_status_t aa_principal_seal(aa_principal_t *principal);

void aa_principal_ref(aa_principal_t *principal);
void aa_principal_unref(aa_principal_t *principal);

/** "session", "bearer", "apikey", "policy", "open". */
extern const char *const aa_method_words[AA_METHOD_COUNT];

#endif
