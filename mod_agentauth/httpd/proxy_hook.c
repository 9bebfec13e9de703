/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks of mod_proxy that are no optional ones, whatever the load order. */
#include "apr_dso.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_config.h"
#include "http_log.h"

#include "base/log.h"
#include "context.h"

APLOG_USE_MODULE(agentauth);

/* As APR_DECLARE_EXTERNAL_HOOK declares them, but for the first parameter. */
typedef void (*add_hook_t)(void (*answer)(void), const char *const *before,
                           const char *const *after, int order);

/* mod_proxy.so itself, or the server where mod_proxy is built in. */
static apr_status_t find_proxy(apr_dso_handle_t **handle, apr_pool_t *p)
{
    const module *proxy = ap_find_linked_module("mod_proxy.c");

    *handle = NULL;
    if (!proxy)
        return APR_ENOENT;
    if (proxy->dynamic_load_handle) {
        *handle = proxy->dynamic_load_handle;
        return APR_SUCCESS;
    }
    return apr_dso_load(handle, NULL, p);
}

int aa_proxy_hook(const char *name, void (*answer)(void), apr_pool_t *p)
{
    const char *symbol = apr_pstrcat(p, "proxy_hook_", name, NULL);
    apr_dso_handle_t *proxy;
    apr_dso_handle_sym_t found = NULL;
    apr_status_t rv = find_proxy(&proxy, p);

    if (rv == APR_ENOENT)
        return OK; /* no mod_proxy, nothing to look after */
    if (rv == APR_SUCCESS)
        rv = apr_dso_sym(&found, proxy, symbol);
    if (rv != APR_SUCCESS || !found) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, rv, p,
                      "%s: mod_proxy has no %s: what it sends cannot be "
                      "checked",
                      aa_codes[AA_E_INTERNAL].number, symbol);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ((add_hook_t)found)(answer, NULL, NULL, APR_HOOK_REALLY_FIRST);
    return OK;
}
