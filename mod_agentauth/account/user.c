/* SPDX-License-Identifier: Apache-2.0 */
/* Users: names in a realm, with the permissions that their keys can have. */
#include <string.h>

#include "apr_strings.h"
#include "account/record.h"
#include "model/limits.h"
#include "model/principal.h"

/** One statement about one user, and whether it found it. */
typedef struct change_t {
    const char *sql;
    const aa_value_t *args;
    int nargs;
    int changed;
} change_t;

static apr_status_t change_run(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    change_t *change = baton;

    return aa_tx_run(tx, change->sql, change->args, change->nargs, NULL, NULL,
                     &change->changed, p);
}

/* Commit, then bump, then return: who asks after that, sees it. */
static apr_status_t user_change(const aa_accounts_t *accounts,
                                const char *realm, const char *name,
                                change_t *change, aa_error_t *err,
                                apr_pool_t *p)
{
    apr_status_t rv =
        aa_store_write(accounts->store, AA_DURABLE, change_run, change, err, p);

    if (rv != APR_SUCCESS)
        return rv;
    aa_record_bump(accounts, realm, name);
    if (!change->changed)
        return aa_record_fail(APR_ENOENT, err, p, "no user '%s' in realm '%s'",
                              name, realm);
    return APR_SUCCESS;
}

apr_status_t aa_user_create(const aa_accounts_t *accounts,
                            const aa_user_t *user, aa_error_t *err,
                            apr_pool_t *p)
{
    static const char *const none[] = {NULL};
    const char *permissions;
    apr_status_t rv;

    if (!aa_record_text_ok(user->realm, AA_REALM_MAX) ||
        !aa_record_text_ok(user->name, AA_IDENTITY_MAX))
        return aa_record_fail(APR_EINVAL, err, p,
                              "a name is 1 to %d bytes of UTF-8 without "
                              "control characters",
                              AA_IDENTITY_MAX);
    if (aa_identity_reserved(user->name))
        return aa_record_fail(APR_EINVAL, err, p,
                              "'%s' means somebody who is not known",
                              user->name);
    rv = aa_record_permissions_write(
        &permissions, user->permissions ? user->permissions : none, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    {
        aa_value_t args[] = {AA_TEXT(user->realm), AA_TEXT(user->name),
                             AA_TEXT(permissions), AA_INT(user->created),
                             AA_INT(user->disabled ? 1 : 0)};
        change_t change = {"INSERT INTO users (realm, name, permissions,"
                           " created, disabled) VALUES ($1, $2, $3, $4, $5)",
                           args, 5, 0};

        rv = user_change(accounts, user->realm, user->name, &change, err, p);
    }
    if (APR_STATUS_IS_EEXIST(rv))
        return aa_record_fail(APR_EEXIST, err, p,
                              "user '%s' is already in realm '%s'", user->name,
                              user->realm);
    return rv;
}

apr_status_t aa_user_disable(const aa_accounts_t *accounts, const char *realm,
                             const char *name, int disabled, aa_error_t *err,
                             apr_pool_t *p)
{
    aa_value_t args[] = {AA_INT(disabled ? 1 : 0), AA_TEXT(realm),
                         AA_TEXT(name)};
    change_t change = {"UPDATE users SET disabled = $1"
                       " WHERE realm = $2 AND name = $3",
                       args, 3, 0};

    return user_change(accounts, realm, name, &change, err, p);
}

/* Keys go with their owner (ON DELETE CASCADE), so that somebody who gets the
 * name later does not get the keys. */
apr_status_t aa_user_delete(const aa_accounts_t *accounts, const char *realm,
                            const char *name, aa_error_t *err, apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(realm), AA_TEXT(name)};
    change_t change = {"DELETE FROM users WHERE realm = $1 AND name = $2", args,
                       2, 0};

    return user_change(accounts, realm, name, &change, err, p);
}

typedef struct walk_t {
    aa_user_fn *fn;
    void *baton;
    apr_pool_t *pool; /* cleared for each row */
} walk_t;

static apr_status_t user_give(void *baton, const aa_value_t *columns, int n)
{
    walk_t *walk = baton;
    aa_user_t user = {0};

    (void)n;
    apr_pool_clear(walk->pool);
    user.realm = aa_record_text(&columns[0], walk->pool);
    user.name = aa_record_text(&columns[1], walk->pool);
    user.created = columns[3].i;
    user.disabled = columns[4].i != 0;
    if (aa_record_permissions_read(&user.permissions, &columns[2],
                                   walk->pool) != APR_SUCCESS)
        return APR_EGENERAL;
    return walk->fn(walk->baton, &user);
}

apr_status_t aa_user_each(const aa_accounts_t *accounts, const char *realm,
                          aa_user_fn *fn, void *baton, aa_error_t *err,
                          apr_pool_t *p)
{
    aa_value_t args[] = {AA_TEXT(realm)};
    walk_t walk = {fn, baton, NULL};
    apr_status_t rv = apr_pool_create(&walk.pool, p);

    if (rv != APR_SUCCESS)
        return rv;
    rv = aa_store_read(accounts->store,
                       "SELECT realm, name, permissions, created, disabled"
                       " FROM users WHERE realm = $1 ORDER BY name",
                       args, 1, user_give, &walk, err, p);
    apr_pool_destroy(walk.pool);
    return rv;
}
