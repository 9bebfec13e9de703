/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what users and keys live in: store, epoch page, pepper. */
#include <string.h>

#include "account/account.h"
#include "base/crypto.h"
#include "model/limits.h"

static apr_status_t wipe(void *pepper)
{
    aa_crypto_wipe(pepper, AA_PEPPER_LEN);
    return APR_SUCCESS;
}

static apr_status_t count_take(void *baton, const aa_value_t *columns, int n)
{
    (void)n;
    *(apr_int64_t *)baton += columns[0].i;
    return APR_SUCCESS;
}

static apr_status_t pepper_open(aa_accounts_t *accounts,
                                const aa_state_t *state, int create,
                                aa_error_t *err, apr_pool_t *p)
{
    unsigned char *pepper = apr_pcalloc(p, AA_PEPPER_LEN);
    apr_int64_t rows = 0;
    apr_status_t rv = APR_SUCCESS;

    /* Users come first, keys belong to them: no user, no row at all. */
    if (create)
        rv = aa_store_read(accounts->store, "SELECT count(*) FROM users", NULL,
                           0, count_take, &rows, err, p);
    if (rv == APR_SUCCESS)
        rv = aa_state_secret(pepper, AA_PEPPER_LEN, state->pepper,
                             create && !rows, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, pepper, wipe, apr_pool_cleanup_null);
    accounts->pepper = pepper;
    accounts->pepper_len = AA_PEPPER_LEN;
    return APR_SUCCESS;
}

apr_status_t aa_accounts_open(aa_accounts_t *accounts, const aa_state_t *state,
                              const char *store_url, int create,
                              aa_error_t *err, apr_pool_t *p)
{
    apr_status_t rv;

    memset(accounts, 0, sizeof(*accounts));
    rv = aa_epoch_open(&accounts->epoch, state->epoch, create, err, p);
    if (rv == APR_SUCCESS)
        rv = aa_store_open(&accounts->store,
                           store_url ? store_url : state->store_url, create,
                           err, p);
    if (rv == APR_SUCCESS)
        rv = pepper_open(accounts, state, create, err, p);
    return rv;
}
