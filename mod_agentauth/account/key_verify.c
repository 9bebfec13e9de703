/* SPDX-License-Identifier: Apache-2.0 */
/* Who an API key belongs to, as a fact that may be cached. */
#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "account/key_text.h"
#include "account/record.h"
#include "base/crypto.h"
#include "base/log.h"
#include "model/limits.h"

#define POOL_BYTES 8192 /* least an APR pool takes */

/** Key and owner as the store has them. */
typedef struct facts_t {
    int found;
    const char *realm, *owner;
    const char *const *key_permissions; /* NULL: has its owner's */
    const char *const *owner_permissions;
    apr_time_t expires, last_used;
    int revoked, disabled;
    unsigned char mac[AA_SHA256_LEN];
    apr_pool_t *pool;
} facts_t;

static apr_status_t owner_take(void *baton, const aa_value_t *columns, int n)
{
    facts_t *facts = baton;

    (void)n;
    facts->owner = aa_record_text(&columns[0], facts->pool);
    return APR_SUCCESS;
}

static apr_status_t facts_take(void *baton, const aa_value_t *columns, int n)
{
    facts_t *facts = baton;
    apr_status_t rv;

    (void)n;
    facts->realm = aa_record_text(&columns[0], facts->pool);
    facts->owner = aa_record_text(&columns[1], facts->pool);
    facts->expires = columns[3].i;
    facts->last_used = columns[4].i;
    facts->revoked = columns[5].i != 0;
    facts->disabled = columns[8].i != 0;
    if (columns[6].type != AA_VALUE_BLOB || columns[6].len != AA_SHA256_LEN)
        return APR_EGENERAL;
    memcpy(facts->mac, columns[6].data, AA_SHA256_LEN);
    rv = aa_record_permissions_read(&facts->key_permissions, &columns[2],
                                    facts->pool);
    if (rv == APR_SUCCESS)
        rv = aa_record_permissions_read(&facts->owner_permissions, &columns[7],
                                        facts->pool);
    facts->found = rv == APR_SUCCESS && facts->owner_permissions;
    return facts->found ? APR_SUCCESS : APR_EGENERAL;
}

/**
 * Read the facts, and the epoch that is older than they are.
 *
 * The slot belongs to the owner, whom only the row names. So the row is read
 * twice: once to learn the owner, and again, with everything that counts,
 * after the slot. Facts of the first reading must not be used: somebody may
 * have committed and bumped between it and the slot, and the tag would then
 * say that they are newer than that change. With the slot taken in between,
 * a change either is seen by the second reading, or bumps the slot after the
 * tag was taken, so that the fact is not believed again.
 */
static apr_status_t facts_read(facts_t *facts, apr_uint32_t *slot,
                               apr_uint64_t *epoch,
                               const aa_accounts_t *accounts, const char *realm,
                               const char *id, aa_error_t *err, apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(id)};
    facts_t first = {.owner = "", .pool = p};
    apr_status_t rv;

    memset(facts, 0, sizeof(*facts));
    facts->pool = p;
    rv = aa_store_read(accounts->store,
                       "SELECT owner FROM api_keys WHERE id = $1", args, 1,
                       owner_take, &first, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    *slot = aa_epoch_slot(accounts->epoch, realm, first.owner);
    *epoch = aa_epoch_get(accounts->epoch, *slot);
    /* Also when there was no row: an unknown key costs what a known one
     * does. */
    rv = aa_store_read(accounts->store,
                       "SELECT k.realm, k.owner, k.permissions, k.expires,"
                       " k.last_used, k.revoked, k.mac, u.permissions,"
                       " u.disabled FROM api_keys k JOIN users u"
                       " ON u.realm = k.realm AND u.name = k.owner"
                       " WHERE k.id = $1",
                       args, 1, facts_take, facts, err, p);
    if (rv == APR_SUCCESS && facts->found && strcmp(facts->owner, first.owner))
        facts->found = 0; /* the slot is another's */
    return rv;
}

/* Why the key does not count; NULL when it does. For the log only: whoever
 * asks gets one answer. The compare comes first and always. */
static const char *unusable(const facts_t *facts, const unsigned char *mac,
                            const char *realm, apr_time_t now)
{
    int same = aa_crypto_same(facts->mac, mac, AA_SHA256_LEN);

    if (!facts->found)
        return "unknown";
    if (!same)
        return "wrong secret";
    if (strcmp(facts->realm, realm))
        return "of another realm";
    if (facts->revoked)
        return "revoked";
    if (facts->expires && facts->expires <= now)
        return "expired";
    return facts->disabled ? "its user is disabled" : NULL;
}

/* What the key has and its owner still has. */
static const char *const *permissions_both(const facts_t *facts, apr_pool_t *p)
{
    const char *const *at = facts->owner_permissions;
    apr_hash_t *owners;
    const char **both;
    apr_size_t n = 0;

    if (!facts->key_permissions)
        return at;
    owners = apr_hash_make(p);
    for (; *at; at++)
        apr_hash_set(owners, *at, APR_HASH_KEY_STRING, *at);
    both = apr_pcalloc(p, (AA_PERMISSIONS_MAX + 1) * sizeof(*both));
    for (at = facts->key_permissions; *at && n < AA_PERMISSIONS_MAX; at++)
        if (apr_hash_get(owners, *at, APR_HASH_KEY_STRING))
            both[n++] = *at;
    return both;
}

/* The facts live in the request; the principal lives on its own. */
static const char *const *list_copy(apr_size_t *bytes, const char *const *list,
                                    apr_pool_t *p)
{
    apr_size_t n = 0;
    const char **copy;

    while (list[n])
        n++;
    copy = apr_pcalloc(p, (n + 1) * sizeof(*copy));
    for (apr_size_t i = 0; i < n; i++) {
        copy[i] = apr_pstrdup(p, list[i]);
        /* once as a string, once as a JSON string with its header */
        *bytes += 2 * strlen(list[i]) + sizeof(*copy) + 64;
    }
    return copy;
}

static apr_status_t principal_make(aa_principal_t **pprincipal,
                                   const facts_t *facts, const char *id,
                                   apr_time_t now, apr_pool_t *p)
{
    aa_principal_t *principal = aa_principal_create(AA_METHOD_APIKEY);
    apr_status_t rv;

    *pprincipal = NULL;
    if (!principal)
        return APR_ENOMEM;
    principal->bytes = POOL_BYTES + 512 + 3 * strlen(facts->owner);
    principal->identity = apr_pstrdup(principal->pool, facts->owner);
    principal->credential_id = apr_pstrdup(principal->pool, id);
    principal->permissions = list_copy(
        &principal->bytes, permissions_both(facts, p), principal->pool);
    principal->expires = facts->expires;
    principal->stale = now + AA_CACHE_TTL_MAX;
    if (facts->expires && facts->expires < principal->stale)
        principal->stale = facts->expires;
    rv = aa_principal_seal(principal);
    if (rv != APR_SUCCESS) {
        aa_principal_unref(principal);
        return rv;
    }
    *pprincipal = principal;
    return APR_SUCCESS;
}

typedef struct used_t {
    const char *id;
    apr_time_t now;
} used_t;

/* The condition is asked again inside: of many processes one writes. */
static apr_status_t used_run(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    const used_t *used = baton;
    aa_value_t args[] = {AA_INT(used->now), AA_TEXT(used->id),
                         AA_INT(used->now - AA_KEY_USED_INTERVAL)};

    return aa_tx_run(tx,
                     "UPDATE api_keys SET last_used = $1"
                     " WHERE id = $2 AND last_used <= $3",
                     args, 3, NULL, NULL, NULL, p);
}

/* A mark, not a fact: when it cannot be written the request goes on. */
static void used_note(const aa_accounts_t *accounts, const facts_t *facts,
                      const char *id, apr_time_t now, apr_pool_t *p)
{
    used_t used = {id, now};
    aa_error_t err = {0};
    apr_status_t rv;

    if (facts->last_used > now - AA_KEY_USED_INTERVAL)
        return;
    rv = aa_store_write(accounts->store, AA_LAZY, used_run, &used, &err, p);
    if (rv != APR_SUCCESS)
        aa_log(AA_LOG_WARNING, AA_E_STORE, rv,
               "last use of key %s not noted: %s", id,
               err.reason ? err.reason : "no reason given");
}

apr_status_t aa_key_verify(aa_principal_t **principal,
                           const aa_accounts_t *accounts, const char *realm,
                           const char *text, const char *const *prefixes,
                           apr_time_t now, aa_error_t *err, apr_pool_t *p)
{
    unsigned char mac[AA_SHA256_LEN];
    aa_key_text_t parts;
    facts_t facts;
    apr_uint32_t slot;
    apr_uint64_t epoch;
    const char *why;
    apr_status_t rv;

    *principal = NULL;
    if (aa_key_text_read(&parts, text, prefixes) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_KEY_CHECKSUM, "key checksum");
    rv = aa_crypto_hmac(mac, accounts->pepper, accounts->pepper_len,
                        parts.secret, AA_KEY_SECRET_LEN);
    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_INTERNAL, "HMAC failed");
    rv = facts_read(&facts, &slot, &epoch, accounts, realm, parts.id, err, p);
    if (rv == AA_EREFUSED)
        return rv;
    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_STORE, "record of key %s is damaged",
                         parts.id);
    why = unusable(&facts, mac, realm, now);
    if (why)
        return aa_refuse(err, p, AA_E_KEY_UNKNOWN, "key %s: %s", parts.id, why);
    if (principal_make(principal, &facts, parts.id, now, p) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_INTERNAL, "key %s: no principal",
                         parts.id);
    (*principal)->epoch_slot = slot;
    (*principal)->epoch = epoch;
    (*principal)->has_epoch = 1;
    used_note(accounts, &facts, parts.id, now, p);
    return APR_SUCCESS;
}
