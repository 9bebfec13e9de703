/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and merges what the directives fill, and applies the defaults. */
#include <string.h>

#include "apr_strings.h"
#include "httpd.h"
#include "http_request.h"
#include "httpd/config.h"
#include "httpd/places.h"
#include "model/limits.h"

void *aa_dir_conf_create(apr_pool_t *p, char *dir)
{
    aa_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)dir;
    conf->reload = -1;
    conf->unmatched_allow = -1;
    conf->forward_bearer = -1;
    conf->optional = -1;
    conf->open_access = -1;
    conf->max_body = -1;
    aa_places_add(conf, p);
    return conf;
}

/* A map's name, files and prefix are one value: a section that names a map
 * does not take over the files of another. */
static void merge_routes(aa_dir_conf_t *conf, const aa_dir_conf_t *from)
{
    conf->routes_name = from->routes_name;
    conf->routes_files = from->routes_files;
    conf->routes_prefix = from->routes_prefix;
    conf->routes_id = from->routes_id;
}

static void merge_policy(aa_dir_conf_t *conf, const aa_dir_conf_t *from)
{
    conf->policy_file = from->policy_file;
    conf->policy_id = from->policy_id;
    conf->where = from->where;
}

static void merge_claims(aa_dir_conf_t *conf, const aa_dir_conf_t *from)
{
    conf->pass_claims = from->pass_claims;
    conf->serial = from->serial;
}

void *aa_dir_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const aa_dir_conf_t *base = basev, *add = addv;
    aa_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    merge_policy(conf, add->policy_file ? add : base);
    merge_routes(conf, add->routes_name ? add : base);
    merge_claims(conf, add->pass_claims ? add : base);
    conf->methods = add->methods ? add->methods : base->methods;
    conf->reload = add->reload >= 0 ? add->reload : base->reload;
    conf->open_routes = add->open_routes ? add->open_routes : base->open_routes;
    conf->unmatched_allow = add->unmatched_allow >= 0 ? add->unmatched_allow
                                                      : base->unmatched_allow;
    conf->enforce = add->enforce ? add->enforce : base->enforce;
    conf->webhook = add->webhook ? add->webhook : base->webhook;
    conf->webhook_origins =
        add->webhook_origins ? add->webhook_origins : base->webhook_origins;
    conf->pass = add->pass ? add->pass : base->pass;
    conf->assertion_audience = add->assertion_audience
                                   ? add->assertion_audience
                                   : base->assertion_audience;
    conf->backend_url = add->backend_url ? add->backend_url : base->backend_url;
    conf->forward_bearer =
        add->forward_bearer >= 0 ? add->forward_bearer : base->forward_bearer;
    conf->optional = add->optional >= 0 ? add->optional : base->optional;
    conf->open_access =
        add->open_access >= 0 ? add->open_access : base->open_access;
    conf->unauthorized =
        add->unauthorized ? add->unauthorized : base->unauthorized;
    conf->max_body = add->max_body >= 0 ? add->max_body : base->max_body;
    conf->origin = add->origin ? add->origin : base->origin;
    conf->cors = add->cors ? add->cors : base->cors;
    aa_places_resolve(conf);
    return conf;
}

void *aa_server_conf_create(apr_pool_t *p, server_rec *s)
{
    aa_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)s;
    conf->open_access = -1;
    return conf;
}

/* A virtual host with issuers of its own trusts these alone. */
void *aa_server_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const aa_server_conf_t *base = basev, *add = addv;
    aa_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->state_dir = base->state_dir;
    conf->store_url = base->store_url;
    conf->share_url = base->share_url;
    conf->realm = add->realm ? add->realm : base->realm;
    conf->path = add->path ? add->path : base->path;
    conf->key_prefixes =
        add->key_prefixes ? add->key_prefixes : base->key_prefixes;
    conf->key_header = add->key_header ? add->key_header : base->key_header;
    conf->cookie_name = add->cookie_name ? add->cookie_name : base->cookie_name;
    conf->issuers = add->issuers ? add->issuers : base->issuers;
    conf->blocks = add->issuers ? add->blocks : base->blocks;
    conf->decision_log =
        add->decision_log ? add->decision_log : base->decision_log;
    conf->open_access =
        add->open_access >= 0 ? add->open_access : base->open_access;
    conf->configured = add->configured || base->configured;
    return conf;
}

aa_dir_conf_t *aa_dir_conf(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &agentauth_module);
}

aa_server_conf_t *aa_server_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &agentauth_module);
}

const char *aa_server_realm(const server_rec *s)
{
    return aa_server_conf(s)->realm;
}

aa_enforce_e aa_conf_enforce(const aa_dir_conf_t *conf, int proxied)
{
    if (conf->enforce || (proxied && conf->policy_file))
        return conf->enforce;
    return AA_ENFORCE_NOTES;
}

aa_pass_e aa_conf_pass(const aa_dir_conf_t *conf)
{
    return conf->pass ? conf->pass : AA_PASS_HEADER;
}

apr_int64_t aa_conf_max_body(const aa_dir_conf_t *conf)
{
    return conf->max_body >= 0 ? conf->max_body : AA_BODY_MAX_DEFAULT;
}

const char *const *aa_conf_pass_claims(const aa_dir_conf_t *conf)
{
    static const char *const standard[] = {"identity", "display_name", "email",
                                           "permissions", NULL};

    return conf->pass_claims ? conf->pass_claims : standard;
}

/* A path alone stands for the GET row of that path. */
int aa_conf_opens(const aa_dir_conf_t *conf, const char *row)
{
    for (const char *const *o = conf->open_routes; o && *o; o++) {
        if (!strcmp(*o, row))
            return 1;
        if (**o == '/' && !strncmp(row, "GET ", 4) && !strcmp(*o, row + 4))
            return 1;
    }
    return 0;
}
