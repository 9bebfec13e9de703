/* SPDX-License-Identifier: Apache-2.0 */
/* API keys as records: made, ended, replaced, listed. */
#include <string.h>

#include "apr_strings.h"
#include "account/key_text.h"
#include "account/record.h"
#include "base/crypto.h"
#include "model/limits.h"

#define ATTEMPTS 3 /* for an id that is taken: one in 62^10 */

/* ------------------------------------------------------------------ create */

/** What is written for a new key, and for the one that it replaces. */
typedef struct making_t {
    const aa_accounts_t *accounts;
    aa_key_t *key;
    const char *permissions; /* as JSON; NULL: its owner's */
    const char *secret;
    const char *replaces; /* id, or NULL */
    apr_time_t replaces_ends;
    const char *missing; /* out: why there is no such thing */
} making_t;

static apr_status_t seen(void *baton, const aa_value_t *columns, int n)
{
    (void)columns;
    (void)n;
    *(int *)baton = 1;
    return APR_SUCCESS;
}

static apr_status_t owner_must_be(aa_tx_t *tx, making_t *making, apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(making->key->realm),
                         AA_TEXT(making->key->owner)};
    int found = 0;
    apr_status_t rv = aa_tx_run(tx,
                                "SELECT 1 FROM users"
                                " WHERE realm = $1 AND name = $2",
                                args, 2, seen, &found, NULL, p);

    if (rv == APR_SUCCESS && !found) {
        making->missing = apr_psprintf(p, "no user '%s' in realm '%s'",
                                       making->key->owner, making->key->realm);
        return APR_ENOENT;
    }
    return rv;
}

static apr_status_t key_insert(aa_tx_t *tx, making_t *making, apr_pool_t *p)
{
    const aa_accounts_t *accounts = making->accounts;
    const aa_key_t *key = making->key;
    unsigned char mac[AA_SHA256_LEN];
    apr_status_t rv =
        aa_crypto_hmac(mac, accounts->pepper, accounts->pepper_len,
                       making->secret, AA_KEY_SECRET_LEN);

    if (rv != APR_SUCCESS)
        return rv;
    {
        aa_value_t args[] = {AA_TEXT(key->id),
                             AA_TEXT(key->realm),
                             AA_TEXT(key->owner),
                             AA_TEXT(key->name),
                             AA_TEXT(making->permissions),
                             AA_INT(key->created),
                             AA_INT(key->expires),
                             AA_BLOB(mac, sizeof(mac))};

        return aa_tx_run(tx,
                         "INSERT INTO api_keys (id, realm, owner, name,"
                         " permissions, created, expires, last_used, revoked,"
                         " mac) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8)",
                         args, 8, NULL, NULL, NULL, p);
    }
}

/* Only ever earlier: a rotation must not give an old key more time. */
static apr_status_t old_key_end(aa_tx_t *tx, making_t *making, apr_pool_t *p)
{
    aa_value_t args[] = {AA_INT(making->replaces_ends),
                         AA_TEXT(making->replaces), AA_TEXT(making->key->realm),
                         AA_INT(making->key->created)};
    int changed;
    apr_status_t rv =
        aa_tx_run(tx,
                  "UPDATE api_keys SET expires = CASE WHEN expires = 0 OR"
                  " expires > $1 THEN $1 ELSE expires END"
                  " WHERE id = $2 AND realm = $3 AND revoked = 0"
                  " AND (expires = 0 OR expires > $4)",
                  args, 4, NULL, NULL, &changed, p);

    if (rv == APR_SUCCESS && !changed) {
        making->missing = "the key ended meanwhile";
        return APR_ENOENT;
    }
    return rv;
}

static apr_status_t making_run(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    making_t *making = baton;
    apr_status_t rv = owner_must_be(tx, making, p);

    if (rv == APR_SUCCESS && making->replaces)
        rv = old_key_end(tx, making, p);
    if (rv == APR_SUCCESS)
        rv = key_insert(tx, making, p);
    return rv;
}

static apr_status_t key_check(const aa_key_t *key, const char *prefix,
                              apr_time_t now, aa_error_t *err, apr_pool_t *p)
{
    if (key->name && *key->name && !aa_record_text_ok(key->name, AA_NAME_MAX))
        return aa_record_fail(APR_EINVAL, err, p,
                              "a key's name is at most %d bytes of UTF-8 "
                              "without control characters",
                              AA_NAME_MAX);
    if (!aa_key_prefix_ok(prefix))
        return aa_record_fail(APR_EINVAL, err, p,
                              "a key prefix is 1 to %d letters, digits and "
                              "- _ .",
                              AA_KEY_PREFIX_MAX);
    if (key->expires && key->expires <= now)
        return aa_record_fail(APR_EINVAL, err, p,
                              "the key would have expired already");
    return APR_SUCCESS;
}

static apr_status_t key_make(const char **text, making_t *making,
                             const char *prefix, apr_time_t now,
                             aa_error_t *err, apr_pool_t *p)
{
    aa_key_t *key = making->key;
    aa_key_text_t parts;
    apr_status_t rv = key_check(key, prefix, now, err, p);

    *text = NULL;
    if (rv == APR_SUCCESS)
        rv = aa_record_permissions_write(&making->permissions, key->permissions,
                                         err, p);
    if (rv != APR_SUCCESS)
        return rv;
    key->name = key->name ? key->name : "";
    key->created = now;
    key->last_used = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        rv = aa_key_text_make(text, &parts, prefix, p);
        if (rv != APR_SUCCESS)
            return rv;
        key->id = apr_pstrdup(p, parts.id);
        making->secret = parts.secret;
        rv = aa_store_write(making->accounts->store, AA_DURABLE, making_run,
                            making, err, p);
        if (!APR_STATUS_IS_EEXIST(rv))
            break;
    }
    if (rv == APR_SUCCESS) {
        aa_record_bump(making->accounts, key->realm, key->owner);
        return rv;
    }
    *text = NULL;
    if (making->missing)
        return aa_record_fail(APR_ENOENT, err, p, "%s", making->missing);
    return rv;
}

apr_status_t aa_key_create(const char **text, const aa_accounts_t *accounts,
                           aa_key_t *key, const char *prefix, apr_time_t now,
                           aa_error_t *err, apr_pool_t *p)
{
    making_t making = {.accounts = accounts, .key = key};

    return key_make(text, &making, prefix, now, err, p);
}

/* -------------------------------------------------------------------- read */

#define KEY_COLUMNS                                                            \
    "SELECT realm, id, owner, name, permissions, created, expires, last_used"  \
    " FROM api_keys"

static apr_status_t key_read(aa_key_t *key, const aa_value_t *columns,
                             apr_pool_t *p)
{
    memset(key, 0, sizeof(*key));
    key->realm = aa_record_text(&columns[0], p);
    key->id = aa_record_text(&columns[1], p);
    key->owner = aa_record_text(&columns[2], p);
    key->name = aa_record_text(&columns[3], p);
    key->created = columns[5].i;
    key->expires = columns[6].i;
    key->last_used = columns[7].i;
    return aa_record_permissions_read(&key->permissions, &columns[4], p);
}

/** Where rows go: to a function, or into one key. */
typedef struct reading_t {
    aa_key_fn *fn;
    void *baton;
    aa_key_t *key;
    apr_pool_t *pool;
} reading_t;

static apr_status_t key_give(void *baton, const aa_value_t *columns, int n)
{
    reading_t *reading = baton;
    aa_key_t key;
    apr_status_t rv;

    (void)n;
    apr_pool_clear(reading->pool);
    rv = key_read(&key, columns, reading->pool);
    return rv == APR_SUCCESS ? reading->fn(reading->baton, &key) : rv;
}

static apr_status_t key_take(void *baton, const aa_value_t *columns, int n)
{
    reading_t *reading = baton;

    (void)n;
    return key_read(reading->key, columns, reading->pool);
}

apr_status_t aa_key_each(const aa_accounts_t *accounts, const char *realm,
                         aa_key_fn *fn, void *baton, aa_error_t *err,
                         apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(realm)};
    reading_t reading = {fn, baton, NULL, NULL};
    apr_status_t rv = apr_pool_create(&reading.pool, p);

    if (rv != APR_SUCCESS)
        return rv;
    rv = aa_store_read(accounts->store,
                       KEY_COLUMNS " WHERE realm = $1 AND revoked = 0"
                                   " ORDER BY owner, created, id",
                       args, 1, key_give, &reading, err, p);
    apr_pool_destroy(reading.pool);
    return rv;
}

static apr_status_t key_missing(const char *realm, const char *id,
                                aa_error_t *err, apr_pool_t *p)
{
    return aa_record_fail(APR_ENOENT, err, p,
                          "no key '%.32s' that can be used in realm '%s'", id,
                          realm);
}

/* --------------------------------------------------------- revoke and rotate
 */

typedef struct revoking_t {
    const char *realm, *id, *owner; /* owner is found */
    apr_pool_t *pool;
} revoking_t;

static apr_status_t owner_take(void *baton, const aa_value_t *columns, int n)
{
    revoking_t *revoking = baton;

    (void)n;
    revoking->owner = aa_record_text(&columns[0], revoking->pool);
    return APR_SUCCESS;
}

/* A revoked row stays, so that revoking again is no error. */
static apr_status_t revoking_run(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    revoking_t *revoking = baton;
    aa_value_t args[] = {AA_TEXT(revoking->id), AA_TEXT(revoking->realm)};
    apr_status_t rv =
        aa_tx_run(tx, "SELECT owner FROM api_keys WHERE id = $1 AND realm = $2",
                  args, 2, owner_take, revoking, NULL, p);

    if (rv == APR_SUCCESS)
        rv = aa_tx_run(tx,
                       "UPDATE api_keys SET revoked = 1"
                       " WHERE id = $1 AND realm = $2",
                       args, 2, NULL, NULL, NULL, p);
    return rv;
}

apr_status_t aa_key_revoke(const aa_accounts_t *accounts, const char *realm,
                           const char *id, aa_error_t *err, apr_pool_t *p)
{
    revoking_t revoking = {realm, id, NULL, p};
    apr_status_t rv = aa_store_write(accounts->store, AA_DURABLE, revoking_run,
                                     &revoking, err, p);

    if (rv != APR_SUCCESS)
        return rv;
    if (!revoking.owner)
        return key_missing(realm, id, err, p);
    aa_record_bump(accounts, realm, revoking.owner);
    return APR_SUCCESS;
}

apr_status_t aa_key_rotate(const char **text, aa_key_t *successor,
                           const aa_accounts_t *accounts, const char *realm,
                           const char *id, const char *prefix,
                           apr_interval_time_t overlap, apr_time_t now,
                           aa_error_t *err, apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(id), AA_TEXT(realm)};
    reading_t reading = {NULL, NULL, successor, p};
    making_t making = {.accounts = accounts,
                       .key = successor,
                       .replaces = id,
                       .replaces_ends = now + overlap};
    apr_status_t rv;

    *text = NULL;
    memset(successor, 0, sizeof(*successor));
    rv = aa_store_read(accounts->store,
                       KEY_COLUMNS " WHERE id = $1 AND realm = $2"
                                   " AND revoked = 0",
                       args, 2, key_take, &reading, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    if (!successor->id || (successor->expires && successor->expires <= now))
        return key_missing(realm, id, err, p);
    if (successor->expires)
        successor->expires = now + (successor->expires - successor->created);
    return key_make(text, &making, prefix, now, err, p);
}
