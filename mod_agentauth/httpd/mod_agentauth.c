/* SPDX-License-Identifier: Apache-2.0 */
/* The module: which hook of httpd is answered where. */
#include "httpd.h"
#include "ap_config.h"
#include "http_config.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_auth.h"
#include "mod_proxy.h"
#include "util_filter.h"

#include "context.h"

static int check_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    return aa_check_config(p, plog, ptemp, s);
}

static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog, (void)ptemp;
    return aa_guard_register(p) == OK ? aa_handoff_register_late(p)
                                      : HTTP_INTERNAL_SERVER_ERROR;
}

/* The order is the argument: what is scrubbed first cannot be forged later,
 * what is decided in fixups REALLY_FIRST is decided before anybody acts on
 * it, and headers are set where a client's Connection no longer reaches. */
static void register_hooks(apr_pool_t *p)
{
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* MIDDLE: mod_watchdog's own post_config is LAST and must come after. */
    ap_hook_post_config(aa_runtime_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(aa_runtime_child_init, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_post_read_request(aa_scrub_hook, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access_ex(aa_access_hook, NULL, NULL, APR_HOOK_REALLY_FIRST,
                            AP_AUTH_INTERNAL_PER_URI);
    ap_hook_force_authn(aa_force_hook, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authn(aa_authn_hook, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_URI);
    ap_hook_note_auth_failure(aa_note_failure_hook, NULL, NULL,
                              APR_HOOK_MIDDLE);
    aa_require_register(p);
    ap_hook_fixups(aa_decide_hook, NULL, NULL, APR_HOOK_REALLY_FIRST);

    ap_hook_handler(aa_endpoint_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_filter(aa_body_insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_filter(aa_handoff_insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_filter(aa_gateway_insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_error_filter(aa_answer_insert, NULL, NULL, APR_HOOK_LAST);
    ap_register_input_filter("AGENTAUTH_BODY", aa_body_filter, NULL,
                             AP_FTYPE_CONTENT_SET);
    ap_register_output_filter("AGENTAUTH_ANSWER", aa_handoff_filter, NULL,
                              AP_FTYPE_CONTENT_SET);
    ap_register_output_filter("AGENTAUTH_HEAD", aa_gateway_filter, NULL,
                              AP_FTYPE_CONTENT_SET);
    ap_register_output_filter("AGENTAUTH_ERROR", aa_answer_filter, NULL,
                              AP_FTYPE_CONTENT_SET);
    aa_handoff_register();
    aa_gateway_register();
    aa_streams_register();
    aa_status_register();
    ap_hook_log_transaction(aa_decision_log, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(agentauth) = {
    STANDARD20_MODULE_STUFF, aa_dir_conf_create,   aa_dir_conf_merge,
    aa_server_conf_create,   aa_server_conf_merge, aa_cmds,
    register_hooks,          AP_MODULE_FLAG_NONE,
};
