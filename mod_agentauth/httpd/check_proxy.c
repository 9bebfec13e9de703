/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of proxied places with a policy, as far as the file shows them.
 *
 * Only a ProxyPass in the section itself is certain; one of the server whose
 * path meets the section's gives a warning. */
#include <string.h>

#include "apr_strings.h"
#include "httpd/check.h"

/** One way from a place to a backend. */
typedef struct target_t {
    const char *url; /* "http://127.0.0.1:2024", "fcgi://…", "balancer://…" */
    const char *where; /* file:line */
    int certain;       /* it stands in the section itself */
    int nocanon;
} target_t;

static int named(const ap_directive_t *d, const char *name)
{
    return !ap_cstr_casecmp(d->directive, name);
}

/* SetHandler "proxy:unix:/run/x.sock|fcgi://localhost/" */
static int from_handler(target_t *target, const ap_directive_t *d,
                        apr_pool_t *p)
{
    const char *args = d->args, *handler;

    if (!named(d, "SetHandler"))
        return 0;
    handler = ap_getword_conf(p, &args);
    if (ap_cstr_casecmpn(handler, "proxy:", 6))
        return 0;
    target->url = handler + 6;
    return 1;
}

/* In a section the path is the section's own. */
static int from_proxypass(target_t *target, const char **path,
                          const ap_directive_t *d, int in_section,
                          apr_pool_t *p)
{
    const char *args = d->args;

    if (!named(d, "ProxyPass") && !named(d, "ProxyPassMatch"))
        return 0;
    *path = in_section ? NULL : ap_getword_conf(p, &args);
    target->url = ap_getword_conf(p, &args);
    target->nocanon = ap_strstr_c(args, "nocanon") != NULL;
    return *target->url && strcmp(target->url, "!");
}

static int find(target_t *target, aa_check_t *check, const ap_directive_t *d,
                const ap_directive_t *section, const server_rec *s)
{
    const ap_directive_t *place = aa_tree_section(check, d);
    const char *path = NULL, *here;

    memset(target, 0, sizeof(*target));
    target->certain = place == section;
    target->where = aa_tree_line(check, d);
    if (place == section && from_handler(target, d, check->p))
        return 1;
    if (place == section && !aa_tree_is_server(section))
        return from_proxypass(target, &path, d, 1, check->p);
    if (!aa_tree_is_server(place) || !aa_tree_in_server(check, place, s) ||
        !from_proxypass(target, &path, d, 0, check->p))
        return 0;
    target->certain = 0;
    here = aa_tree_is_server(section) ? "/" : aa_tree_location(check, section);
    return here && path && *path == '/' &&
           (aa_tree_below(here, path) || aa_tree_below(path, here));
}

static int has_scheme(const target_t *target, const char *scheme)
{
    const char *bar = ap_strchr_c(target->url, '|');
    const char *url = bar ? bar + 1 : target->url;

    return !ap_cstr_casecmpn(url, scheme, strlen(scheme));
}

static void say(aa_check_t *check, const target_t *target, const char *what)
{
    if (target->certain)
        aa_check_problem(check, AA_E_CONF_PROXY, "ProxyPass", target->where,
                         "'%s' %s", target->url, what);
    else
        aa_check_warning(check, AA_E_CONF_PROXY, "ProxyPass", target->where,
                         "'%s' %s", target->url, what);
}

/* The gateway asks questions of its own, over HTTP, at one address. */
static void gateway_check(aa_check_t *check, const target_t *target,
                          const aa_dir_conf_t *conf)
{
    if (conf->enforce != AA_ENFORCE_GATEWAY || conf->backend_url)
        return;
    if (!has_scheme(target, "http:") && !has_scheme(target, "https:") &&
        !has_scheme(target, "ws:") && !has_scheme(target, "wss:"))
        say(check, target,
            "has no address that AgentAuthEnforce gateway can ask; set "
            "AgentAuthBackend");
}

static void target_check(aa_check_t *check, const target_t *target,
                         const aa_dir_conf_t *conf)
{
    int nameless = has_scheme(target, "balancer:") ||
                   !ap_cstr_casecmpn(target->url, "unix:", 5);

    if (has_scheme(target, "h2:") || has_scheme(target, "h2c:") ||
        has_scheme(target, "ajp:"))
        say(check, target,
            "cannot carry the decision of a policy; allowed: http, https, ws, "
            "wss, fcgi, scgi, uwsgi");
    if (nameless && (aa_conf_pass(conf) & AA_PASS_ASSERTION) &&
        !conf->assertion_audience)
        say(check, target,
            "has no scheme://host:port for the assertion's aud; set "
            "AgentAuthAssertionAudience");
    if (!aa_conf_enforce(conf, 1))
        aa_check_warning(check, AA_E_CONF_PROXY, "AgentAuthPolicy", conf->where,
                         "is in front of '%s' (%s) and AgentAuthEnforce is "
                         "not set: every request there is answered 500; "
                         "allowed: notes, headers, gateway",
                         target->url, target->where);
    gateway_check(check, target, conf);
    if (target->nocanon)
        aa_check_warning(check, AA_E_CONF_PROXY, "ProxyPass", target->where,
                         "has nocanon: a request whose path httpd would write "
                         "in another way is refused");
}

void aa_check_proxy(aa_check_t *check, const ap_directive_t *section,
                    const aa_dir_conf_t *conf, const server_rec *s)
{
    target_t target;

    for (int i = 0; i < check->all->nelts; i++)
        if (find(&target, check,
                 APR_ARRAY_IDX(check->all, i, const ap_directive_t *), section,
                 s))
            target_check(check, &target, conf);
}
