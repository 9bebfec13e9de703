/* SPDX-License-Identifier: Apache-2.0 */
/* A request body as the events of a row see it and change it. */
#ifndef AA_PAYLOAD_H
#define AA_PAYLOAD_H

#include "event.h"
#include "splice.h"

/** The body, or one element of it: its text and what it says. */
typedef struct aa_part_t {
    aa_span_t text;   /* as it stands, with the changes of earlier events */
    aa_span_t origin; /* where it was in the body */
    json_t *root;     /* object; follows the text */
    int is_changed;
} aa_part_t;

typedef struct aa_body_t {
    aa_span_t text; /* as received */
    int is_list;    /* one part for each element */
    aa_part_t *parts;
    int nparts;
} aa_body_t;

/**
 * Parse a body strictly: one JSON object, or an array of objects when
 * @a is_list. An absent or empty body counts as {}.
 * @param why on APR_EINVAL what is wrong, without the client's bytes
 */
apr_status_t aa_body_open(aa_body_t *body, const char **why, const char *text,
                          apr_size_t len, int is_list, apr_pool_t *p);

/** Put what a handler changed into a part. APR_SUCCESS, APR_ENOMEM. */
apr_status_t aa_body_change(aa_part_t *part, const apr_array_header_t *changes,
                            apr_pool_t *p);

/** The whole body with all changes; text NULL when there are none. */
aa_span_t aa_body_close(const aa_body_t *body, apr_pool_t *p);

#endif
