/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing HTTP with libcurl: bounded in time, bytes, protocol and place. */
#ifndef AA_HTTP_H
#define AA_HTTP_H

#include "apr_pools.h"
#include "apr_tables.h"
#include "apr_time.h"
#include "model/error.h"

/** Global set-up, once a process and before threads. */
apr_status_t aa_http_init(void);

/** 1 when @a url is https, or http to a loopback host literal. */
AA_CHECKED int aa_http_allowed(const char *url);

/** 1 when @a url is an absolute http or https URL that can be read in one way
 *  only: printable ASCII, a host, no user, no fragment; any host. */
AA_CHECKED int aa_http_absolute(const char *url);

/** Where a URL that aa_http_absolute accepts leads; texts in the pool. */
typedef struct aa_http_place_t {
    const char *origin; /* "https://host:8443": lower case, no default port */
    const char *host;   /* in lower case, an IPv6 address without brackets */
    const char *port;   /* the scheme's when the URL names none */
} aa_http_place_t;

/** @return APR_SUCCESS; APR_EINVAL: aa_http_absolute does not accept it */
AA_CHECKED apr_status_t aa_http_place(aa_http_place_t *place, const char *url,
                                      apr_pool_t *p);

typedef struct aa_http_answer_t {
    long status;              /* HTTP status, 200 to 599 */
    const char *content_type; /* NULL: none was sent */
    const char *body;         /* NUL-terminated */
    apr_size_t len;
    apr_interval_time_t max_age; /* of Cache-Control; -1: none */
    apr_table_t *headers; /* all fields of the head, names as sent; those of
                           * 1xx answers and trailers are dropped */
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

/** Idle libcurl handles with their live connections, of one process. All
 *  functions may be called by several threads at once. */
typedef struct aa_http_pool_t aa_http_pool_t;

/** Made after the fork; closes its connections with @a p, when no thread asks
 *  any more. At most AA_HTTP_IDLE_MAX stay idle, each for AA_HTTP_IDLE_TIME
 *  at most; the one used last is taken first. */
AA_CHECKED apr_status_t aa_http_pool_make(aa_http_pool_t **pool, apr_pool_t *p);

/** Close what has been idle for too long at @a now. Every question does so;
 *  a watchdog may, for when there are none. */
void aa_http_pool_sweep(aa_http_pool_t *pool, apr_time_t now);

typedef struct aa_http_ask_t {
    const char *method; /* GET POST PATCH PUT DELETE HEAD */
    const char *url; /* http or https, any host: it is the administrator's, with
                      * a path and query that are checked and encoded; goes out
                      * as it is, dot segments, too */
    const char *unix_socket; /* absolute path instead of the URL's address, or
                              * NULL */
    const char *body;        /* JSON, or NULL; not with GET or HEAD */
    apr_size_t len;          /* of body */
    const char *const *headers;  /* further "Name: value", NULL-terminated, or
                                  * NULL; none that frames the message */
    apr_size_t max;              /* bytes of the answer's body */
    apr_interval_time_t timeout; /* in all */
    apr_interval_time_t connect_timeout; /* 0: as timeout */
} aa_http_ask_t;

/**
 * Ask, over a kept connection when there is one. No redirects, no proxy, no
 * cookies, no Expect, no encoding but identity, TLS verified.
 *
 * A kept connection that the other side closed meanwhile is noticed before it
 * is used. When it dies under the request, GET and HEAD are repeated once on a
 * fresh one, silently; any other method is not, as nobody knows whether it was
 * carried out, and fails.
 *
 * @param answer NULL unless APR_SUCCESS
 * @param why    on failure a line for the log, without foreign bytes
 * @return APR_SUCCESS whatever the status, the answer being whole; APR_TIMEUP;
 *         APR_ENOSPC: the body is larger than max; APR_EGENERAL: not reached,
 *         cut off, malformed, compressed, or @a ask is not fit to be sent
 */
AA_CHECKED apr_status_t aa_http_ask(aa_http_answer_t **answer, const char **why,
                                    aa_http_pool_t *pool,
                                    const aa_http_ask_t *ask, apr_pool_t *p);

#endif
