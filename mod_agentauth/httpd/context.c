/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a request's context and answers simple questions about a request. */
#include <string.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_request.h"

#include "context.h"

static apr_status_t release(void *data)
{
    aa_ctx_t *ctx = data;

    aa_principal_unref(ctx->principal);
    ctx->principal = NULL;
    return APR_SUCCESS;
}

aa_ctx_t *aa_ctx_peek(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &agentauth_module);
}

aa_ctx_t *aa_ctx(request_rec *r)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);

    if (ctx)
        return ctx;
    ctx = apr_pcalloc(r->pool, sizeof(*ctx));
    apr_pool_cleanup_register(r->pool, ctx, release, apr_pool_cleanup_null);
    ap_set_module_config(r->request_config, &agentauth_module, ctx);
    aa_intake(ctx, r);
    return ctx;
}

static int place_enabled(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type &&
           (!strcmp(type, "AgentAuth") || !ap_cstr_casecmp(type, "AgentAuth"));
}

/* Asked by nearly every hook, so kept for as long as the place is the same;
 * AuthType itself may be an expression, which no two hooks shall see differ. */
int aa_place_enabled(request_rec *r)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);

    if (!ctx && !place_enabled(r))
        return 0;
    if (!ctx) {
        ctx = aa_ctx(r);
        ctx->place = r->per_dir_config;
        ctx->place_enabled = 1;
    }
    if (ctx->place != r->per_dir_config) {
        ctx->place = r->per_dir_config;
        ctx->place_enabled = place_enabled(r);
    }
    return ctx->place_enabled;
}

int aa_proxied(const request_rec *r)
{
    return r->proxyreq != PROXYREQ_NONE ||
           (r->filename && !strncmp(r->filename, "proxy:", 6)) ||
           (r->handler && (!strcmp(r->handler, "proxy-server") ||
                           !strncmp(r->handler, "proxy:", 6)));
}

int aa_is_error_page(const request_rec *r)
{
    for (r = r->prev; r; r = r->prev)
        if (ap_is_HTTP_ERROR(r->status))
            return 1;
    return 0;
}
