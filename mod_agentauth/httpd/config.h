/* SPDX-License-Identifier: Apache-2.0 */
/* What the directives say: one struct for a place, one for a virtual host. */
#ifndef AA_CONFIG_H
#define AA_CONFIG_H

#include "httpd.h"
#include "http_config.h"

#include "account/account.h"
#include "agentpolicy.h"
#include "authn/authn.h"
#include "base/http.h"
#include "enforce/enforce.h"
#include "keys/issuer.h"
#include "keys/signing.h"
#include "model/principal.h"

/* The one symbol that httpd looks up; all others stay inside the module. */
extern module AP_MODULE_DECLARE_DATA agentauth_module
    __attribute__((visibility("default")));

typedef enum aa_enforce_e {
    AA_ENFORCE_UNSET = 0,
    AA_ENFORCE_NOTES,
    AA_ENFORCE_HEADERS,
    AA_ENFORCE_GATEWAY
} aa_enforce_e;

typedef enum aa_pass_e {
    AA_PASS_UNSET = 0,
    AA_PASS_HEADER = 1,
    AA_PASS_ASSERTION = 2,
    AA_PASS_BOTH = 3
} aa_pass_e;

typedef enum aa_unauthorized_e {
    AA_UNAUTHORIZED_UNSET = 0,
    AA_UNAUTHORIZED_AUTO,
    AA_UNAUTHORIZED_401,
    AA_UNAUTHORIZED_LOGIN
} aa_unauthorized_e;

/** A list of origins: own, exact ones ("https://app.example"), or any. */
typedef struct aa_origins_t {
    int any;                   /* "*" */
    int same_origin;           /* "same-origin" */
    const char *const *listed; /* NULL-terminated, lower case, port folded */
} aa_origins_t;

/** <Location>, <Directory>, <If> … */
typedef struct aa_dir_conf_t {
    unsigned methods;                /* AA_METHOD_BITs; 0: unset */
    const char *policy_file;         /* absolute; NULL: unset */
    apr_interval_time_t reload;      /* microseconds; -1: unset */
    const char *routes_name;         /* NULL: unset */
    const char *const *routes_files; /* NULL-terminated; NULL: none */
    const char *routes_prefix;       /* NULL: unset, "" once set without */
    const char *const *open_routes;  /* "METHOD /path", NULL: unset */
    int unmatched_allow;             /* -1 unset */
    aa_enforce_e enforce;
    aa_webhook_e webhook;
    const aa_origins_t *webhook_origins; /* NULL: none */
    aa_pass_e pass;
    const char *assertion_audience; /* NULL: unset */
    const char *backend_url; /* as aa_address_read reads it; NULL: unset */
    const char *const *pass_claims; /* NULL: unset */
    int forward_bearer;             /* AgentAuthForwardCredential; -1 unset */
    int optional;                   /* -1 unset */
    int open_access;                /* -1 unset */
    aa_unauthorized_e unauthorized;
    apr_int64_t max_body;       /* bytes; -1 unset */
    const aa_origins_t *origin; /* NULL: unset */
    const aa_origins_t *cors;   /* NULL: unset */
    /* made in check_config from the above, shared by equal places */
    const aa_routes_t *routes; /* NULL: no policy here */
    aa_policy_t *policy;       /* NULL: no policy here */
    const char *policy_why;    /* why the policy does not load; NULL */
    const char *where;         /* file:line of AgentAuthPolicy, for logs */
    apr_uint32_t serial;       /* of the list of claims; 0: the default */
    int policy_id, routes_id;  /* of places.c; 0: unset, default map */
} aa_dir_conf_t;

/** A virtual host. */
typedef struct aa_server_conf_t {
    /* server-wide, meaningful in the main server only */
    const char *state_dir; /* NULL: unset */
    const char *store_url; /* NULL: unset */
    const char *share_url; /* NULL: unset */
    /* of the virtual host */
    const char *realm;               /* NULL: unset */
    const char *path;                /* AgentAuthPath; NULL: unset, "/auth" */
    const char *const *key_prefixes; /* NULL: unset */
    const char *key_header;          /* NULL: unset, "X-API-Key" */
    const char *cookie_name;         /* NULL: unset, "agentauth_session" */
    apr_array_header_t *issuers;     /* aa_issuer_t *; NULL: none */
    apr_array_header_t *blocks;      /* aa_issuer_block_t * of the same */
    struct aa_issuer_block_t *block; /* while its directives are read */
    const char *decision_log;        /* file or "|program"; NULL: unset */
    int open_access;                 /* -1 unset */
    int configured; /* some directive of ours is in this vhost */
    /* made at start */
    aa_authn_conf_t authn;
    const char *issuer_url;    /* our iss: scheme://ServerName[:port] */
    apr_file_t *decision_file; /* NULL: decisions go to the error log */
} aa_server_conf_t;

/** What the whole server has, made in post_config, one for each process. */
typedef struct aa_runtime_t {
    const char *state_dir;
    aa_accounts_t accounts; /* store NULL until a child opened it */
    aa_epoch_t *epoch;
    aa_authn_cache_t *cache;
    aa_signing_t *signing;       /* NULL: no place passes assertions */
    apr_array_header_t *sources; /* aa_keysource_t * of all issuers */
    const char *store_url;
    /* with AgentAuthEnforce gateway somewhere; else NULL */
    aa_objects_t *objects;
    aa_runs_t *runs;
    aa_http_pool_t *asking; /* made by each child */
} aa_runtime_t;

/** The runtime of this process; NULL before post_config. */
extern aa_runtime_t *aa_runtime;

extern const command_rec aa_cmds[];

void *aa_dir_conf_create(apr_pool_t *p, char *dir);
void *aa_dir_conf_merge(apr_pool_t *p, void *base, void *add);
void *aa_server_conf_create(apr_pool_t *p, server_rec *s);
void *aa_server_conf_merge(apr_pool_t *p, void *base, void *add);

aa_dir_conf_t *aa_dir_conf(const request_rec *r);
aa_server_conf_t *aa_server_conf(const server_rec *s);

/** The realm of a virtual host: AgentAuthRealm, else its ServerName in lower
 *  case. Valid from check_config on, which also fills the other members that
 *  say "unset" above, except cookie_name and decision_log. */
const char *aa_server_realm(const server_rec *s);

/** Effective values of a place, defaults applied. */
aa_enforce_e aa_conf_enforce(const aa_dir_conf_t *conf, int proxied);
aa_pass_e aa_conf_pass(const aa_dir_conf_t *conf);
apr_int64_t aa_conf_max_body(const aa_dir_conf_t *conf);
const char *const *aa_conf_pass_claims(const aa_dir_conf_t *conf);
/** 1 when AgentAuthOpenRoutes opens the row of this name ("GET /ok"). */
int aa_conf_opens(const aa_dir_conf_t *conf, const char *row);

/** "https://App.Example:443" -> "https://app.example"; NULL: not an origin,
 *  with @a why. "null" is none. */
const char *aa_origin_normal(const char **why, const char *text, apr_pool_t *p);

/**
 * check_config hook: everything that crosses directives, every key and policy;
 * logs all problems, not the first. No network, creates nothing.
 * @return OK or HTTP_INTERNAL_SERVER_ERROR, as the hook wants
 */
int aa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *s);

/** What check_config warned of, once more: for post_config, when there is an
 *  error log to write it to. */
void aa_config_warn(server_rec *s);

/** 1 when some place passes decisions on in this way. */
int aa_places_pass(aa_pass_e pass);
/** 1 when some section says AgentAuthEnforce gateway. */
int aa_places_gateway(void);

/** A secret given as file:PATH, env:NAME, exec:COMMAND or the text itself.
 *  @return an error message, or NULL with @a secret set */
const char *aa_secret_read(const char **secret, apr_size_t *len,
                           const char *spec, apr_pool_t *p);

/** Every aa_dir_conf_t with a policy that check_config has prepared, in the
 *  order of the configuration; for listings in status. */
const apr_array_header_t *aa_policy_places(void);
/** Where AgentAuthOpenAccess is On: const char *, file and line; or NULL. */
const apr_array_header_t *aa_open_places(void);

#endif
