/* SPDX-License-Identifier: Apache-2.0 */
/* Whom enforcement asks. Injected, so that rules are tested without a server.
 */
#ifndef AA_BACKEND_H
#define AA_BACKEND_H

#include "apr_pools.h"
#include "apr_tables.h"
#include "model/error.h"

typedef struct aa_backend_answer_t {
    int status;               /* HTTP status, 200 to 599 */
    const char *content_type; /* NULL: none was sent */
    const char *body;         /* NUL-terminated, never NULL */
    apr_size_t len;
    const apr_table_t *headers; /* all fields of the head */
} aa_backend_answer_t;

typedef struct aa_backend_t aa_backend_t;

/** One backend; immutable once made, used by many threads. */
struct aa_backend_t {
    /** "http://127.0.0.1:8123/base", no '/' at the end: part of every key of
     *  what is learnt about its objects. */
    const char *name;

    /**
     * @param answer filled on APR_SUCCESS, in @a p; zeroed otherwise
     * @param why    on failure a line for the log
     * @param target below the base, encoded: "/threads/x?y=1"
     * @param body   JSON of @a len bytes, or NULL
     * @return APR_SUCCESS whatever the status; APR_TIMEUP; APR_ENOSPC: the
     *         answer is too large; APR_EGENERAL
     */
    apr_status_t (*ask)(const aa_backend_t *backend,
                        aa_backend_answer_t *answer, const char **why,
                        const char *method, const char *target,
                        const char *body, apr_size_t len, apr_pool_t *p);
    void *baton;
};

#endif
