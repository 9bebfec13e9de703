/* SPDX-License-Identifier: Apache-2.0 */
/* AgentAuthEnforce gateway: hands a decided request to enforce/, and the
 * outcome back to httpd. */
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_proxy.h"

#include "context.h"
#include "enforce/address.h"
#include "enforce/remote.h"

APLOG_USE_MODULE(agentauth);

/* ---- whom to ask */

static apr_status_t find_backend(const aa_backend_t **backend, request_rec *r,
                                 aa_ctx_t *ctx, const aa_dir_conf_t *place)
{
    const char *url = aa_proxy_target(r), *why = "no proxy answers here";
    aa_address_t address;
    aa_backend_t *made;
    apr_status_t rv = APR_EINVAL;

    if (place->backend_url)
        rv = aa_address_read(&address, &why, place->backend_url, r->pool);
    else if (url)
        rv = aa_address_of(&address, &why, url,
                           aa_routes_strip(place->routes, r->uri), r->pool);
    if (rv == APR_SUCCESS)
        rv = aa_remote_backend(&made, aa_runtime->asking, address.base,
                               address.unix_socket, NULL, 0, r->pool);
    if (rv != APR_SUCCESS)
        return aa_refuse(&ctx->error, r->pool, AA_E_BACKEND_ADDRESS, "%s", why);
    *backend = made;
    return APR_SUCCESS;
}

static apr_status_t begin(request_rec *r, aa_ctx_t *ctx,
                          const aa_dir_conf_t *place)
{
    aa_task_t *task = apr_pcalloc(r->pool, sizeof(*task));
    int json = aa_route_body(ctx->match.route) == AA_BODY_JSON;

    task->objects = aa_runtime->objects;
    task->runs = aa_runtime->runs;
    task->webhook = place->webhook;
    if (place->webhook_origins) {
        task->webhook_origins = place->webhook_origins->listed;
        task->webhook_any = place->webhook_origins->any;
    }
    task->match = &ctx->match;
    task->verdict = ctx->verdict;
    task->user = ctx->principal->user;
    task->identity = ctx->principal->identity;
    task->realm = aa_server_realm(r->server);
    task->opened = aa_route_open(place, ctx->match.route);
    task->path = aa_routes_strip(place->routes, r->uri);
    task->method = r->method;
    task->now = apr_time_now(); /* its body may have taken long */
    task->query = r->args;
    task->body = ctx->out_replaces ? ctx->out_body : json ? "" : NULL;
    task->body_len = ctx->out_replaces ? ctx->out_len : 0;
    task->p = r->pool;
    ctx->task = task;
    return find_backend(&task->backend, r, ctx, place);
}

/* ---- what goes on */

static apr_status_t end_task(void *task)
{
    aa_enforce_end(task, NULL);
    return APR_SUCCESS;
}

static void drop_headers(request_rec *r, const aa_rule_t *rule)
{
    const apr_array_header_t *all = apr_table_elts(r->headers_in);
    const apr_table_entry_t *e = (const apr_table_entry_t *)all->elts;

    for (int i = all->nelts - 1; i >= 0; i--)
        if (aa_enforce_drops(rule, e[i].key)) {
            /* unset moves the entries: look again from the end */
            apr_table_unset(r->headers_in, apr_pstrdup(r->pool, e[i].key));
            e = (const apr_table_entry_t *)all->elts;
            i = all->nelts;
        }
}

static void go_on(request_rec *r, aa_ctx_t *ctx, const aa_task_t *task)
{
    if (task->body && task->body_len && task->body != ctx->out_body)
        aa_body_send(r, ctx, task->body, task->body_len);
    if (ctx->out_replaces && ctx->out_len)
        apr_table_setn(r->headers_in, "Content-Type", "application/json");
    if (task->query != r->args)
        r->args = task->query ? apr_pstrdup(r->pool, task->query) : NULL;
    drop_headers(r, task->rule);
}

/* Hidden is no error to the log: it is what most users' lists are made of. */
static void log_reply(request_rec *r, const aa_ctx_t *ctx)
{
    const aa_task_t *task = ctx->task;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "%s%s%d: %s %s: %s, user %s, decision %s",
                  ctx->error.code ? aa_codes[ctx->error.code].number : "",
                  ctx->error.code ? ": " : "", task->reply->status, r->method,
                  r->uri, task->reason ? task->reason : "answered here",
                  ctx->principal->identity, ctx->decision_id);
}

int aa_gateway(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);

    if (!aa_runtime || !aa_runtime->objects)
        return aa_answer_code(r, AA_E_INTERNAL, "nothing to enforce with");
    if (begin(r, ctx, place) != APR_SUCCESS)
        return aa_answer_refuse(r, ctx);
    apr_pool_cleanup_register(r->pool, ctx->task, end_task,
                              apr_pool_cleanup_null);
    if (aa_enforce(ctx->task) != APR_SUCCESS) {
        ctx->error = ctx->task->error;
        return aa_answer_refuse(r, ctx);
    }
    ctx->error.code = ctx->task->error.code; /* for the decision log */
    if (ctx->task->dropped)
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "%s: a webhook was cut: %s, user %s",
                      aa_codes[AA_E_WEBHOOK].number, ctx->task->dropped,
                      ctx->principal->identity);
    if (ctx->task->reply)
        log_reply(r, ctx);
    else
        go_on(r, ctx, ctx->task);
    return OK;
}

/* ---- the answer */

int aa_gateway_answer(request_rec *r, aa_ctx_t *ctx)
{
    if (ctx->error.code)
        apr_table_setn(r->headers_out, "AgentAuth-Error",
                       aa_codes[ctx->error.code].number);
    aa_cors_headers(r);
    return aa_answer_reply(r, ctx->task->reply);
}

void aa_gateway_insert(request_rec *r)
{
    const aa_ctx_t *ctx = aa_ctx_peek(r);

    if (ctx && ctx->task && !ctx->task->reply)
        ap_add_output_filter("AGENTAUTH_HEAD", NULL, r, r->connection);
}

/* mod_proxy_http is about to read an answer; other schemes do not say so. */
static int expect_http(request_rec *r, request_rec *rp)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);

    (void)rp;
    if (ctx)
        ctx->expects_http = 1;
    return ctx ? OK : DECLINED;
}

/* mod_proxy_http takes whatever does not begin like HTTP for the text of an
 * answer with status 200. Of a status line it leaves the status in a note. */
static int is_no_http(const request_rec *r, const aa_ctx_t *ctx,
                      const apr_bucket_brigade *bb)
{
    const char *said = apr_table_get(r->notes, "proxy-status");

    if (!ctx->expects_http || APR_BRIGADE_EMPTY(bb) ||
        AP_BUCKET_IS_ERROR(APR_BRIGADE_FIRST(bb)))
        return 0; /* the error is mod_proxy's own */
    return !said || atoi(said) != r->status;
}

static apr_status_t refuse_answer(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_bucket_alloc_t *alloc = f->c->bucket_alloc;
    int status = aa_answer_code(f->r, AA_E_BACKEND, "the answer is no HTTP");

    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(
        bb, ap_bucket_error_create(status, NULL, f->r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(f->next, bb);
}

/* Before the client learns of the answer, what it changed is told. */
apr_status_t aa_gateway_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    aa_ctx_t *ctx = aa_ctx_peek(r);

    ap_remove_output_filter(f);
    if (ctx && ctx->task)
        aa_enforce_end(ctx->task,
                       apr_table_get(r->headers_out, "Content-Location"));
    return ctx && is_no_http(r, ctx, bb) ? refuse_answer(f, bb)
                                         : ap_pass_brigade(f->next, bb);
}

void aa_gateway_register(void)
{
    APR_OPTIONAL_HOOK(proxy, create_req, expect_http, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
