/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and the steps that lead to them.
 *
 * A step is never edited once it is released: a change is a further step.
 * Times are microseconds since 1970, 0 means none. */
#include <string.h>

#include "store/schema.h"

/* clang-format off */
static const char *const step1[] = {
    "CREATE TABLE users ("
    " realm TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " permissions TEXT NOT NULL,"  /* JSON array of strings */
    " created BIGINT NOT NULL,"
    " disabled BIGINT NOT NULL,"   /* 0 or 1 */
    " PRIMARY KEY (realm, name))",
    "CREATE TABLE api_keys ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " realm TEXT NOT NULL,"
    " owner TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " permissions TEXT,"           /* JSON array; NULL: its owner's */
    " created BIGINT NOT NULL,"
    " expires BIGINT NOT NULL,"
    " last_used BIGINT NOT NULL,"
    " revoked BIGINT NOT NULL,"
    " mac BLOB NOT NULL,"          /* HMAC-SHA-256(pepper, secret) */
    " FOREIGN KEY (realm, owner) REFERENCES users (realm, name)"
    " ON DELETE CASCADE)",
    "CREATE INDEX api_keys_owner ON api_keys (realm, owner)",
    NULL
};

static const char *const *const steps[] = {step1};
/* clang-format on */

const int aa_schema_version = (int)(sizeof(steps) / sizeof(*steps));

static apr_status_t version_take(void *baton, const aa_value_t *columns, int n)
{
    (void)n;
    *(int *)baton = (int)columns[0].i;
    return APR_SUCCESS;
}

static apr_status_t step_run(aa_tx_t *tx, int step, apr_pool_t *p)
{
    aa_value_t version = AA_INT(step + 1);
    apr_status_t rv = APR_SUCCESS;

    for (const char *const *sql = steps[step]; *sql; sql++) {
        rv = aa_tx_run(tx, *sql, NULL, 0, NULL, NULL, NULL, p);
        if (rv != APR_SUCCESS)
            return rv;
    }
    rv = aa_tx_run(tx, "DELETE FROM agentauth_schema", NULL, 0, NULL, NULL,
                   NULL, p);
    if (rv == APR_SUCCESS)
        rv = aa_tx_run(tx, "INSERT INTO agentauth_schema VALUES ($1)", &version,
                       1, NULL, NULL, NULL, p);
    return rv;
}

/* Looking and changing are one transaction: two processes that start at once
 * must not both find the old version. */
static apr_status_t bring(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    int *version = baton;
    apr_status_t rv;

    rv = aa_tx_run(tx,
                   "CREATE TABLE IF NOT EXISTS agentauth_schema"
                   " (version BIGINT NOT NULL)",
                   NULL, 0, NULL, NULL, NULL, p);
    if (rv == APR_SUCCESS)
        rv = aa_tx_run(tx, "SELECT version FROM agentauth_schema", NULL, 0,
                       version_take, version, NULL, p);
    for (; rv == APR_SUCCESS && *version < aa_schema_version; (*version)++)
        rv = step_run(tx, *version, p);
    return rv;
}

apr_status_t aa_schema_check(aa_store_t *store, int create, aa_error_t *err,
                             apr_pool_t *p)
{
    int version = 0;
    apr_status_t rv;

    if (create)
        rv = aa_store_write(store, AA_DURABLE, bring, &version, err, p);
    else
        rv = aa_store_read(store, "SELECT version FROM agentauth_schema", NULL,
                           0, version_take, &version, err, p);
    if (rv != APR_SUCCESS || version == aa_schema_version)
        return rv;
    return aa_refuse(err, p, AA_E_STORE,
                     "the store's schema is version %d, this program knows %d",
                     version, aa_schema_version);
}
