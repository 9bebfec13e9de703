/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask from a browser: preflights, CORS headers, writes, sockets. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"

#include "context.h"

#define PREFLIGHT_MAX_AGE "600" /* seconds a browser may remember an answer */
#define ASKED_HEADERS_MAX 2048  /* bytes of Access-Control-Request-Headers */

/* An origin as it is compared: lower case, default port folded away. */
static const char *folded(const char *origin, apr_pool_t *p)
{
    char *text = apr_pstrdup(p, origin);
    apr_size_t len;

    ap_str_tolower(text);
    len = strlen(text);
    if (!strncmp(text, "https://", 8) && len > 4 &&
        !strcmp(text + len - 4, ":443"))
        text[len - 4] = '\0';
    else if (!strncmp(text, "http://", 7) && len > 3 &&
             !strcmp(text + len - 3, ":80"))
        text[len - 3] = '\0';
    return text;
}

static int listed(const aa_origins_t *origins, const char *origin)
{
    const char *const *one;

    if (!origins)
        return 0;
    if (origins->any)
        return 1;
    for (one = origins->listed; one && *one; one++)
        if (!strcmp(*one, origin))
            return 1;
    return 0;
}

/* scheme://host[:port] under which the client reached us. */
static int is_own(request_rec *r, const char *origin)
{
    const char *host = apr_table_get(r->headers_in, "Host");

    return host &&
           !strcmp(origin, folded(apr_pstrcat(r->pool, ap_http_scheme(r), "://",
                                              host, NULL),
                                  r->pool));
}

int aa_is_preflight(request_rec *r, const aa_dir_conf_t *place)
{
    (void)place;
    return r->method_number == M_OPTIONS &&
           apr_table_get(r->headers_in, "Origin") &&
           apr_table_get(r->headers_in, "Access-Control-Request-Method");
}

/* `*` never goes together with cookies: no Allow-Credentials then. */
static void allow_origin(request_rec *r, apr_table_t *headers,
                         const aa_origins_t *cors, const char *origin)
{
    (void)r;
    if (cors->any) {
        apr_table_setn(headers, "Access-Control-Allow-Origin", "*");
        return;
    }
    apr_table_setn(headers, "Access-Control-Allow-Origin", origin);
    apr_table_setn(headers, "Access-Control-Allow-Credentials", "true");
    apr_table_mergen(headers, "Vary", "Origin");
}

void aa_cors_headers(request_rec *r)
{
    const aa_origins_t *cors = aa_dir_conf(r)->cors;
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (!cors || !origin || !listed(cors, folded(origin, r->pool)))
        return;
    allow_origin(r, r->err_headers_out, cors, origin);
    apr_table_setn(r->err_headers_out, "Access-Control-Expose-Headers",
                   "AgentAuth-Error, AgentAuth-Decision-Id, WWW-Authenticate, "
                   "Retry-After");
}

/* Words, commas and blanks: what may be echoed into a header of ours. */
static int plain_list(const char *text)
{
    if (!text || strlen(text) > ASKED_HEADERS_MAX)
        return 0;
    for (; *text; text++)
        if (!apr_isalnum(*text) && !strchr("-_, ", *text))
            return 0;
    return 1;
}

int aa_answer_preflight(request_rec *r)
{
    const aa_origins_t *cors = aa_dir_conf(r)->cors;
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *method =
        apr_table_get(r->headers_in, "Access-Control-Request-Method");
    const char *headers =
        apr_table_get(r->headers_in, "Access-Control-Request-Headers");

    if (!listed(cors, folded(origin, r->pool)))
        return aa_answer_code(r, AA_E_CORS, "preflight from another origin");
    allow_origin(r, r->headers_out, cors, origin);
    if (plain_list(method))
        apr_table_setn(r->headers_out, "Access-Control-Allow-Methods", method);
    if (plain_list(headers))
        apr_table_setn(r->headers_out, "Access-Control-Allow-Headers", headers);
    apr_table_setn(r->headers_out, "Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
    r->status = HTTP_NO_CONTENT;
    return OK;
}

static int is_websocket(request_rec *r)
{
    const char *upgrade = apr_table_get(r->headers_in, "Upgrade");

    return upgrade && ap_find_token(r->pool, upgrade, "websocket");
}

/* A browser adds cookies by itself; other credentials are sent on purpose. */
static int by_cookie(request_rec *r, const aa_ctx_t *ctx)
{
    if (!ctx->principal || ctx->credential.text)
        return ctx->principal && ctx->principal->method == AA_METHOD_SESSION;
    return ctx->principal->method != AA_METHOD_OPEN &&
           apr_table_get(r->headers_in, "Cookie") != NULL;
}

static int origin_allowed(request_rec *r, const char *origin)
{
    const aa_origins_t *origins = aa_dir_conf(r)->origin;
    const char *one = folded(origin, r->pool);

    if (!strcmp(one, "null"))
        return origins && origins->any;
    return is_own(r, one) || listed(origins, one);
}

/* Both absent means that no browser sent it (Fetch metadata, RFC 6454). */
int aa_origin_check(request_rec *r, aa_ctx_t *ctx)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    int write = strcmp(r->method, "GET") && strcmp(r->method, "HEAD") &&
                strcmp(r->method, "OPTIONS");

    if (is_websocket(r))
        return !origin || origin_allowed(r, origin)
                   ? OK
                   : aa_answer_code(r, AA_E_ORIGIN, "websocket from %s",
                                    origin);
    if (!write || !by_cookie(r, ctx) || (!origin && !site))
        return OK;
    if (site && (!strcmp(site, "same-origin") || !strcmp(site, "none")))
        return OK;
    if (origin && origin_allowed(r, origin))
        return OK;
    return aa_answer_code(r, AA_E_ORIGIN, "write with a cookie from %s",
                          origin ? origin : site);
}
