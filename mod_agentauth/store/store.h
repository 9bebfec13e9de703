/* SPDX-License-Identifier: Apache-2.0 */
/* Durable records: one interface, one file for each database behind it.
 *
 * A store runs SQL that all its databases read the same way: $1 $2 …
 * placeholders, TEXT, BIGINT and BLOB columns, nothing of one dialect. What
 * the records mean is the business of account/. */
#ifndef AA_STORE_H
#define AA_STORE_H

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_store_t aa_store_t;

typedef enum aa_value_e {
    AA_VALUE_NULL = 0,
    AA_VALUE_INT,
    AA_VALUE_TEXT,
    AA_VALUE_BLOB
} aa_value_e;

/** One parameter or column. Text and blobs are borrowed for the call. */
typedef struct aa_value_t {
    aa_value_e type;
    apr_int64_t i;
    const void *data;
    apr_size_t len;
} aa_value_t;

#define AA_INT(n) ((aa_value_t){AA_VALUE_INT, (n), NULL, 0})
#define AA_TEXT(s)                                                             \
    ((aa_value_t){(s) ? AA_VALUE_TEXT : AA_VALUE_NULL, 0, (s),                 \
                  (s) ? strlen(s) : 0})
#define AA_BLOB(b, n) ((aa_value_t){AA_VALUE_BLOB, 0, (b), (n)})

/** Called for each row; a return other than APR_SUCCESS stops and is given
 *  back. Columns live until it returns. */
typedef apr_status_t aa_row_fn(void *baton, const aa_value_t *columns, int n);

typedef enum aa_durability_e {
    AA_DURABLE, /* on disk before the call returns */
    AA_LAZY     /* may be lost at a power cut (last-used marks) */
} aa_durability_e;

/** Steps of one transaction, run by aa_store_write on one connection. */
typedef struct aa_tx_t aa_tx_t;
typedef apr_status_t aa_tx_fn(void *baton, aa_tx_t *tx, apr_pool_t *p);

/**
 * Open "sqlite:FILE". Connections are opened lazily and never before fork.
 * @param create 1: make the file (0600) and bring the schema up to date;
 *               0: the file must be there with the schema of this version
 */
AA_CHECKED apr_status_t aa_store_open(aa_store_t **store, const char *url,
                                      int create, aa_error_t *err,
                                      apr_pool_t *p);

/**
 * From now on this process keeps idle connections, too. The process that
 * called aa_store_open keeps none (each call opens one and closes it), so that
 * no connection is ever carried across a fork; its children keep theirs by
 * themselves. Call it where the opener itself serves (httpd -X): in child_init.
 */
void aa_store_keep(aa_store_t *store);

/** 1 when @a url names a store we have; @a why says what is wrong else. */
AA_CHECKED int aa_store_url_valid(const char **why, const char *url,
                                  apr_pool_t *p);

/** Read outside a transaction. APR_SUCCESS also when there is no row. */
AA_CHECKED apr_status_t aa_store_read(aa_store_t *store, const char *sql,
                                      const aa_value_t *args, int nargs,
                                      aa_row_fn *row, void *baton,
                                      aa_error_t *err, apr_pool_t *p);

/**
 * Run @a fn inside BEGIN IMMEDIATE … COMMIT; a return of it other than
 * APR_SUCCESS rolls back and is given back.
 * @return what fn returned; AA_EREFUSED with AA_E_STORE when the store is
 *         missing, locked, full, read-only
 */
AA_CHECKED apr_status_t aa_store_write(aa_store_t *store,
                                       aa_durability_e durability, aa_tx_fn *fn,
                                       void *baton, aa_error_t *err,
                                       apr_pool_t *p);

/** A statement inside a transaction; @a changed (may be NULL) gets the number
 *  of rows written. APR_EEXIST when a unique constraint refuses. */
AA_CHECKED apr_status_t aa_tx_run(aa_tx_t *tx, const char *sql,
                                  const aa_value_t *args, int nargs,
                                  aa_row_fn *row, void *baton, int *changed,
                                  apr_pool_t *p);

#endif
