/* SPDX-License-Identifier: Apache-2.0 */
/* Inside account/: what the records of users and keys have in common. */
#ifndef AA_RECORD_H
#define AA_RECORD_H

#include "account/account.h"

/** Fails with @a rv and words for the administrator. */
apr_status_t aa_record_fail(apr_status_t rv, aa_error_t *err, apr_pool_t *p,
                            const char *fmt, ...) AA_PRINTF(4, 5);

/** 1 to @a max bytes of UTF-8 without control characters. */
AA_CHECKED int aa_record_text_ok(const char *text, apr_size_t max);

/** A list of permissions as a JSON array; NULL stays NULL.
 *  @return APR_SUCCESS; APR_EINVAL with words */
AA_CHECKED apr_status_t
aa_record_permissions_write(const char **text, const char *const *permissions,
                            aa_error_t *err, apr_pool_t *p);

/** The list that a column holds; NULL for a NULL column.
 *  @return APR_SUCCESS; APR_EGENERAL when somebody broke the record */
AA_CHECKED apr_status_t aa_record_permissions_read(
    const char *const **permissions, const aa_value_t *column, apr_pool_t *p);

/** A text column as a string; "" for NULL. */
const char *aa_record_text(const aa_value_t *column, apr_pool_t *p);

/** Tell every process that something of this user changed. */
void aa_record_bump(const aa_accounts_t *accounts, const char *realm,
                    const char *owner);

#endif
