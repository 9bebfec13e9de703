/* SPDX-License-Identifier: Apache-2.0 */
/* What crosses the wall back to httpd: an answer made by us. */
#ifndef AA_REPLY_H
#define AA_REPLY_H

#include "apr_tables.h"

typedef struct aa_reply_t {
    int status;               /* HTTP status */
    const char *content_type; /* NULL: no body */
    const char *body;         /* in the request's pool or constant */
    apr_size_t len;           /* bytes of body */
    apr_table_t *headers;     /* further headers; NULL: none */
} aa_reply_t;

#endif
