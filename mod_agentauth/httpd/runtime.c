/* SPDX-License-Identifier: Apache-2.0 */
/* Start and children: state directory, keys, issuers, cache, background. */
#include <string.h>
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

#include "base/crypto.h"
#include "base/effective.h"
#include "base/http.h"
#include "base/log.h"
#include "base/state.h"
#include "context.h"
#include "model/limits.h"

APLOG_USE_MODULE(agentauth);

#define SIGNING_ROTATE (30 * 86400LL * APR_USEC_PER_SEC)
#define SIGNING_KEEP (2 * 86400LL * APR_USEC_PER_SEC)
#define TICK apr_time_from_sec(1)
#define TOKEN_LEEWAY apr_time_from_sec(60)

aa_runtime_t *aa_runtime;

static server_rec *main_server;

/* ---- log lines from below the wall */

static void to_error_log(aa_log_level_e level, aa_code_e code, apr_status_t rv,
                         const char *text)
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
    const char *scheme = s->server_scheme ? s->server_scheme
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

/* Virtual hosts may share a realm; the first one says how its keys begin. */
static void add_realm(apr_array_header_t *realms, const aa_server_conf_t *conf)
{
    aa_effective_realm_t *realm;

    for (int i = 0; i < realms->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(realms, i, aa_effective_realm_t).name,
                    conf->authn.realm))
            return;
    realm = apr_array_push(realms);
    realm->name = conf->authn.realm;
    realm->key_prefixes = conf->authn.key_prefixes;
}

/* What the command line has to know of this configuration. */
static int write_effective(const aa_runtime_t *runtime, const aa_state_t *state,
                           uid_t uid, gid_t gid, server_rec *main,
                           apr_pool_t *p)
{
    apr_array_header_t *realms =
        apr_array_make(p, 4, sizeof(aa_effective_realm_t));
    aa_effective_t effective = {
        .store_url = runtime->store_url, .uid = uid, .gid = gid};
    aa_error_t err = {0};

    for (server_rec *s = main; s; s = s->next) {
        const aa_server_conf_t *conf = aa_server_conf(s);

        if (conf->configured)
            add_realm(realms, conf);
    }
    effective.realms = (const aa_effective_realm_t *)realms->elts;
    effective.nrealms = realms->nelts;
    if (aa_effective_write(state->effective, &effective, &err, p) !=
        APR_SUCCESS)
        return failed(main, &err, state->effective);
    return OK;
}

static int open_signing(aa_runtime_t *runtime, const aa_state_t *state,
                        server_rec *main, apr_pool_t *p)
{
    aa_error_t err = {0};

    if (!aa_places_pass(AA_PASS_ASSERTION))
        return OK;
    if (aa_signing_open(&runtime->signing, state->secrets, SIGNING_ROTATE,
                        SIGNING_KEEP, apr_time_now(), &err, p) != APR_SUCCESS)
        return failed(main, &err, "signing keys");
    return OK;
}

/* Everything durable is made here, by the parent, for the children's user. */
static int open_state(aa_runtime_t *runtime, const aa_state_t *state, uid_t uid,
                      gid_t gid, server_rec *main, apr_pool_t *p)
{
    aa_error_t err = {0};

    if (aa_state_create(state, uid, gid, &err, p) != APR_SUCCESS)
        return failed(main, &err, state->dir);
    if (aa_accounts_open(&runtime->accounts, state, runtime->store_url, 1, &err,
                         p) != APR_SUCCESS)
        return failed(main, &err, runtime->store_url);
    runtime->epoch = runtime->accounts.epoch;
    return open_signing(runtime, state, main, p);
}

/* What enforcement shares between processes, where some place enforces. */
static int open_enforcement(aa_runtime_t *runtime, const aa_state_t *state,
                            server_rec *main, apr_pool_t *p)
{
    const char *file = apr_pstrcat(p, state->dir, "/objects.lock", NULL);
    aa_error_t err = {0};
    apr_status_t rv;

    if (!aa_places_gateway())
        return OK;
    rv = aa_objects_open(&runtime->objects, file, p);
    if (rv == APR_SUCCESS)
        rv = aa_runs_open(&runtime->runs, p);
    if (rv == APR_SUCCESS)
        return OK;
    (void)aa_refuse(&err, p, AA_E_STATE_DIR, "cannot be opened (%d)", rv);
    return failed(main, &err, file);
}

static int start(aa_runtime_t *runtime, server_rec *main, apr_pool_t *p)
{
    const aa_server_conf_t *conf = aa_server_conf(main);
    aa_keysource_shared_t *shared = shared_slots(issuer_count(main), p);
    uid_t uid = geteuid() ? geteuid() : ap_unixd_config.user_id;
    gid_t gid = geteuid() ? getegid() : ap_unixd_config.group_id;
    aa_state_t state;

    if (!shared)
        return HTTP_INTERNAL_SERVER_ERROR;
    aa_state_paths(&state, conf->state_dir ? conf->state_dir : AA_STATE_DIR, p);
    runtime->state_dir = state.dir;
    runtime->store_url = conf->store_url ? conf->store_url : state.store_url;
    if (open_state(runtime, &state, uid, gid, main, p) != OK ||
        open_enforcement(runtime, &state, main, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    for (server_rec *s = main; s; s = s->next)
        if (vhost_start(runtime, s, &shared, p) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    if (write_effective(runtime, &state, uid, gid, main, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
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
    if (runtime->asking)
        aa_http_pool_sweep(runtime->asking, apr_time_now());
    for (int i = 0; i < runtime->sources->nelts; i++)
        aa_keysource_tick(APR_ARRAY_IDX(runtime->sources, i, aa_keysource_t *),
                          apr_time_now(), pool);
    return APR_SUCCESS;
}

/* Apart from keys: those who are slow to send them must not keep a stream
 * open. */
static apr_status_t look(int state, void *data, apr_pool_t *pool)
{
    (void)data, (void)pool;
    if (state == AP_WATCHDOG_STATE_RUNNING)
        aa_streams_look(apr_time_now());
    return APR_SUCCESS;
}

static apr_status_t watch(const char *name, ap_watchdog_callback_fn_t *callback,
                          aa_runtime_t *runtime, apr_pool_t *p)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *call =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv = APR_ENOTIMPL;

    if (get && call)
        rv = get(&watchdog, name, 0, 0, p);
    return rv == APR_SUCCESS ? call(watchdog, TICK, runtime, callback) : rv;
}

static int start_watchdogs(aa_runtime_t *runtime, server_rec *s, apr_pool_t *p)
{
    int ok = 1;

    if (runtime->sources->nelts || runtime->objects)
        ok = watch("_agentauth_", tick, runtime, p) == APR_SUCCESS;
    ok = ok && watch("_agentauth_streams_", look, runtime, p) == APR_SUCCESS;
    if (ok)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "%s: mod_watchdog is missing",
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
    if (start(runtime, s, p) != OK || start_watchdogs(runtime, s, p) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    aa_config_warn(s);
    aa_runtime = runtime;
    return OK;
}

void aa_runtime_child_init(apr_pool_t *p, server_rec *main)
{
    aa_runtime_t *runtime = aa_runtime;

    aa_decision_seed();
    if (!runtime)
        return;
    aa_store_keep(runtime->accounts.store);
    if (aa_streams_init(p) != APR_SUCCESS ||
        (runtime->objects &&
         aa_http_pool_make(&runtime->asking, p) != APR_SUCCESS))
        runtime->objects = NULL; /* then nothing is let through */
    if (aa_authn_cache_create(&runtime->cache, runtime->epoch,
                              AA_CACHE_PRINCIPALS_MAX, AA_CACHE_BYTES_MAX,
                              p) != APR_SUCCESS)
        runtime->cache = NULL;
    for (server_rec *s = main; s; s = s->next)
        aa_server_conf(s)->authn.cache = runtime->cache;
}
