/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the tree of the configuration file the way httpd will merge it.
 *
 * httpd keeps its lists of sections to itself. The file's own tree shows
 * enough: which section encloses which, and which <Location> is above which.
 * What <Directory> and patterns add is not seen. */
#include <string.h>

#include "apr_strings.h"
#include "httpd.h"
#include "util_cfgtree.h"
#include "httpd/check.h"

static const char *const sections[] = {"<VirtualHost",
                                       "<Location",
                                       "<LocationMatch",
                                       "<Directory",
                                       "<DirectoryMatch",
                                       "<Files",
                                       "<FilesMatch",
                                       "<If",
                                       "<ElseIf",
                                       "<Else",
                                       "<Proxy",
                                       "<ProxyMatch",
                                       NULL};

static int named(const ap_directive_t *directive, const char *name)
{
    return directive && !ap_cstr_casecmp(directive->directive, name);
}

static int is_section(const ap_directive_t *directive)
{
    for (const char *const *s = sections; *s; s++)
        if (named(directive, *s))
            return 1;
    return 0;
}

static int is_if(const ap_directive_t *section)
{
    return named(section, "<If") || named(section, "<ElseIf") ||
           named(section, "<Else");
}

/* The parent pointers of the tree are lost inside <IfModule> and Include, so
 * that it is walked from the top. */
static void walk(aa_check_t *check, ap_directive_t *directive,
                 ap_directive_t *section)
{
    for (; directive; directive = directive->next) {
        APR_ARRAY_PUSH(check->all, const ap_directive_t *) = directive;
        if (section) {
            ap_directive_t **key =
                apr_pmemdup(check->p, &directive, sizeof(*key));

            apr_hash_set(check->parents, key, sizeof(*key), section);
        }
        walk(check, directive->first_child,
             is_section(directive) ? directive : section);
    }
}

void aa_tree_read(aa_check_t *check)
{
    check->parents = apr_hash_make(check->p);
    check->all = apr_array_make(check->p, 256, sizeof(void *));
    walk(check, ap_conftree, NULL);
}

const ap_directive_t *aa_tree_section(const aa_check_t *check,
                                      const ap_directive_t *directive)
{
    return directive
               ? apr_hash_get(check->parents, &directive, sizeof(directive))
               : NULL;
}

int aa_tree_is_server(const ap_directive_t *section)
{
    return !section || named(section, "<VirtualHost");
}

int aa_tree_in_server(const aa_check_t *check, const ap_directive_t *section,
                      const server_rec *s)
{
    while (!aa_tree_is_server(section))
        section = aa_tree_section(check, section);
    return !section || (s->is_virtual && s->defn_name &&
                        (unsigned)section->line_num == s->defn_line_number &&
                        !strcmp(section->filename, s->defn_name));
}

const char *aa_tree_location(const aa_check_t *check,
                             const ap_directive_t *section)
{
    const char *args, *end;

    while (section && !named(section, "<Location"))
        section = aa_tree_section(check, section);
    if (!section || !(end = strrchr(section->args, '>')))
        return NULL;
    args = apr_pstrmemdup(check->p, section->args,
                          (apr_size_t)(end - section->args));
    args = ap_getword_conf(check->p, &args);
    /* A pattern is above nothing that could be told. */
    return *args == '/' && !ap_strchr_c(args, '*') && !ap_strchr_c(args, '?')
               ? args
               : NULL;
}

int aa_tree_below(const char *outer, const char *path)
{
    size_t len = strlen(outer);

    return !strncmp(outer, path, len) &&
           (!len || outer[len - 1] == '/' || !path[len] || path[len] == '/');
}

int aa_tree_within(const aa_check_t *check, const ap_directive_t *section,
                   const ap_directive_t *outer)
{
    const char *above, *path;

    for (const ap_directive_t *s = section; s; s = aa_tree_section(check, s))
        if (s == outer)
            return 1;
    if (!named(outer, "<Location") ||
        !aa_tree_is_server(aa_tree_section(check, outer)))
        return 0;
    above = aa_tree_location(check, outer);
    path = aa_tree_location(check, section);
    return above && path && aa_tree_below(above, path);
}

const char *aa_tree_line(const aa_check_t *check,
                         const ap_directive_t *directive)
{
    return apr_psprintf(check->p, "%s:%d", directive->filename,
                        directive->line_num);
}

/* httpd merges <Location>s of the main server first, then those of the
 * virtual host, each in the order of the file, and <If> after all others. */
aa_dir_conf_t *aa_tree_effective(const aa_check_t *check,
                                 const ap_directive_t *section,
                                 const server_rec *s)
{
    const apr_array_header_t *all = aa_places_sections();
    aa_dir_conf_t *conf = aa_check_defaults(s);

    for (int pass = 0; pass < 4; pass++) {
        for (int i = 0; i < all->nelts; i++) {
            const aa_section_t *other = APR_ARRAY_IDX(all, i, aa_section_t *);
            const ap_directive_t *node =
                aa_tree_section(check, other->directive);

            if (!other->directive || aa_tree_is_server(node) ||
                is_if(node) != (pass >= 2) ||
                (other->server == check->main) != !(pass & 1) ||
                (other->server != check->main && other->server != s) ||
                !aa_tree_within(check, section, node))
                continue;
            conf = aa_dir_conf_merge(check->pconf, conf, other->conf);
        }
    }
    return conf;
}
