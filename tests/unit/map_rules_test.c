/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the built-in maps, row by row, against tables of their own: a
 * rule that is taken out, or says something else, is seen here.
 *
 * The tables use the words of a map; what is left out is the default. */
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

static apr_pool_t *root;

static const char *below_srcdir(const char *path)
{
    const char *srcdir = getenv("srcdir");
    char *full = NULL;

    apr_filepath_merge(
        &full, NULL, apr_pstrcat(root, srcdir ? srcdir : ".", "/", path, NULL),
        0, root);
    return full;
}

/* -------------------------------------------------- a rule in words of a map
 */

static void put_text(json_t *to, const char *name, const char *text)
{
    if (text)
        json_object_set_new(to, name, json_string(text));
}

static void put_flag(json_t *to, const char *name, int flag)
{
    if (flag)
        json_object_set_new(to, name, json_true());
}

static void put_list(json_t *to, const char *name, const char *const *list)
{
    json_t *texts;

    if (!list)
        return;
    texts = json_array();
    for (; *list; list++)
        json_array_append_new(texts, json_string(*list));
    json_object_set_new(to, name, texts);
}

static void put_json(json_t *to, const char *name, const json_t *value)
{
    if (value)
        json_object_set(to, name, (json_t *)value);
}

static void put_pair(json_t *to, const char *name, const char *a, const char *b)
{
    if (a)
        json_object_set_new(to, name, json_pack("[s,s]", a, b));
}

/* { 404 }, which is the default, is left out. */
static void put_hidden(json_t *to, int status, const char *type,
                       const char *body)
{
    if (type)
        json_object_set_new(to, "hidden",
                            json_pack("[i,s,s]", status, type, body));
    else if (status && status != 404)
        json_object_set_new(to, "hidden", json_pack("[i]", status));
}

static json_t *create_json(const aa_create_t *create)
{
    json_t *to = json_object();

    put_text(to, "path", create->path);
    put_json(to, "body", create->body);
    put_text(to, "stamp", create->stamp);
    put_pair(to, "when", create->when_member, create->when_is);
    put_pair(to, "after", create->then_member, create->then_is);
    return to;
}

static json_t *ask_json(const aa_ask_t *ask)
{
    json_t *to = json_object();

    put_text(to, "path", ask->path);
    put_list(to, "events", ask->events);
    put_text(to, "hold", ask->hold == AA_HOLD_EXCLUSIVE ? "exclusive" : NULL);
    put_flag(to, "retires", ask->retires);
    put_flag(to, "optional", ask->optional);
    put_flag(to, "each", ask->each);
    put_flag(to, "absent", ask->absent == AA_ABSENT_FINE);
    put_text(to, "absent",
             ask->absent == AA_ABSENT_MATCHING ? "matching" : NULL);
    if (ask->create)
        json_object_set_new(to, "create", create_json(ask->create));
    put_json(to, "exempt", ask->exempt);
    put_json(to, "same", ask->same);
    put_hidden(to, ask->status, ask->type, ask->body);
    return to;
}

static json_t *page_json(const aa_page_t *page)
{
    json_t *to = json_object();

    json_object_set_new(
        to, "limit", json_pack("[s,i]", page->limit, (int)page->limit_default));
    put_text(to, "offset", page->offset);
    json_object_set_new(to, "max", json_integer(page->limit_max));
    put_flag(to, "query", page->in_query);
    put_text(to, "items", page->items);
    put_text(to, "select", page->select);
    put_text(to, "search", page->search);
    put_text(to, "total", page->total);
    put_text(to, "next", page->next);
    return to;
}

static void put_rewrite(json_t *to, const aa_rule_t *rule)
{
    json_t *rewrite = json_object();

    put_text(rewrite, "stamp", rule->stamp);
    put_text(rewrite, "keep", rule->keep);
    put_text(rewrite, "restrict", rule->restrict_to);
    put_text(rewrite, "configurable", rule->configurable);
    put_text(rewrite, "webhook", rule->webhook);
    put_list(rewrite, "query", rule->set_query);
    put_list(rewrite, "drop_query", rule->drop_query);
    put_list(rewrite, "drop_body", rule->drop_body);
    put_list(rewrite, "drop_headers", rule->drop_headers);
    if (json_object_size(rewrite))
        json_object_set(to, "rewrite", rewrite);
    json_decref(rewrite);
}

static void put_match(json_t *to, const char *const *match)
{
    if (strcmp(match[0], "metadata") || match[1])
        put_list(to, "match", match);
}

static json_t *rule_json(const aa_rule_t *rule)
{
    static const char *const checks[] = {NULL, "object", "list", "count"};
    json_t *to = json_object(), *asks = json_array();
    int i;

    put_text(to, "refuse", rule->refuse);
    for (i = 0; i < rule->nasks; i++)
        json_array_append_new(asks, ask_json(&rule->asks[i]));
    if (i)
        json_object_set(to, "ask_first", asks);
    json_decref(asks);
    put_rewrite(to, rule);
    put_list(to, "events", rule->events);
    put_text(to, "check", checks[rule->check]);
    if (rule->page.limit)
        json_object_set_new(to, "page", page_json(&rule->page));
    put_match(to, rule->match);
    put_text(to, "wrap", rule->wrap);
    put_flag(to, "sent", rule->sent);
    put_hidden(to, rule->hidden_status, rule->hidden_type, rule->hidden_body);
    put_flag(to, "each", rule->each);
    put_text(to, "remember", rule->remembers_run ? "run" : NULL);
    put_text(to, "asks", rule->asks_runs ? "run" : NULL);
    put_text(to, "copies", rule->copies);
    put_flag(to, "stream", rule->long_lived);
    return to;
}

/* "threads:update?on_disconnect=cancel": what the gateway's policy decides. */
static json_t *events_json(const aa_route_t *route)
{
    json_t *to = json_array();
    const aa_event_t *event;
    const char *text;
    int i, j;

    for (i = 0; i < route->nevents; i++) {
        event = &route->events[i];
        text = apr_pstrcat(root, event->resource, ":", event->action, NULL);
        if (event->when)
            text = apr_pstrcat(root, text, event->when_query ? "?query " : "?",
                               event->when, NULL);
        for (j = 0; event->when_in && event->when_in[j]; j++)
            text = apr_pstrcat(root, text,
                               j                   ? "|"
                               : event->when_query ? " except "
                                                   : "=",
                               event->when_in[j], NULL);
        json_array_append_new(to, json_string(text));
    }
    return to;
}

/* Its own name, its events, then its rule; none: null. */
static json_t *row_json(const aa_route_t *route)
{
    json_t *to = json_object();

    put_text(to, "row", route->name);
    if (route->nevents)
        json_object_set_new(to, "events", events_json(route));
    json_object_set_new(to, "enforce",
                        route->rule ? rule_json(route->rule) : json_null());
    return to;
}

/* ------------------------------------------------------------------ compared
 */

static const char *text_of(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    const char *copy = text ? apr_pstrdup(root, text) : "nothing";

    free(text);
    return copy;
}

static int differ(const char *row, const json_t *is, const json_t *shall);

static int member_differs(const char *row, const char *key, const json_t *is,
                          const json_t *shall)
{
    const char *where = apr_pstrcat(root, row, ": ", key, NULL);

    if (is && shall && json_equal(is, shall))
        return 0;
    if (json_is_object(is) && json_is_object(shall))
        return differ(where, is, shall);
    print_error("%s is %s\n  instead of %s\n", where, text_of(is),
                text_of(shall));
    return 1;
}

/* How many members of two objects differ; each is said. */
static int differ(const char *row, const json_t *is, const json_t *shall)
{
    const char *key;
    json_t *value;
    int n = 0;

    json_object_foreach((json_t *)is, key, value)
    {
        n += member_differs(row, key, value, json_object_get(shall, key));
    }
    json_object_foreach((json_t *)shall, key, value)
    {
        if (!json_object_get(is, key))
            n += member_differs(row, key, NULL, value);
    }
    return n;
}

static void compare(const char *name, const char *file, int rows)
{
    const aa_routes_t *map;
    const char *why = NULL;
    json_error_t error;
    json_t *table = json_load_file(below_srcdir(file), 0, &error), *row;
    int i, wrong = 0;

    if (aa_routes_open(&map, &why, name, NULL, "", 1, root) != APR_SUCCESS)
        fail_msg("%s", why);
    assert_non_null(table);
    assert_int_equal(aa_routes_count(map), rows);
    assert_int_equal(json_array_size(table), rows);
    for (i = 0; i < rows; i++) {
        row = row_json(aa_routes_at(map, i));
        print_message("%s\n", aa_route_name(aa_routes_at(map, i)));
        wrong += differ(aa_route_name(aa_routes_at(map, i)), row,
                        json_array_get(table, (size_t)i));
        json_decref(row);
    }
    json_decref(table);
    assert_int_equal(wrong, 0);
}

static void rules_of_langgraph(void **state)
{
    (void)state;
    compare("langgraph", "tests/vectors/langgraph-rules.json", 70);
}

static void rules_of_crud(void **state)
{
    (void)state;
    compare("crud", "tests/vectors/crud-rules.json", 12);
}

/* --------------------------------------------------- the page and its maps */

static const char *page_text(void)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    assert_int_equal(apr_file_open(&file, below_srcdir("docs/routes.md"),
                                   APR_READ, APR_OS_DEFAULT, root),
                     APR_SUCCESS);
    apr_file_info_get(&info, APR_FINFO_SIZE, file);
    text = apr_pcalloc(root, (apr_size_t)info.size + 1);
    apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
    apr_file_close(file);
    return text;
}

/* Those that rule_words_test.c tries: each has a row in a table. */
static void page_has_every_word(void **state)
{
    static const char *const words[] = {
        "refuse",        "ask_first",  "rewrite",   "sent",    "check",
        "page",          "match",      "wrap",      "events",  "hidden",
        "copies",        "remember",   "asks",      "stream",  "hold",
        "optional",      "each",       "absent",    "create",  "exempt",
        "same",          "path",       "body",      "stamp",   "when",
        "after",         "keep",       "restrict",  "webhook", "configurable",
        "query",         "drop_query", "drop_body", "limit",   "drop_headers",
        "offset",        "max",        "items",     "select",  "search",
        "total`, `next", "retires"};
    const char *page = page_text();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        print_message("%s\n", words[i]);
        assert_non_null(
            strstr(page, apr_pstrcat(root, "\n| `", words[i], "` |", NULL)));
    }
}

/* Every row that a policy decides says what a gateway does, also when rows of
 * one's own took the place of others. */
static void examples_say_how(void **state)
{
    static const struct {
        const char *map, *file;
        int rows, refused; /* by their rule */
    } examples[] = {
        {"crud", "docs/examples/routes/tickets.lua", 12 + 8, 1},
        {"langgraph", "docs/examples/routes/python.lua", 70 + 3, 8},
    };
    const char *files[2] = {NULL}, *why = NULL;
    const aa_routes_t *map;
    const aa_route_t *row;
    size_t i;
    int j, refused;

    (void)state;
    for (i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        files[0] = below_srcdir(examples[i].file);
        if (aa_routes_open(&map, &why, examples[i].map, files, "", 1, root))
            fail_msg("%s", why);
        assert_int_equal(aa_routes_count(map), examples[i].rows);
        for (j = refused = 0; j < aa_routes_count(map); j++) {
            row = aa_routes_at(map, j);
            print_message("%s\n", aa_route_name(row));
            if (aa_route_access(row) == AA_ACCESS_POLICY)
                assert_non_null(aa_route_rule(row));
            refused += aa_route_rule(row) && aa_route_rule(row)->refuse;
        }
        assert_int_equal(refused, examples[i].refused);
    }
}

/* What is compared is not the same for want of looking. */
static void differences_are_seen(void **state)
{
    json_t *a =
               json_loads("{\"enforce\":{\"stamp\":\"m\",\"x\":[1]}}", 0, NULL),
           *b =
               json_loads("{\"enforce\":{\"stamp\":\"n\",\"y\":[1]}}", 0, NULL);

    (void)state;
    assert_int_equal(differ("a", a, a), 0);
    assert_int_equal(differ("a and b", a, b), 3);
    json_decref(a);
    json_decref(b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_langgraph),
        cmocka_unit_test(rules_of_crud),
        cmocka_unit_test(page_has_every_word),
        cmocka_unit_test(examples_say_how),
        cmocka_unit_test(differences_are_seen),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    failed = cmocka_run_group_tests_name("rules of maps", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
