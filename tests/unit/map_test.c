/* SPDX-License-Identifier: Apache-2.0 */
/* Route maps as text: what a row may say, and what is refused with which
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "map.h"
#include "row.h"

static apr_pool_t *root;

/* Compiles the first row of a map; NULL and *why when any of it fails. */
static aa_route_t *compiled(const char **why, const char *text, json_t *rows,
                            apr_pool_t *p)
{
    aa_route_t *route = apr_pcalloc(p, sizeof(*route));

    *why = NULL;
    if (aa_map_run(rows, why, "F", text, strlen(text), 0, p) != APR_SUCCESS)
        return NULL;
    if (!json_array_size(rows)) {
        *why = "no row";
        return NULL;
    }
    if (aa_row_compile(route, why,
                       json_object_get(json_array_get(rows, 0), "row"), 1,
                       p) != APR_SUCCESS)
        return NULL;
    return route;
}

#define EVENTS(value) "events = {{ 'threads', 'read', value = " value " }}"

static const struct {
    const char *name, *text, *why; /* why NULL: let in; else part of it */
} rows[] = {
    {"smallest", "route { 'GET', '/a', access = 'user' }", NULL},
    {"an event without value", "route { 'GET', '/a', events = {{ 'x', 'y' }} }",
     NULL},
    {"path by its own name",
     "route { 'GET', '/a/{id}', " EVENTS("{ id = path }") " }", NULL},
    {"path by another name",
     "route { 'GET', '/a/{id}', " EVENTS("{ x = path 'id' }") " }", NULL},
    {"path that is not there",
     "route { 'GET', '/a/{thread_id}', " EVENTS("{ thred_id = path }") " }",
     "GET /a/{thread_id}: thred_id: the path has no {thred_id}; did you mean "
     "'thread_id'?"},
    {"query",
     "route { 'GET', '/a', " EVENTS("{ x = query, y = query 'z' }") "}", NULL},
    {"query that is split",
     "route { 'GET', '/a', " EVENTS("{ x = query { 'n', split = '.' } }") " }",
     NULL},
    {"split by its own name",
     "route { 'GET', '/a', " EVENTS("{ x = query { split = '.' } }") " }",
     NULL},
    {"split of two characters",
     "route { 'GET', '/a', " EVENTS("{ x = query { 'n', split = '..' } }") " }",
     "split is one character"},
    {"split of a body",
     "route { 'PUT', '/a', body = 'json', " EVENTS(
         "{ x = body { 'n', split = '.' } }") " }",
     "split is one character, for path and query"},
    {"a source with an unknown field",
     "route { 'GET', '/a', " EVENTS("{ x = query { 'n', spilt = '.' } }") " }",
     "F:1: query takes a name"},
    {"a source with nothing",
     "route { 'GET', '/a', " EVENTS("{ x = query {} }") " }",
     "query takes a name"},
    {"a source with a number",
     "route { 'GET', '/a', " EVENTS("{ x = query(5) }") " }",
     "query takes a name"},
    {"a source with an empty name",
     "route { 'GET', '/a', " EVENTS("{ x = query '' }") " }",
     "x: the name in the source is no text"},
    {"a dot into a source",
     "route { 'PUT', '/a', body = 'json', " EVENTS("{ x = body.n }") " }",
     "F:1: a path into a source is a string: body \"n\""},
    {"body", "route { 'PUT', '/a', body = 'json', " EVENTS("{ x = body }") " }",
     NULL},
    {"body without body", "route { 'PUT', '/a', " EVENTS("{ x = body }") " }",
     "its events read the body: body = \"json\""},
    {"body of a stream",
     "route { 'PUT', '/a', body = 'stream', " EVENTS("{ x = body }") " }",
     "its events read the body"},
    {"each without body",
     "route { 'PUT', '/a', events = {{ 'x', 'y', each = true }} }",
     "its events read the body"},
    {"when without body",
     "route { 'PUT', '/a', events = {{ 'x', 'y', when = 'm' }} }",
     "its events read the body"},
    {"literal",
     "route { 'GET', '/a', " EVENTS("{ x = literal { 1, 'a' } }") "}", NULL},
    {"a bare constant", "route { 'GET', '/a', " EVENTS("{ x = 'a' }") " }",
     "x: path, query, body, literal"},
    {"a nested table",
     "route { 'GET', '/a/{id}', " EVENTS("{ x = { y = { id = path } } }") " }",
     NULL},
    {"a list as value", "route { 'GET', '/a/{id}', " EVENTS("{ path }") " }",
     "a value is a table of names"},
    {"a list inside a value",
     "route { 'GET', '/a/{id}', " EVENTS("{ x = { path } }") " }",
     "x: path, query, body, literal(v) or a table"},
    {"an item beside names",
     "route { 'GET', '/a/{id}', " EVENTS("{ path, id = path }") " }",
     "a value has names, not items"},
    {"a misspelled source",
     "route { 'GET', '/a/{id}', " EVENTS("{ id = paht }") " }",
     "F:1: unknown word 'paht'; did you mean 'path'?"},
    {"a library", "string.rep('a', 5)", "F:1: unknown word 'string'"},
    {"os", "os.exit(1)", "F:1: unknown word 'os'"},
    {"require", "require 'io'", "unknown word 'require'"},
    {"string methods", "local s = ('a'):rep(5)", "F:1: "},
    {"a global", "x = 1", "F:1: 'x' must be local"},
    {"a global function", "function f() end", "F:1: 'f' must be local"},
    {"bytecode", "\033Lua", "F: attempt to load a binary chunk"},
    {"a syntax error", "\n\nroute {", "F:3: "},
    {"route without a table", "route 'GET'", "F:1: route takes one table"},
    {"route of a source", "route(path)", "F:1: route takes one table"},
    {"a function in a row", "route { 'GET', '/a', access = route }",
     "a function where data is expected"},
    {"a NUL in a text", "route { 'GET', '/a\\0b', access = 'user' }",
     "a string with a NUL"},
    {"a text that is not UTF-8", "route { 'GET', '/\\xff', access = 'user' }",
     "not valid UTF-8"},
    {"a number that is not finite",
     "route { 'GET', '/a', " EVENTS("{ x = literal(1/0) }") " }",
     "a number that is not finite"},
    {"a table in itself", "local t = {} t.t = t route(t)", "nested too deep"},
    {"a boolean as key", "route { [true] = 1 }", "a key that is no short text"},
    {"an empty row", "route {}", "a row begins with a method and a path"},
    {"no path", "route { 'GET' }", "a row begins with a method and a path"},
    {"three items", "route { 'GET', '/a', 'x' }", "begins with 2 texts"},
    {"three items and a word", "route { 'GET', '/a', 'x', access = 'user' }",
     "unknown word '3' in a row"},
    {"a misspelled word", "route { 'GET', '/a', acess = 'user' }",
     "GET /a: unknown word 'acess' in a row; did you mean 'access'?"},
    {"a misspelled access", "route { 'GET', '/a', access = 'usr' }",
     "access 'usr' is unknown; did you mean 'user'?"},
    {"access that is no text", "route { 'GET', '/a', access = true }",
     "access must be a text"},
    {"a misspelled body",
     "route { 'GET', '/a', access = 'user', body = 'jsn' }",
     "body 'jsn' is unknown; did you mean 'json'?"},
    {"a misspelled word of an event",
     "route { 'GET', '/a', events = {{ 'x', 'y', vaule = {} }} }",
     "unknown word 'vaule' in an event; did you mean 'value'?"},
    {"an event of one word", "route { 'GET', '/a', events = {{ 'x' }} }",
     "an event begins with"},
    {"an event that is no table", "route { 'GET', '/a', events = { 'x' } }",
     "an event must be a table"},
    {"events that are one event",
     "route { 'GET', '/a', events = { 'threads', 'read', value = {} } }",
     "events must be a list"},
    {"an action in upper case",
     "route { 'GET', '/a', events = {{ 'x', 'Y' }} }", "an event begins with"},
    {"a resource with a star", "route { 'GET', '/a', events = {{ '*', 'y' }} }",
     "an event begins with"},
    {"policy without events", "route { 'GET', '/a' }",
     "access \"policy\" needs events"},
    {"user with events",
     "route { 'GET', '/a', access = 'user', events = {{ 'x', 'y' }} }",
     "access \"user\" asks no policy, so it has no events"},
    {"refuse with events",
     "route { 'GET', '/a', access = 'refuse', events = {{ 'x', 'y' }} }",
     "access \"refuse\" asks no policy"},
    {"a method in lower case", "route { 'get', '/a', access = 'user' }",
     "method 'get' is not upper case"},
    {"HEAD", "route { 'HEAD', '/a', access = 'user' }",
     "HEAD is decided by the row of GET"},
    {"another method", "route { 'PROPFIND', '/a', access = 'user' }", NULL},
    {"a slash at the end", "route { 'GET', '/a/', access = 'user' }", NULL},
    {"the root", "route { 'GET', '/', access = 'user' }", NULL},
    {"a path that is not plain", "route { 'GET', '/a/../b', access = 'user' }",
     "no plain path: a dot segment"},
    {"a path with an escape", "route { 'GET', '/a%2Fb', access = 'user' }",
     "no plain path: an escape"},
    {"a relative path", "route { 'GET', 'a', access = 'user' }",
     "no plain path: does not begin"},
    {"a parameter in part of a segment",
     "route { 'GET', '/a-{id}', access = 'user' }",
     "a {name} is a whole segment"},
    {"a parameter with a tail of text",
     "route { 'GET', '/{id}.json', access = 'user' }",
     "'{id}.json' is no {name}"},
    {"an empty parameter", "route { 'GET', '/{}', access = 'user' }",
     "'{}' is no {name}"},
    {"a parameter in upper case", "route { 'GET', '/{Id}', access = 'user' }",
     "'{Id}' is no {name}"},
    {"the same parameter twice",
     "route { 'GET', '/{id}/{id}', access = 'user' }", "{id} is there twice"},
    {"eight parameters",
     "route { 'GET', '/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}', access = 'user' }",
     NULL},
    {"nine parameters",
     "route { 'GET', '/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}', access = 'user' }",
     "more than 8 parameters"},
    {"seventeen segments",
     "route { 'GET', '/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7', access = 'user' }",
     "more than 16 segments"},
    {"a tail", "route { 'GET', '/a/{file...}', " EVENTS("{ file = path }") " }",
     NULL},
    {"a tail that is not last",
     "route { 'GET', '/a/{file...}/b', access = 'user' }",
     "{file...} must be the last segment"},
    {"when with a name",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', "
     "'y', when = 'a.b' }} }",
     NULL},
    {"when with values",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', 'y', when = { 'm', "
     "'a' } }} }",
     NULL},
    {"when with a name alone in a list",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', 'y', when = { 'm' } "
     "}} }",
     "when: a name, or a list of a name and its values"},
    {"when that is empty",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', 'y', when = '' }} }",
     "when: an empty name"},
    {"when with a number",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', 'y', when = 5 }} }",
     "when must be a list of texts"},
    {"when of the query",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query 'q' }} }", NULL},
    {"when of the query but for some texts",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query { 'q', except = "
     "{ '0', 'false' } } }} }",
     NULL},
    {"when of the query without a name",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query }} }",
     "when: a member of the body, or query \"name\""},
    {"when of the query with an empty name",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query '' }} }",
     "when: a member of the body, or query \"name\""},
    {"when of the path",
     "route { 'GET', '/{q}', events = {{ 'x', 'y', when = path 'q' }} }",
     "when: a member of the body, or query \"name\""},
    {"when of a constant",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = literal(1) }} }",
     "when: a member of the body, or query \"name\""},
    {"when of the query that is split",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query { 'q', split = "
     "'.' } }} }",
     "when: a member of the body, or query \"name\""},
    {"when of the query but for one text",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query { 'q', except = "
     "'0' } }} }",
     "except must be a list of texts"},
    {"except where it is no when",
     "route { 'GET', '/a', " EVENTS(
         "{ x = query { 'n', except = { '0' } } }") " }",
     "x: except is for when"},
    {"except misspelled",
     "route { 'GET', '/a', events = {{ 'x', 'y', when = query { 'q', exept = "
     "{ '0' } } }} }",
     "query takes a name"},
    {"each that is no boolean",
     "route { 'PUT', '/a', body = 'json', events = {{ 'x', 'y', each = 1 }} }",
     "each must be true or false"},
    {"mutable",
     "route { 'PUT', '/a', body = 'json', mutable = { 'meta' }, " EVENTS(
         "{ meta = body }") " }",
     NULL},
    {"an empty mutable", "route { 'GET', '/a', access = 'user', mutable = {} }",
     NULL},
    {"mutable that is no member",
     "route { 'PUT', '/a', body = 'json', mutable = { 'metdata' }, " EVENTS(
         "{ metadata = body }") " }",
     "mutable 'metdata' is a member of no value; did you mean 'metadata'?"},
    {"mutable that is a text",
     "route { 'GET', '/a', access = 'user', mutable = 'meta' }",
     "mutable must be a list of texts"},
    {"a websocket",
     "route { 'GET', '/a', access = 'refuse', websocket = true }", NULL},
    {"a websocket by POST",
     "route { 'POST', '/a', access = 'refuse', websocket = true }",
     "a websocket begins with GET"},
    {"enforce",
     "route { 'GET', '/a', access = 'user', enforce = { refuse = 'why' } }",
     NULL},
    {"a misspelled word of enforce",
     "route { 'GET', '/a', access = 'user', enforce = { askfirst = '/b' } }",
     "unknown word 'askfirst' in enforce; did you mean 'ask_first'?"},
    {"refuse without a reason",
     "route { 'GET', '/a', access = 'user', enforce = { refuse = true } }",
     "refuse: say why"},
};

static void words(void **state)
{
    const char *why;
    aa_route_t *route;
    apr_pool_t *p;
    json_t *made;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        apr_pool_create(&p, root);
        made = json_array();
        route = compiled(&why, rows[i].text, made, p);
        print_message("%s: %s\n", rows[i].name, why ? why : "let in");
        if (rows[i].why) {
            assert_null(route);
            assert_non_null(strstr(why, rows[i].why));
        }
        else
            assert_non_null(route);
        json_decref(made);
        apr_pool_destroy(p);
    }
}

/* Everything that a row can hold arrives where engine and gateway look. */
static void a_whole_row(void **state)
{
    static const char text[] =
        "route { 'POST', '/t/{id}/x/{rest...}', body = 'json',\n"
        "  events = {\n"
        "    { 'threads', 'update', each = true,\n"
        "      value = { id = path, m = body, q = query { 'n', split = '.' },\n"
        "                l = literal 'k', z = literal(), t = { r = path 'rest',"
        " s = body 'a.b' }, e = {} } },\n"
        "    { 'threads', 'read', when = { 'm', 'a', 'b' } },\n"
        "    { 'threads', 'search', when = 'p.q' } },\n"
        "  mutable = { 'm', 'e' }, native_unchecked = true,\n"
        "  events_optional = true, enforce = { refuse = 'no' } }";
    json_t *made = json_array();
    const aa_member_t *m;
    aa_route_t *route;
    const char *why;

    (void)state;
    route = compiled(&why, text, made, root);
    assert_non_null(route);
    assert_string_equal(route->name, "POST /t/{id}/x/{rest...}");
    assert_int_equal(route->access, AA_ACCESS_POLICY);
    assert_int_equal(route->body, AA_BODY_JSON);
    assert_int_equal(route->nevents, 3);
    assert_true(route->reads_body && route->native_unchecked &&
                route->events_optional && !route->websocket);
    assert_string_equal(route->query_names[0], "n");
    assert_null(route->query_names[1]);
    assert_string_equal(route->rule->refuse, "no");

    assert_true(route->events[0].each);
    assert_null(route->events[0].when);
    assert_int_equal(route->events[0].nmembers, 7);
    m = route->events[0].members; /* by name: e id l m q t z */
    assert_string_equal(m[0].name, "e");
    assert_true(m[0].from == AA_FROM_TABLE && !m[0].nmembers &&
                m[0].is_mutable);
    assert_true(m[1].from == AA_FROM_PATH && !m[1].is_mutable);
    assert_string_equal(m[1].key, "id");
    assert_true(m[2].from == AA_FROM_LITERAL);
    assert_string_equal(json_string_value(m[2].literal), "k");
    assert_true(m[3].from == AA_FROM_BODY && m[3].is_mutable && !m[3].split);
    assert_true(m[4].from == AA_FROM_QUERY && m[4].split == '.');
    assert_string_equal(m[4].key, "n");
    assert_true(m[5].from == AA_FROM_TABLE && m[5].nmembers == 2);
    assert_string_equal(m[5].members[0].key, "rest");
    assert_string_equal(m[5].members[1].key, "a.b");
    assert_true(json_is_null(m[6].literal));

    assert_string_equal(route->events[1].when, "m");
    assert_string_equal(route->events[1].when_in[0], "a");
    assert_string_equal(route->events[1].when_in[1], "b");
    assert_null(route->events[1].when_in[2]);
    assert_string_equal(route->events[2].when, "p.q");
    assert_null(route->events[2].when_in);
    json_decref(made);
}

static const struct {
    const char *name, *text, *why;
} greedy[] = {
    {"a loop without end", "while true do end", "used up its"},
    {"memory", "local s = 'aaaaaaaaaaaaaaaa' while true do s = s .. s end",
     "not enough memory"},
    {"recursion", "local function f() return 1 + f() end f()",
     "not enough memory"},
    {"rows without end",
     "while true do route { 'GET', '/a', access = 'user' } end",
     "more than 4096 rows"},
    {"a row that grows by sharing",
     "local t = { a = 'x' } for i = 1, 14 do t = { t, t, t, t } end\n"
     "route { 'GET', '/a', x = t }",
     "the map is too large"},
};

static void bounds(void **state)
{
    const char *why;
    apr_pool_t *p;
    json_t *made;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(greedy) / sizeof(*greedy); i++) {
        print_message("%s\n", greedy[i].name);
        apr_pool_create(&p, root);
        made = json_array();
        why = NULL;
        assert_int_equal(aa_map_run(made, &why, "F", greedy[i].text,
                                    strlen(greedy[i].text), 0, p),
                         APR_EINVAL);
        print_message("  %s\n", why);
        assert_non_null(strstr(why, greedy[i].why));
        json_decref(made);
        apr_pool_destroy(p);
    }
}

/* Lua itself would cut such a name; the reader needs all of it. */
static void long_file_names(void **state)
{
    const char *why = NULL, *file = "/a/very/long/path/that/does/not/fit/into/"
                                    "the/sixty/bytes/of/a/chunk/name/map.lua";
    json_t *made = json_array();

    (void)state;
    assert_int_equal(aa_map_run(made, &why, file, "\nx()", 4, 0, root),
                     APR_EINVAL);
    assert_ptr_equal(strstr(why, file), why);
    assert_non_null(strstr(why, "map.lua:2: unknown word 'x'"));
    json_decref(made);
}

/* What a map reads as `gateway`, and how it leaves out an event. */
static void the_gateway(void **state)
{
    static const char text[] =
        "route { 'GET', '/a', access = gateway and 'refuse' or 'user' }\n"
        "route { 'GET', '/b', events = { { 'x', 'y' },\n"
        "  gateway and { 'x', 'z' } or nil } }";
    const char *why;
    json_t *made;
    int gateway;

    (void)state;
    for (gateway = 0; gateway < 2; gateway++) {
        made = json_array();
        assert_int_equal(
            aa_map_run(made, &why, "F", text, strlen(text), gateway, root), 0);
        assert_string_equal(
            json_string_value(json_object_get(
                json_object_get(json_array_get(made, 0), "row"), "access")),
            gateway ? "refuse" : "user");
        assert_int_equal(
            json_array_size(json_object_get(
                json_object_get(json_array_get(made, 1), "row"), "events")),
            gateway ? 2 : 1);
        json_decref(made);
    }
}

static void lines(void **state)
{
    static const char text[] = "\nroute { 'GET', '/a' }\n\nroute {\n 'GET' }";
    const char *why;
    json_t *made = json_array();

    (void)state;
    assert_int_equal(aa_map_run(made, &why, "F", text, strlen(text), 0, root),
                     0);
    assert_int_equal(json_array_size(made), 2);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(made, 0), "line")),
        2);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(made, 1), "line")),
        4);
    json_decref(made);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),       cmocka_unit_test(a_whole_row),
        cmocka_unit_test(bounds),      cmocka_unit_test(long_file_names),
        cmocka_unit_test(the_gateway), cmocka_unit_test(lines),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    failed = cmocka_run_group_tests_name("route maps", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
