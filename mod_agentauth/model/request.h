/* SPDX-License-Identifier: Apache-2.0 */
/* What crosses the wall from httpd: a request, with nothing of httpd in it. */
#ifndef AA_REQUEST_H
#define AA_REQUEST_H

#include "apr_pools.h"
#include "apr_tables.h"
#include "apr_time.h"

typedef struct aa_seen_t aa_seen_t; /* authn/seen.h */

typedef struct aa_request_t {
    const char *method;         /* as sent, upper case as sent */
    const char *path;           /* decoded and normalised, begins with '/' */
    const char *query;          /* raw, without '?'; NULL: none */
    const char *scheme;         /* "http" or "https" */
    const char *host;           /* ServerName[:port] as configured */
    const char *client_ip;      /* after mod_remoteip; for the log */
    const apr_table_t *headers; /* as received, less what is scrubbed */
    apr_time_t now;             /* microseconds; the only clock below */
    apr_pool_t *pool;           /* lives as long as the request */
    aa_seen_t *seen;            /* of the connection; NULL: none is kept */
} aa_request_t;

#endif
