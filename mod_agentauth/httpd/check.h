/* SPDX-License-Identifier: Apache-2.0 */
/* Inside aa_check_config: its state, its complaints, its view of the tree. */
#ifndef AA_CHECK_H
#define AA_CHECK_H

#include "apr_hash.h"
#include "httpd/config.h"
#include "httpd/directives.h"
#include "httpd/places.h"

typedef struct aa_check_t {
    server_rec *main;
    apr_pool_t *pconf, *p;   /* what is kept; what is not */
    apr_hash_t *parents;     /* directive -> the section it stands in */
    apr_array_header_t *all; /* const ap_directive_t *, in order */
    apr_hash_t *said;        /* lines that were logged already */
    apr_hash_t *maps;        /* routes_id -> compiled map */
    int problems;
} aa_check_t;

/** "AGAnnnn: DIRECTIVE (file:line): what". A line is said once. */
void aa_check_problem(aa_check_t *check, aa_code_e code, const char *directive,
                      const char *where, const char *fmt, ...) AA_PRINTF(5, 6);
void aa_check_warning(aa_check_t *check, aa_code_e code, const char *directive,
                      const char *where, const char *fmt, ...) AA_PRINTF(5, 6);

/** The configuration that holds in a virtual host outside of sections. */
aa_dir_conf_t *aa_check_defaults(const server_rec *s);

/* check_tree.c: what the sections of the configuration file come to */

void aa_tree_read(aa_check_t *check);
/** The section a directive stands in; NULL: the main server. */
const ap_directive_t *aa_tree_section(const aa_check_t *check,
                                      const ap_directive_t *directive);
/** 1 for the main server and <VirtualHost>. */
int aa_tree_is_server(const ap_directive_t *section);
/** 1 when the section belongs to @a s, or to the main server, whose sections
 *  every virtual host has as well. */
int aa_tree_in_server(const aa_check_t *check, const ap_directive_t *section,
                      const server_rec *s);
/** 1 when requests in @a section also pass through @a outer: it encloses it,
 *  or is a <Location> of a shorter path. */
int aa_tree_within(const aa_check_t *check, const ap_directive_t *section,
                   const ap_directive_t *outer);
/** Path of the plain <Location> around a section; NULL: none. */
const char *aa_tree_location(const aa_check_t *check,
                             const ap_directive_t *section);
/** 1 when @a path is @a outer or below it. */
int aa_tree_below(const char *outer, const char *path);
/** "file:line" */
const char *aa_tree_line(const aa_check_t *check,
                         const ap_directive_t *directive);
/** What httpd will merge for a request in this section, as far as the file
 *  shows it: sections around it and <Location>s above it. */
aa_dir_conf_t *aa_tree_effective(const aa_check_t *check,
                                 const ap_directive_t *section,
                                 const server_rec *s);

/** The checks of their own files. */
void aa_check_issuers(aa_check_t *check);
void aa_check_places(aa_check_t *check);
void aa_check_proxy(aa_check_t *check, const ap_directive_t *section,
                    const aa_dir_conf_t *conf, const server_rec *s);

/** NULL when @a file is a file that others cannot write; else what is wrong. */
const char *aa_check_file(const char *file, apr_pool_t *p);

#endif
