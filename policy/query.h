/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the query of a URL as the backends do: '&', '=', '+' and percent. */
#ifndef AA_QUERY_H
#define AA_QUERY_H

#include <jansson.h>
#include "apr_errno.h"
#include "apr_pools.h"

#define AA_QUERY_PARAMS_MAX 1000 /* parameters of one query */

/** What is to become of the parameters. */
typedef enum aa_query_e {
    AA_QUERY_NAMED, /* those that are named are kept, once each */
    AA_QUERY_ONCE,  /* all are kept, once each */
    AA_QUERY_ALL    /* all are kept; one that is repeated becomes a list */
} aa_query_e;

/**
 * Parse a raw query.
 * @param object name to decoded value, owned by @a p
 * @param why    on failure, a constant
 * @param query  without '?'; NULL: none
 * @param names  with AA_QUERY_NAMED, NULL-terminated or NULL
 * @return APR_SUCCESS; APR_EINVAL for a bad escape anywhere, a value that is
 *         not UTF-8 or has a NUL, a parameter that may come once and came
 *         twice, too many
 */
apr_status_t aa_query_parse(json_t **object, const char **why,
                            const char *query, aa_query_e mode,
                            const char *const *names, apr_pool_t *p);

#endif
