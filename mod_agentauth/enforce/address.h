/* SPDX-License-Identifier: Apache-2.0 */
/* Where the backend of a request is, from what mod_proxy or a directive say. */
#ifndef AA_ADDRESS_H
#define AA_ADDRESS_H

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_address_t {
    const char *base;        /* "http://127.0.0.1:8123/base", no '/' at the end,
                              * scheme and host in lower case, without the port
                              * that the scheme has anyway */
    const char *unix_socket; /* absolute path, or NULL */
} aa_address_t;

/**
 * Read "http://host:port/base", "https://…" or "unix:/run/x.sock|http://host/".
 * One '/' at the end counts as none.
 * @param why on failure a constant that says what is wrong
 * @return APR_SUCCESS, APR_EINVAL
 */
AA_CHECKED apr_status_t aa_address_read(aa_address_t *address, const char **why,
                                        const char *text, apr_pool_t *p);

/**
 * The base of the backend that a request goes to: @a proxied, the URL that
 * mod_proxy will use (with "proxy:" removed; a query is not looked at), without
 * as many segments at its end as @a plain has. These must decode to the very
 * text of @a plain.
 *
 * The URL of a worker with a socket may have lost the socket on its way through
 * mod_proxy: then the caller must not ask what it names.
 *
 * @param plain the decoded path below the map's prefix, "/threads/x"
 * @return APR_SUCCESS, APR_EINVAL as above
 */
AA_CHECKED apr_status_t aa_address_of(aa_address_t *address, const char **why,
                                      const char *proxied, const char *plain,
                                      apr_pool_t *p);

/** As one text, which aa_address_read reads again. */
const char *aa_address_name(const aa_address_t *address, apr_pool_t *p);

#endif
