/* SPDX-License-Identifier: Apache-2.0 */
/* The request body: read once up to its limit, then served again from memory.
 *
 * mod_proxy spools a body to a temporary file when a filter of ours gives it
 * in pieces; the whole body and EOS in one call keep it in memory. */
#include <string.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "util_filter.h"

#include "base/inflate.h"
#include "context.h"

typedef struct served_t {
    const char *at;
    apr_size_t left;
} served_t;

/* The request that this one continues (a rewrite, an index, an error page)
 * and whose body the connection has given. It will not give it again. */
static const aa_ctx_t *body_before(const request_rec *r)
{
    const request_rec *before;

    for (before = r->prev; before; before = before->prev) {
        const aa_ctx_t *ctx = aa_ctx_peek(before);

        if (ctx && ctx->body_taken)
            return ctx;
    }
    return NULL;
}

static apr_status_t append(char **buffer, apr_size_t *used, apr_size_t *size,
                           const char *data, apr_size_t len, apr_size_t max,
                           apr_pool_t *p)
{
    if (len > max - *used)
        return APR_ENOSPC;
    if (*used + len > *size) {
        apr_size_t wanted = *size ? *size * 2 : 8192;
        char *larger;

        if (wanted < *used + len)
            wanted = *used + len;
        larger = apr_palloc(p, wanted + 1);
        if (*used)
            memcpy(larger, *buffer, *used);
        *buffer = larger;
        *size = wanted;
    }
    memcpy(*buffer + *used, data, len);
    *used += len;
    return APR_SUCCESS;
}

/* Everything up to EOS; APR_ENOSPC above max. */
static apr_status_t collect(char **buffer, apr_size_t *used, request_rec *r,
                            apr_size_t max)
{
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_size_t size = 0;
    apr_status_t rv = APR_SUCCESS;
    int eos = 0;

    *buffer = apr_pcalloc(r->pool, 1);
    *used = 0;
    while (!eos && rv == APR_SUCCESS) {
        apr_bucket *b;

        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, HUGE_STRING_LEN);
        if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb))
            rv = APR_EGENERAL;
        for (b = APR_BRIGADE_FIRST(bb);
             rv == APR_SUCCESS && !eos && b != APR_BRIGADE_SENTINEL(bb);
             b = APR_BUCKET_NEXT(b)) {
            const char *data;
            apr_size_t len;

            if (APR_BUCKET_IS_EOS(b)) {
                eos = 1;
            }
            else if (!APR_BUCKET_IS_METADATA(b)) {
                rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
                if (rv == APR_SUCCESS)
                    rv = append(buffer, used, &size, data, len, max, r->pool);
            }
        }
        apr_brigade_cleanup(bb);
    }
    (*buffer)[*used] = '\0';
    return rv;
}

static apr_status_t inflate_body(request_rec *r, aa_ctx_t *ctx, apr_size_t max)
{
    const char *coding = apr_table_get(r->headers_in, "Content-Encoding");
    char *plain;
    apr_size_t len;
    apr_status_t rv;

    if (!coding || !ap_cstr_casecmp(coding, "identity"))
        return APR_SUCCESS;
    if (ap_cstr_casecmp(coding, "gzip") && ap_cstr_casecmp(coding, "x-gzip"))
        return aa_refuse(&ctx->error, r->pool, AA_E_BODY_ENCODING,
                         "Content-Encoding is not gzip");
    rv = aa_gzip_inflate(&plain, &len, ctx->body, ctx->body_len, max, r->pool);
    if (rv == APR_ENOSPC)
        return aa_refuse(&ctx->error, r->pool, AA_E_BODY_TOO_LARGE,
                         "more than %" APR_SIZE_T_FMT " bytes inflated", max);
    if (rv != APR_SUCCESS)
        return aa_refuse(&ctx->error, r->pool, AA_E_BODY_READ, "bad gzip");
    ctx->body = plain;
    ctx->body_len = len;
    return APR_SUCCESS;
}

/* The headers speak of a body of this length, and of nothing else. */
static void frame(request_rec *r, apr_size_t len)
{
    static const char *const gone[] = {
        "Transfer-Encoding", "Content-Encoding", "Content-MD5", "Digest",
        "Content-Digest",    "Repr-Digest",      "Trailer",     NULL};

    if (len)
        apr_table_setn(r->headers_in, "Content-Length",
                       apr_psprintf(r->pool, "%" APR_SIZE_T_FMT, len));
    else
        apr_table_unset(r->headers_in, "Content-Length");
    for (int i = 0; gone[i]; i++)
        apr_table_unset(r->headers_in, gone[i]);
    r->read_chunked = 0;
    r->remaining = (apr_off_t)len;
}

/* The bytes as they came. AP_FILTER_ERROR: refused, and already answered. */
static apr_status_t take(request_rec *r, aa_ctx_t *ctx, apr_size_t max)
{
    char *buffer;
    apr_status_t rv;

    ctx->body_taken = 1;
    /* What the protocol filter finds wrong it answers by itself: with this. */
    ctx->error.code = AA_E_BODY_READ;
    rv = collect(&buffer, &ctx->body_len, r, max);
    if (rv == APR_ENOSPC)
        return aa_refuse(&ctx->error, r->pool, AA_E_BODY_TOO_LARGE,
                         "more than %" APR_SIZE_T_FMT " bytes", max);
    if (rv != APR_SUCCESS) {
        apr_status_t refused = aa_refuse(&ctx->error, r->pool, AA_E_BODY_READ,
                                         "reading it failed (%d)", rv);
        return rv == AP_FILTER_ERROR ? rv : refused;
    }
    ctx->error.code = 0;
    /* Trailers may have been merged into the headers meanwhile. */
    aa_scrub(r->headers_in, r->pool);
    ctx->body = buffer;
    return APR_SUCCESS;
}

apr_status_t aa_body_read(request_rec *r, aa_ctx_t *ctx)
{
    apr_size_t max = (apr_size_t)aa_conf_max_body(aa_dir_conf(r));
    const aa_ctx_t *before = body_before(r);
    apr_status_t rv;

    ctx->body = "";
    if (before) {
        ctx->body = before->body;
        ctx->body_len = before->body_len;
        ctx->body_taken = ctx->body_read = 1;
        return APR_SUCCESS;
    }
    if (r->main || !ap_request_has_body(r))
        return APR_SUCCESS;
    if ((rv = take(r, ctx, max)) != APR_SUCCESS)
        return rv;
    ctx->body_read = 1;
    return inflate_body(r, ctx, max);
}

/* Of a HEAD, too: httpd says that it has none, and mod_proxy passes it on. */
static int carries_body(const request_rec *r)
{
    return apr_table_get(r->headers_in, "Transfer-Encoding") ||
           apr_table_get(r->headers_in, "Content-Length");
}

apr_status_t aa_body_drop(request_rec *r, aa_ctx_t *ctx)
{
    apr_status_t rv = APR_SUCCESS;

    if (r->main || (!carries_body(r) && !body_before(r)))
        return APR_SUCCESS;
    if (!body_before(r))
        rv = take(r, ctx, (apr_size_t)aa_conf_max_body(aa_dir_conf(r)));
    if (rv == APR_SUCCESS)
        aa_body_send(r, ctx, "", 0);
    return rv;
}

/* httpd makes an error page a GET, whose headers still speak of the body. */
void aa_body_forget(request_rec *r)
{
    if (body_before(r))
        frame(r, 0);
}

/* httpd learns from the headers where a request ends, when it first reads what
 * follows them. Afterwards they may speak of a body of ours. Before, whoever
 * drains the connection would wait for as many bytes from the client, and take
 * the next request for them. */
static void find_end(request_rec *r, aa_ctx_t *ctx)
{
    if (ctx->body_taken || r->main || body_before(r))
        return;
    ctx->body_taken = 1;
    (void)ap_discard_request_body(r);
}

void aa_body_send(request_rec *r, aa_ctx_t *ctx, const char *body,
                  apr_size_t len)
{
    find_end(r, ctx);
    ctx->out_body = body;
    ctx->out_len = len;
    ctx->out_replaces = 1;
    frame(r, len);
}

/* What this request sends on, or what the one sent that it continues. */
static const aa_ctx_t *sender(const request_rec *r)
{
    const aa_ctx_t *ctx = aa_ctx_peek(r);

    if (ctx && ctx->out_replaces)
        return ctx;
    if (aa_is_error_page(r))
        return NULL;
    for (r = r->prev; r; r = r->prev) {
        ctx = aa_ctx_peek(r);
        if (ctx && ctx->out_replaces)
            return ctx;
    }
    return NULL;
}

void aa_body_insert(request_rec *r)
{
    const aa_ctx_t *ctx = sender(r);
    served_t *served;

    if (!ctx)
        return;
    served = apr_pcalloc(r->pool, sizeof(*served));
    served->at = ctx->out_body;
    served->left = ctx->out_len;
    r->read_chunked = 0; /* as its own framing was, before the redirect */
    r->remaining = (apr_off_t)ctx->out_len;
    ap_add_input_filter("AGENTAUTH_BODY", served, r, r->connection);
}

apr_status_t aa_body_filter(ap_filter_t *f, apr_bucket_brigade *bb,
                            ap_input_mode_t mode, apr_read_type_e block,
                            apr_off_t readbytes)
{
    served_t *served = f->ctx;
    apr_size_t len = served->left;

    (void)block;
    if (mode != AP_MODE_READBYTES && mode != AP_MODE_EXHAUSTIVE)
        return APR_ENOTIMPL;
    /* Only mod_proxy takes more than it asked for. */
    if (!f->r->proxyreq && mode == AP_MODE_READBYTES &&
        (apr_off_t)len > readbytes)
        len = (apr_size_t)readbytes;
    if (len)
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(served->at, len,
                                                           f->r->pool,
                                                           f->c->bucket_alloc));
    served->at += len;
    served->left -= len;
    if (!served->left) /* again at each call, as httpd's own filter does */
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    return APR_SUCCESS;
}
