/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of ours: refusals as JSON with a code, replies of endpoints. */
#include <stdarg.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_core.h"
#include "util_filter.h"

#include "base/json.h"
#include "context.h"

APLOG_USE_MODULE(agentauth);

static int log_level(const aa_error_t *error, int status)
{
    if (error->code == AA_E_NO_CREDENTIAL)
        return APLOG_INFO;
    return status >= 500 ? APLOG_ERR : APLOG_WARNING;
}

/* ap_log_rerror escapes what a client may have put into the reason. */
static void log_refusal(request_rec *r, const aa_ctx_t *ctx, int status)
{
    const aa_code_info_t *info = &aa_codes[ctx->error.code];

    ap_log_rerror(APLOG_MARK, log_level(&ctx->error, status), 0, r,
                  "%s: %d %s: %s %s: %s%s%s%s", info->number, status,
                  info->text, r->method, r->uri,
                  ctx->error.reason ? ctx->error.reason : info->meaning,
                  ctx->principal ? ", user " : "",
                  ctx->principal ? ctx->principal->identity : "",
                  ctx->decision_id ? apr_pstrcat(r->pool, ", decision ",
                                                 ctx->decision_id, NULL)
                                   : "");
}

/* RFC 6750 s3: what a client without or with a wrong credential is told. */
static const char *challenge(request_rec *r, const aa_ctx_t *ctx)
{
    const char *realm = aa_server_conf(r->server)->authn.realm;
    int wrong = ctx->error.code != AA_E_NO_CREDENTIAL &&
                ctx->error.code != AA_E_METHOD_OFF &&
                ctx->error.code != AA_E_FOREIGN_KEY;

    return apr_psprintf(r->pool, "Bearer realm=\"%s\"%s",
                        ap_escape_quotes(r->pool, realm ? realm : "agentauth"),
                        wrong ? ", error=\"invalid_token\"" : "");
}

int aa_answer_refuse(request_rec *r, aa_ctx_t *ctx)
{
    const aa_code_info_t *info = &aa_codes[ctx->error.code];
    int status = ctx->error.status ? ctx->error.status : info->status;

    log_refusal(r, ctx, status);
    apr_table_setn(r->err_headers_out, "AgentAuth-Error", info->number);
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (ctx->decision_id)
        apr_table_setn(r->err_headers_out, "AgentAuth-Decision-Id",
                       ctx->decision_id);
    if (ctx->error.retry_after)
        apr_table_setn(r->err_headers_out, "Retry-After",
                       apr_itoa(r->pool, ctx->error.retry_after));
    else if (status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->err_headers_out, "Retry-After", "5");
    if (ctx->error_headers)
        apr_table_overlap(r->err_headers_out, ctx->error_headers,
                          APR_OVERLAP_TABLES_SET);
    if (status == HTTP_UNAUTHORIZED &&
        !(ctx->error_headers &&
          apr_table_get(ctx->error_headers, "WWW-Authenticate")))
        apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                       challenge(r, ctx));
    aa_cors_headers(r);
    /* httpd turns a status it has no line for into 500. */
    r->status_line = ap_get_status_line(status);
    if (atoi(r->status_line) != status)
        r->status_line = apr_psprintf(r->pool, "%d Refused", status);
    return status;
}

int aa_answer_code(request_rec *r, aa_code_e code, const char *fmt, ...)
{
    aa_ctx_t *ctx = aa_ctx(r);
    va_list ap;

    ctx->error.code = code;
    if (fmt) {
        va_start(ap, fmt);
        ctx->error.reason = apr_pvsprintf(r->pool, fmt, ap);
        va_end(ap);
    }
    return aa_answer_refuse(r, ctx);
}

int aa_answer_reply(request_rec *r, const aa_reply_t *reply)
{
    r->status = reply->status;
    if (reply->headers)
        apr_table_overlap(r->headers_out, reply->headers,
                          APR_OVERLAP_TABLES_SET);
    if (reply->content_type)
        ap_set_content_type(r, reply->content_type);
    ap_set_content_length(r, (apr_off_t)reply->len);
    if (!r->header_only && reply->len)
        ap_rwrite(reply->body, (int)reply->len, r);
    return OK;
}

/* ---- the error filter: httpd's HTML becomes our JSON */

/* A policy may answer with a status of its own choice: then the text is that
 * status's, since "forbidden" under a 404 would tell what it is to hide. */
static const char *error_text(request_rec *r, const aa_ctx_t *ctx)
{
    const aa_code_info_t *info = &aa_codes[ctx->error.code];
    const char *line = ap_get_status_line(r->status);
    char *text;

    if (ctx->error.code && r->status == info->status)
        return info->text;
    if (atoi(line) != r->status)
        return "refused";
    text = apr_pstrdup(r->pool, line + 4);
    ap_str_tolower(text);
    return text;
}

static const char *error_json(request_rec *r, const aa_ctx_t *ctx)
{
    json_t *body =
        aa_json_own(json_pack("{s:s, s:s*}", "error", error_text(r, ctx),
                              "detail", ctx->error.detail),
                    r->pool);
    const char *text = body ? aa_json_dump(body, r->pool) : NULL;

    return text ? text : "{\"error\":\"internal error\"}";
}

/* Somebody who is known is never challenged: what Require refuses is 403
 * (httpd itself answers 401). */
static int known_is_forbidden(request_rec *r, aa_ctx_t *ctx)
{
    if (r->status != HTTP_UNAUTHORIZED || !ctx->principal || ctx->error.code)
        return 0;
    ctx->error.code = AA_E_REQUIRE;
    r->status = aa_answer_refuse(r, ctx);
    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    return 1;
}

/* httpd refused what it could not read, before it looked which place is meant
 * and where that is. What was read has a file name, be it a guess or a URL. */
static int came_to_no_place(const request_rec *r)
{
    return aa_server_conf(r->server)->configured && !r->filename &&
           r->per_dir_config == r->server->lookup_defaults;
}

/* In a virtual host of ours such a refusal is one of ours. */
static aa_ctx_t *adopt(request_rec *r)
{
    aa_ctx_t *ctx;

    /* Logs name both, and of a line that is too long httpd knows neither. */
    if (!r->method)
        r->method = "-";
    if (!r->uri)
        r->uri = apr_pstrdup(r->pool, "-");
    ctx = aa_ctx(r);
    if (ap_is_HTTP_ERROR(r->status)) {
        ctx->error.code = AA_E_UNREADABLE;
        ctx->error.status = r->status;
        aa_answer_refuse(r, ctx);
    }
    return ctx;
}

void aa_answer_insert(request_rec *r)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);
    int changed;

    if (!ctx && came_to_no_place(r))
        ctx = adopt(r);
    else if (!ctx || (!ctx->error.code && !aa_place_enabled(r)))
        return;
    changed = known_is_forbidden(r, ctx);
    /* httpd drops our headers when it is a filter of its own that refuses. */
    if (ctx->error.code)
        apr_table_setn(r->err_headers_out, "AgentAuth-Error",
                       aa_codes[ctx->error.code].number);
    /* An administrator's ErrorDocument is honoured; where a 401 became a 403
     * it is too late for one. */
    if (!changed &&
        (!ap_is_HTTP_ERROR(r->status) ||
         ap_response_code_string(r, ap_index_of_response(r->status))))
        return;
    ap_add_output_filter("AGENTAUTH_ERROR", NULL, r, r->connection);
}

apr_status_t aa_answer_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    const char *text;

    apr_brigade_cleanup(bb);
    if (f->ctx)
        return APR_SUCCESS; /* ours is out; the HTML goes nowhere */
    f->ctx = r;
    text = error_json(r, aa_ctx(r));
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)strlen(text));
    APR_BRIGADE_INSERT_TAIL(bb,
                            apr_bucket_pool_create(text, strlen(text), r->pool,
                                                   f->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    return ap_pass_brigade(f->next, bb);
}
