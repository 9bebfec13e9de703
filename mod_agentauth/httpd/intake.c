/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a request in: drops what only we may say, fills aa_request_t. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"

#include "context.h"

#define OURS "agentauth-"

int aa_header_reads_as_ours(const char *name)
{
    const char *ours = OURS;

    for (; *ours; ours++, name++) {
        char c = (char)apr_tolower(*name);

        if (c == '_' || c == '.' || c == ' ')
            c = '-';
        if (c != *ours)
            return 0;
    }
    return 1;
}

/* The tokens of Connection that are not names of ours; NULL: none is left.
 * mod_proxy takes them apart at blanks and semicolons too.
 * A name of ours there would make mod_proxy delete our header. Whoever asks
 * is not known yet, so the cost follows the length. */
static const char *connection_clean(const char *value, apr_pool_t *p)
{
    char *copy = apr_pstrdup(p, value), *last, *token;
    char *kept = apr_palloc(p, 2 * strlen(value) + 1), *to = kept;

    for (token = apr_strtok(copy, ",; \t", &last); token;
         token = apr_strtok(NULL, ",; \t", &last)) {
        if (aa_header_is_ours(token))
            continue;
        if (to != kept)
            to = apr_cpystrn(to, ", ", 3);
        to = apr_cpystrn(to, token, strlen(token) + 1);
    }
    return to != kept ? kept : NULL;
}

void aa_scrub(apr_table_t *headers, apr_pool_t *p)
{
    const apr_array_header_t *all = apr_table_elts(headers);
    const apr_table_entry_t *e = (const apr_table_entry_t *)all->elts;
    const char *connection;

    for (int i = 0; i < all->nelts; i++) {
        if (aa_header_is_ours(e[i].key)) {
            /* unset moves the entries: look again from the start */
            apr_table_unset(headers, apr_pstrdup(p, e[i].key));
            e = (const apr_table_entry_t *)all->elts;
            i = -1;
        }
    }
    connection = apr_table_get(headers, "Connection");
    if (connection && ap_strcasestr(connection, "agentauth")) {
        const char *kept = connection_clean(connection, p);

        if (kept)
            apr_table_setn(headers, "Connection", kept);
        else
            apr_table_unset(headers, "Connection");
    }
}

int aa_scrub_hook(request_rec *r)
{
    aa_scrub(r->headers_in, r->pool);
    return DECLINED;
}

void aa_intake(aa_ctx_t *ctx, request_rec *r)
{
    aa_request_t *request = &ctx->request;

    request->method = r->method;
    request->path = r->uri;
    request->query = r->args;
    request->scheme = ap_http_scheme(r);
    request->host = r->server->server_hostname;
    request->client_ip = r->useragent_ip;
    request->headers = r->headers_in;
    request->now = r->request_time;
    request->pool = r->pool;
}
