/* SPDX-License-Identifier: Apache-2.0 */
/* Hands user and decision on: notes, environment, headers for the backend. */
#include <string.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_proxy.h"
#include "util_filter.h"

#include "authn/rendering.h"
#include "base/json.h"
#include "context.h"
#include "model/limits.h"

#define COOKIE_DEFAULT "agentauth_session"
#define COOKIE_HOST "__Host-" /* before the default name, on https */

/* One thing that is handed on, under its three names. */
static const struct {
    const char *note, *env, *header;
} names[] = {
    {"agentauth-identity", "AGENTAUTH_IDENTITY", "AgentAuth-Identity"},
    {"agentauth-user", "AGENTAUTH_USER", "AgentAuth-User"},
    {"agentauth-resource", "AGENTAUTH_RESOURCE", "AgentAuth-Resource"},
    {"agentauth-action", "AGENTAUTH_ACTION", "AgentAuth-Action"},
    {"agentauth-filter", "AGENTAUTH_FILTER", "AgentAuth-Filter"},
    {"agentauth-decision-id", "AGENTAUTH_DECISION_ID", "AgentAuth-Decision-Id"},
};

enum { IDENTITY, USER, RESOURCE, ACTION, FILTER, DECISION_ID, HANDED };

static apr_status_t collect(const char *values[HANDED], request_rec *r,
                            aa_ctx_t *ctx)
{
    const aa_policy_verdict_t *verdict = ctx->verdict;
    const aa_rendering_t *shown;

    if (ctx->principal) {
        shown = aa_principal_render(
            ctx->principal, aa_conf_pass_claims(aa_dir_conf(r)), r->pool);
        if (!shown)
            return aa_refuse(&ctx->error, r->pool, AA_E_INTERNAL, "no memory");
        values[IDENTITY] = shown->identity;
        values[USER] = shown->user;
    }
    values[DECISION_ID] = ctx->decision_id;
    if (!verdict || !verdict->ndecisions)
        return APR_SUCCESS;
    values[RESOURCE] = verdict->decisions[0].resource;
    values[ACTION] = verdict->decisions[0].action;
    values[FILTER] = !verdict->filter ? "true"
                     : verdict->filter_text
                         ? verdict->filter_text
                         : aa_json_dump(verdict->filter, r->pool);
    return values[FILTER]
               ? APR_SUCCESS
               : aa_refuse(&ctx->error, r->pool, AA_E_INTERNAL, "no memory");
}

static int has_ours(const apr_table_t *table)
{
    const apr_array_header_t *all = apr_table_elts(table);
    const apr_table_entry_t *e = (const apr_table_entry_t *)all->elts;

    for (int i = 0; i < all->nelts; i++)
        if (aa_header_is_ours(e[i].key))
            return 1;
    return 0;
}

/* Nobody else may say it for us: what is there goes first. Then names can be
 * added without a search, which is dear since all of them begin alike. */
static void forget(request_rec *r)
{
    int noted = has_ours(r->notes), set = has_ours(r->subprocess_env);

    for (int i = 0; i < HANDED; i++) {
        if (noted)
            apr_table_unset(r->notes, names[i].note);
        if (set)
            apr_table_unset(r->subprocess_env, names[i].env);
    }
}

/* The note and the variable carry the identity as it is; a header cannot. */
static const char *plain(const aa_ctx_t *ctx, const char *const values[HANDED],
                         int which)
{
    return which == IDENTITY && ctx->principal ? ctx->principal->identity
                                               : values[which];
}

static void to_server(request_rec *r, const aa_ctx_t *ctx,
                      const char *const values[HANDED])
{
    forget(r);
    for (int i = 0; i < HANDED; i++) {
        const char *value = plain(ctx, values, i);

        if (!value)
            continue;
        apr_table_addn(r->notes, names[i].note, value);
        apr_table_addn(r->subprocess_env, names[i].env, value);
    }
    /* A rule of the server's configuration may have set it to another. */
    if (r->user)
        apr_table_setn(r->subprocess_env, "REMOTE_USER", r->user);
    else
        apr_table_unset(r->subprocess_env, "REMOTE_USER");
}

static apr_status_t to_headers(request_rec *r, aa_ctx_t *ctx,
                               const char *const values[HANDED])
{
    ctx->handed = apr_table_make(r->pool, HANDED + 1);
    for (int i = 0; i < HANDED; i++) {
        if (!values[i])
            continue;
        if (strlen(values[i]) > AA_HANDED_HEADER_MAX)
            return aa_refuse(&ctx->error, r->pool, AA_E_HEADER_SIZE,
                             "%s has %" APR_SIZE_T_FMT " bytes",
                             names[i].header, strlen(values[i]));
        apr_table_addn(ctx->handed, names[i].header, values[i]);
    }
    return APR_SUCCESS;
}

/* 1 when the table has what was told, in its order, and nothing else under a
 * name of ours. Tables copy what others set, so the same pointers mean that
 * nobody did. */
static int says_the_same(const apr_table_t *table, int is_env,
                         const aa_ctx_t *ctx)
{
    const apr_array_header_t *all = apr_table_elts(table);
    const apr_table_entry_t *e = (const apr_table_entry_t *)all->elts;
    int next = 0;

    for (int i = 0; i < all->nelts; i++) {
        while (next < HANDED && !plain(ctx, ctx->told, next))
            next++;
        if (next < HANDED && e[i].val == plain(ctx, ctx->told, next) &&
            e[i].key == (is_env ? names[next].env : names[next].note))
            next++;
        else if (aa_header_is_ours(e[i].key))
            return 0;
    }
    while (next < HANDED && !plain(ctx, ctx->told, next))
        next++;
    return next == HANDED;
}

/* SetEnv and a RewriteRule of a section run after the decision. A backend
 * over http is told in headers, where nobody comes after us. */
void aa_handoff_again(request_rec *r, const aa_ctx_t *ctx)
{
    if (!ctx->told || (r->filename && !strncmp(r->filename, "proxy:http", 10)))
        return;
    if (!says_the_same(r->notes, 0, ctx) ||
        !says_the_same(r->subprocess_env, 1, ctx) ||
        apr_table_get(r->subprocess_env, "REMOTE_USER") != r->user)
        to_server(r, ctx, ctx->told);
}

static int is_langgraph(const aa_dir_conf_t *place)
{
    return place->routes &&
           (!place->routes_name || !strcmp(place->routes_name, "langgraph"));
}

apr_status_t aa_handoff(request_rec *r, aa_ctx_t *ctx)
{
    const aa_dir_conf_t *place = aa_dir_conf(r);
    const char **values = apr_pcalloc(r->pool, HANDED * sizeof(*values));
    apr_status_t rv;

    if ((rv = collect(values, r, ctx)) != APR_SUCCESS)
        return rv;
    to_server(r, ctx, values);
    ctx->told = values;
    if (ctx->decision_id)
        apr_table_setn(r->err_headers_out, "AgentAuth-Decision-Id",
                       ctx->decision_id);
    if (is_langgraph(place)) /* logs in as the studio user, unasked */
        apr_table_unset(r->headers_in, "X-Auth-Scheme");
    if (place->policy_file)
        aa_override_drop(r->headers_in, r->pool);
    if (aa_conf_enforce(place, aa_proxied(r)) == AA_ENFORCE_NOTES ||
        !(aa_conf_pass(place) & AA_PASS_HEADER)) {
        ctx->handed = apr_table_make(r->pool, 2);
        return APR_SUCCESS;
    }
    return to_headers(r, ctx, values);
}

/* ---- towards the backend */

/* Is this pair of Cookie or Set-Cookie ours, as a browser or a lenient parser
 * may read it: blanks around the name, or nameless with the name as value. */
static int cookie_is_ours(const request_rec *r, const char *pair)
{
    const char *name = aa_server_conf(r->server)->cookie_name;
    apr_size_t len;

    pair += strspn(pair, " \t=");
    if (!name) {
        name = COOKIE_DEFAULT;
        if (!strncmp(pair, COOKIE_HOST, strlen(COOKIE_HOST)))
            pair += strlen(COOKIE_HOST);
    }
    len = strlen(name);
    if (strncmp(pair, name, len))
        return 0;
    pair += len;
    return pair[strspn(pair, " \t")] == '=';
}

/* Where a pair ends. httpd folds two Cookie headers with a comma, which may
 * also stand in another's value: it is a seam only beside a pair of ours. */
static const char *cookie_end(const request_rec *r, const char *pair)
{
    int ours = cookie_is_ours(r, pair);

    for (; *pair && *pair != ';'; pair++)
        if (*pair == ',' && (ours || cookie_is_ours(r, pair + 1)))
            break;
    return pair;
}

/* The pairs of Cookie less ours, the rest byte for byte; NULL: none is left. */
static const char *cookies_left(const request_rec *r, const char *value)
{
    char *left = apr_palloc(r->pool, strlen(value) + 1), *to = left;

    while (*value) {
        const char *end = cookie_end(r, value);

        if (!cookie_is_ours(r, value)) {
            if (to != left)
                *to++ = ';';
            memcpy(to, value, (apr_size_t)(end - value));
            to += end - value;
        }
        value = end + (*end != '\0');
    }
    *to = '\0';
    left += strspn(left, " \t");
    return *left ? left : NULL;
}

static void drop_credential(request_rec *r, const aa_ctx_t *ctx,
                            apr_table_t *headers)
{
    const aa_server_conf_t *server = aa_server_conf(r->server);
    const char *cookies = apr_table_get(headers, "Cookie");
    int keep = aa_dir_conf(r)->forward_bearer == 1 && ctx->principal &&
               ctx->principal->method == AA_METHOD_BEARER;

    /* Where everybody is let in, Authorization is not ours. */
    if (!keep && !(ctx->principal && ctx->principal->method == AA_METHOD_OPEN))
        apr_table_unset(headers, "Authorization");
    apr_table_unset(headers, server->authn.key_header ? server->authn.key_header
                                                      : "X-API-Key");
    if (cookies) {
        const char *left = cookies_left(r, cookies);

        if (left)
            apr_table_setn(headers, "Cookie", left);
        else
            apr_table_unset(headers, "Cookie");
    }
}

/* mod_proxy's fixups: r->headers_in is its copy, and nobody deletes from it
 * afterwards; `Connection:` has been obeyed. */
static int proxy_fixups(request_rec *r)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);

    if (!ctx || !ctx->decided)
        return DECLINED;
    aa_scrub(r->headers_in, r->pool);
    drop_credential(r, ctx, r->headers_in);
    if (is_langgraph(aa_dir_conf(r)))
        apr_table_unset(r->headers_in, "X-Auth-Scheme");
    if (ctx->out_len)
        apr_table_setn(r->headers_in, "Content-Type",
                       apr_table_get(r->headers_in, "Content-Type")
                           ? apr_table_get(r->headers_in, "Content-Type")
                           : "application/json");
    if (ctx->handed)
        apr_table_overlap(r->headers_in, ctx->handed, APR_OVERLAP_TABLES_SET);
    return OK;
}

/* FastCGI and its kin take headers_in as it is: a copy without what is not
 * the backend's business. */
static int proxy_env_schemes(request_rec *r, proxy_worker *worker,
                             proxy_server_conf *conf, char *url,
                             const char *host, apr_port_t port)
{
    aa_ctx_t *ctx = aa_ctx_peek(r);

    (void)worker, (void)conf, (void)host, (void)port;
    if (ctx && ctx->decided && strncmp(url, "http", 4) &&
        strncmp(url, "ws", 2)) {
        r->headers_in = apr_table_copy(r->pool, r->headers_in);
        drop_credential(r, ctx, r->headers_in);
    }
    return DECLINED;
}

/* ---- from the backend */

static int is_our_cookie(void *baton, const char *key, const char *value)
{
    const request_rec *r = baton;

    (void)key;
    if (!cookie_is_ours(r, value))
        apr_table_addn(r->headers_out, "Set-Cookie", value);
    return 1;
}

void aa_handoff_insert(request_rec *r)
{
    const aa_ctx_t *ctx = aa_ctx_peek(r);

    if (ctx && ctx->decided && aa_proxied(r))
        ap_add_output_filter("AGENTAUTH_ANSWER", NULL, r, r->connection);
}

/* A backend does not speak in our name. */
apr_status_t aa_handoff_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    apr_table_t *cookies;

    ap_remove_output_filter(f);
    aa_scrub(r->headers_out, r->pool);
    if (apr_table_get(r->headers_out, "Set-Cookie")) {
        cookies = apr_table_copy(r->pool, r->headers_out);
        apr_table_unset(r->headers_out, "Set-Cookie");
        apr_table_do(is_our_cookie, r, cookies, "Set-Cookie", NULL);
    }
    return ap_pass_brigade(f->next, bb);
}

void aa_handoff_register(void)
{
    APR_OPTIONAL_HOOK(proxy, fixups, proxy_fixups, NULL, NULL, APR_HOOK_LAST);
}

int aa_handoff_register_late(apr_pool_t *p)
{
    proxy_HOOK_scheme_handler_t *answer = proxy_env_schemes;

    return aa_proxy_hook("scheme_handler", (void (*)(void))answer, p);
}
