/* SPDX-License-Identifier: Apache-2.0 */
/* Inside store/: what a database must offer, one const struct for each. */
#ifndef AA_DRIVER_H
#define AA_DRIVER_H

#include "store/store.h"

/** The functions mean what their namesakes in store.h say. */
typedef struct aa_store_driver_t {
    const char *scheme; /* of the URL, without ':' */
    /** What is wrong with the part after "scheme:"; NULL: nothing. */
    const char *(*complain)(const char *place, apr_pool_t *p);
    apr_status_t (*open)(void **handle, const char *place, int create,
                         aa_error_t *err, apr_pool_t *p);
    void (*keep)(void *handle);
    apr_status_t (*read)(void *handle, const char *sql, const aa_value_t *args,
                         int nargs, aa_row_fn *row, void *baton,
                         aa_error_t *err, apr_pool_t *p);
    apr_status_t (*write)(void *handle, aa_durability_e durability,
                          aa_tx_fn *fn, void *baton, aa_error_t *err,
                          apr_pool_t *p);
    apr_status_t (*run)(aa_tx_t *tx, const char *sql, const aa_value_t *args,
                        int nargs, aa_row_fn *row, void *baton, int *changed,
                        apr_pool_t *p);
} aa_store_driver_t;

extern const aa_store_driver_t aa_store_sqlite;

struct aa_store_t {
    const aa_store_driver_t *driver;
    void *handle;
};

/** A driver's own transaction begins with this. */
struct aa_tx_t {
    const aa_store_driver_t *driver;
};

#endif
