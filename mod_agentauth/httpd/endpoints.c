/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are endpoints of ours, and the handler that answers them. */
#include <string.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"

#include "context.h"
#include "endpoint/endpoint.h"

#define WELL_KNOWN "/.well-known/agentauth/"

typedef void endpoint_fn(aa_reply_t *reply, const aa_endpoint_conf_t *conf,
                         const aa_request_t *request);

/* Exact paths; `below` says what they stand below. */
static const struct {
    const char *below, *path;
    int method; /* M_GET includes HEAD */
    endpoint_fn *answer;
} endpoints[] = {
    {WELL_KNOWN, "jwks.json", M_GET, aa_endpoint_jwks},
};

#define ENDPOINTS (int)(sizeof(endpoints) / sizeof(*endpoints))

/* The path exactly as the client wrote it: another spelling is not ours. */
static int spelled(const request_rec *r)
{
    const char *raw = r->unparsed_uri;
    apr_size_t len = strlen(r->uri);

    return r->main == NULL && !strncmp(raw, r->uri, len) &&
           (!raw[len] || raw[len] == '?');
}

static int find(const request_rec *r)
{
    for (int i = 0; i < ENDPOINTS; i++) {
        apr_size_t len = strlen(endpoints[i].below);

        if (!strncmp(r->uri, endpoints[i].below, len) &&
            !strcmp(r->uri + len, endpoints[i].path))
            return i;
    }
    return -1;
}

int aa_endpoint_is(request_rec *r)
{
    return aa_server_conf(r->server)->configured && find(r) >= 0 && spelled(r);
}

int aa_endpoint_below(request_rec *r)
{
    const aa_server_conf_t *conf = aa_server_conf(r->server);
    const char *path = conf->path ? conf->path : "/auth";
    apr_size_t len = strlen(path);

    if (!conf->configured)
        return 0;
    if (!strncmp(r->uri, WELL_KNOWN, sizeof(WELL_KNOWN) - 1))
        return 1;
    return !strncmp(r->uri, path, len) && (!r->uri[len] || r->uri[len] == '/');
}

int aa_endpoint_handler(request_rec *r)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);
    aa_endpoint_conf_t conf = {0};
    aa_reply_t reply = {0};
    int i;

    if (ctx && ctx->kind == AA_KIND_PREFLIGHT)
        return aa_answer_preflight(r);
    if (ctx && ctx->decided && ctx->task && ctx->task->reply)
        return aa_gateway_answer(r, ctx);
    if (ctx && ctx->decided)
        aa_handoff_again(r, ctx);
    if (!aa_endpoint_is(r))
        return DECLINED;
    ctx = aa_ctx(r);
    i = find(r);
    if (r->method_number != endpoints[i].method) {
        /* httpd makes the Allow header of a 405 of this */
        ap_allow_standard_methods(r, REPLACE_ALLOW, endpoints[i].method, -1);
        return aa_answer_code(r, AA_E_ENDPOINT_METHOD, NULL);
    }
    ap_discard_request_body(r);
    conf.signing = aa_runtime ? aa_runtime->signing : NULL;
    endpoints[i].answer(&reply, &conf, &ctx->request);
    return aa_answer_reply(r, &reply);
}
