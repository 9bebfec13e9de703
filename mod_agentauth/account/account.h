/* SPDX-License-Identifier: Apache-2.0 */
/* Users and API keys: the records and their rules. */
#ifndef AA_ACCOUNT_H
#define AA_ACCOUNT_H

#include "apr_pools.h"
#include "apr_tables.h"
#include "apr_time.h"
#include "base/state.h"
#include "model/error.h"
#include "model/principal.h"
#include "share/epoch.h"
#include "store/store.h"

/** What the functions here work on; filled once by httpd or the CLI. */
typedef struct aa_accounts_t {
    aa_store_t *store;
    aa_epoch_t *epoch;
    const unsigned char *pepper; /* HMAC key of API key secrets */
    apr_size_t pepper_len;
} aa_accounts_t;

/**
 * Open store, epoch page and pepper of a state directory that is there.
 * The pepper is made only while the store has no rows: with rows and without
 * it every key is worthless, which must be noticed and not papered over.
 * @param store_url NULL: the state directory's own
 * @param create 1: make what is missing (httpd's parent, or the CLI before
 *               the first start); 0: everything must be there
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_STORE or AA_E_STATE_DIR
 */
AA_CHECKED apr_status_t aa_accounts_open(aa_accounts_t *accounts,
                                         const aa_state_t *state,
                                         const char *store_url, int create,
                                         aa_error_t *err, apr_pool_t *p);

typedef struct aa_user_t {
    const char *realm, *name;
    const char *const *permissions; /* NULL-terminated */
    apr_time_t created;
    int disabled;
} aa_user_t;

typedef struct aa_key_t {
    const char *realm, *id, *owner, *name;
    const char *const *permissions;         /* NULL: has its owner's */
    apr_time_t created, expires, last_used; /* 0: none */
} aa_key_t;

typedef apr_status_t aa_user_fn(void *baton, const aa_user_t *user);
typedef apr_status_t aa_key_fn(void *baton, const aa_key_t *key);

/* Users and keys. APR_EEXIST, APR_ENOENT, APR_EINVAL (name or permission not
 * allowed) and AA_EREFUSED (store) are the failures; err->reason says which
 * in words. Each write bumps the epoch after its commit and before it
 * returns; one that changes nothing does so, too, so that a command that was
 * killed between commit and bump is made good by calling it again. */
AA_CHECKED apr_status_t aa_user_create(const aa_accounts_t *accounts,
                                       const aa_user_t *user, aa_error_t *err,
                                       apr_pool_t *p);
AA_CHECKED apr_status_t aa_user_disable(const aa_accounts_t *accounts,
                                        const char *realm, const char *name,
                                        int disabled, aa_error_t *err,
                                        apr_pool_t *p);
AA_CHECKED apr_status_t aa_user_delete(const aa_accounts_t *accounts,
                                       const char *realm, const char *name,
                                       aa_error_t *err, apr_pool_t *p);
AA_CHECKED apr_status_t aa_user_each(const aa_accounts_t *accounts,
                                     const char *realm, aa_user_fn *fn,
                                     void *baton, aa_error_t *err,
                                     apr_pool_t *p);

/** Make a key for an existing user; @a text receives it, once and for all.
 *  `key` gives realm, owner, name, permissions, expires; id and created are
 *  filled. Format: design of keys in docs/security.md. */
AA_CHECKED apr_status_t aa_key_create(const char **text,
                                      const aa_accounts_t *accounts,
                                      aa_key_t *key, const char *prefix,
                                      apr_time_t now, aa_error_t *err,
                                      apr_pool_t *p);
/** Ends a key for good; one that is revoked already is fine. */
AA_CHECKED apr_status_t aa_key_revoke(const aa_accounts_t *accounts,
                                      const char *realm, const char *id,
                                      aa_error_t *err, apr_pool_t *p);
/** A successor with the same owner, name, permissions and length of life; the
 *  old key ends at now + overlap (0: at once). APR_ENOENT when it has ended. */
AA_CHECKED apr_status_t aa_key_rotate(const char **text, aa_key_t *successor,
                                      const aa_accounts_t *accounts,
                                      const char *realm, const char *id,
                                      const char *prefix,
                                      apr_interval_time_t overlap,
                                      apr_time_t now, aa_error_t *err,
                                      apr_pool_t *p);
/** All keys that are not revoked, expired ones included. */
AA_CHECKED apr_status_t aa_key_each(const aa_accounts_t *accounts,
                                    const char *realm, aa_key_fn *fn,
                                    void *baton, aa_error_t *err,
                                    apr_pool_t *p);

/** 1 when @a text has the shape of a key with one of @a prefixes
 *  (NULL-terminated); says nothing of its checksum. */
AA_CHECKED int aa_key_shaped(const char *text, const char *const *prefixes);

/**
 * Who a key belongs to. Checksum first, then epoch, then store, then
 * constant-time compare. Notes "last used" at most once a minute, lazily.
 * @param principal a new reference, with epoch, stale and expires set
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_KEY_CHECKSUM, AA_E_KEY_UNKNOWN
 *         (unknown, revoked, expired, other realm, disabled: one answer) or
 *         AA_E_STORE
 */
AA_CHECKED apr_status_t aa_key_verify(aa_principal_t **principal,
                                      const aa_accounts_t *accounts,
                                      const char *realm, const char *text,
                                      const char *const *prefixes,
                                      apr_time_t now, aa_error_t *err,
                                      apr_pool_t *p);

#endif
