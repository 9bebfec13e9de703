/* SPDX-License-Identifier: Apache-2.0 */
/* Who is it: the authentication hooks of httpd, answered from authn/. */
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_core.h"

#include "authn/policy.h"
#include "authn/seen.h"
#include "base/json.h"
#include "context.h"

static int open_access(request_rec *r)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);

    if (place->open_access >= 0)
        return place->open_access;
    return aa_server_conf(r->server)->open_access == 1;
}

/* What is answered without asking who it is. Exact paths and rows only. */
static aa_kind_e kind_of(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);

    if (aa_endpoint_is(r))
        return AA_KIND_ENDPOINT;
    if (!aa_place_enabled(r))
        return AA_KIND_PLAIN;
    if (aa_is_preflight(r, place))
        return AA_KIND_PREFLIGHT;
    if (place->policy && place->open_routes) {
        aa_route_look(r, ctx);
        if (ctx->match.route && aa_route_open(place, ctx->match.route) &&
            aa_route_access(ctx->match.route) != AA_ACCESS_POLICY &&
            aa_route_access(ctx->match.route) != AA_ACCESS_REFUSE)
            return AA_KIND_OPEN;
    }
    return AA_KIND_PLAIN;
}

/* access_checker_ex, FIRST: these are exempt from Require. */
int aa_access_hook(request_rec *r)
{
    aa_ctx_t *ctx;

    if (!aa_place_enabled(r) && !aa_endpoint_is(r))
        return DECLINED;
    ctx = aa_ctx(r);
    ctx->kind = kind_of(r, ctx);
    return ctx->kind == AA_KIND_PLAIN ? DECLINED : OK;
}

/* Authenticate even where Require alone would let everybody in. */
int aa_force_hook(request_rec *r)
{
    if (!aa_place_enabled(r) || aa_ctx(r)->kind != AA_KIND_PLAIN)
        return DECLINED;
    return OK;
}

/* Nobody is let in as somebody: as guest where the policy decides on guests,
 * as anonymous where the administrator opened the place. */
static aa_principal_t *nobody(request_rec *r)
{
    aa_principal_t *principal = aa_principal_create(AA_METHOD_OPEN);
    int open = open_access(r);

    if (!principal)
        return NULL;
    principal->identity = open ? AA_ANONYMOUS : AA_GUEST;
    if (aa_principal_seal(principal) != APR_SUCCESS) {
        aa_principal_unref(principal);
        return NULL;
    }
    return principal;
}

static int admit(request_rec *r, aa_ctx_t *ctx)
{
    r->user = apr_pstrdup(r->pool, ctx->principal->identity);
    r->ap_auth_type = (char *)"AgentAuth";
    return OK;
}

/* The ErrorDocument of a request that failed is shown to the same user; it is
 * neither another request nor another decision. */
static int error_page_user(request_rec *r, aa_ctx_t *ctx)
{
    aa_ctx_t *failed = aa_is_error_page(r) ? aa_ctx_peek(r->prev) : NULL;

    if (!failed || !failed->principal)
        return DECLINED;
    ctx->principal = failed->principal;
    aa_principal_ref(ctx->principal);
    return admit(r, ctx);
}

/* What the connection showed last. Streams of HTTP/2 run side by side on one
 * connection and have no memory in common; one stream is asked once. */
static aa_seen_t *seen_here(conn_rec *c)
{
    aa_seen_t *seen;

    if (c->master)
        return NULL;
    seen = ap_get_module_config(c->conn_config, &agentauth_module);
    if (!seen) {
        seen = aa_seen_create(c->pool);
        ap_set_module_config(c->conn_config, &agentauth_module, seen);
    }
    return seen;
}

/* Ask the credentials, and the policy's authenticate handler if it has one. */
static apr_status_t ask(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    const aa_server_conf_t *server = aa_server_conf(r->server);
    unsigned methods = place->methods ? place->methods
                                      : server->authn.configured |
                                            AA_METHOD_BIT(AA_METHOD_POLICY);
    aa_authn_policy_t *policy = NULL;
    apr_status_t rv;

    if (place->policy && aa_policy_authenticates(place->policy)) {
        aa_route_look(r, ctx);
        policy = aa_authn_policy_bind(place->policy, place->routes, &ctx->match,
                                      r->pool);
    }
    ctx->request.seen = seen_here(r->connection);
    rv = aa_authn_check(&ctx->principal, &ctx->credential, &server->authn,
                        methods, policy, &ctx->request, &ctx->error);
    if (policy)
        ctx->error_headers = aa_authn_policy_headers(policy);
    return rv;
}

int aa_authn_hook(request_rec *r)
{
    apr_status_t rv = APR_ENOENT;
    aa_ctx_t *ctx;

    if (!aa_place_enabled(r))
        return DECLINED;
    ctx = aa_ctx(r);
    if (!aa_runtime)
        return aa_answer_code(r, AA_E_STATE_DIR,
                              "no directive of this module is set, so it was "
                              "not started; say AgentAuthStateDir");
    if (error_page_user(r, ctx) == OK)
        return OK;
    if (!open_access(r))
        rv = ask(r, ctx);
    if (rv == APR_SUCCESS)
        return admit(r, ctx);
    if (rv == APR_ENOENT && (aa_dir_conf(r)->optional == 1 || open_access(r))) {
        ctx->principal = nobody(r);
        if (ctx->principal)
            return admit(r, ctx);
    }
    else if (rv == APR_ENOENT) {
        ctx->error.code = AA_E_NO_CREDENTIAL;
    }
    if (!ctx->error.code)
        ctx->error.code = AA_E_INTERNAL;
    return aa_answer_refuse(r, ctx);
}

/* httpd asks who should challenge; somebody known is not challenged, and the
 * challenge for the rest is set with the refusal. */
int aa_note_failure_hook(request_rec *r, const char *type)
{
    if (ap_cstr_casecmp(type, "AgentAuth"))
        return DECLINED;
    if (!aa_ctx(r)->principal)
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Bearer");
    /* An ErrorDocument 401, say a page to log in at, is not for the known;
     * their 403 is made of this by the error filter. */
    else if (ap_response_code_string(r,
                                     ap_index_of_response(HTTP_UNAUTHORIZED)))
        ap_custom_response(r, HTTP_UNAUTHORIZED, "");
    return OK;
}
