/* SPDX-License-Identifier: Apache-2.0 */
/* One trusted issuer of bearer tokens and the keys that it publishes. */
#ifndef AA_ISSUER_H
#define AA_ISSUER_H

#include "apr_pools.h"
#include "apr_time.h"
#include "base/jose.h"
#include "model/error.h"

/** An issuer as configured; filled by httpd's <AgentAuthIssuer>. */
typedef struct aa_issuer_t {
    const char *url;              /* exact iss */
    const char *const *audiences; /* NULL-terminated, not empty */
    const char *jwks;             /* absolute file, URL, or NULL: discovery */
    const char *secret;           /* HS* secret bytes, or NULL */
    apr_size_t secret_len;
    const char *const *algorithms; /* NULL-terminated, never NULL or empty */
    const char *identity_claim;    /* "sub" */
    const char *permissions_claim; /* "permissions" */
    const char *identity_prefix;   /* "" when none */
    struct aa_keysource_t *keys;   /* made by aa_keysource_create */
} aa_issuer_t;

/** Where an issuer's keys come from, with the set in use now. */
typedef struct aa_keysource_t aa_keysource_t;

/** What processes share about one source; zeroed shared memory made before
 *  fork, so that a fetch by one child counts for all. */
typedef struct aa_keysource_shared_t {
    apr_uint64_t last_try; /* apr_time_t of the last fetch begun, any child */
    apr_uint64_t version;  /* counts fetches whose result was kept on disk */
} aa_keysource_shared_t;

typedef struct aa_keysource_conf_t {
    const char *cache_dir;        /* STATEDIR/jwks, writable by children */
    apr_interval_time_t interval; /* at most one fetch in it; default 60s */
    apr_interval_time_t refresh;  /* refetch when this old; default 10min */
    apr_interval_time_t max_age;  /* refuse a set older than this; 24h */
    apr_interval_time_t timeout;  /* of one fetch; default 5s */
} aa_keysource_conf_t;

/**
 * Made in the parent, before fork; fetches nothing. A file or secret is read
 * here and an unreadable one is an error; a URL is fetched later.
 * @param shared may be NULL: then each process counts for itself
 */
AA_CHECKED apr_status_t aa_keysource_create(aa_keysource_t **source,
                                            const aa_issuer_t *issuer,
                                            const aa_keysource_conf_t *conf,
                                            aa_keysource_shared_t *shared,
                                            aa_error_t *err, apr_pool_t *p);

/**
 * The set in use, one reference; NULL when there is none that may be used.
 * Never blocks, never fetches.
 */
aa_jwks_t *aa_keysource_get(aa_keysource_t *source, apr_time_t now);

/**
 * Asked when a token's kid is not in the set (or there is no set): fetch now
 * unless one was begun within the interval. One flight; a second caller does
 * not wait for it. Also while the caller looked, another thread may have put a
 * newer set in use: whatever this says, compare it with the one looked at.
 * @return APR_SUCCESS: a newer set is in use, look again; APR_EAGAIN: a fetch
 *         is under way or just failed (503); APR_ENOENT: the set in use is
 *         fresh enough that a kid which is not in it is unknown (401)
 */
AA_CHECKED apr_status_t aa_keysource_want(aa_keysource_t *source,
                                          apr_time_t now, apr_pool_t *p);

/** Background step, called every second or so by a watchdog in each child:
 *  refetch when due (one child does it), take over what another fetched, and
 *  re-read a changed file. */
void aa_keysource_tick(aa_keysource_t *source, apr_time_t now, apr_pool_t *p);

#endif
