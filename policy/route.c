/* SPDX-License-Identifier: Apache-2.0 */
/* Route maps: a built-in one and additions, compiled, mounted and searched. */
#include <string.h>

#include "apr_file_io.h"
#include "apr_strings.h"

#include "embedded.h"
#include "map.h"
#include "row.h"
#include "trie.h"
#include "word.h"

#define NONE "none"
#define FILES_MAX 64 /* additions of one map */

/** A row and where it was written. */
typedef struct entry_t {
    aa_route_t route; /* first: the API hands out its address */
    const char *file;
    int line;
    int source; /* 0: built-in, then the additions in order */
} entry_t;

/** An event that policies may name. */
typedef struct event_name_t {
    const char *resource, *action;
} event_name_t;

struct aa_routes_t {
    apr_array_header_t *entries;                   /* entry_t *, in map order */
    apr_array_header_t *events;                    /* event_name_t, each once */
    const char *const *resources, *const *actions; /* NULL-terminated */
    aa_trie_t *trie;
    const char *prefix; /* "" or "/agent" */
    size_t prefix_len;
    const aa_route_t *none; /* the row of map `none`, else NULL */
};

/** One map being opened. */
typedef struct opening_t {
    aa_routes_t *routes;
    const char *why;
    int source;
    int gateway;
    apr_pool_t *p;
} opening_t;

/* ----------------------------------------------------------- vocabularies */

/* What a LangGraph policy may name, whether or not a row asks for it. `runs`
 * is a word of the Python SDK; the servers ask for runs as `threads`. */
static const event_name_t langgraph_events[] = {{"threads", "create"},
                                                {"threads", "read"},
                                                {"threads", "update"},
                                                {"threads", "delete"},
                                                {"threads", "search"},
                                                {"threads", "create_run"},
                                                {"assistants", "create"},
                                                {"assistants", "read"},
                                                {"assistants", "update"},
                                                {"assistants", "delete"},
                                                {"assistants", "search"},
                                                {"crons", "create"},
                                                {"crons", "read"},
                                                {"crons", "update"},
                                                {"crons", "delete"},
                                                {"crons", "search"},
                                                {"store", "put"},
                                                {"store", "get"},
                                                {"store", "search"},
                                                {"store", "delete"},
                                                {"store", "list_namespaces"},
                                                {"runs", "create"},
                                                {"runs", "read"},
                                                {"runs", "update"},
                                                {"runs", "delete"},
                                                {"runs", "search"},
                                                {"runs", "create_run"},
                                                {NULL, NULL}};

/* A map whose rows are all that policies may name. */
static const event_name_t no_events[] = {{NULL, NULL}};

/* HTTP methods by RFC 9110, 5789, 4918, 3253, 5323; HEAD decides as GET. */
static const event_name_t none_events[] = {
    {"http", "get"},       {"http", "post"},    {"http", "put"},
    {"http", "delete"},    {"http", "connect"}, {"http", "options"},
    {"http", "trace"},     {"http", "patch"},   {"http", "propfind"},
    {"http", "proppatch"}, {"http", "mkcol"},   {"http", "copy"},
    {"http", "move"},      {"http", "lock"},    {"http", "unlock"},
    {"http", "report"},    {"http", "search"},  {NULL, NULL}};

/** The built-in maps; a new one is a row here and a file in routes/. */
static const struct builtin_t {
    const char *name;
    const unsigned char *text; /* NULL: no rows of its own */
    const size_t *len;
    const event_name_t *events;
} builtins[] = {
    {"langgraph", aa_embedded_langgraph, &aa_embedded_langgraph_len,
     langgraph_events},
    {"crud", aa_embedded_crud, &aa_embedded_crud_len, no_events},
    {NONE, NULL, NULL, none_events},
};
static const char *const builtin_names[] = {"langgraph", "crud", NONE, NULL};

static int knows(const apr_array_header_t *events, const char *resource,
                 const char *action)
{
    const event_name_t *known = (const event_name_t *)events->elts;
    int i;

    for (i = 0; i < events->nelts; i++)
        if ((!resource || !strcmp(known[i].resource, resource)) &&
            (!action || !strcmp(known[i].action, action)))
            return 1;
    return 0;
}

static void add_event(aa_routes_t *routes, const char *resource,
                      const char *action)
{
    event_name_t event = {resource, action};

    if (!knows(routes->events, resource, action))
        APR_ARRAY_PUSH(routes->events, event_name_t) = event;
}

static void add_word(apr_array_header_t *words, const char *word)
{
    int i;

    for (i = 0; i < words->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(words, i, const char *), word))
            return;
    APR_ARRAY_PUSH(words, const char *) = word;
}

/* Gathers the events of all rows, and the words that they are made of. */
static void collect_words(aa_routes_t *routes, apr_pool_t *p)
{
    apr_array_header_t *resources = apr_array_make(p, 8, sizeof(char *));
    apr_array_header_t *actions = apr_array_make(p, 16, sizeof(char *));
    const aa_route_t *route;
    int i, j;

    for (i = 0; i < aa_routes_count(routes); i++) {
        route = aa_routes_at(routes, i);
        for (j = 0; j < route->nevents; j++)
            add_event(routes, route->events[j].resource,
                      route->events[j].action);
    }
    for (i = 0; i < routes->events->nelts; i++) {
        add_word(resources,
                 APR_ARRAY_IDX(routes->events, i, event_name_t).resource);
        add_word(actions,
                 APR_ARRAY_IDX(routes->events, i, event_name_t).action);
    }
    APR_ARRAY_PUSH(resources, const char *) = NULL;
    APR_ARRAY_PUSH(actions, const char *) = NULL;
    routes->resources = (const char *const *)resources->elts;
    routes->actions = (const char *const *)actions->elts;
}

/* ---------------------------------------------------------------- opening */

static apr_status_t release(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

static apr_status_t fail(opening_t *opening, const char *file, int line,
                         const char *text)
{
    opening->why = line
                       ? apr_psprintf(opening->p, "%s:%d: %s", file, line, text)
                       : apr_psprintf(opening->p, "%s: %s", file, text);
    return APR_EINVAL;
}

/* The new row takes the place of the old one in map order. */
static apr_status_t replace(opening_t *opening, const entry_t *old,
                            entry_t *entry)
{
    entry_t **entries = (entry_t **)opening->routes->entries->elts;
    int i;

    if (old->source == entry->source)
        return fail(opening, entry->file, entry->line,
                    apr_psprintf(opening->p,
                                 "%s: the same method and path as in line %d",
                                 entry->route.name, old->line));
    for (i = 0; entries[i] != old; i++)
        ;
    entries[i] = entry;
    return APR_SUCCESS;
}

static apr_status_t add_row(opening_t *opening, const char *file,
                            const json_t *made)
{
    entry_t *entry = apr_pcalloc(opening->p, sizeof(*entry));
    const aa_route_t *old = NULL;
    const char *why = NULL;

    entry->file = file;
    entry->line = (int)json_integer_value(json_object_get(made, "line"));
    entry->source = opening->source;
    if (aa_row_compile(&entry->route, &why, json_object_get(made, "row"),
                       opening->gateway, opening->p) != APR_SUCCESS)
        return fail(opening, file, entry->line, why);
    if (aa_trie_put(&old, opening->routes->trie, &entry->route) != APR_SUCCESS)
        return fail(opening, file, entry->line, "too many methods on one path");
    if (old)
        return replace(opening, (const entry_t *)old, entry);
    if (opening->routes->entries->nelts == AA_ROUTES_ROWS_MAX)
        return fail(opening, file, entry->line, "too many rows");
    APR_ARRAY_PUSH(opening->routes->entries, entry_t *) = entry;
    return APR_SUCCESS;
}

static apr_status_t add_map(opening_t *opening, const char *file,
                            const char *text, size_t len)
{
    json_t *rows = json_array();
    apr_status_t rv;
    size_t i;

    /* Compiled rows point into it. */
    apr_pool_cleanup_register(opening->p, rows, release, apr_pool_cleanup_null);
    rv = aa_map_run(rows, &opening->why, file, text, len, opening->gateway,
                    opening->p);
    for (i = 0; rv == APR_SUCCESS && i < json_array_size(rows); i++)
        rv = add_row(opening, file, json_array_get(rows, i));
    return rv;
}

static apr_status_t read_open(char **text, apr_size_t *len, apr_file_t *file,
                              apr_pool_t *p)
{
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
    if (rv != APR_SUCCESS)
        return rv;
    if (info.filetype != APR_REG || info.size > AA_POLICY_FILE_MAX)
        return APR_EGENERAL;
    *text = apr_palloc(p, (apr_size_t)info.size + 1);
    rv = apr_file_read_full(file, *text, (apr_size_t)info.size, len);
    return rv == APR_EOF ? APR_SUCCESS : rv; /* empty, or cut since */
}

static apr_status_t add_file(opening_t *opening, const char *path)
{
    apr_file_t *file = NULL;
    char *text = NULL, reason[128];
    apr_size_t len = 0;
    apr_status_t rv;

    rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT,
                       opening->p);
    if (rv == APR_SUCCESS) {
        rv = read_open(&text, &len, file, opening->p);
        apr_file_close(file);
    }
    if (rv == APR_SUCCESS)
        return add_map(opening, path, text, len);
    fail(opening, path, 0,
         rv == APR_EGENERAL ? "no regular file of at most 1 MiB"
                            : apr_strerror(rv, reason, sizeof(reason)));
    return rv == APR_EGENERAL ? APR_EINVAL : rv;
}

/* A path that begins with '/' and does not end with one. */
static apr_status_t set_prefix(opening_t *opening, const char *prefix)
{
    const char *why = "ends with '/'";
    size_t len = prefix ? strlen(prefix) : 0;

    opening->routes->prefix = apr_pstrdup(opening->p, prefix ? prefix : "");
    opening->routes->prefix_len = len;
    if (!len || (aa_path_plain(prefix, &why) && prefix[len - 1] != '/'))
        return APR_SUCCESS;
    return fail(opening, apr_psprintf(opening->p, "prefix '%s'", prefix), 0,
                why);
}

static void add_none(opening_t *opening)
{
    entry_t *entry = apr_pcalloc(opening->p, sizeof(*entry));
    static const char *const no_names[] = {NULL};

    entry->route.name = "* *";
    entry->route.method = entry->route.path = "*";
    entry->route.access = AA_ACCESS_POLICY;
    entry->route.body = AA_BODY_STREAM;
    entry->route.query_names = no_names;
    APR_ARRAY_PUSH(opening->routes->entries, entry_t *) = entry;
    opening->routes->none = &entry->route;
}

static apr_status_t add_builtin(opening_t *opening, const char *name)
{
    const event_name_t *event;
    int i = aa_word_index(name, builtin_names);

    if (i < 0)
        return fail(opening, apr_psprintf(opening->p, "map '%s'", name), 0,
                    apr_pstrcat(opening->p, "there is none of this name",
                                aa_word_hint(name, builtin_names, opening->p),
                                NULL));
    for (event = builtins[i].events; event->resource; event++)
        add_event(opening->routes, event->resource, event->action);
    if (builtins[i].text)
        return add_map(opening,
                       apr_pstrcat(opening->p, "routes/", name, ".lua", NULL),
                       (const char *)builtins[i].text, *builtins[i].len);
    add_none(opening);
    return APR_SUCCESS;
}

static apr_status_t add_files(opening_t *opening, const char *const *files)
{
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && files && *files; files++) {
        if (opening->routes->none)
            return fail(opening, *files, 0,
                        "map 'none' lets every path through and takes no rows");
        if (++opening->source > FILES_MAX)
            return fail(opening, *files, 0, "too many additions");
        rv = add_file(opening, *files);
    }
    return rv;
}

apr_status_t aa_routes_open(const aa_routes_t **routes, const char **why,
                            const char *name, const char *const *files,
                            const char *prefix, int gateway, apr_pool_t *p)
{
    opening_t opening = {apr_pcalloc(p, sizeof(aa_routes_t)), NULL, 0, gateway,
                         p};
    apr_status_t rv;

    *routes = NULL;
    opening.routes->entries = apr_array_make(p, 80, sizeof(entry_t *));
    opening.routes->events = apr_array_make(p, 32, sizeof(event_name_t));
    opening.routes->trie = aa_trie_create(p);
    rv = set_prefix(&opening, prefix);
    if (rv == APR_SUCCESS)
        rv = add_builtin(&opening, name);
    if (rv == APR_SUCCESS)
        rv = add_files(&opening, files);
    if (rv != APR_SUCCESS) {
        *why = opening.why ? opening.why : "no memory";
        return rv;
    }
    collect_words(opening.routes, p);
    *routes = opening.routes;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- finding */

const char *aa_routes_strip(const aa_routes_t *routes, const char *path)
{
    if (strncmp(path, routes->prefix, routes->prefix_len) ||
        path[routes->prefix_len] != '/')
        return NULL;
    return path + routes->prefix_len;
}

apr_status_t aa_routes_find(aa_route_match_t *match, const aa_routes_t *routes,
                            const char *method, const char *path, apr_pool_t *p)
{
    memset(match, 0, sizeof(*match));
    /* Callers look at it before; a row must never be found by mistake. */
    if (!aa_path_plain(path, NULL))
        return APR_ENOENT;
    path = aa_routes_strip(routes, path);
    if (!path)
        return APR_ENOENT;
    if (routes->none) {
        match->route = routes->none;
        return APR_SUCCESS;
    }
    return aa_trie_find(match, routes->trie, method, path, NULL, p);
}

/* ------------------------------------------------------------- looking in */

const char *aa_route_name(const aa_route_t *route)
{
    return route->name;
}

aa_access_e aa_route_access(const aa_route_t *route)
{
    return route->access;
}

aa_body_e aa_route_body(const aa_route_t *route)
{
    return route->body;
}

int aa_route_reads_body(const aa_route_t *route)
{
    return route->reads_body;
}

int aa_route_is_websocket(const aa_route_t *route)
{
    return route->websocket;
}

int aa_route_native_unchecked(const aa_route_t *route)
{
    return route->native_unchecked;
}

const aa_rule_t *aa_route_rule(const aa_route_t *route)
{
    return route->rule;
}

const char *const *aa_route_query_names(const aa_route_t *route)
{
    return route->query_names;
}

int aa_routes_count(const aa_routes_t *routes)
{
    return routes->entries->nelts;
}

const aa_route_t *aa_routes_at(const aa_routes_t *routes, int i)
{
    if (i < 0 || i >= routes->entries->nelts)
        return NULL;
    return &APR_ARRAY_IDX(routes->entries, i, entry_t *)->route;
}

const aa_route_t *aa_routes_named(const aa_routes_t *routes, const char *name)
{
    int i;

    for (i = 0; i < aa_routes_count(routes); i++)
        if (!strcmp(aa_routes_at(routes, i)->name, name))
            return aa_routes_at(routes, i);
    return NULL;
}

int aa_routes_is_none(const aa_routes_t *routes)
{
    return routes->none != NULL;
}

int aa_routes_know(const aa_routes_t *routes, const char *resource,
                   const char *action)
{
    return (resource || action) && knows(routes->events, resource, action);
}

const char *aa_routes_nearest(const aa_routes_t *routes, const char *word,
                              int is_action)
{
    return aa_word_nearest(word,
                           is_action ? routes->actions : routes->resources);
}
