/* SPDX-License-Identifier: Apache-2.0 */
/* What mod_status shows of us: policies, cache, places that are open. */
#include "http_core.h"
#include "http_protocol.h"
#include "mod_status.h"

#include "context.h"

static void policy_line(request_rec *r, const aa_dir_conf_t *place, int text)
{
    const char *why = place->policy ? aa_policy_stale(place->policy, r->pool)
                                    : place->policy_why;

    if (text)
        ap_rprintf(r, "AgentAuthPolicy: %s %s\n", place->policy_file,
                   why ? "stale" : "current");
    else
        ap_rprintf(r, "<dt>policy %s</dt><dd>%s</dd>\n",
                   ap_escape_html(r->pool, place->policy_file),
                   why ? ap_escape_html(r->pool, why) : "current");
}

static void open_lines(request_rec *r, int text)
{
    const apr_array_header_t *all = aa_open_places();

    for (int i = 0; all && i < all->nelts; i++)
        ap_rprintf(
            r,
            text ? "AgentAuthOpenAccess: %s\n"
                 : "<dt>open access</dt><dd>%s</dd>\n",
            ap_escape_html(r->pool, APR_ARRAY_IDX(all, i, const char *)));
}

static int show(request_rec *r, int flags)
{
    const apr_array_header_t *places = aa_policy_places();
    int text = flags & AP_STATUS_SHORT;
    apr_size_t known = aa_runtime && aa_runtime->cache
                           ? aa_authn_cache_count(aa_runtime->cache)
                           : 0;

    if (!text)
        ap_rputs("<hr />\n<h2>mod_agentauth</h2>\n<dl>\n", r);
    ap_rprintf(r,
               text ? "AgentAuthKnownCredentials: %" APR_SIZE_T_FMT "\n"
                    : "<dt>known credentials in this process</dt>"
                      "<dd>%" APR_SIZE_T_FMT "</dd>\n",
               known);
    for (int i = 0; places && i < places->nelts; i++) {
        const aa_dir_conf_t *place =
            APR_ARRAY_IDX(places, i, const aa_dir_conf_t *);

        policy_line(r, place, text);
    }
    open_lines(r, text);
    if (!text)
        ap_rputs("</dl>\n", r);
    return OK;
}

void aa_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_MIDDLE);
}
