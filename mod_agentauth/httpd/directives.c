/* SPDX-License-Identifier: Apache-2.0 */
/* The table of directives; each setter checks its own value. What needs more
 * than one directive is checked by aa_check_config. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "base/duration.h"
#include "enforce/address.h"
#include "httpd/directives.h"
#include "httpd/places.h"
#include "model/limits.h"
#include "store/store.h"

/* ---------------------------------------------------------------- contexts */

const char *aa_directive_server(aa_server_conf_t **conf, cmd_parms *cmd)
{
    *conf = aa_server_conf(cmd->server);
    if (ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT | NOT_IN_HTACCESS))
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "stands in the server or in <VirtualHost>, "
                                "not in a section of it");
    (*conf)->configured = 1;
    return NULL;
}

/* Server-wide directives say nothing about a virtual host, so that they do
 * not make its paths ours. */
static const char *whole_server(aa_server_conf_t **conf, cmd_parms *cmd)
{
    *conf = aa_server_conf(cmd->server);
    if (ap_check_cmd_context(cmd, GLOBAL_ONLY | NOT_IN_HTACCESS))
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "holds for the whole server and cannot stand "
                                "in <VirtualHost> or in a section");
    return NULL;
}

/* AllowOverrideList could let a .htaccess in; <Limit> would look like a rule
 * for some methods, while the directive would hold for all. */
static const char *in_place(cmd_parms *cmd, const aa_dir_conf_t *conf)
{
    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS))
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "cannot stand in a .htaccess file");
    if (ap_check_cmd_context(cmd, NOT_IN_LIMIT))
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "cannot stand in <Limit> or <LimitExcept>");
    aa_server_conf(cmd->server)->configured = 1;
    aa_places_note(conf, cmd);
    return NULL;
}

/* ------------------------------------------------------------------- texts */

static int made_of(const char *text, const char *more, size_t min, size_t max)
{
    size_t len = 0;

    for (; text[len]; len++)
        if (!apr_isalnum(text[len]) && !strchr(more, text[len]))
            return 0;
    return len >= min && len <= max;
}

/* "/auth": segments without dots alone, no '/' at the end. */
static int path_plain(const char *path)
{
    if (!made_of(path, "/-._~", 2, AA_CONF_PATH_MAX) || *path != '/' ||
        path[strlen(path) - 1] == '/' || ap_strstr_c(path, "//"))
        return 0;
    for (const char *s = path; s; s = strchr(s + 1, '/'))
        if (s[1] == '.' &&
            (!s[2] || s[2] == '/' || (s[2] == '.' && (!s[3] || s[3] == '/'))))
            return 0;
    return 1;
}

static const char *absolute(const char **path, cmd_parms *cmd, const char *arg)
{
    *path = *arg ? ap_server_root_relative(cmd->pool, arg) : NULL;
    if (!*path)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE, "%s is not a path",
                                aa_directive_shown(arg, cmd->pool));
    return NULL;
}

/* -------------------------------------------------------- the whole server */

static const char *set_state_dir(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = whole_server(&conf, cmd);

    (void)dirv;
    return why ? why : absolute(&conf->state_dir, cmd, arg);
}

static const char *set_store(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = whole_server(&conf, cmd), *file, *url;

    (void)dirv;
    if (why)
        return why;
    if (!ap_cstr_casecmpn(arg, "postgres", 8))
        return aa_directive_bad(cmd, AA_E_CONF_NOT_YET,
                                "'postgresql:' is not available in this "
                                "version; allowed: sqlite:FILE");
    if (strncmp(arg, "sqlite:", 7) || !arg[7])
        return aa_directive_bad(cmd, AA_E_CONF_VALUE, "%s is not sqlite:FILE",
                                aa_directive_shown(arg, cmd->pool));
    if ((why = absolute(&file, cmd, arg + 7)))
        return why;
    url = apr_pstrcat(cmd->pool, "sqlite:", file, NULL);
    if (!aa_store_url_valid(&why, url, cmd->pool))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE, "%s: %s",
                                aa_directive_shown(arg, cmd->pool), why);
    conf->store_url = url;
    return NULL;
}

static const char *set_share(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"shm", 1}, {NULL, 0}};
    aa_server_conf_t *conf;
    const char *why = whole_server(&conf, cmd);
    int value;

    (void)dirv;
    if (why)
        return why;
    if (!ap_cstr_casecmpn(arg, "redis", 5))
        return aa_directive_bad(cmd, AA_E_CONF_NOT_YET,
                                "'redis:' is not available in this version; "
                                "allowed: shm");
    if ((why = aa_directive_pick(&value, cmd, arg, words)))
        return why;
    conf->share_url = "shm";
    return NULL;
}

/* ---------------------------------------------------------- a virtual host */

static const char *set_realm(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (!aa_text_plain(arg, AA_REALM_MAX, 1))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not 1 to %d printable ASCII characters "
                                "without '\"' and '\\'",
                                aa_directive_shown(arg, cmd->pool),
                                AA_REALM_MAX);
    conf->realm = arg;
    return NULL;
}

static const char *set_path(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (!path_plain(arg))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a path such as /auth: it begins "
                                "with '/', does not end with it, and has "
                                "letters, digits and -._~ in between",
                                aa_directive_shown(arg, cmd->pool));
    conf->path = arg;
    return NULL;
}

/* RFC 6265 s4.1.1. */
static const char *set_cookie_name(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (!made_of(arg, "!#$%&'*+-.^_`|~", 1, AA_KEY_PREFIX_MAX))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a cookie's name of 1 to %d "
                                "characters",
                                aa_directive_shown(arg, cmd->pool),
                                AA_KEY_PREFIX_MAX);
    conf->cookie_name = arg;
    return NULL;
}

static int starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static int overlap(const char *a, const char *b)
{
    return starts(a, b) || starts(b, a);
}

static const char *add_key_prefix(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (!made_of(arg, "_-", AA_KEY_PREFIX_MIN, AA_KEY_PREFIX_MAX))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not %d to %d letters, digits, '_' and "
                                "'-'",
                                aa_directive_shown(arg, cmd->pool),
                                AA_KEY_PREFIX_MIN, AA_KEY_PREFIX_MAX);
    if (overlap(arg, "sess_"))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "'%s' overlaps 'sess_', by which sessions are "
                                "known",
                                arg);
    for (const char *const *k = conf->key_prefixes; k && *k; k++)
        if (overlap(arg, *k))
            return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                    "'%s' overlaps '%s'; no prefix may begin "
                                    "with another",
                                    arg, *k);
    conf->key_prefixes = aa_list_with(conf->key_prefixes, arg, cmd->pool);
    return NULL;
}

/* Headers that mean something else already, or that we set ourselves. */
static int header_taken(const char *name)
{
    static const char *const taken[] = {"Authorization",
                                        "Connection",
                                        "Content-Length",
                                        "Content-Type",
                                        "Cookie",
                                        "Expect",
                                        "Host",
                                        "Origin",
                                        "Proxy-Authorization",
                                        "Range",
                                        "Referer",
                                        "TE",
                                        "Trailer",
                                        "Transfer-Encoding",
                                        "Upgrade",
                                        "User-Agent",
                                        "X-Auth-Scheme",
                                        NULL};

    for (const char *const *t = taken; *t; t++)
        if (!ap_cstr_casecmp(*t, name))
            return 1;
    return !ap_cstr_casecmpn(name, "AgentAuth-", 10) ||
           !ap_cstr_casecmpn(name, "Sec-", 4);
}

static const char *set_key_header(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (!made_of(arg, "-", 1, AA_KEY_PREFIX_MAX) || header_taken(arg))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a free header name of letters, "
                                "digits and '-', such as X-API-Key",
                                aa_directive_shown(arg, cmd->pool));
    conf->key_header = arg;
    return NULL;
}

static const char *set_decision_log(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_server_conf_t *conf;
    const char *why = aa_directive_server(&conf, cmd);

    (void)dirv;
    if (why)
        return why;
    if (*arg != '|')
        return absolute(&conf->decision_log, cmd, arg);
    if (!arg[1 + strspn(arg + 1, " \t")])
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "'|' needs a program after it");
    conf->decision_log = arg;
    return NULL;
}

/* ---------------------------------------------------------------- a place */

static const char *add_method(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"bearer", AA_METHOD_BEARER},
                                      {"apikey", AA_METHOD_APIKEY},
                                      {"policy", AA_METHOD_POLICY},
                                      {"session", AA_WORD_LATER},
                                      {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    int method = 0;

    if (why || (why = aa_directive_pick(&method, cmd, arg, words)))
        return why;
    conf->methods |= AA_METHOD_BIT(method);
    return NULL;
}

static const char *set_policy(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why || (why = absolute(&conf->policy_file, cmd, arg)))
        return why;
    conf->policy_id = aa_places_policy_id(conf->policy_file);
    conf->where = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename,
                               cmd->directive->line_num);
    return NULL;
}

static const char *set_reload(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why)
        return why;
    if (aa_duration_parse(&conf->reload, arg) != APR_SUCCESS ||
        conf->reload < AA_RELOAD_MIN)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a time of 50ms or more, such as "
                                "250ms or 10s",
                                aa_directive_shown(arg, cmd->pool));
    return NULL;
}

static const char *routes_word(aa_dir_conf_t *conf, cmd_parms *cmd,
                               const char *word)
{
    const char *file, *why;

    if (*word == '+') {
        if ((why = absolute(&file, cmd, word + 1)))
            return why;
        conf->routes_files = aa_list_with(conf->routes_files, file, cmd->pool);
        return NULL;
    }
    if (strncmp(word, "prefix=", 7))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is neither +FILE nor prefix=/PATH",
                                aa_directive_shown(word, cmd->pool));
    if (word[7] && !path_plain(word + 7))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not prefix=/PATH without '/' at the "
                                "end; for the root leave it out",
                                aa_directive_shown(word, cmd->pool));
    conf->routes_prefix = word + 7;
    return NULL;
}

static const char *set_routes(cmd_parms *cmd, void *dirv, int argc,
                              char *const argv[])
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why)
        return why;
    if (!argc || !made_of(argv[0], "_-", 1, AA_CONF_WORD_MAX))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "needs the name of a map first: NAME "
                                "[+FILE ...] [prefix=/PATH]");
    conf->routes_name = apr_pstrdup(cmd->pool, argv[0]);
    conf->routes_files = NULL;
    conf->routes_prefix = "";
    for (int i = 1; i < argc && !why; i++)
        why = routes_word(conf, cmd, apr_pstrdup(cmd->pool, argv[i]));
    conf->routes_id = aa_places_routes_id(conf);
    return why;
}

/* "METHOD /path" in quotes, or "/path" for GET. Whether the map has it is
 * for check_config. */
static const char *add_open_route(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    size_t method;

    if (why)
        return why;
    for (method = 0; apr_isupper(arg[method]); method++)
        ;
    if (!(*arg == '/' ||
          (method && arg[method] == ' ' && arg[method + 1] == '/')) ||
        !aa_text_plain(arg, AA_CONF_PATH_MAX, 1))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a row of the map: \"METHOD /path\" "
                                "in quotes, or /path for GET",
                                aa_directive_shown(arg, cmd->pool));
    conf->open_routes = aa_list_with(conf->open_routes, arg, cmd->pool);
    return NULL;
}

static const char *set_unmatched(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"deny", 0}, {"allow", 1}, {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    return why ? why
               : aa_directive_pick(&conf->unmatched_allow, cmd, arg, words);
}

static const char *set_enforce(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"notes", AA_ENFORCE_NOTES},
                                      {"headers", AA_ENFORCE_HEADERS},
                                      {"gateway", AA_ENFORCE_GATEWAY},
                                      {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    int value = AA_ENFORCE_UNSET;

    if (!why)
        why = aa_directive_pick(&value, cmd, arg, words);
    conf->enforce = (aa_enforce_e)value;
    return why;
}

static const char *set_webhook(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {
        {"drop", AA_WEBHOOK_DROP}, {"refuse", AA_WEBHOOK_REFUSE}, {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    int value = AA_WEBHOOK_UNSET;

    if (!why)
        why = aa_directive_pick(&value, cmd, arg, words);
    conf->webhook = (aa_webhook_e)value;
    return why;
}

/* Kept in its normal spelling. The value is not repeated: it may hold a
 * password, which is why it is refused. */
static const char *set_backend(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    aa_address_t address;

    if (why)
        return why;
    if (aa_address_read(&address, &why, arg, cmd->pool) != APR_SUCCESS)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "the URL %s; allowed: http://HOST[:PORT][/PATH]"
                                ", https://..., unix:/FILE|http://HOST[/PATH]",
                                why);
    conf->backend_url = aa_address_name(&address, cmd->pool);
    return NULL;
}

static const char *set_pass(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"header", AA_PASS_HEADER},
                                      {"assertion", AA_PASS_ASSERTION},
                                      {"both", AA_PASS_BOTH},
                                      {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    int value = AA_PASS_UNSET;

    if (!why)
        why = aa_directive_pick(&value, cmd, arg, words);
    conf->pass = (aa_pass_e)value;
    return why;
}

static const char *set_audience(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why)
        return why;
    if (!aa_text_plain(arg, AA_CONF_WORD_MAX, 0))
        return aa_directive_bad(
            cmd, AA_E_CONF_VALUE, "%s is not 1 to %d visible ASCII characters",
            aa_directive_shown(arg, cmd->pool), AA_CONF_WORD_MAX);
    conf->assertion_audience = arg;
    return NULL;
}

static const char *add_pass_claim(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why)
        return why;
    if (!aa_text_plain(arg, AA_CONF_WORD_MAX, 0))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not the name of a claim",
                                aa_directive_shown(arg, cmd->pool));
    if (aa_list_len(conf->pass_claims) >= AA_PASS_CLAIMS_MAX)
        return aa_directive_bad(
            cmd, AA_E_CONF_VALUE, "%s is one too many; at most %d claims",
            aa_directive_shown(arg, cmd->pool), AA_PASS_CLAIMS_MAX);
    if (!conf->pass_claims)
        conf->serial = aa_places_serial();
    conf->pass_claims = aa_list_with(conf->pass_claims, arg, cmd->pool);
    return NULL;
}

static const char *set_forward(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"none", 0}, {"bearer", 1}, {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    return why ? why
               : aa_directive_pick(&conf->forward_bearer, cmd, arg, words);
}

static const char *set_optional(cmd_parms *cmd, void *dirv, int on)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    conf->optional = on;
    return why;
}

static const char *set_open_access(cmd_parms *cmd, void *dirv, int on)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    conf->open_access = on;
    if (!why && !cmd->path)
        aa_server_conf(cmd->server)->open_access = on;
    return why;
}

static const char *set_unauthorized(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const aa_word_t words[] = {{"auto", AA_UNAUTHORIZED_AUTO},
                                      {"401", AA_UNAUTHORIZED_401},
                                      {"login", AA_WORD_LATER},
                                      {NULL, 0}};
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);
    int value = AA_UNAUTHORIZED_UNSET;

    if (!why)
        why = aa_directive_pick(&value, cmd, arg, words);
    conf->unauthorized = (aa_unauthorized_e)value;
    return why;
}

/* 512, 64k, 16M; 0 when it is none of these or out of bounds. */
static apr_int64_t size_read(const char *text)
{
    apr_int64_t n = 0, unit = 1;

    for (; apr_isdigit(*text); text++)
        if ((n = n * 10 + (*text - '0')) > AA_BODY_MAX_CEILING)
            return 0;
    if (*text == 'k' || *text == 'K')
        unit = 1024;
    else if (*text == 'm' || *text == 'M')
        unit = 1024 * 1024;
    else if (*text)
        return 0;
    if (unit > 1 && text[1])
        return 0;
    return n > AA_BODY_MAX_CEILING / unit ? 0 : n * unit;
}

static const char *set_max_body(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why)
        return why;
    conf->max_body = size_read(arg);
    if (!conf->max_body)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not a size of 1 to 1024M, such as "
                                "65536, 512k or 16M",
                                aa_directive_shown(arg, cmd->pool));
    return NULL;
}

static const char *add_origin(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why || !(why = aa_origins_add(&conf->origin, arg, 1, cmd->pool)))
        return why;
    return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                            "%s %s; allowed: same-origin, origins, or *",
                            aa_directive_shown(arg, cmd->pool), why);
}

static const char *add_cors(cmd_parms *cmd, void *dirv, const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why || !(why = aa_origins_add(&conf->cors, arg, 0, cmd->pool)))
        return why;
    return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                            "%s %s; allowed: origins, or *",
                            aa_directive_shown(arg, cmd->pool), why);
}

static const char *add_webhook_origin(cmd_parms *cmd, void *dirv,
                                      const char *arg)
{
    aa_dir_conf_t *conf = dirv;
    const char *why = in_place(cmd, conf);

    if (why ||
        !(why = aa_origins_add(&conf->webhook_origins, arg, 0, cmd->pool)))
        return why;
    return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                            "%s %s; allowed: origins, or *",
                            aa_directive_shown(arg, cmd->pool), why);
}

/* A place is anything from the server down to <If>, never a .htaccess: who
 * writes one must not choose who is let in. */
#define PLACE (RSRC_CONF | ACCESS_CONF)
#define HOST RSRC_CONF

const command_rec aa_cmds[] = {
    AP_INIT_TAKE1("AgentAuthStateDir", set_state_dir, NULL, HOST,
                  "directory of the SQLite store, secrets and signing keys; "
                  "for the whole server (default " AA_STATE_DIR ")"),
    AP_INIT_TAKE1("AgentAuthStore", set_store, NULL, HOST,
                  "sqlite:FILE, where users and keys are kept; for the whole "
                  "server (default agentauth.sqlite in the state directory)"),
    AP_INIT_TAKE1("AgentAuthShare", set_share, NULL, HOST,
                  "shm, where processes share state; for the whole server "
                  "(default shm)"),
    AP_INIT_TAKE1("AgentAuthRealm", set_realm, NULL, HOST,
                  "name within which users and keys are valid, 1 to 255 "
                  "printable characters (default the ServerName in lower "
                  "case)"),
    AP_INIT_TAKE1("AgentAuthPath", set_path, NULL, HOST,
                  "prefix of the module's own endpoints (default /auth)"),
    AP_INIT_TAKE1("AgentAuthCookieName", set_cookie_name, NULL, HOST,
                  "name of the session cookie, taken literally (default "
                  "agentauth_session, with __Host- before it on https)"),
    AP_INIT_ITERATE("AgentAuthAPIKeyPrefix", add_key_prefix, NULL, HOST,
                    "prefixes of API keys, 4 to 64 of A-Z a-z 0-9 _ -; the "
                    "first issues, all are accepted (default sk-agentauth-)"),
    AP_INIT_TAKE1("AgentAuthAPIKeyHeader", set_key_header, NULL, HOST,
                  "header in which API keys are sent (default X-API-Key)"),
    AP_INIT_TAKE1("AgentAuthDecisionLog", set_decision_log, NULL, HOST,
                  "file or \"|program\" that gets one JSON object for each "
                  "decision (default the error log)"),

    AP_INIT_RAW_ARGS("<AgentAuthIssuer", aa_issuer_section, NULL, HOST,
                     "an issuer of bearer tokens, by its exact iss (default "
                     "none)"),
    AP_INIT_ITERATE("AgentAuthAudience", aa_issuer_audience, NULL, HOST,
                    "in <AgentAuthIssuer>: values of aud that are meant for "
                    "us (required, no default)"),
    AP_INIT_TAKE1("AgentAuthJWKS", aa_issuer_jwks, NULL, HOST,
                  "in <AgentAuthIssuer>: file or https URL of its keys "
                  "(default by discovery)"),
    AP_INIT_TAKE1("AgentAuthIssuerSecret", aa_issuer_secret, NULL, HOST,
                  "in <AgentAuthIssuer>: secret for HS256, HS384, HS512, as "
                  "file:PATH, env:NAME, exec:COMMAND or text, at least as "
                  "long as the hash (default none)"),
    AP_INIT_ITERATE("AgentAuthAlgorithms", aa_issuer_algorithm, NULL, HOST,
                    "in <AgentAuthIssuer>: algorithms that are accepted "
                    "(default RS256 ES256 PS256 EdDSA; HS256 with a secret)"),
    AP_INIT_TAKE1("AgentAuthIdentityClaim", aa_issuer_claim, NULL, HOST,
                  "in <AgentAuthIssuer>: claim that is the identity (default "
                  "sub)"),
    AP_INIT_TAKE1("AgentAuthPermissionsClaim", aa_issuer_claim, NULL, HOST,
                  "in <AgentAuthIssuer>: claim that lists permissions "
                  "(default permissions)"),
    AP_INIT_RAW_ARGS("AgentAuthIdentityPrefix", aa_issuer_prefix, NULL, HOST,
                     "in <AgentAuthIssuer>: text before each identity, so "
                     "that two sources cannot mean the same user (default "
                     "none; required where they could)"),

    AP_INIT_ITERATE("AgentAuthMethods", add_method, NULL, PLACE,
                    "kinds of credential that count here: bearer, apikey, "
                    "policy (default all that are configured)"),
    AP_INIT_TAKE1("AgentAuthPolicy", set_policy, NULL, PLACE,
                  "Lua policy that decides on requests here; relative paths "
                  "start at ServerRoot (default none)"),
    AP_INIT_TAKE1("AgentAuthReloadInterval", set_reload, NULL, PLACE,
                  "how often the policy file is looked at, at least 50ms "
                  "(default 250ms)"),
    AP_INIT_TAKE_ARGV("AgentAuthRoutes", set_routes, NULL, PLACE,
                      "route map NAME, with additions +FILE, mounted at "
                      "prefix=/PATH (default langgraph)"),
    AP_INIT_ITERATE("AgentAuthOpenRoutes", add_open_route, NULL, PLACE,
                    "rows of the map that are opened knowingly: \"METHOD "
                    "/path\", or /path for GET (default none)"),
    AP_INIT_TAKE1("AgentAuthUnmatched", set_unmatched, NULL, PLACE,
                  "deny or allow an event for which the policy has no handler "
                  "(default deny)"),
    AP_INIT_TAKE1("AgentAuthEnforce", set_enforce, NULL, PLACE,
                  "how far the decision is carried: notes, headers, or made "
                  "true by the gateway (default notes for handlers inside "
                  "httpd, none for a proxied place with a policy)"),
    AP_INIT_TAKE1("AgentAuthWebhook", set_webhook, NULL, PLACE,
                  "webhooks that AgentAuthWebhookOrigin does not list, with "
                  "AgentAuthEnforce gateway: drop (default) or refuse"),
    AP_INIT_ITERATE("AgentAuthWebhookOrigin", add_webhook_origin, NULL, PLACE,
                    "origins that runs' webhooks may lead to, or * for all "
                    "that do not lead back (default none)"),
    AP_INIT_TAKE1("AgentAuthBackend", set_backend, NULL, PLACE,
                  "where the backend is asked about its objects: http://, "
                  "https:// or unix:/FILE|http:// URL of its root (default "
                  "the URL of ProxyPass without the path of the request)"),
    AP_INIT_TAKE1("AgentAuthPassAs", set_pass, NULL, PLACE,
                  "what a backend gets: header, assertion or both (default "
                  "header)"),
    AP_INIT_TAKE1("AgentAuthAssertionAudience", set_audience, NULL, PLACE,
                  "aud of assertions, 1 to 255 characters (default "
                  "scheme://host:port of the proxy worker)"),
    AP_INIT_ITERATE("AgentAuthPassClaims", add_pass_claim, NULL, PLACE,
                    "what of the user is passed on, at most 64 names (default "
                    "identity display_name email permissions)"),
    AP_INIT_TAKE1("AgentAuthForwardCredential", set_forward, NULL, PLACE,
                  "none, or bearer to leave a bearer token in the request for "
                  "the backend (default none)"),
    AP_INIT_FLAG("AgentAuthOptional", set_optional, NULL, PLACE,
                 "let a request without credentials in as guest, for the "
                 "policy to decide (default Off)"),
    AP_INIT_FLAG("AgentAuthOpenAccess", set_open_access, NULL, PLACE,
                 "development: no authentication, everybody is anonymous "
                 "(default Off)"),
    AP_INIT_TAKE1("AgentAuthUnauthorized", set_unauthorized, NULL, PLACE,
                  "what nobody gets: auto or 401 (default auto)"),
    AP_INIT_TAKE1("AgentAuthMaxBody", set_max_body, NULL, PLACE,
                  "longest body that is read for a policy, in bytes or with k "
                  "or M, 1 to 1024M (default 16M)"),
    AP_INIT_ITERATE("AgentAuthOrigin", add_origin, NULL, PLACE,
                    "origins from which WebSockets and writes with a cookie "
                    "may come: same-origin, scheme://host[:port], or * "
                    "(default same-origin)"),
    AP_INIT_ITERATE("AgentAuthCORSOrigin", add_cors, NULL, PLACE,
                    "origins whose pages may read answers: "
                    "scheme://host[:port], or * (default none)"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
