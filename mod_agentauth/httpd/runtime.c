/* SPDX-License-Identifier: Apache-2.0 */
/* Start and children: state directory, keys, issuers, cache, background. */
#include <unistd.h>

#include "apr_optional.h"
#include "apr_shm.h"
#include "apr_strings.h"
#include "ap_mpm.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "mod_watchdog.h"
#include "unixd.h"

#include "account/state.h"
#include "base/crypto.h"
#include "base/http.h"
#include "base/log.h"
#include "context.h"

APLOG_USE_MODULE(agentauth);

#define SIGNING_ROTATE (30 * 86400LL * APR_USEC_PER_SEC)
#define SIGNING_KEEP (2 * 86400LL * APR_USEC_PER_SEC)
#define TICK apr_time_from_sec(1)
#define TOKEN_LEEWAY apr_time_from_sec(60)

aa_runtime_t *aa_runtime;

static server_rec *main_server;

/* ---- log lines from below the wall */

static void to_error_log(aa_log_level_e level, aa_code_e code,
                         apr_status_t rv, const char *text)
{
    static const int levels[] = {APLOG_ERR, APLOG_WARNING, APLOG_NOTICE,
                                 APLOG_INFO, APLOG_DEBUG};

    ap_log_error(APLOG_MARK, levels[level], rv, main_server, "%s%s%s",
                 code ? aa_codes[code].number : "", code ? ": " : "", text);
}

static int failed(server_rec *s, const aa_error_t *err, const char *what)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "%s: %s: %s",
                 aa_codes[err->code].number, what,
                 err->reason ? err->reason : aa_codes[err->code].meaning);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- one virtual host */

static const char *issuer_url(server_rec *s, apr_pool_t *p)
{
    const char *scheme = s->server_scheme
                             ? s->server_scheme
                             : (s->port == 443 ? "https" : "http");
    int usual = !s->port || s->port == (strcmp(scheme, "https") ? 80 : 443);

    return usual ? apr_psprintf(p, "%s://%s", scheme, s->server_hostname)
                 : apr_psprintf(p, "%s://%s:%d", scheme, s->server_hostname,
                                s->port);
}

static int issuer_keys(aa_runtime_t *runtime, aa_issuer_t *issuer,
                       aa_keysource_shared_t *shared, server_rec *s,
                       apr_pool_t *p)
{
    aa_keysource_conf_t conf = {
        .cache_dir = apr_pstrcat(p, runtime->state_dir, "/jwks", NULL),
        .interval = apr_time_from_sec(60),
        .refresh = apr_time_from_sec(600),
        .max_age = apr_time_from_sec(86400),
        .timeout = apr_time_from_sec(5),
    };
    aa_error_t err = {0};

    if (aa_keysource_create(&issuer->keys, issuer, &conf, shared, &err, p) !=
        APR_SUCCESS)
        return failed(s, &err, issuer->url);
    APR_ARRAY_PUSH(runtime->sources, aa_keysource_t *) = issuer->keys;
    return OK;
}

static int vhost_issuers(aa_runtime_t *runtime, aa_server_conf_t *conf,
                         aa_keysource_shared_t **shared, server_rec *s,
                         apr_pool_t *p)
{
    int n = conf->issuers ? conf->issuers->nelts : 0;
    aa_issuer_t **list = apr_pcalloc(p, (size_t)(n + 1) * sizeof(*list));

    for (int i = 0; i < n; i++) {
        list[i] = APR_ARRAY_IDX(conf->issuers, i, aa_issuer_t *);
        if (!list[i]->keys &&
            issuer_keys(runtime, list[i], (*shared)++, s, p) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    conf->authn.issuers = list;
    return OK;
}

static int vhost_start(aa_runtime_t *runtime, server_rec *s,
                       aa_keysource_shared_t **shared, apr_pool_t *p)
{
    static const char *const prefixes[] = {"sk-agentauth-", NULL};
    aa_server_conf_t *conf = aa_server_conf(s);
    aa_authn_conf_t *authn = &conf->authn;

    authn->realm = aa_server_realm(s);
    authn->key_prefixes = conf->key_prefixes ? conf->key_prefixes : prefixes;
    authn->key_header = conf->key_header ? conf->key_header : "X-API-Key";
    authn->accounts = &runtime->accounts;
    authn->leeway = TOKEN_LEEWAY;
    authn->configured = AA_METHOD_BIT(AA_METHOD_APIKEY);
    if (conf->issuers && conf->issuers->nelts)
        authn->configured |= AA_METHOD_BIT(AA_METHOD_BEARER);
    conf->issuer_url = issuer_url(s, p);
    if (aa_crypto_random(authn->cache_salt, sizeof(authn->cache_salt)) !=
        APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    return vhost_issuers(runtime, conf, shared, s, p);
}

/* ---- the server */

static int issuer_count(server_rec *main)
{
    int n = 0;

    for (server_rec *s = main; s; s = s->next)
        if (aa_server_conf(s)->issuers)
            n += aa_server_conf(s)->issuers->nelts;
    return n;
}

/* Anonymous memory that children inherit: a fetch by one counts for all. */
static aa_keysource_shared_t *shared_slots(int n, apr_pool_t *p)
{
    apr_size_t size = (apr_size_t)(n + 1) * sizeof(aa_keysource_shared_t);
    apr_shm_t *shm;

    if (apr_shm_create(&shm, size, NULL, p) != APR_SUCCESS)
        return NULL;
    memset(apr_shm_baseaddr_get(shm), 0, size);
    return apr_shm_baseaddr_get(shm);
}

static apr_array_header_t *realms(server_rec *main, apr_pool_t *p)
{
    apr_array_header_t *list =
        apr_array_make(p, 4, sizeof(aa_state_realm_t));

    for (server_rec *s = main; s; s = s->next) {
        const aa_server_conf_t *conf = aa_server_conf(s);
        aa_state_realm_t *realm;

        if (!conf->configured)
            continue;
        realm = apr_array_push(list);
        realm->name = conf->authn.realm;
        realm->key_prefix = conf->authn.key_prefixes[0];
    }
    return list;
}

static int open_state(aa_runtime_t *runtime, server_rec *main, apr_pool_t *p)
{
    aa_error_t err = {0};
    aa_state_t state = {
        .dir = runtime->state_dir,
        .store_url = runtime->store_url,
        .uid = geteuid() ? geteuid() : ap_unixd_config.user_id,
        .gid = geteuid() ? getegid() : ap_unixd_config.group_id,
    };

    if (aa_state_create(&state, &err, p) != APR_SUCCESS)
        return failed(main, &err, runtime->state_dir);
    runtime->store_url = state.store_url;
    runtime->accounts.pepper = state.pepper;
    runtime->accounts.pepper_len = state.pepper_len;
    if (aa_epoch_open(&runtime->epoch,
                      apr_pstrcat(p, state.dir, "/epoch", NULL), 0, &err, p) !=
        APR_SUCCESS)
        return failed(main, &err, "epoch page");
    runtime->accounts.epoch = runtime->epoch;
    if (aa_places_pass(AA_PASS_ASSERTION) &&
        aa_signing_open(&runtime->signing,
                        apr_pstrcat(p, state.dir, "/secrets", NULL),
                        SIGNING_ROTATE, SIGNING_KEEP, apr_time_now(), &err,
                        p) != APR_SUCCESS)
        return failed(main, &err, "signing keys");
    return OK;
}

static int start(aa_runtime_t *runtime, server_rec *main, apr_pool_t *p)
{
    const aa_server_conf_t *conf = aa_server_conf(main);
    aa_keysource_shared_t *shared = shared_slots(issuer_count(main), p);
    aa_error_t err = {0};

    if (!shared)
        return HTTP_INTERNAL_SERVER_ERROR;
    runtime->state_dir = conf->state_dir ? conf->state_dir : AA_STATE_DIR;
    runtime->store_url =
        conf->store_url ? conf->store_url
                        : apr_pstrcat(p, "sqlite:", runtime->state_dir,
                                      "/agentauth.sqlite", NULL);
    if (open_state(runtime, main, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    for (server_rec *s = main; s; s = s->next)
        if (vhost_start(runtime, s, &shared, p) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    if (aa_state_effective_write(runtime->state_dir, runtime->store_url,
                                 realms(main, p), &err, p) != APR_SUCCESS)
        return failed(main, &err, "effective.json");
    return aa_decision_open(main, p);
}

static int configured(server_rec *main)
{
    for (server_rec *s = main; s; s = s->next)
        if (aa_server_conf(s)->configured)
            return 1;
    return aa_policy_places() && aa_policy_places()->nelts;
}

/* ---- background */

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    const aa_runtime_t *runtime = data;

    if (state != AP_WATCHDOG_STATE_RUNNING)
        return APR_SUCCESS;
    for (int i = 0; i < runtime->sources->nelts; i++)
        aa_keysource_tick(APR_ARRAY_IDX(runtime->sources, i, aa_keysource_t *),
                          apr_time_now(), pool);
    return APR_SUCCESS;
}

static int start_watchdog(aa_runtime_t *runtime, server_rec *s, apr_pool_t *p)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *call =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;

    if (!runtime->sources->nelts)
        return OK;
    if (get && call && get(&watchdog, "_agentauth_", 0, 0, p) == APR_SUCCESS &&
        call(watchdog, TICK, runtime, tick) == APR_SUCCESS)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                 "%s: <AgentAuthIssuer> needs mod_watchdog to refresh keys",
                 aa_codes[AA_E_INTERNAL].number);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- hooks */

int aa_runtime_post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                           server_rec *s)
{
    aa_runtime_t *runtime;

    (void)plog, (void)ptemp;
    aa_runtime = NULL;
    main_server = s;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ||
        !configured(s))
        return OK;
    aa_log_to(to_error_log);
    if (aa_crypto_init() != APR_SUCCESS || aa_http_init() != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    runtime = apr_pcalloc(p, sizeof(*runtime));
    runtime->sources = apr_array_make(p, 4, sizeof(aa_keysource_t *));
    if (start(runtime, s, p) != OK ||
        start_watchdog(runtime, s, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    aa_config_warn(s);
    aa_runtime = runtime;
    return OK;
}

static void child_store(aa_runtime_t *runtime, apr_pool_t *p)
{
    aa_error_t err = {0};

    if (aa_store_open(&runtime->accounts.store, runtime->store_url, 0, &err,
                      p) != APR_SUCCESS)
        aa_log(AA_LOG_ERROR, err.code, 0, "%s",
               err.reason ? err.reason : "the store cannot be opened");
}

void aa_runtime_child_init(apr_pool_t *p, server_rec *main)
{
    aa_runtime_t *runtime = aa_runtime;

    aa_decision_seed();
    if (!runtime)
        return;
    child_store(runtime, p);
    if (aa_authn_cache_create(&runtime->cache, runtime->epoch,
                              AA_CACHE_PRINCIPALS_MAX, AA_CACHE_BYTES_MAX,
                              p) != APR_SUCCESS)
        runtime->cache = NULL;
    for (server_rec *s = main; s; s = s->next)
        aa_server_conf(s)->authn.cache = runtime->cache;
}
