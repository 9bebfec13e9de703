/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as numbered migrations: each runs once, in order. */
#ifndef AA_SCHEMA_H
#define AA_SCHEMA_H

#include "store/store.h"

/** The version that this code reads and writes. */
extern const int aa_schema_version;

/**
 * @param create 1: bring an older schema, or none, up to aa_schema_version;
 *               0: anything but that version is refused
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_STORE, always for a newer one
 */
AA_CHECKED apr_status_t aa_schema_check(aa_store_t *store, int create,
                                        aa_error_t *err, apr_pool_t *p);

#endif
