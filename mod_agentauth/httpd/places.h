/* SPDX-License-Identifier: Apache-2.0 */
/* Every section of the configuration that holds a directive of ours.
 *
 * httpd merges sections for each request and has no list of the outcomes. So
 * each section is noted here while it is read; check_config compiles every
 * (policy, routes) pair that these sections can come to, and the merge for a
 * request finds the pair by two small numbers, without a lock. A pair that was
 * not foreseen has no policy and says why: such a request is refused. */
#ifndef AA_PLACES_H
#define AA_PLACES_H

#include "httpd/config.h"

typedef struct aa_section_t {
    aa_dir_conf_t *conf;
    server_rec *server;              /* NULL: no directive was seen */
    const ap_directive_t *directive; /* the first of ours in the section */
    apr_table_t *lines;              /* directive -> file:line, the last */
} aa_section_t;

/** A policy file with a route map, compiled or not. */
typedef struct aa_pair_t {
    const aa_routes_t *routes; /* NULL: the map does not load */
    aa_policy_t *policy;       /* NULL: the policy does not load */
    const char *why;           /* NULL: both did */
} aa_pair_t;

/** Called when httpd makes a configuration for a section. */
void aa_places_add(aa_dir_conf_t *conf, apr_pool_t *p);

/** Called by every setter of a section. */
void aa_places_note(const aa_dir_conf_t *conf, const cmd_parms *cmd);

/** Numbers that stand for a file and for a map with its files and prefix. */
int aa_places_policy_id(const char *file);
int aa_places_routes_id(const aa_dir_conf_t *conf);
apr_uint32_t aa_places_serial(void);

/** aa_section_t *, in the order of the configuration; NULL: none. */
const apr_array_header_t *aa_places_sections(void);

/** file:line of a directive in a section; of the section when it is not in
 *  it. Never NULL. */
const char *aa_places_line(const aa_section_t *section, const char *directive);

/** The pair of a configuration that has a policy: the same memory for the
 *  same pair. Only before aa_places_seal. */
aa_pair_t *aa_places_pair(const aa_dir_conf_t *conf);
/** Nothing is added from here on; requests may read. */
void aa_places_seal(void);
/** Fill routes, policy and policy_why of a configuration. */
void aa_places_resolve(aa_dir_conf_t *conf);

/** Note a place for aa_policy_places() and aa_places_pass(). */
void aa_places_publish(aa_dir_conf_t *conf);
/** Note where AgentAuthOpenAccess is On, for aa_open_places(). */
void aa_places_opened(const char *line);
/** Keep a line for aa_config_warn(). */
void aa_places_warn(const char *line);

#endif
