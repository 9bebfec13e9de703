/* SPDX-License-Identifier: Apache-2.0 */
/* Decision ids and the decision log: one JSON object a line. */
#include <stdlib.h>

#include "apr_strings.h"
#include "ap_mpm.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"

#include "base/crypto.h"
#include "base/json.h"
#include "context.h"

APLOG_USE_MODULE(agentauth);

static apr_uint64_t seed, count;

apr_status_t aa_decision_seed(void)
{
    return aa_crypto_random(&seed, sizeof(seed));
}

/* Unique, not secret: a random start a process and a counter, mixed so that
 * ids of one process do not look alike (SplitMix64). */
const char *aa_decision_id(apr_pool_t *p)
{
    static const char digits[] = "0123456789abcdef";
    apr_uint64_t z = seed + 0x9e3779b97f4a7c15ULL *
                                __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    char *id = apr_palloc(p, 17);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    for (int i = 0; i < 16; i++)
        id[i] = digits[(z >> (60 - 4 * i)) & 15];
    id[16] = '\0';
    return id;
}

/* ---- the log */

static const char *open_log(aa_server_conf_t *conf, server_rec *s,
                            apr_pool_t *p)
{
    const char *name = conf->decision_log;

    if (*name == '|') {
        piped_log *pipe = ap_open_piped_log(p, name + 1);

        if (!pipe)
            return "cannot start the program";
        conf->decision_file = ap_piped_log_write_fd(pipe);
        return NULL;
    }
    name = ap_server_root_relative(p, name);
    if (!name ||
        apr_file_open(&conf->decision_file, name,
                      APR_WRITE | APR_APPEND | APR_CREATE | APR_LARGEFILE,
                      APR_UREAD | APR_UWRITE | APR_GREAD, p) != APR_SUCCESS) {
        (void)s;
        return "cannot open the file";
    }
    return NULL;
}

int aa_decision_open(server_rec *main, apr_pool_t *p)
{
    for (server_rec *s = main; s; s = s->next) {
        aa_server_conf_t *conf = aa_server_conf(s);
        const char *why;

        if (!conf->decision_log || conf->decision_file)
            continue;
        if ((why = open_log(conf, s, p))) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         "AgentAuthDecisionLog %s: %s", conf->decision_log,
                         why);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

static json_t *events_json(const aa_policy_verdict_t *verdict)
{
    json_t *list = json_array();

    for (int i = 0; verdict && i < verdict->ndecisions; i++)
        json_array_append_new(list, json_sprintf("%s:%s",
                                                 verdict->decisions[i].resource,
                                                 verdict->decisions[i].action));
    return list;
}

static const char *effect(const request_rec *r, const aa_ctx_t *ctx)
{
    if (ctx->error.code)
        return "deny";
    if (ctx->verdict && ctx->verdict->filter)
        return "filter";
    return ctx->decided ? "allow" : r->status < 400 ? "exempt" : "none";
}

/* What a client chose need not be UTF-8; then it is shown escaped, so that
 * nobody can keep a line from being written. */
static int is_utf8(const char *text)
{
    json_t *checked = json_string(text);

    json_decref(checked);
    return checked != NULL;
}

static const char *shown_path(request_rec *r)
{
    return is_utf8(r->uri) ? r->uri : ap_escape_uri(r->pool, r->uri);
}

static const char *shown_reason(request_rec *r, const char *reason)
{
    return !reason || is_utf8(reason) ? reason
                                      : ap_escape_logitem(r->pool, reason);
}

static const char *line(request_rec *r, const aa_ctx_t *ctx)
{
    char time[APR_RFC822_DATE_LEN];
    const aa_principal_t *user = ctx->principal;
    const char *text;
    json_t *object;

    apr_rfc822_date(time, r->request_time);
    object = aa_json_own(
        json_pack("{s:s, s:s*, s:s, s:s, s:s*, s:i, s:s, s:s*, s:s*, s:s*, "
                  "s:o, s:s*, s:O*, s:s*, s:s*, s:s*}",
                  "time", time, "id", ctx->decision_id, "method", r->method,
                  "path", shown_path(r), "client", ctx->request.client_ip,
                  "status", r->status, "effect", effect(r, ctx), "user",
                  user ? user->identity : NULL, "by",
                  user ? aa_method_words[user->method] : NULL, "credential",
                  user ? user->credential_id : NULL, "events",
                  events_json(ctx->verdict), "handler",
                  ctx->verdict ? ctx->verdict->handler : NULL, "filter",
                  ctx->verdict ? ctx->verdict->filter : NULL, "policy",
                  ctx->verdict ? ctx->verdict->policy_id : NULL, "code",
                  ctx->error.code ? aa_codes[ctx->error.code].number : NULL,
                  "reason", shown_reason(r, ctx->error.reason)),
        r->pool);
    text = object ? aa_json_dump(object, r->pool) : NULL;
    return text ? text : "{\"error\":\"line could not be made\"}";
}

/* The request that was decided: the last of a chain of internal redirects,
 * but not the error page that shows the refusal. */
static request_rec *decided(request_rec *r)
{
    while (r->next && !aa_is_error_page(r->next))
        r = r->next;
    return r;
}

int aa_decision_log(request_rec *r)
{
    const aa_server_conf_t *conf = aa_server_conf(r->server);
    request_rec *last = decided(r);
    const aa_ctx_t *ctx = aa_ctx_peek(last);
    const char *text;
    apr_size_t len;

    if (!ctx)
        return DECLINED;
    if (!conf->decision_file) { /* the error log's, for who asks for it */
        if (APLOGrinfo(r))
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "decision %s",
                          line(last, ctx));
        return OK;
    }
    text = apr_pstrcat(r->pool, line(last, ctx), "\n", NULL);
    len = strlen(text);
    apr_file_write(conf->decision_file, text, &len); /* one write: one line */
    return OK;
}
