/* SPDX-License-Identifier: Apache-2.0 */
/* What mod_proxy sends is what was decided, or it is not sent. */
#include <string.h>

#include "apr_strings.h"
#include "apr_uri.h"
#include "http_core.h"
#include "http_request.h"
#include "mod_proxy.h"

#include "base/json.h"
#include "context.h"
#include "keys/assertion.h"
#include "model/limits.h"

/* ---- when the request is decided */

const char *aa_proxy_target(request_rec *r)
{
    if (r->filename && !strncmp(r->filename, "proxy:", 6))
        return r->filename + 6;
    if (r->handler && !strncmp(r->handler, "proxy:", 6) && r->filename)
        return apr_pstrcat(r->pool, r->handler + 6, r->filename, NULL);
    return NULL;
}

/* "unix:/path|http://host/…" names the same request as what follows '|'. */
static const char *without_socket(const char *url)
{
    const char *bar = strncmp(url, "unix:", 5) ? NULL : strchr(url, '|');

    return bar ? bar + 1 : url;
}

static const char *url_path(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;

    return path ? path : "/";
}

static int ends_with(const char *text, const char *tail)
{
    apr_size_t n = strlen(text), m = strlen(tail);

    return n >= m && !memcmp(text + n - m, tail, m);
}

/* With nocanon the client's own spelling goes out; it may only be another
 * spelling of the path that was decided, never another path. */
static const char *unescaped(request_rec *r, const char *url)
{
    char *copy = apr_pstrdup(r->pool, url);

    return ap_unescape_url(copy) == OK ? copy : NULL;
}

apr_status_t aa_guard_note(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    const char *url = aa_proxy_target(r), *path, *query, *why = NULL;

    if (!url)
        return APR_SUCCESS;
    if (apr_table_get(r->notes, "proxy-nocanon") ||
        apr_table_get(r->notes, "proxy-noencode")) {
        query = ap_strchr_c(url, '?');
        url = unescaped(
            r, query ? apr_pstrmemdup(r->pool, url, (apr_size_t)(query - url))
                     : url);
    }
    ctx->sent_url = url ? without_socket(url) : NULL;
    ctx->sent_args = r->args;
    if (!place->routes)
        return APR_SUCCESS;
    if (!url || !aa_path_plain(url_path(ctx->sent_url), &why))
        return aa_refuse(&ctx->error, r->pool, AA_E_URL_CHANGED,
                         "the backend would get a path that can be read in "
                         "more than one way: %s",
                         url ? why : "a bad escape");
    path = aa_routes_strip(place->routes, r->uri);
    if (!url || !path || !ends_with(url, path))
        return aa_refuse(&ctx->error, r->pool, AA_E_URL_CHANGED,
                         "the backend would get another path than the one "
                         "that is decided; with ProxyPass /x http://host/ "
                         "say AgentAuthRoutes NAME prefix=/x");
    return APR_SUCCESS;
}

/* ---- when mod_proxy is about to send it */

static int scheme_carries(const char *url)
{
    static const char *const known[] = {
        "http:", "https:", "ws:", "wss:", "fcgi:", "scgi:", "uwsgi:", NULL};
    const char *const *one;

    for (one = known; *one; one++)
        if (!ap_cstr_casecmpn(url, *one, strlen(*one)))
            return 1;
    return 0;
}

static int url_in_env(const char *url)
{
    url = without_socket(url);
    return !strncmp(url, "fcgi:", 5) || !strncmp(url, "scgi:", 5) ||
           !strncmp(url, "uwsgi:", 6);
}

/* scheme://host:port of a URL that names one. */
static const char *url_origin(const char *url, apr_pool_t *p)
{
    apr_uri_t uri;
    apr_port_t port;

    if (apr_uri_parse(p, url, &uri) != APR_SUCCESS || !uri.scheme ||
        !uri.hostname || !strcmp(uri.scheme, "balancer") ||
        !strcmp(uri.scheme, "unix"))
        return NULL;
    port = uri.port ? uri.port : apr_uri_port_of_scheme(uri.scheme);
    if (!port)
        port = !strcmp(uri.scheme, "wss") ? 443 : 80;
    return apr_psprintf(p, "%s://%s:%d", uri.scheme, uri.hostname, port);
}

static int same_event(const aa_policy_decision_t *a,
                      const aa_policy_decision_t *b)
{
    return !strcmp(a->resource, b->resource) && !strcmp(a->action, b->action);
}

static int same_json(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

/* 1 when every decision on this event is the same and this is not the first:
 * a batch decides one thing for many elements, and an assertion is small. */
static int told_already(const aa_policy_verdict_t *verdict, int which)
{
    const aa_policy_decision_t *all = verdict->decisions, *one = &all[which];
    int first = which;

    for (int i = 0; i < verdict->ndecisions; i++) {
        if (!same_event(&all[i], one))
            continue;
        if (all[i].effect != one->effect ||
            !same_json(all[i].filter, one->filter) ||
            !same_json(all[i].set, one->set))
            return 0;
        if (i < first)
            first = i;
    }
    return first < which;
}

static json_t *decisions_json(const aa_policy_verdict_t *verdict)
{
    static const char *const kind[] = {"none", "all", "filter"};
    json_t *list = json_array();

    for (int i = 0; verdict && i < verdict->ndecisions; i++) {
        const aa_policy_decision_t *one = &verdict->decisions[i];

        if (told_already(verdict, i))
            continue;
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:O*, s:O*}", "res", one->resource,
                            "act", one->action, "kind", kind[one->effect],
                            "flt", one->filter, "set", one->set));
    }
    return list;
}

static json_t *shown_user(const aa_ctx_t *ctx, const char *const *claims,
                          apr_pool_t *p)
{
    json_t *shown = aa_json_own(json_object(), p);

    for (; *claims; claims++) {
        json_t *claim = aa_json_at(ctx->principal->user, *claims);

        if (claim)
            json_object_set(shown, *claims, claim);
    }
    return shown;
}

static int add_assertion(request_rec *r, aa_ctx_t *ctx, const char *url)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    const char *path = url_path(url), *query = strchr(path, '?');
    const char *compact;
    aa_assertion_t assertion = {
        .iss = aa_server_conf(r->server)->issuer_url,
        .aud = place->assertion_audience ? place->assertion_audience
                                         : url_origin(url, r->pool),
        .sub = ctx->principal->identity,
        .decision_id =
            ctx->decision_id ? ctx->decision_id : aa_decision_id(r->pool),
        .permissions = json_object_get(ctx->principal->user, "permissions"),
        .user = shown_user(ctx, aa_conf_pass_claims(place), r->pool),
        .decisions = aa_json_own(decisions_json(ctx->verdict), r->pool),
        .method = r->method,
        .path = query
                    ? apr_pstrmemdup(r->pool, path, (apr_size_t)(query - path))
                    : path,
        .query = query ? query + 1 : NULL,
        .body = ctx->out_replaces ? ctx->out_body : NULL,
        .body_len = ctx->out_len,
        .policy = ctx->verdict ? ctx->verdict->policy_id : NULL,
        .now = apr_time_now(),
    };

    if (!assertion.aud)
        return aa_answer_code(
            r, AA_E_AUDIENCE, "target is %s",
            apr_pstrmemdup(r->pool, url, (apr_size_t)(path - url)));
    if (!aa_runtime->signing)
        return aa_answer_code(r, AA_E_ASSERTION, "no signing key");
    if (aa_assertion_make(&compact, &assertion,
                          aa_signing_current(aa_runtime->signing), &ctx->error,
                          r->pool) != APR_SUCCESS)
        return aa_answer_refuse(r, ctx);
    apr_table_setn(ctx->handed, "AgentAuth-Assertion", compact);
    return OK;
}

/* What the backend will take for the query. FastCGI and its kin are told it
 * by a variable, not in the URL. */
static const char *query_sent(request_rec *r, const char *url)
{
    const char *query = strchr(url, '?');

    query = query ? query + 1 : url_in_env(url) ? r->args : NULL;
    return query ? query : "";
}

/* The URL's path once unescaped is the decided one, its query the same. */
static int same_url(request_rec *r, const aa_ctx_t *ctx, const char *url)
{
    const char *query = strchr(url, '?');
    const char *path = without_socket(
        query ? apr_pstrmemdup(r->pool, url, (apr_size_t)(query - url)) : url);

    if (strcmp(query_sent(r, url), ctx->sent_args ? ctx->sent_args : ""))
        return 0;
    if (!strcmp(path, ctx->sent_url))
        return 1;
    path = unescaped(r, path);
    return path && !strcmp(path, ctx->sent_url);
}

static int pre_request(proxy_worker **worker, proxy_balancer **balancer,
                       request_rec *r, proxy_server_conf *conf, char **url)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    aa_ctx_t *ctx = aa_ctx_peek(r);

    (void)worker, (void)balancer, (void)conf;
    if (!place->policy_file && !aa_place_enabled(r))
        return DECLINED;
    if (place->policy_file && !aa_place_enabled(r))
        return place->open_access == 1
                   ? DECLINED
                   : aa_answer_code(r, AA_E_OTHER_AUTHTYPE, NULL);
    if (!ctx || !ctx->decided)
        return aa_answer_code(r, AA_E_NO_DECISION,
                              "the request came to mod_proxy undecided");
    if (!place->policy_file)
        return DECLINED;
    if (!scheme_carries(*url) && strncmp(*url, "balancer:", 9) &&
        strncmp(*url, "unix:", 5))
        return aa_answer_code(r, AA_E_SCHEME, "target is %s", *url);
    if (!ctx->sent_url || !same_url(r, ctx, *url))
        return aa_answer_code(r, AA_E_URL_CHANGED, "decided %s, sending %s",
                              ctx->sent_url ? ctx->sent_url : "nothing", *url);
    if ((aa_conf_pass(place) & AA_PASS_ASSERTION) && ctx->principal &&
        aa_conf_enforce(place, 1) == AA_ENFORCE_HEADERS)
        return add_assertion(r, ctx, *url) == OK
                   ? DECLINED
                   : aa_codes[ctx->error.code].status;
    return DECLINED;
}

/* Behind a balancer the member's scheme is known only now. */
static int check_member(request_rec *r, proxy_worker *worker,
                        proxy_server_conf *conf, char *url, const char *host,
                        apr_port_t port)
{
    (void)worker, (void)conf, (void)host, (void)port;
    if (!aa_dir_conf(r)->policy_file || !aa_place_enabled(r) ||
        scheme_carries(url))
        return DECLINED;
    return aa_answer_code(r, AA_E_SCHEME, "member is %s", url);
}

int aa_guard_register(apr_pool_t *p)
{
    proxy_HOOK_pre_request_t *request = pre_request;
    proxy_HOOK_scheme_handler_t *member = check_member;

    if (aa_proxy_hook("pre_request", (void (*)(void))request, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    return aa_proxy_hook("scheme_handler", (void (*)(void))member, p);
}
