/* SPDX-License-Identifier: Apache-2.0 */
/* The check_config hook: what needs more than one directive to be judged.
 *
 * Runs under configtest too, so nothing here uses the network or creates
 * anything; and it says all that is wrong, not only the first. */
#include <stdarg.h>
#include <string.h>

#include "apr_file_info.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_core.h"
#include "http_log.h"
#include "base/crypto.h"
#include "httpd/check.h"
#include "model/limits.h"

APLOG_USE_MODULE(agentauth);

/* ------------------------------------------------------------- complaints */

/* The line, or NULL when it was said before: a section of the main server is
 * looked at once for each virtual host. */
static const char *line_once(aa_check_t *check, aa_code_e code,
                             const char *directive, const char *where,
                             const char *fmt, va_list ap)
{
    const char *line =
        apr_psprintf(check->p, "%s: %s (%s): %s", aa_codes[code].number,
                     directive, where, apr_pvsprintf(check->p, fmt, ap));

    if (apr_hash_get(check->said, line, APR_HASH_KEY_STRING))
        return NULL;
    apr_hash_set(check->said, line, APR_HASH_KEY_STRING, line);
    return line;
}

void aa_check_problem(aa_check_t *check, aa_code_e code, const char *directive,
                      const char *where, const char *fmt, ...)
{
    const char *line;
    va_list ap;

    va_start(ap, fmt);
    line = line_once(check, code, directive, where, fmt, ap);
    va_end(ap);
    check->problems++;
    if (line)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, check->main,
                     "%s", line);
}

/* The first of two readings at start is silent; the second one speaks. */
void aa_check_warning(aa_check_t *check, aa_code_e code, const char *directive,
                      const char *where, const char *fmt, ...)
{
    const char *line;
    va_list ap;

    va_start(ap, fmt);
    line = line_once(check, code, directive, where, fmt, ap);
    va_end(ap);
    if (!line)
        return;
    aa_places_warn(line);
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG ||
        ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, check->main,
                     "%s", line);
}

aa_dir_conf_t *aa_check_defaults(const server_rec *s)
{
    return ap_get_module_config(s->lookup_defaults, &agentauth_module);
}

/* ------------------------------------------------------------------- files */

static const char *folder_of(const char *file, apr_pool_t *p)
{
    const char *slash = strrchr(file, '/');

    return slash && slash != file
               ? apr_pstrmemdup(p, file, (apr_size_t)(slash - file))
               : "/";
}

/* In a folder that others may write, a file can be replaced by any of them;
 * the sticky bit (as on /tmp) prevents it. */
static const char *folder_check(const char *folder, apr_pool_t *p)
{
    apr_finfo_t info;
    apr_status_t rv =
        apr_stat(&info, folder, APR_FINFO_TYPE | APR_FINFO_PROT, p);
    char buf[120];

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return apr_psprintf(p, "%s: %s", folder,
                            apr_strerror(rv, buf, sizeof(buf)));
    if (info.filetype != APR_DIR)
        return apr_psprintf(p, "%s is not a directory", folder);
    if ((info.protection & APR_FPROT_WWRITE) &&
        !(info.protection & APR_FPROT_WSTICKY))
        return apr_psprintf(p,
                            "directory %s can be written by everybody; "
                            "chmod o-w",
                            folder);
    return NULL;
}

const char *aa_check_file(const char *file, apr_pool_t *p)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, file, APR_FINFO_TYPE | APR_FINFO_PROT, p);
    char buf[120];

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return apr_psprintf(p, "%s: %s", file,
                            apr_strerror(rv, buf, sizeof(buf)));
    if (info.filetype != APR_REG)
        return apr_psprintf(p, "%s is not a file", file);
    if (info.protection & APR_FPROT_WWRITE)
        return apr_psprintf(p, "%s can be written by everybody; chmod o-w",
                            file);
    return folder_check(folder_of(file, p), p);
}

/* --------------------------------------------------------- whole server */

/* Line of a directive of the server, by its name. */
static const char *line_of(const aa_check_t *check, const char *name)
{
    for (int i = 0; i < check->all->nelts; i++) {
        const ap_directive_t *d =
            APR_ARRAY_IDX(check->all, i, const ap_directive_t *);

        if (!ap_cstr_casecmp(d->directive, name))
            return aa_tree_line(check, d);
    }
    return "by default";
}

/* Neither the place for files that come and go with the server, nor one that
 * it gives away. */
static void state_dir_place(aa_check_t *check, const char *dir,
                            const char *where)
{
    const char *runtime = ap_runtime_dir_relative(check->p, "");

    if (runtime && *runtime && aa_tree_below(runtime, dir))
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStateDir", where,
                         "'%s' is inside the runtime directory %s, which may "
                         "be emptied at a reboot; choose a lasting place, "
                         "such as %s",
                         dir, runtime, AA_STATE_DIR);
    for (const server_rec *s = check->main; s; s = s->next) {
        const core_server_config *core =
            ap_get_core_module_config(s->module_config);

        if (core->ap_document_root &&
            aa_tree_below(core->ap_document_root, dir))
            aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStateDir", where,
                             "'%s' is inside the DocumentRoot %s; choose a "
                             "place that is not served",
                             dir, core->ap_document_root);
    }
}

static void state_dir_check(aa_check_t *check, const char *dir)
{
    const char *where = line_of(check, "AgentAuthStateDir");
    apr_finfo_t info;
    apr_status_t rv =
        apr_stat(&info, dir, APR_FINFO_TYPE | APR_FINFO_PROT, check->p);

    state_dir_place(check, dir, where);
    if (APR_STATUS_IS_ENOENT(rv))
        return; /* made when the server really starts */
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStateDir", where,
                         "'%s' cannot be looked at", dir);
    else if (info.filetype != APR_DIR)
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStateDir", where,
                         "'%s' is not a directory", dir);
    else if (info.protection & (APR_FPROT_WREAD | APR_FPROT_WWRITE |
                                APR_FPROT_WEXECUTE | APR_FPROT_GWRITE))
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStateDir", where,
                         "'%s' can be read by everybody or written by others; "
                         "chmod 700",
                         dir);
}

static void store_check(aa_check_t *check, const aa_server_conf_t *conf)
{
    const char *folder =
        folder_of(conf->store_url + strlen("sqlite:"), check->p);
    const char *why;

    if (!strcmp(folder, conf->state_dir))
        return;
    why = folder_check(folder, check->p);
    if (why)
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthStore",
                         line_of(check, "AgentAuthStore"), "'%s': %s",
                         conf->store_url, why);
}

static void decision_log_check(aa_check_t *check, const aa_server_conf_t *conf)
{
    const char *why;

    if (!conf->decision_log || *conf->decision_log == '|')
        return;
    why = folder_check(folder_of(conf->decision_log, check->p), check->p);
    if (why)
        aa_check_problem(check, AA_E_CONF_FILE, "AgentAuthDecisionLog",
                         line_of(check, "AgentAuthDecisionLog"), "'%s': %s",
                         conf->decision_log, why);
}

/* A virtual host in which no directive of ours stands has the very struct of
 * the main server, whose sections serve it; its realm and name are its own. */
static void server_own(apr_pool_t *p, const server_rec *main, server_rec *s)
{
    const aa_server_conf_t *conf = aa_server_conf(s);

    if (s != main && conf == aa_server_conf(main))
        ap_set_module_config(s->module_config, &agentauth_module,
                             apr_pmemdup(p, conf, sizeof(*conf)));
}

/* httpd makes up a name for a virtual host that has none. */
static int has_name(const aa_check_t *check, const server_rec *s)
{
    for (int i = 0; i < check->all->nelts; i++) {
        const ap_directive_t *d =
            APR_ARRAY_IDX(check->all, i, const ap_directive_t *);
        const ap_directive_t *section = aa_tree_section(check, d);

        if (section && !ap_cstr_casecmp(d->directive, "ServerName") &&
            aa_tree_in_server(check, section, s))
            return 1;
    }
    return 0;
}

/* Without a name of its own a virtual host is of the main server's realm. */
static const char *default_realm(const aa_check_t *check, const server_rec *s)
{
    const char *main_realm = aa_server_conf(check->main)->realm;
    char *name;

    if (s != check->main && !has_name(check, s))
        return main_realm;
    name = apr_pstrdup(check->pconf,
                       s->server_hostname ? s->server_hostname : "localhost");
    ap_str_tolower(name);
    return name;
}

/* From here on no member that has a default is unset; the main server's are
 * set first. */
static void server_defaults(const aa_check_t *check, server_rec *s)
{
    static const char *const prefixes[] = {"sk-agentauth-", NULL};
    aa_server_conf_t *conf = aa_server_conf(s);

    if (!conf->state_dir)
        conf->state_dir = AA_STATE_DIR;
    if (!conf->store_url)
        conf->store_url = apr_pstrcat(check->pconf, "sqlite:", conf->state_dir,
                                      "/agentauth.sqlite", NULL);
    if (!conf->share_url)
        conf->share_url = "shm";
    if (!conf->realm)
        conf->realm = default_realm(check, s);
    if (!conf->path)
        conf->path = "/auth";
    if (!conf->key_prefixes)
        conf->key_prefixes = prefixes;
    if (!conf->key_header)
        conf->key_header = "X-API-Key";
}

static int used(const aa_check_t *check)
{
    for (server_rec *s = check->main; s; s = s->next)
        if (aa_server_conf(s)->configured)
            return 1;
    return 0;
}

/* -------------------------------------------------------------------- hook */

static void resolve_all(aa_check_t *check)
{
    const apr_array_header_t *all = aa_places_sections();

    aa_places_seal();
    for (server_rec *s = check->main; s; s = s->next)
        aa_places_resolve(aa_check_defaults(s));
    for (int i = 0; i < all->nelts; i++)
        aa_places_resolve(APR_ARRAY_IDX(all, i, aa_section_t *)->conf);
    all = aa_policy_places();
    for (int i = 0; i < all->nelts; i++)
        aa_places_resolve(APR_ARRAY_IDX(all, i, aa_dir_conf_t *));
}

int aa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *s)
{
    aa_check_t check = {s, pconf, ptemp, NULL, NULL, NULL, NULL, 0};

    (void)plog;
    if (aa_crypto_init() != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "%s: OpenSSL cannot be set up",
                     aa_codes[AA_E_INTERNAL].number);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    check.said = apr_hash_make(ptemp);
    check.maps = apr_hash_make(ptemp);
    aa_tree_read(&check);
    for (server_rec *v = s; v; v = v->next)
        server_own(pconf, s, v);
    for (server_rec *v = s; v; v = v->next)
        server_defaults(&check, v);
    if (used(&check)) {
        state_dir_check(&check, aa_server_conf(s)->state_dir);
        store_check(&check, aa_server_conf(s));
    }
    for (server_rec *v = s; v; v = v->next)
        decision_log_check(&check, aa_server_conf(v));
    aa_check_issuers(&check);
    aa_check_places(&check);
    resolve_all(&check);
    return check.problems ? HTTP_INTERNAL_SERVER_ERROR : OK;
}
