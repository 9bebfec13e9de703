/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for the tests of rules to stand in, and how one is compiled. */
#ifndef RULE_ROWS_H
#define RULE_ROWS_H

#include <jansson.h>
#include <string.h>

#include "map.h"
#include "row.h"

/* Rows that the rules below stand in; all read one body and one query. */
#define ROW(enforce)                                                           \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', value = { id = path, m = body, q = query } },"          \
    " { 'a', 'read' } }, mutable = { 'm' },"                                   \
    " enforce = { " enforce " } }"
#define EACH(enforce)                                                          \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', each = true, value = { m = body } } },"                 \
    " enforce = { " enforce " } }"
#define BARE(enforce)                                                          \
    "route { 'GET', '/t/{id}/r/{run_id}', events = { { 't', 'read' } },"       \
    " enforce = { " enforce " } }"
/* A handler may change what comes from the query, or from elsewhere. */
#define CHANGED(value, enforce)                                                \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', value = { q = " value " } } }, mutable = { 'q' },"      \
    " enforce = { " enforce " } }"
#define OPENED(access, enforce)                                                \
    "route { 'GET', '/a', access = '" access "', enforce = { " enforce " } }"
#define PAGED(more)                                                            \
    "page = { limit = { 'limit', 10 }, offset = 'offset', " more " }"
#define PAGE "page = { limit = { 'limit', 10 }, offset = 'offset' }"
#define MANY(text) text text text text text text text text

/* Compiles a row; NULL and *why when it fails. */
static inline const aa_route_t *compiled(const char **why, const char *text,
                                         int gateway, json_t *rows,
                                         apr_pool_t *p)
{
    aa_route_t *route = apr_pcalloc(p, sizeof(*route));

    *why = NULL;
    if (aa_map_run(rows, why, "F", text, strlen(text), gateway, p) !=
        APR_SUCCESS)
        return NULL;
    if (aa_row_compile(route, why,
                       json_object_get(json_array_get(rows, 0), "row"), gateway,
                       p) != APR_SUCCESS)
        return NULL;
    return route;
}

#endif
