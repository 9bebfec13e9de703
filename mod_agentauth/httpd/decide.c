/* SPDX-License-Identifier: Apache-2.0 */
/* The decision: route, body, policy, and what becomes of the request. */
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"

#include "authn/policy.h"
#include "context.h"

/* ---- routes */

/* A method has one spelling (RFC 9110 s9.1), and TRACE would show the client
 * what we tell the backend. */
static int method_routable(const request_rec *r)
{
    for (const char *c = r->method; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            return 0;
    return r->method_number != M_TRACE;
}

void aa_route_look(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);

    if (ctx->route_known || !place->routes)
        return;
    ctx->route_known = 1;
    if (!method_routable(r) ||
        aa_routes_find(&ctx->match, place->routes, r->method, r->uri,
                       r->pool) != APR_SUCCESS)
        ctx->match.route = NULL;
}

int aa_route_open(const aa_dir_conf_t *place, const aa_route_t *route)
{
    return place->open_routes && aa_conf_opens(place, aa_route_name(route));
}

static int is_gateway(request_rec *r)
{
    return aa_conf_enforce(aa_dir_conf(r), aa_proxied(r)) == AA_ENFORCE_GATEWAY;
}

/* Where no policy is asked nothing is enforced either: what a rule refuses has
 * to be refused here. */
static int rule_refuses(request_rec *r, const aa_route_t *row)
{
    const aa_rule_t *rule = aa_route_rule(row);

    return rule && rule->refuse && is_gateway(r) &&
           aa_route_access(row) != AA_ACCESS_POLICY;
}

/* The row of this request, or a refusal. */
static int route(request_rec *r, aa_ctx_t *ctx, const aa_dir_conf_t *place)
{
    const char *why = NULL;
    const aa_route_t *row;

    aa_route_look(r, ctx); /* finds plain paths only */
    row = ctx->match.route;
    if (!row)
        return aa_path_plain(r->uri, &why)
                   ? aa_answer_code(r, AA_E_NO_ROUTE, NULL)
                   : aa_answer_code(r, AA_E_PATH, "%s", why);
    if (aa_route_open(place, row))
        return OK;
    if (aa_route_access(row) == AA_ACCESS_REFUSE)
        return aa_answer_code(r, AA_E_ROUTE_REFUSED, "%s", aa_route_name(row));
    if (rule_refuses(r, row))
        return aa_answer_code(r, AA_E_ROUTE_REFUSED, "%s: %s",
                              aa_route_name(row), aa_route_rule(row)->refuse);
    if (aa_route_native_unchecked(row) &&
        aa_conf_enforce(place, aa_proxied(r)) == AA_ENFORCE_HEADERS)
        return aa_answer_code(r, AA_E_ROUTE_REFUSED,
                              "%s is not authorised by the backend itself",
                              aa_route_name(row));
    return OK;
}

/* ---- body and policy */

static int take_body(request_rec *r, aa_ctx_t *ctx)
{
    aa_body_e kind = aa_route_body(ctx->match.route);
    apr_status_t rv = APR_SUCCESS;

    if (kind == AA_BODY_NONE)
        rv = aa_body_drop(r, ctx);
    else if (kind == AA_BODY_JSON &&
             (aa_route_reads_body(ctx->match.route) || is_gateway(r)))
        rv = aa_body_read(r, ctx);
    if (rv == APR_SUCCESS)
        return OK;
    if (rv == AP_FILTER_ERROR) { /* answered; what is left is to log it */
        (void)aa_answer_refuse(r, ctx);
        return AP_FILTER_ERROR;
    }
    return aa_answer_refuse(r, ctx);
}

static int refuse_verdict(request_rec *r, aa_ctx_t *ctx)
{
    const aa_policy_verdict_t *verdict = ctx->verdict;
    aa_error_t *error = &ctx->error;

    error->code = aa_policy_code(verdict->cause);
    error->status = verdict->status;
    error->detail = verdict->detail;
    error->reason = verdict->reason;
    ctx->error_headers = verdict->headers;
    return aa_answer_refuse(r, ctx);
}

/* What goes on to the backend instead of the connection's bytes. */
static void pass_body(request_rec *r, aa_ctx_t *ctx)
{
    const aa_policy_verdict_t *verdict = ctx->verdict;

    if (verdict->body)
        aa_body_send(r, ctx, verdict->body, verdict->body_len);
    else if (ctx->body_read)
        aa_body_send(r, ctx, ctx->body, ctx->body_len);
    /* A backend that is told another type ignores the JSON in it. */
    if (ctx->out_len)
        apr_table_setn(r->headers_in, "Content-Type", "application/json");
}

static int ask_policy(request_rec *r, aa_ctx_t *ctx, const aa_dir_conf_t *place)
{
    aa_policy_input_t input = {
        .method = r->method,
        .path = aa_routes_strip(place->routes, r->uri),
        .query = r->args,
        .body = ctx->body_read ? ctx->body : NULL,
        .body_len = ctx->body_len,
        .now = r->request_time,
        .allow_unmatched = place->unmatched_allow == 1,
    };
    aa_policy_user_t user = {ctx->principal->serial, ctx->principal->user};

    ctx->verdict = apr_pcalloc(r->pool, sizeof(*ctx->verdict));
    if (aa_policy_decide(ctx->verdict, place->policy, &ctx->match, &input,
                         &user, r->pool) != APR_SUCCESS ||
        ctx->verdict->effect == AA_POLICY_DENY)
        return refuse_verdict(r, ctx);
    if (ctx->body_read || ctx->verdict->body)
        pass_body(r, ctx);
    return OK;
}

/* ---- the hook */

/* A place with a policy that some other section led us past. */
static int misplaced(request_rec *r, aa_ctx_t *ctx, const aa_dir_conf_t *place)
{
    if (!aa_place_enabled(r))
        return place->open_access == 1
                   ? OK
                   : aa_answer_code(r, AA_E_OTHER_AUTHTYPE, "AuthType is %s",
                                    ap_auth_type(r) ? ap_auth_type(r)
                                                    : "not set");
    if (aa_conf_enforce(place, aa_proxied(r)) == AA_ENFORCE_UNSET)
        return aa_answer_code(r, AA_E_ENFORCE_UNSET, NULL);
    if (!ctx->principal && ctx->kind != AA_KIND_OPEN)
        return aa_answer_code(r, AA_E_NO_DECISION,
                              "nobody was authenticated here");
    return OK;
}

static int carry_out(request_rec *r, aa_ctx_t *ctx, int decided)
{
    const aa_rule_t *rule = aa_route_rule(ctx->match.route);

    if (decided == OK && is_gateway(r))
        decided = aa_gateway(r, ctx);
    if (decided == OK && rule && rule->long_lived &&
        !(ctx->task && ctx->task->reply))
        aa_stream_watch(r, ctx);
    return decided;
}

static int decide_by_policy(request_rec *r, aa_ctx_t *ctx,
                            const aa_dir_conf_t *place)
{
    int rc;

    if (!place->policy || !place->routes)
        return aa_answer_code(r, AA_E_POLICY_ABSENT, "%s: %s",
                              place->policy_file,
                              place->policy_why ? place->policy_why : "");
    if ((rc = route(r, ctx, place)) != OK || (rc = take_body(r, ctx)) != OK)
        return rc;
    if (ctx->kind != AA_KIND_OPEN &&
        aa_route_access(ctx->match.route) == AA_ACCESS_POLICY)
        return carry_out(r, ctx, ask_policy(r, ctx, place));
    if (ctx->body_read && !ctx->out_replaces)
        aa_body_send(r, ctx, ctx->body, ctx->body_len);
    return OK;
}

/* An error page of a place with a policy: no decision belongs to it, so it
 * may be a file or a handler of ours, never a backend's. */
static int error_page(request_rec *r)
{
    return aa_proxied(r) ? aa_answer_code(r, AA_E_NO_DECISION,
                                          "an error page of a backend")
                         : OK;
}

int aa_decide_hook(request_rec *r)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    aa_ctx_t *ctx;
    int rc;

    if (aa_is_error_page(r))
        aa_body_forget(r);
    if (aa_endpoint_is(r))
        return OK;
    if (aa_endpoint_below(r))
        return aa_answer_code(r, AA_E_NO_ENDPOINT, NULL);
    if (!place->policy_file && !aa_place_enabled(r))
        return DECLINED;
    ctx = aa_ctx(r);
    if (ctx->kind == AA_KIND_PREFLIGHT)
        return OK;
    if (place->policy_file && aa_is_error_page(r))
        return error_page(r);
    if (!place->policy_file && !ctx->principal)
        return aa_answer_code(r, AA_E_NO_DECISION,
                              "nobody was authenticated here");
    if ((rc = aa_origin_check(r, ctx)) != OK)
        return rc;
    if (place->policy_file) {
        if ((rc = misplaced(r, ctx, place)) != OK)
            return rc;
        if (!aa_place_enabled(r))
            return DECLINED; /* opened knowingly, and not ours */
        ctx->decision_id = aa_decision_id(r->pool);
        if ((rc = decide_by_policy(r, ctx, place)) != OK)
            return rc;
    }
    if (aa_guard_note(r, ctx) != APR_SUCCESS ||
        aa_handoff(r, ctx) != APR_SUCCESS)
        return aa_answer_refuse(r, ctx);
    ctx->decided = 1;
    return DECLINED;
}
