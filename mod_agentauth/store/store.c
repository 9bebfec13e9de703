/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the driver that a store's URL names, and calls it. */
#include <string.h>

#include "apr_strings.h"
#include "store/driver.h"
#include "store/schema.h"

static const aa_store_driver_t *const drivers[] = {&aa_store_sqlite};

#define DRIVERS ((int)(sizeof(drivers) / sizeof(*drivers)))

static const aa_store_driver_t *driver_find(const char **place, const char *url)
{
    const char *colon = strchr(url, ':');

    for (int i = 0; colon && i < DRIVERS; i++) {
        apr_size_t len = strlen(drivers[i]->scheme);

        if (len == (apr_size_t)(colon - url) &&
            !strncmp(drivers[i]->scheme, url, len)) {
            *place = colon + 1;
            return drivers[i];
        }
    }
    return NULL;
}

static const char *known_schemes(apr_pool_t *p)
{
    const char *list = "";

    for (int i = 0; i < DRIVERS; i++)
        list =
            apr_pstrcat(p, list, i ? ", " : "", drivers[i]->scheme, ":", NULL);
    return list;
}

int aa_store_url_valid(const char **why, const char *url, apr_pool_t *p)
{
    const char *place;
    const aa_store_driver_t *driver = driver_find(&place, url);

    *why = driver ? driver->complain(place, p)
                  : apr_psprintf(p, "no such kind of store; there are: %s",
                                 known_schemes(p));
    return !*why;
}

apr_status_t aa_store_open(aa_store_t **pstore, const char *url, int create,
                           aa_error_t *err, apr_pool_t *p)
{
    aa_store_t *store = apr_pcalloc(p, sizeof(*store));
    const char *place, *why;
    apr_status_t rv;

    *pstore = NULL;
    if (!aa_store_url_valid(&why, url, p))
        return aa_refuse(err, p, AA_E_STORE, "store %s: %s", url, why);
    store->driver = driver_find(&place, url);
    rv = store->driver->open(&store->handle, place, create, err, p);
    if (rv == APR_SUCCESS)
        rv = aa_schema_check(store, create, err, p);
    if (rv == APR_SUCCESS)
        *pstore = store;
    return rv;
}

void aa_store_keep(aa_store_t *store)
{
    store->driver->keep(store->handle);
}

apr_status_t aa_store_read(aa_store_t *store, const char *sql,
                           const aa_value_t *args, int nargs, aa_row_fn *row,
                           void *baton, aa_error_t *err, apr_pool_t *p)
{
    return store->driver->read(store->handle, sql, args, nargs, row, baton, err,
                               p);
}

apr_status_t aa_store_write(aa_store_t *store, aa_durability_e durability,
                            aa_tx_fn *fn, void *baton, aa_error_t *err,
                            apr_pool_t *p)
{
    return store->driver->write(store->handle, durability, fn, baton, err, p);
}

apr_status_t aa_tx_run(aa_tx_t *tx, const char *sql, const aa_value_t *args,
                       int nargs, aa_row_fn *row, void *baton, int *changed,
                       apr_pool_t *p)
{
    return tx->driver->run(tx, sql, args, nargs, row, baton, changed, p);
}
