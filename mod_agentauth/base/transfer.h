/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange over libcurl: what every request of ours has in common. */
#ifndef AA_TRANSFER_H
#define AA_TRANSFER_H

#include <curl/curl.h>

#include "base/http.h"

/* Where in an answer the next line of a head belongs. */
typedef enum aa_transfer_stage_e {
    AA_TRANSFER_STATUS, /* first, and after the head of a 1xx */
    AA_TRANSFER_FIELDS,
    AA_TRANSFER_DONE /* what comes now are trailers */
} aa_transfer_stage_e;

/** Zeroed, with the first group set, before it begins. */
typedef struct aa_transfer_t {
    apr_pool_t *p;
    apr_size_t max; /* bytes of the body */
    int identity;   /* a compressed body is an error, and a malformed head */
    int bodiless;   /* HEAD */
    int sends;      /* how often the request may go out; 0: no matter */

    aa_http_answer_t *answer;
    struct aa_transfer_body_t *body;
    aa_transfer_stage_e stage;
    apr_size_t head; /* bytes of lines so far */
    int fields, chunked, sent;
    apr_int64_t length; /* of Content-Length; -1: none yet */
    const char *why;    /* why we broke off; NULL: we did not */
    apr_status_t rv;    /* and as what, when not APR_EGENERAL */
} aa_transfer_t;

/** Set one option; all after the first failure do nothing. An option that
 *  could not be set is a door left open: all or nothing. */
#define AA_TRANSFER_SET(rc, easy, option, value)                               \
    (rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc)

/** All options that do not depend on the method. @a easy is new or reset. */
CURLcode aa_transfer_options(CURL *easy, aa_transfer_t *t, const char *url,
                             apr_interval_time_t timeout,
                             apr_interval_time_t connect_timeout);

/**
 * Send and receive.
 * @param rc what setting the options came to
 * @return APR_SUCCESS with a whole answer; APR_TIMEUP; APR_ENOSPC; APR_EGENERAL
 */
AA_CHECKED apr_status_t aa_transfer_perform(aa_http_answer_t **answer,
                                            const char **why, CURL *easy,
                                            aa_transfer_t *t, CURLcode rc);

#endif
