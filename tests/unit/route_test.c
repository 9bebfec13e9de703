/* SPDX-License-Identifier: Apache-2.0 */
/* Route maps when they are mounted: additions, prefix, none, vocabulary,
 * finding, and what finding costs. */
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
#include "trie.h"

static apr_pool_t *root;

static const char *file_with(const char *text)
{
    char *name = apr_pstrdup(root, "route_test.XXXXXX"), *path = NULL;
    apr_size_t len = strlen(text);
    apr_file_t *file;

    assert_int_equal(apr_file_mktemp(&file, name, 0, root), APR_SUCCESS);
    assert_int_equal(apr_file_write_full(file, text, len, NULL), APR_SUCCESS);
    assert_int_equal(apr_file_flush(file), APR_SUCCESS);
    apr_filepath_merge(&path, NULL, name, 0, root);
    return path;
}

static const aa_routes_t *opened(const char *name, const char *text,
                                 const char *prefix, const char **why)
{
    const char *files[2] = {text ? file_with(text) : NULL, NULL};
    const aa_routes_t *routes;

    *why = NULL;
    if (aa_routes_open(&routes, why, name, files, prefix, 0, root) !=
        APR_SUCCESS) {
        assert_null(routes);
        assert_non_null(*why);
    }
    return routes;
}

/* Name of the row that is found, "" when there is none. */
static const char *found(aa_route_match_t *match, const aa_routes_t *routes,
                         const char *method, const char *path)
{
    if (aa_routes_find(match, routes, method, path, root) != APR_SUCCESS) {
        assert_null(match->route);
        return "";
    }
    return aa_route_name(match->route);
}

static const struct {
    const char *method, *path, *row, *values;
} finds[] = {
    {"POST", "/threads", "POST /threads", ""},
    {"POST", "/threads/", "", ""},
    {"POST", "/Threads", "", ""},
    {"post", "/threads", "", ""},
    {"GET", "/threads", "", ""},
    {"OPTIONS", "/threads", "", ""},
    {"POST", "/threads/search", "POST /threads/search", ""},
    /* The server has no GET there but reads the thread called "search". */
    {"GET", "/threads/search", "GET /threads/{thread_id}", "thread_id=search;"},
    {"GET", "/threads/T", "GET /threads/{thread_id}", "thread_id=T;"},
    {"HEAD", "/threads/T", "GET /threads/{thread_id}", "thread_id=T;"},
    {"HEAD", "/threads", "", ""},
    {"GET", "/threads/T/", "", ""},
    {"GET", "/threads/T/state/checkpoint",
     "GET /threads/{thread_id}/state/{checkpoint_id}",
     "thread_id=T;checkpoint_id=checkpoint;"},
    {"POST", "/threads/T/state/checkpoint",
     "POST /threads/{thread_id}/state/checkpoint", "thread_id=T;"},
    {"GET", "/threads/T/runs/R/stream",
     "GET /threads/{thread_id}/runs/{run_id}/stream", "thread_id=T;run_id=R;"},
    {"POST", "/threads/T/runs/stream", "POST /threads/{thread_id}/runs/stream",
     "thread_id=T;"},
    {"GET", "/threads/T/runs/stream", "GET /threads/{thread_id}/runs/{run_id}",
     "thread_id=T;run_id=stream;"},
    {"GET", "/threads/T/runs/R/stream/x", "", ""},
    {"GET", "/runs/crons/stream", "GET /runs/{run_id}/stream", "run_id=crons;"},
    {"GET", "/mcp/", "GET /mcp/", ""},
    {"GET", "/mcp", "", ""},
    {"GET", "/assistants/a b", "GET /assistants/{assistant_id}",
     "assistant_id=a b;"},
    {"GET", "/assistants/{assistant_id}", "GET /assistants/{assistant_id}",
     "assistant_id={assistant_id};"},
    {"GET", "/files/a", "GET /files/{file...}", "file=a;"},
    {"GET", "/files/a/b/c", "GET /files/{file...}", "file=a/b/c;"},
    {"GET", "/files/a/", "GET /files/{file...}", "file=a/;"},
    {"GET", "/files/special", "GET /files/special", ""},
    {"GET", "/files/special/x", "GET /files/{file...}", "file=special/x;"},
    {"GET", "/files/one/info", "GET /files/{id}/info", "id=one;"},
    {"GET", "/files/one/other", "GET /files/{file...}", "file=one/other;"},
    {"GET", "/files/", "", ""},
    {"GET", "/files", "", ""},
    {"GET", "/", "GET /", ""},
    {"GET", "/x", "", ""},
};

static void finding(void **state)
{
    const char *why, *values;
    const aa_routes_t *routes =
        opened("langgraph",
               "route { 'GET', '/files/{file...}', access = 'user' }\n"
               "route { 'GET', '/files/special', access = 'user' }\n"
               "route { 'GET', '/files/{id}/info', access = 'user' }\n"
               "route { 'GET', '/', access = 'user' }\n",
               "", &why);
    aa_route_match_t match;
    size_t i;
    int j;

    (void)state;
    assert_non_null(routes);
    for (i = 0; i < sizeof(finds) / sizeof(*finds); i++) {
        print_message("%s %s\n", finds[i].method, finds[i].path);
        assert_string_equal(
            found(&match, routes, finds[i].method, finds[i].path),
            finds[i].row);
        values = "";
        for (j = 0; j < match.nparams; j++)
            values = apr_pstrcat(root, values, match.params[j].name, "=",
                                 match.params[j].value, ";", NULL);
        assert_string_equal(values, finds[i].values);
    }
}

static void prefixes(void **state)
{
    static const struct {
        const char *prefix;
        int good;
    } mounts[] = {{"", 1},        {"/agent", 1},  {"/a/b", 1},
                  {"/", 0},       {"/agent/", 0}, {"agent", 0},
                  {"/a/../b", 0}, {"//a", 0},     {"/a%2Fb", 0}};
    const aa_routes_t *routes;
    aa_route_match_t match;
    const char *why;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
        print_message("prefix '%s'\n", mounts[i].prefix);
        routes = opened("langgraph", NULL, mounts[i].prefix, &why);
        assert_int_equal(routes != NULL, mounts[i].good);
    }
    routes = opened("langgraph", NULL, "/agent", &why);
    assert_string_equal(found(&match, routes, "GET", "/agent/threads/T"),
                        "GET /threads/{thread_id}");
    assert_string_equal(match.params[0].value, "T");
    assert_string_equal(found(&match, routes, "GET", "/threads/T"), "");
    assert_string_equal(found(&match, routes, "GET", "/agentx/threads/T"), "");
    assert_string_equal(found(&match, routes, "GET", "/agent"), "");
    assert_string_equal(found(&match, routes, "GET", "/Agent/threads/T"), "");
    assert_string_equal(found(&match, routes, "GET", "/agent//threads/T"), "");
    assert_string_equal(aa_routes_strip(routes, "/agent/ok"), "/ok");
    assert_string_equal(aa_routes_strip(routes, "/agent/"), "/");
    assert_null(aa_routes_strip(routes, "/agent"));
    assert_null(aa_routes_strip(routes, "/agents/ok"));
    assert_null(aa_routes_strip(routes, "/ok"));
    routes = opened("langgraph", NULL, NULL, &why);
    assert_string_equal(aa_routes_strip(routes, "/ok"), "/ok");
}

/* A later file's row takes the place of an earlier one, also when its
 * parameters have other names. */
static void additions(void **state)
{
    const char *why, *files[3] = {NULL};
    const aa_routes_t *routes;
    aa_route_match_t match;
    int before;

    (void)state;
    routes = opened("langgraph", NULL, "", &why);
    before = aa_routes_count(routes);
    files[0] = file_with("route { 'GET', '/threads/{id}', access = 'user' }\n"
                         "route { 'GET', '/mine', access = 'user' }");
    files[1] = file_with("route { 'GET', '/mine', access = 'open' }\n"
                         "route { 'GET', '/mine/{x}', events = {{ 'gadgets', "
                         "'polish' }} }");
    assert_int_equal(
        aa_routes_open(&routes, &why, "langgraph", files, "", 0, root), 0);
    assert_int_equal(aa_routes_count(routes), before + 2);
    assert_string_equal(found(&match, routes, "GET", "/threads/T"),
                        "GET /threads/{id}");
    assert_int_equal(aa_route_access(match.route), AA_ACCESS_USER);
    assert_string_equal(match.params[0].name, "id");
    assert_ptr_equal(aa_routes_named(routes, "GET /threads/{id}"), match.route);
    assert_null(aa_routes_named(routes, "GET /threads/{thread_id}"));
    assert_string_equal(found(&match, routes, "GET", "/mine"), "GET /mine");
    assert_int_equal(aa_route_access(match.route), AA_ACCESS_OPEN);
    assert_int_equal(aa_routes_know(routes, "gadgets", "polish"), 1);
    assert_string_equal(aa_routes_nearest(routes, "gadget", 0), "gadgets");
}

static const struct {
    const char *name, *map, *text, *why;
} failures[] = {
    {"no such map", "langgraf", NULL,
     "map 'langgraf': there is none of this name; did you mean 'langgraph'?"},
    {"none with additions", "none", "route { 'GET', '/a', access = 'user' }",
     "takes no rows"},
    {"a row twice in one file", "langgraph",
     "route { 'GET', '/a/{x}', access = 'user' }\n\n"
     "route { 'GET', '/a/{y}', access = 'user' }",
     ":3: GET /a/{y}: the same method and path as in line 1"},
    {"a bad row", "langgraph", "\nroute { 'GET', '/a', acces = 'user' }",
     ":2: GET /a: unknown word 'acces' in a row; did you mean 'access'?"},
    {"a syntax error", "langgraph", "route", ":1: syntax error"},
    {"too many methods on one path", "langgraph",
     "local all = { 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L',"
     " 'M', 'N', 'O', 'P', 'Q' }\n"
     "for i = 1, #all do route { all[i], '/a', access = 'user' } end",
     "too many methods on one path"},
};

static void broken(void **state)
{
    const char *why, *files[2] = {"/nonexistent/map.lua", NULL};
    const aa_routes_t *routes;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        assert_null(opened(failures[i].map, failures[i].text, "", &why));
        print_message("%s: %s\n", failures[i].name, why);
        assert_non_null(strstr(why, failures[i].why));
    }
    assert_true(APR_STATUS_IS_ENOENT(
        aa_routes_open(&routes, &why, "langgraph", files, "", 0, root)));
    assert_ptr_equal(strstr(why, files[0]), why);
    files[0] = "/dev/zero";
    assert_int_equal(
        aa_routes_open(&routes, &why, "langgraph", files, "", 0, root),
        APR_EINVAL);
    assert_non_null(strstr(why, "no regular file"));
}

static void map_none(void **state)
{
    const char *why;
    const aa_routes_t *routes = opened("none", NULL, "/p", &why);
    aa_route_match_t match;

    (void)state;
    assert_int_equal(aa_routes_is_none(routes), 1);
    assert_string_equal(found(&match, routes, "GET", "/p/any/thing"), "* *");
    assert_string_equal(found(&match, routes, "BREW", "/p/"), "* *");
    assert_string_equal(found(&match, routes, "GET", "/q"), "");
    assert_string_equal(found(&match, routes, "GET", "/p/a;b"), "");
    assert_int_equal(aa_route_access(aa_routes_at(routes, 0)),
                     AA_ACCESS_POLICY);
    assert_int_equal(aa_route_body(aa_routes_at(routes, 0)), AA_BODY_STREAM);
    assert_int_equal(aa_route_reads_body(aa_routes_at(routes, 0)), 0);
    assert_null(aa_route_query_names(aa_routes_at(routes, 0))[0]);
    assert_int_equal(aa_routes_know(routes, "http", "get"), 1);
    assert_int_equal(aa_routes_know(routes, "http", "patch"), 1);
    assert_int_equal(aa_routes_know(routes, "http", "head"), 0);
    assert_int_equal(aa_routes_know(routes, "threads", NULL), 0);
    assert_string_equal(aa_routes_nearest(routes, "pots", 1), "post");
    assert_int_equal(aa_routes_is_none(opened("langgraph", NULL, "", &why)), 0);
}

static void vocabulary(void **state)
{
    static const struct {
        const char *resource, *action;
        int known;
    } words[] = {
        {"threads", "create_run", 1},
        {"threads", "put", 0},
        {"store", "put", 1},
        {"store", "create", 0},
        {"crons", "read", 1},
        {"runs", "create", 1},
        {"runs", NULL, 1},
        {"assistants", NULL, 1},
        {NULL, "list_namespaces", 1},
        {NULL, "read", 1},
        {"thread", NULL, 0},
        {NULL, "reads", 0},
        {"http", NULL, 0},
        {NULL, NULL, 0},
        {"*", NULL, 0},
    };
    const char *why;
    const aa_routes_t *routes = opened("langgraph", NULL, "", &why);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        print_message("%s:%s\n", words[i].resource ? words[i].resource : "",
                      words[i].action ? words[i].action : "");
        assert_int_equal(
            aa_routes_know(routes, words[i].resource, words[i].action),
            words[i].known);
    }
    assert_string_equal(aa_routes_nearest(routes, "thread", 0), "threads");
    assert_string_equal(aa_routes_nearest(routes, "assitsants", 0),
                        "assistants");
    assert_string_equal(aa_routes_nearest(routes, "craete", 1), "create");
    assert_null(aa_routes_nearest(routes, "xylophone", 0));
    assert_null(aa_routes_nearest(routes, "create", 0));
}

/* Steps of one look-up in a map of n rows: the mean and the worst. */
static void cost_of(double *mean, int *worst, int n)
{
    aa_trie_t *trie = aa_trie_create(root);
    aa_route_match_t match;
    const aa_route_t *old;
    aa_route_t *routes = apr_pcalloc(root, sizeof(*routes) * (size_t)n);
    int i, steps, total = 0;

    for (i = 0; i < n; i++) {
        routes[i].method = "GET";
        routes[i].path =
            apr_psprintf(root, "/service-%d/{id}/part-%d", i, i % 7);
        assert_int_equal(aa_trie_put(&old, trie, &routes[i]), 0);
        assert_null(old);
    }
    *worst = 0;
    for (i = 0; i < n; i++) {
        steps = 0;
        assert_int_equal(
            aa_trie_find(&match, trie, "GET",
                         apr_psprintf(root, "/service-%d/x/part-%d", i, i % 7),
                         &steps, root),
            APR_SUCCESS);
        assert_ptr_equal(match.route, &routes[i]);
        total += steps;
        *worst = steps > *worst ? steps : *worst;
    }
    *mean = (double)total / n;
}

static void cost_does_not_follow_rows(void **state)
{
    double few, many;
    int worst_few, worst_many;

    (void)state;
    cost_of(&few, &worst_few, 10);
    cost_of(&many, &worst_many, 4000);
    print_message("10 rows: %.2f steps, worst %d; 4000 rows: %.2f, worst %d\n",
                  few, worst_few, many, worst_many);
    assert_true(many < few * 1.5);
    assert_true(worst_many < 64);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(additions),
        cmocka_unit_test(broken),
        cmocka_unit_test(map_none),
        cmocka_unit_test(vocabulary),
        cmocka_unit_test(cost_does_not_follow_rows),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    failed = cmocka_run_group_tests_name("routes", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
