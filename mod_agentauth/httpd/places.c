/* SPDX-License-Identifier: Apache-2.0 */
/* The list of sections and the table of compiled (policy, routes) pairs. */
#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_log.h"
#include "httpd/places.h"

APLOG_USE_MODULE(agentauth);

/* Lives in pconf and goes with it, so that each reading of the configuration
 * begins with an empty one. */
typedef struct places_t {
    apr_pool_t *pool;
    apr_array_header_t *sections; /* aa_section_t * */
    apr_hash_t *by_conf;          /* aa_dir_conf_t * -> aa_section_t */
    apr_hash_t *policies, *maps;  /* text -> int */
    int npolicies, nmaps;
    apr_hash_t *pairs; /* int[2] -> aa_pair_t, until sealed */
    aa_pair_t **table; /* [policy_id][routes_id], once sealed */
    apr_uint32_t serial;
    apr_array_header_t *published; /* aa_dir_conf_t * */
    apr_array_header_t *opened;    /* const char * */
    apr_array_header_t *warnings;  /* const char * */
} places_t;

static places_t *places;

static apr_status_t forget(void *unused)
{
    (void)unused;
    places = NULL;
    return APR_SUCCESS;
}

static void begin(apr_pool_t *p)
{
    places = apr_pcalloc(p, sizeof(*places));
    places->pool = p;
    places->sections = apr_array_make(p, 16, sizeof(aa_section_t *));
    places->by_conf = apr_hash_make(p);
    places->policies = apr_hash_make(p);
    places->maps = apr_hash_make(p);
    places->pairs = apr_hash_make(p);
    places->published = apr_array_make(p, 8, sizeof(aa_dir_conf_t *));
    places->opened = apr_array_make(p, 4, sizeof(char *));
    places->warnings = apr_array_make(p, 4, sizeof(char *));
    apr_pool_cleanup_register(p, NULL, forget, apr_pool_cleanup_null);
}

void aa_places_add(aa_dir_conf_t *conf, apr_pool_t *p)
{
    aa_section_t *section;

    if (!places)
        begin(p);
    /* From then on it is a request that reads a .htaccess, where none of our
     * directives may stand. */
    if (places->table)
        return;
    section = apr_pcalloc(places->pool, sizeof(*section));
    section->conf = conf;
    section->lines = apr_table_make(places->pool, 4);
    APR_ARRAY_PUSH(places->sections, aa_section_t *) = section;
    apr_hash_set(places->by_conf, &section->conf, sizeof(section->conf),
                 section);
}

void aa_places_note(const aa_dir_conf_t *conf, const cmd_parms *cmd)
{
    aa_section_t *section;

    if (!places || places->table)
        return;
    section = apr_hash_get(places->by_conf, &conf, sizeof(conf));
    if (!section)
        return;
    if (!section->directive) {
        section->server = cmd->server;
        section->directive = cmd->directive;
    }
    apr_table_setn(section->lines, cmd->cmd->name,
                   apr_psprintf(places->pool, "%s:%d", cmd->directive->filename,
                                cmd->directive->line_num));
}

/* Numbers begin at 1: 0 is what apr_pcalloc leaves. */
static int number(apr_hash_t *known, int *count, const char *text)
{
    int *id = apr_hash_get(known, text, APR_HASH_KEY_STRING);

    if (id)
        return *id;
    id = apr_palloc(places->pool, sizeof(*id));
    *id = ++*count;
    apr_hash_set(known, text, APR_HASH_KEY_STRING, id);
    return *id;
}

int aa_places_policy_id(const char *file)
{
    return number(places->policies, &places->npolicies, file);
}

int aa_places_routes_id(const aa_dir_conf_t *conf)
{
    const char *key = apr_pstrcat(places->pool, conf->routes_name, "\n",
                                  conf->routes_prefix, NULL);

    for (const char *const *f = conf->routes_files; f && *f; f++)
        key = apr_pstrcat(places->pool, key, "\n", *f, NULL);
    return number(places->maps, &places->nmaps, key);
}

/* A map is another one where the gateway enforces. */
static int map_id(const aa_dir_conf_t *conf)
{
    return 2 * conf->routes_id + (conf->enforce == AA_ENFORCE_GATEWAY);
}

apr_uint32_t aa_places_serial(void)
{
    return ++places->serial;
}

const apr_array_header_t *aa_places_sections(void)
{
    return places ? places->sections : NULL;
}

const char *aa_places_line(const aa_section_t *section, const char *directive)
{
    const char *line = apr_table_get(section->lines, directive);

    if (!line && section->directive)
        line = apr_psprintf(places->pool, "%s:%d", section->directive->filename,
                            section->directive->line_num);
    return line ? line : "(no line)";
}

aa_pair_t *aa_places_pair(const aa_dir_conf_t *conf)
{
    int ids[2] = {conf->policy_id, map_id(conf)};
    aa_pair_t *pair = apr_hash_get(places->pairs, ids, sizeof(ids));

    if (!pair) {
        pair = apr_pcalloc(places->pool, sizeof(*pair));
        apr_hash_set(places->pairs, apr_pmemdup(places->pool, ids, sizeof(ids)),
                     sizeof(ids), pair);
    }
    return pair;
}

static size_t table_width(void)
{
    return 2 * ((size_t)places->nmaps + 1);
}

void aa_places_seal(void)
{
    size_t width = table_width();
    apr_hash_index_t *hi;

    places->table =
        apr_pcalloc(places->pool, ((size_t)places->npolicies + 1) * width *
                                      sizeof(*places->table));
    for (hi = apr_hash_first(places->pool, places->pairs); hi;
         hi = apr_hash_next(hi)) {
        const int *ids = apr_hash_this_key(hi);

        places->table[(size_t)ids[0] * width + (size_t)ids[1]] =
            apr_hash_this_val(hi);
    }
}

void aa_places_resolve(aa_dir_conf_t *conf)
{
    const aa_pair_t *pair;

    conf->routes = NULL;
    conf->policy = NULL;
    conf->policy_why = NULL;
    if (!conf->policy_file || !places || !places->table)
        return;
    pair = places->table[(size_t)conf->policy_id * table_width() +
                         (size_t)map_id(conf)];
    if (!pair) {
        conf->policy_why =
            "AgentAuthPolicy, AgentAuthRoutes and AgentAuthEnforce "
            "come from sections that were not seen together at "
            "start; write them in the same section";
        return;
    }
    conf->policy_why = pair->why;
    if (pair->why)
        return;
    conf->routes = pair->routes;
    conf->policy = pair->policy;
}

void aa_places_publish(aa_dir_conf_t *conf)
{
    APR_ARRAY_PUSH(places->published, aa_dir_conf_t *) = conf;
}

const apr_array_header_t *aa_policy_places(void)
{
    return places ? places->published : NULL;
}

/* A section is looked at once for each virtual host. */
void aa_places_opened(const char *line)
{
    for (int i = 0; i < places->opened->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(places->opened, i, const char *), line))
            return;
    APR_ARRAY_PUSH(places->opened, const char *) =
        apr_pstrdup(places->pool, line);
}

const apr_array_header_t *aa_open_places(void)
{
    return places ? places->opened : NULL;
}

int aa_places_pass(aa_pass_e pass)
{
    /* The default counts wherever there is a policy at all. */
    if (pass == AA_PASS_HEADER && places && places->published->nelts)
        return 1;
    for (int i = 0; places && i < places->sections->nelts; i++)
        if (APR_ARRAY_IDX(places->sections, i, aa_section_t *)->conf->pass &
            pass)
            return 1;
    return 0;
}

int aa_places_gateway(void)
{
    for (int i = 0; places && i < places->sections->nelts; i++)
        if (APR_ARRAY_IDX(places->sections, i, aa_section_t *)->conf->enforce ==
            AA_ENFORCE_GATEWAY)
            return 1;
    return 0;
}

void aa_places_warn(const char *line)
{
    APR_ARRAY_PUSH(places->warnings, const char *) =
        apr_pstrdup(places->pool, line);
}

void aa_config_warn(server_rec *s)
{
    for (int i = 0; places && i < places->warnings->nelts; i++)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "%s",
                     APR_ARRAY_IDX(places->warnings, i, const char *));
}
