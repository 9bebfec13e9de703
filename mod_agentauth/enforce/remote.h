/* SPDX-License-Identifier: Apache-2.0 */
/* The backend that is really there: asked over HTTP. */
#ifndef AA_REMOTE_H
#define AA_REMOTE_H

#include "base/http.h"
#include "enforce/backend.h"

/**
 * @param base_url    "http://127.0.0.1:8123/base", without user, query and
 *                    fragment; a '/' at the end counts as none
 * @param unix_socket absolute path that is connected to instead, or NULL
 * @param headers     sent along with every question, may be NULL; copied
 * @param timeout     for each question in all; 0: AA_BACKEND_TIMEOUT
 * @return APR_SUCCESS; APR_EINVAL: the URL is none of the above
 */
AA_CHECKED apr_status_t aa_remote_backend(
    aa_backend_t **backend, aa_http_pool_t *pool, const char *base_url,
    const char *unix_socket, const apr_table_t *headers,
    apr_interval_time_t timeout, apr_pool_t *p);

#endif
