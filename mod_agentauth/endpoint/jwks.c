/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes the keys that verify our assertions. */
#include <string.h>

#include "endpoint/endpoint.h"

void aa_endpoint_jwks(aa_reply_t *reply, const aa_endpoint_conf_t *conf,
                      const aa_request_t *request)
{
    const char *set =
        conf->signing ? aa_signing_jwks(conf->signing) : "{\"keys\":[]}";

    reply->status = 200;
    reply->content_type = "application/jwk-set+json";
    reply->body = set;
    reply->len = strlen(set);
    reply->headers = apr_table_make(request->pool, 1);
    /* A rotated key must be seen well within an assertion's reach. */
    apr_table_setn(reply->headers, "Cache-Control", "public, max-age=60");
}
