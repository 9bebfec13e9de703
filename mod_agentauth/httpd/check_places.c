/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of places: policies and maps load, rows exist, kinds are there. */
#include <string.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/log.h"
#include "httpd/check.h"
#include "base/spelling.h"
#include "model/limits.h"

/* ------------------------------------------------------ policies and maps */

typedef struct map_t {
    const aa_routes_t *routes;
    const char *why;
} map_t;

static void policy_log(void *baton, aa_policy_log_e about, const char *line)
{
    static const aa_log_level_e levels[] = {AA_LOG_ERROR, AA_LOG_NOTICE,
                                            AA_LOG_INFO, AA_LOG_DEBUG};
    const char *file = baton;

    aa_log(levels[about],
           about == AA_POLICY_LOG_BROKEN ? AA_E_CONF_POLICY : AA_E_NONE, 0,
           "policy %s: %s", file, line);
}

/* A failing digest leaves zeros: an id that no policy has. */
static void policy_digest(unsigned char out[32], const void *data,
                          apr_size_t len)
{
    if (aa_crypto_sha256(out, data, len, NULL, 0) != APR_SUCCESS)
        memset(out, 0, AA_SHA256_LEN);
}

/* Where the map was named: maybe in a section above. */
static const char *routes_line(const aa_dir_conf_t *conf)
{
    const apr_array_header_t *all = aa_places_sections();

    for (int i = 0; i < all->nelts; i++) {
        const aa_section_t *section = APR_ARRAY_IDX(all, i, aa_section_t *);

        if (section->conf->routes_id && section->directive &&
            section->conf->routes_id == conf->routes_id)
            return aa_places_line(section, "AgentAuthRoutes");
    }
    return "by default";
}

static const map_t *map_of(aa_check_t *check, const aa_dir_conf_t *conf)
{
    int gateway = conf->enforce == AA_ENFORCE_GATEWAY;
    int id[2] = {conf->routes_id, gateway};
    map_t *map = apr_hash_get(check->maps, id, sizeof(id));
    const char *name = conf->routes_name ? conf->routes_name : "langgraph";
    const char *prefix = conf->routes_prefix ? conf->routes_prefix : "";
    const char *why = NULL;

    if (map)
        return map;
    map = apr_pcalloc(check->p, sizeof(*map));
    apr_hash_set(check->maps, apr_pmemdup(check->p, id, sizeof(id)), sizeof(id),
                 map);
    for (const char *const *f = conf->routes_files; f && *f && !why; f++)
        why = aa_check_file(*f, check->pconf);
    if (!why && aa_routes_open(&map->routes, &why, name, conf->routes_files,
                               prefix, gateway, check->pconf) == APR_SUCCESS)
        return map;
    map->routes = NULL;
    map->why = why ? why : "cannot be compiled";
    aa_check_problem(check, AA_E_CONF_ROUTES, "AgentAuthRoutes",
                     routes_line(conf), "'%s': %s", name, map->why);
    return map;
}

/* The shortest time that any place with this file asks for. */
static apr_interval_time_t interval_of(aa_check_t *check, int policy_id)
{
    const apr_array_header_t *all = aa_places_sections();
    apr_interval_time_t least = -1;

    for (server_rec *s = check->main; s; s = s->next) {
        for (int i = 0; i < all->nelts; i++) {
            const aa_section_t *section = APR_ARRAY_IDX(all, i, aa_section_t *);
            const aa_dir_conf_t *conf;

            if (section->server != s && section->server != check->main)
                continue;
            conf = aa_tree_effective(
                check, aa_tree_section(check, section->directive), s);
            if (conf->policy_id == policy_id && conf->reload >= 0 &&
                (least < 0 || conf->reload < least))
                least = conf->reload;
        }
    }
    return least < 0 ? AA_RELOAD_DEFAULT : least;
}

static const aa_pair_t *pair_load(aa_check_t *check, const aa_dir_conf_t *conf)
{
    aa_pair_t *pair = aa_places_pair(conf);
    aa_policy_conf_t pc = {0};
    const map_t *map;

    if (pair->routes || pair->why)
        return pair;
    map = map_of(check, conf);
    if (!map->routes) {
        pair->why = map->why;
        return pair;
    }
    pair->routes = map->routes;
    pc.file = conf->policy_file;
    pc.routes = map->routes;
    pc.interval = interval_of(check, conf->policy_id);
    pc.log = policy_log;
    pc.baton = (void *)conf->policy_file;
    pc.sha256 = policy_digest;
    pair->why = aa_check_file(conf->policy_file, check->pconf);
    if (!pair->why && aa_policy_open(&pair->policy, &pair->why, &pc,
                                     check->pconf) == APR_SUCCESS)
        return pair;
    pair->policy = NULL;
    if (!pair->why)
        pair->why = "cannot be loaded";
    aa_check_problem(
        check, AA_E_CONF_POLICY, "AgentAuthPolicy", conf->where,
        "'%s' with the map '%s' does not load: %s", conf->policy_file,
        conf->routes_name ? conf->routes_name : "langgraph", pair->why);
    return pair;
}

/* ------------------------------------------------------------- open routes */

static const char *row_nearest(const aa_routes_t *routes, const char *row,
                               apr_pool_t *p)
{
    aa_spelling_t spelling = {row, NULL, 0};

    for (int i = 0; i < aa_routes_count(routes); i++)
        aa_spelling_offer(&spelling, aa_route_name(aa_routes_at(routes, i)));
    return aa_spelling_hint(&spelling, p);
}

static void open_routes_check(aa_check_t *check, const aa_section_t *section,
                              const aa_pair_t *pair)
{
    for (const char *const *o = section->conf->open_routes; o && *o; o++) {
        const char *row =
            **o == '/' ? apr_pstrcat(check->p, "GET ", *o, NULL) : *o;

        if (pair->routes && !aa_routes_named(pair->routes, row))
            aa_check_problem(check, AA_E_CONF_ROUTES, "AgentAuthOpenRoutes",
                             aa_places_line(section, "AgentAuthOpenRoutes"),
                             "the map has no row '%s'%s", row,
                             row_nearest(pair->routes, row, check->p));
    }
}

/* ----------------------------------------------------------------- methods */

static int has_issuers(const server_rec *s)
{
    const aa_server_conf_t *conf = aa_server_conf(s);

    return conf->issuers && conf->issuers->nelts;
}

/* A section of the main server serves every virtual host. */
static int issuers_for(const aa_check_t *check, const server_rec *s)
{
    if (s != check->main)
        return has_issuers(s);
    for (; s; s = s->next)
        if (has_issuers(s))
            return 1;
    return 0;
}

static void methods_check(aa_check_t *check, const aa_section_t *section,
                          const aa_pair_t *pair)
{
    const char *line = aa_places_line(section, "AgentAuthMethods");
    unsigned methods = section->conf->methods;

    if ((methods & AA_METHOD_BIT(AA_METHOD_BEARER)) &&
        !issuers_for(check, section->server))
        aa_check_problem(check, AA_E_CONF_METHODS, "AgentAuthMethods", line,
                         "'bearer' counts only where the virtual host has an "
                         "<AgentAuthIssuer> block");
    if ((methods & AA_METHOD_BIT(AA_METHOD_POLICY)) && pair && pair->policy &&
        !aa_policy_authenticates(pair->policy))
        aa_check_problem(check, AA_E_CONF_METHODS, "AgentAuthMethods", line,
                         "'policy' counts only where the policy has "
                         "auth.authenticate(function(req) ... end)");
}

/* ----------------------------------------------------------------- a place */

/* Words that mean nothing without a policy, in a place where the file shows
 * none. A warning: <Directory> may bring one that is not seen here. */
static void idle_check(aa_check_t *check, const aa_section_t *section)
{
    static const char *const names[] = {
        "AgentAuthRoutes",         "AgentAuthOpenRoutes",
        "AgentAuthUnmatched",      "AgentAuthWebhook",
        "AgentAuthReloadInterval", "AgentAuthAssertionAudience",
        "AgentAuthBackend",        NULL};

    for (const char *const *n = names; *n; n++)
        if (apr_table_get(section->lines, *n))
            aa_check_warning(check, AA_E_CONF_IDLE, *n,
                             aa_places_line(section, *n),
                             "has no effect: no AgentAuthPolicy is set here");
}

static const char *auth_type(const ap_directive_t *d, apr_pool_t *p)
{
    const char *args = d->args;

    return ap_cstr_casecmp(d->directive, "AuthType")
               ? NULL
               : ap_getword_conf(p, &args);
}

/* AuthType is a free word to httpd: a misspelled one protects nothing. */
static void auth_types_check(aa_check_t *check)
{
    for (int i = 0; i < check->all->nelts; i++) {
        const ap_directive_t *d =
            APR_ARRAY_IDX(check->all, i, const ap_directive_t *);
        const char *type = auth_type(d, check->p);
        aa_spelling_t spelling = {type, NULL, 0};

        if (!type || !ap_cstr_casecmp(type, "AgentAuth"))
            continue;
        aa_spelling_offer(&spelling, "AgentAuth");
        if (spelling.best)
            aa_check_problem(check, AA_E_CONF_VALUE, "AuthType",
                             aa_tree_line(check, d), "%s is no AuthType%s",
                             aa_directive_shown(type, check->p),
                             aa_spelling_hint(&spelling, check->p));
    }
}

/* The AuthType that the file shows for a section: its own, or any above. */
static void auth_type_of(const char **own, int *ours, aa_check_t *check,
                         const ap_directive_t *section, const server_rec *s)
{
    *own = NULL;
    *ours = 0;
    for (int i = 0; i < check->all->nelts; i++) {
        const ap_directive_t *d =
            APR_ARRAY_IDX(check->all, i, const ap_directive_t *);
        const ap_directive_t *place = aa_tree_section(check, d);
        const char *type = auth_type(d, check->p);

        if (!type || !aa_tree_in_server(check, place, s))
            continue;
        if (place == section)
            *own = type;
        if (!ap_cstr_casecmp(type, "AgentAuth") &&
            (aa_tree_is_server(place) || aa_tree_within(check, section, place)))
            *ours = 1;
    }
}

static void auth_type_check(aa_check_t *check, const aa_dir_conf_t *conf,
                            const ap_directive_t *section, const server_rec *s)
{
    const char *own;
    int ours;

    auth_type_of(&own, &ours, check, section, s);
    if (own && ap_cstr_casecmp(own, "AgentAuth") && conf->open_access != 1)
        aa_check_problem(check, AA_E_CONF_MISSING, "AgentAuthPolicy",
                         conf->where,
                         "stands beside AuthType %s, where every request is "
                         "answered 500; allowed: AuthType AgentAuth, or "
                         "AgentAuthOpenAccess On",
                         aa_directive_shown(own, check->p));
    else if (!own && !ours && conf->open_access != 1)
        aa_check_warning(check, AA_E_CONF_MISSING, "AgentAuthPolicy",
                         conf->where,
                         "no AuthType AgentAuth is seen for this place; "
                         "without it every request is refused");
}

static void open_access_check(aa_check_t *check, const aa_section_t *section)
{
    const char *line;

    if (section->conf->open_access != 1)
        return;
    line = aa_places_line(section, "AgentAuthOpenAccess");
    aa_places_opened(line);
    aa_check_warning(check, AA_E_CONF_OPEN, "AgentAuthOpenAccess", line,
                     "is On: everybody is let in as 'anonymous'; it is "
                     "meant for development");
}

static void section_check(aa_check_t *check, const aa_section_t *section,
                          const server_rec *s)
{
    const ap_directive_t *node = aa_tree_section(check, section->directive);
    aa_dir_conf_t *conf = aa_tree_effective(check, node, s);
    const aa_pair_t *pair = NULL;

    if (conf->policy_file) {
        pair = pair_load(check, conf);
        open_routes_check(check, section, pair);
        auth_type_check(check, conf, node, s);
        aa_check_proxy(check, node, conf, s);
        if (section->conf->policy_file && section->server == s)
            aa_places_publish(conf);
    }
    else if (!aa_tree_is_server(node))
        idle_check(check, section);
    methods_check(check, section, pair);
    open_access_check(check, section);
}

/* The later of two equal sections wins, which nobody sees in the file. */
static void twins_check(aa_check_t *check, const aa_section_t *a,
                        const aa_section_t *b)
{
    const ap_directive_t *na = aa_tree_section(check, a->directive);
    const ap_directive_t *nb = aa_tree_section(check, b->directive);

    if (!na || !nb || na == nb || a->server != b->server ||
        !a->conf->policy_file || !b->conf->policy_file ||
        aa_tree_is_server(na) || aa_tree_is_server(nb) ||
        aa_tree_section(check, na) != aa_tree_section(check, nb) ||
        ap_cstr_casecmp(na->directive, nb->directive) ||
        strcmp(na->args, nb->args))
        return;
    aa_check_problem(check, AA_E_CONF_DUPLICATE, "AgentAuthPolicy",
                     b->conf->where, "is set for %s %s already at %s",
                     nb->directive, nb->args, a->conf->where);
}

void aa_check_places(aa_check_t *check)
{
    const apr_array_header_t *all = aa_places_sections();

    auth_types_check(check);
    for (server_rec *s = check->main; s; s = s->next) {
        for (int i = 0; i < all->nelts; i++) {
            const aa_section_t *section = APR_ARRAY_IDX(all, i, aa_section_t *);

            if (section->directive &&
                (section->server == s || section->server == check->main))
                section_check(check, section, s);
        }
    }
    for (int i = 0; i < all->nelts; i++)
        for (int j = i + 1; j < all->nelts; j++)
            twins_check(check, APR_ARRAY_IDX(all, i, aa_section_t *),
                        APR_ARRAY_IDX(all, j, aa_section_t *));
}
