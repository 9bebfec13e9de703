/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing HTTP with libcurl: bounded in time, bytes, protocol and place. */
#ifndef AA_HTTP_H
#define AA_HTTP_H

#include "apr_pools.h"
#include "apr_time.h"
#include "model/error.h"

/** Global set-up, once a process and before threads. */
apr_status_t aa_http_init(void);

/** 1 when @a url is https, or http to a loopback host literal. */
AA_CHECKED int aa_http_allowed(const char *url);

typedef struct aa_http_answer_t {
    long status;              /* HTTP status */
    const char *content_type; /* NULL: none was sent */
    const char *body;         /* NUL-terminated */
    apr_size_t len;
    apr_interval_time_t max_age; /* of Cache-Control; -1: none */
} aa_http_answer_t;

/**
 * GET @a url. No redirects, no proxy, no cookies, no protocol but the URL's,
 * TLS verified, at most AA_HTTP_BODY_MAX bytes, @a timeout in all.
 * @param why on failure a line for the log
 * @return APR_SUCCESS whatever the status; APR_TIMEUP; APR_EGENERAL
 */
AA_CHECKED apr_status_t aa_http_get(aa_http_answer_t **answer, const char **why,
                                    const char *url, const char *accept,
                                    apr_interval_time_t timeout, apr_pool_t *p);

#endif
