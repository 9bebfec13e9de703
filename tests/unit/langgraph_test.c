/* SPDX-License-Identifier: Apache-2.0 */
/* The langgraph map: every row against a table of its own, against the page
 * that documents it, and against a slow search that reads like the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apr_file_io.h"
#include "apr_general.h"
#include "apr_strings.h"

#include "route.h"

#define ROWS_JS 56     /* method and path pairs of the JavaScript server */
#define ROWS_PYTHON 14 /* that only the Python server has */

static apr_pool_t *root;
static const aa_routes_t *map;

static const char *below_srcdir(const char *path)
{
    const char *srcdir = getenv("srcdir");
    char *full = NULL;

    apr_filepath_merge(
        &full, NULL, apr_pstrcat(root, srcdir ? srcdir : ".", "/", path, NULL),
        0, root);
    return full;
}

/* -------------------------------------------------- rows against the table */

static const char *members_text(const aa_member_t *members, int n);

static const char *member_text(const aa_member_t *m)
{
    static const char *const from[] = {"path", "query", "body", "literal"};
    const char *text =
        apr_pstrcat(root, m->name, m->is_mutable ? "*" : "", NULL);

    if (m->from == AA_FROM_TABLE)
        return apr_pstrcat(root, text, "{",
                           members_text(m->members, m->nmembers), "}", NULL);
    text = apr_pstrcat(root, text, "@", from[m->from], NULL);
    if (m->key && strcmp(m->key, m->name))
        text = apr_pstrcat(root, text, ".", m->key, NULL);
    return m->split ? apr_psprintf(root, "%s/%c", text, m->split) : text;
}

static const char *members_text(const aa_member_t *members, int n)
{
    const char *text = "";
    int i;

    for (i = 0; i < n; i++)
        text = apr_pstrcat(root, text, i ? "," : "", member_text(&members[i]),
                           NULL);
    return text;
}

static const char *event_text(const aa_event_t *event)
{
    const char *text = apr_pstrcat(root, event->each ? "each " : "",
                                   event->resource, ":", event->action, NULL);
    int i;

    if (event->when)
        text = apr_pstrcat(root, text, event->when_query ? "?query " : "?",
                           event->when, NULL);
    for (i = 0; event->when_in && event->when_in[i]; i++)
        text = apr_pstrcat(root, text,
                           i                   ? "|"
                           : event->when_query ? " except "
                                               : "=",
                           event->when_in[i], NULL);
    return apr_pstrcat(root, text, "(",
                       members_text(event->members, event->nmembers), ")",
                       NULL);
}

static const char *kind_text(const aa_route_t *route)
{
    static const char *const access[] = {"policy", "user", "open", "refuse"};
    static const char *const body[] = {"none", "json", "stream"};

    return apr_pstrcat(root, access[route->access], " ", body[route->body],
                       route->websocket ? " websocket" : "",
                       route->native_unchecked ? " native_unchecked" : "",
                       route->events_optional ? " events_optional" : "", NULL);
}

static void rows_are_those_of_the_table(void **state)
{
    json_error_t error;
    json_t *table = json_load_file(below_srcdir("tests/vectors/routes.json"), 0,
                                   &error),
           *row, *events;
    const aa_route_t *route;
    size_t i;
    int j;

    (void)state;
    assert_non_null(table);
    assert_int_equal(aa_routes_count(map), ROWS_JS + ROWS_PYTHON);
    assert_int_equal(json_array_size(table), ROWS_JS + ROWS_PYTHON);
    json_array_foreach(table, i, row)
    {
        route = aa_routes_at(map, (int)i);
        events = json_object_get(row, "events");
        print_message("%s\n", route->name);
        assert_string_equal(route->name,
                            json_string_value(json_object_get(row, "row")));
        assert_string_equal(kind_text(route),
                            json_string_value(json_object_get(row, "kind")));
        assert_int_equal(route->nevents, json_array_size(events));
        for (j = 0; j < route->nevents; j++)
            assert_string_equal(
                event_text(&route->events[j]),
                json_string_value(json_array_get(events, (size_t)j)));
    }
    json_decref(table);
}

/* A row that a policy decides also says what a gateway must do. */
static void decided_rows_say_how_to_enforce(void **state)
{
    const aa_route_t *route;
    int i;

    (void)state;
    for (i = 0; i < aa_routes_count(map); i++) {
        route = aa_routes_at(map, i);
        if (route->access == AA_ACCESS_USER)
            assert_null(aa_route_rule(route));
        else
            assert_non_null(aa_route_rule(route));
    }
}

static void named_queries(void **state)
{
    static const struct {
        const char *row, *names;
    } rows[] = {
        {"GET /store/items", "key namespace "},
        {"GET /threads/{thread_id}/runs", "status "},
        {"POST /threads/{thread_id}/runs/{run_id}/cancel", "action "},
        {"POST /runs/cancel", "action "},
        {"GET /threads/{thread_id}/runs/{run_id}/stream",
         "cancel_on_disconnect "},
        {"GET /.well-known/agent-card.json", "assistant_id "},
        {"GET /threads/{thread_id}/history", ""},
    };
    const char *const *names;
    const char *text;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%s\n", rows[i].row);
        text = "";
        names = aa_route_query_names(aa_routes_named(map, rows[i].row));
        for (; *names; names++)
            text = apr_pstrcat(root, text, *names, " ", NULL);
        /* The order is Lua's: compare as sets of two at most. */
        assert_int_equal(strlen(text), strlen(rows[i].names));
        names = aa_route_query_names(aa_routes_named(map, rows[i].row));
        for (; *names; names++)
            assert_non_null(strstr(rows[i].names, *names));
    }
}

/* -------------------------------------------------- the page that users read
 */

static char *text_of(const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    assert_int_equal(apr_file_open(&file, below_srcdir(path), APR_READ,
                                   APR_OS_DEFAULT, root),
                     APR_SUCCESS);
    apr_file_info_get(&info, APR_FINFO_SIZE, file);
    text = apr_pcalloc(root, (apr_size_t)info.size + 1);
    apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
    apr_file_close(file);
    return text;
}

static const char *doc_events(const aa_route_t *route)
{
    static const char *const access[] = {"", "user", "open", "refuse"};
    const aa_event_t *event;
    const char *text = "";
    int i;

    for (i = 0; i < route->nevents; i++) {
        event = &route->events[i];
        text = apr_pstrcat(root, text, i ? ", `" : "`", event->resource, ":",
                           event->action, "`",
                           event->each ? " for each element" : "", NULL);
        if (event->when)
            text = apr_pstrcat(root, text, " when `", event->when, "`", NULL);
    }
    return i ? text : access[route->access];
}

static const char *doc_mutable(const aa_route_t *route)
{
    const char *text = "", *name;
    int i, j;

    for (i = 0; i < route->nevents; i++)
        for (j = 0; j < route->events[i].nmembers; j++) {
            if (!route->events[i].members[j].is_mutable)
                continue;
            name = apr_pstrcat(root, "`", route->events[i].members[j].name, "`",
                               NULL);
            if (!strstr(text, name))
                text = apr_pstrcat(root, text, *text ? ", " : "", name, NULL);
        }
    return *text ? text : "-";
}

static void page_has_every_row(void **state)
{
    static const char *const body[] = {"none", "json", "stream"};
    const char *page = text_of("docs/routes.md"), *line, *at;
    const aa_route_t *route;
    int i, lines = 0;

    (void)state;
    for (i = 0; i < aa_routes_count(map); i++) {
        route = aa_routes_at(map, i);
        line = apr_psprintf(root, "\n| `%s` | %s | %s | %s |\n", route->name,
                            doc_events(route), doc_mutable(route),
                            body[route->body]);
        print_message("%s", line);
        assert_non_null(strstr(page, line));
    }
    /* And it has no row that the map has not. */
    for (at = page; (at = strstr(at, "\n| `")); at++)
        lines += strcspn(at + 4, " ") + 1 == strcspn(at + 4, "/");
    assert_int_equal(lines, aa_routes_count(map));
}

static void examples_load(void **state)
{
    static const char *const examples[] = {"docs/examples/routes/app.lua",
                                           "docs/examples/routes/python.lua"};
    const aa_routes_t *routes;
    const char *files[2] = {NULL}, *why = NULL;
    aa_route_match_t match;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        print_message("%s\n", examples[i]);
        files[0] = below_srcdir(examples[i]);
        if (aa_routes_open(&routes, &why, "langgraph", files, "", 0, root))
            fail_msg("%s", why);
    }
    /* The last one adds events to rows that are there: no row is new but one */
    assert_int_equal(
        aa_routes_find(&match, routes, "POST", "/runs/stream", root),
        APR_SUCCESS);
    assert_string_equal(match.route->events[match.route->nevents - 1].resource,
                        "assistants");
    assert_int_equal(aa_routes_count(routes), aa_routes_count(map) + 3);
}

/* ------------------------------------------------------- random spellings */

static unsigned long long seed;

static unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % n;
}

/* How well a path fits a row: a text that sorts better fits first, NULL: not
 * at all. 'a' a literal, 'b' a parameter. */
static const char *fit(const char *pattern, const char *path)
{
    char *rank = apr_pcalloc(root, strlen(path) + 2);
    size_t np, n;
    int i;

    for (i = 0;; i++) {
        np = strcspn(++pattern, "/");
        n = strcspn(++path, "/");
        if (*pattern == '{') {
            if (!n)
                return NULL;
            rank[i] = 'b';
        }
        else {
            if (np != n || strncmp(pattern, path, n))
                return NULL;
            rank[i] = 'a';
        }
        pattern += np;
        path += n;
        if (!*pattern || !*path)
            return *pattern == *path ? rank : NULL;
    }
}

static const aa_route_t *slow_find(const char *method, const char *path)
{
    const aa_route_t *route, *best = NULL;
    const char *rank, *best_rank = NULL;
    int i;

    if (*path != '/')
        return NULL;
    for (i = 0; i < aa_routes_count(map); i++) {
        route = aa_routes_at(map, i);
        if (strcmp(route->method, strcmp(method, "HEAD") ? method : "GET"))
            continue;
        rank = fit(route->path, path);
        if (rank && (!best || strcmp(rank, best_rank) < 0)) {
            best = route;
            best_rank = rank;
        }
    }
    return best;
}

static const char *random_path(void)
{
    static const char *const words[] = {
        "threads",    "runs",   "search",     "state",   "stream", "crons",
        "assistants", "store",  "items",      "T",       "wait",   "cancel",
        "mcp",        "events", "checkpoint", "history", "x"};
    static const char *const odd[] = {
        "/",  "//",   "/./",      "/../", ";", "\\", "%2F", "%2e", "%73",
        "\n", "\x7f", "\xc0\xaf", "\xff", "?", "#",  ".",   "..",  "%"};
    const char *path = "";
    unsigned i, n = 1 + below(6);

    for (i = 0; i < n; i++)
        path = apr_pstrcat(root, path, "/",
                           words[below(sizeof(words) / sizeof(*words))], NULL);
    if (below(2)) { /* one odd piece anywhere */
        i = below((unsigned)strlen(path) + 1);
        path =
            apr_pstrcat(root, apr_pstrndup(root, path, i),
                        odd[below(sizeof(odd) / sizeof(*odd))], path + i, NULL);
    }
    return path;
}

static void random_spellings(void **state)
{
    static const char *const methods[] = {"GET",    "POST", "PUT",    "PATCH",
                                          "DELETE", "HEAD", "OPTIONS"};
    int i, found, matched = 0, odd = 0;
    const char *path, *method;
    aa_route_match_t match;
    apr_pool_t *all = root;

    (void)state;
    seed = 20260925;
    for (i = 0; i < 60000; i++) {
        apr_pool_create(&root, all);
        path = random_path();
        method = methods[below(sizeof(methods) / sizeof(*methods))];
        found = aa_routes_find(&match, map, method, path, root) == APR_SUCCESS;
        if (!aa_path_plain(path, NULL)) {
            odd++;
            if (found)
                fail_msg("found: %s", path);
        }
        else if (match.route != slow_find(method, path))
            fail_msg("%s %s: found %s", method, path,
                     match.route ? match.route->name : "nothing");
        matched += found;
        apr_pool_destroy(root);
    }
    root = all;
    print_message("%d matched, %d not plain\n", matched, odd);
    assert_true(matched > 500 && odd > 10000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_table),
        cmocka_unit_test(decided_rows_say_how_to_enforce),
        cmocka_unit_test(named_queries),
        cmocka_unit_test(page_has_every_row),
        cmocka_unit_test(examples_load),
        cmocka_unit_test(random_spellings),
    };
    const char *why = NULL;
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    if (aa_routes_open(&map, &why, "langgraph", NULL, "", 0, root)) {
        print_error("%s\n", why);
        return 1;
    }
    failed = cmocka_run_group_tests_name("langgraph map", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
