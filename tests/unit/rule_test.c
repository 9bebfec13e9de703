/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a route map: where each word of `enforce` arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "rule_rows.h"

static apr_pool_t *root;

static const char *joined(const char *const *texts)
{
    const char *text = "";

    for (; texts && *texts; texts++)
        text = apr_pstrcat(root, text, *text ? " " : "", *texts, NULL);
    return text;
}

static void asks_arrive(void **state)
{
    static const char text[] =
        ROW("hidden = { 410 }, ask_first = {"
            " '/t/{id}', { '/a/{body.a}', events = { 'a:read' },"
            " hold = 'exclusive', retires = true, optional = true, absent = "
            "'matching',"
            " exempt = { by = 's' }, same = { x = '{id}' },"
            " hidden = { 409, 't/p', 'no' } },"
            " { '/c', events = {}, create = { path = '/n', stamp = 'm',"
            " body = { y = '{id}' }, when = { 'w', 'is' },"
            " after = { 'th', 'en' } } }, { '/e/{body.e}', each = true } }");
    json_t *made = json_array();
    const aa_rule_t *rule;
    const aa_ask_t *ask;
    const char *why;

    (void)state;
    rule = compiled(&why, text, 1, made, root)->rule;
    ask = rule->asks;
    assert_int_equal(rule->nasks, 4);
    assert_string_equal(ask[0].path, "/t/{id}");
    assert_true(!ask[0].events && ask[0].hold == AA_HOLD_SHARED &&
                !ask[0].retires && !ask[0].optional && !ask[0].each &&
                !ask[0].absent && !ask[0].create && !ask[0].exempt &&
                !ask[0].same && !ask[0].status && !ask[0].body);
    assert_string_equal(ask[1].path, "/a/{body.a}");
    assert_string_equal(joined(ask[1].events), "a:read");
    assert_true(ask[1].hold == AA_HOLD_EXCLUSIVE && ask[1].retires &&
                ask[1].optional && ask[1].absent == AA_ABSENT_MATCHING);
    assert_string_equal(json_string_value(json_object_get(ask[1].exempt, "by")),
                        "s");
    assert_string_equal(json_string_value(json_object_get(ask[1].same, "x")),
                        "{id}");
    assert_int_equal(ask[1].status, 409);
    assert_string_equal(ask[1].type, "t/p");
    assert_string_equal(ask[1].body, "no");
    assert_true(ask[2].events && !ask[2].events[0]);
    assert_string_equal(ask[2].create->path, "/n");
    assert_string_equal(ask[2].create->stamp, "m");
    assert_string_equal(
        json_string_value(json_object_get(ask[2].create->body, "y")), "{id}");
    assert_string_equal(ask[2].create->when_member, "w");
    assert_string_equal(ask[2].create->when_is, "is");
    assert_string_equal(ask[2].create->then_member, "th");
    assert_string_equal(ask[2].create->then_is, "en");
    assert_true(ask[3].each);
    assert_int_equal(rule->hidden_status, 410);
    assert_null(rule->hidden_type);
    assert_string_equal(joined(rule->match), "metadata");
    json_decref(made);
}

static void rewrites_arrive(void **state)
{
    static const char text[] =
        CHANGED("query",
                "check = 'list', match = { 'v', 'k' }, wrap = 'n', sent = true,"
                " events = { 't:create' }, remember = 'run',"
                " hidden = { 404, 't/p', 'no {id}' },"
                " page = { limit = { 'l', 5 }, offset = 'o', max = 6,"
                " items = 'i', select = 's', total = 'x-t', next = 'x-n' },"
                " rewrite = { stamp = 'a', keep = 'b', restrict = 'c',"
                " configurable = 'd', webhook = 'e', query = { 'q' },"
                " drop_query = { 'f' }, drop_body = { 'g' },"
                " drop_headers = { 'h-*' } }");
    json_t *made = json_array();
    const aa_rule_t *r;
    const char *why;

    (void)state;
    r = compiled(&why, text, 1, made, root)->rule;
    assert_true(!r->refuse && !r->nasks && r->check == AA_CHECK_LIST &&
                r->sent && !r->long_lived && r->remembers_run && !r->each &&
                !r->asks_runs && !r->copies);
    assert_string_equal(r->stamp, "a");
    assert_string_equal(r->keep, "b");
    assert_string_equal(r->restrict_to, "c");
    assert_string_equal(r->configurable, "d");
    assert_string_equal(r->webhook, "e");
    assert_string_equal(joined(r->set_query), "q");
    assert_string_equal(joined(r->drop_query), "f");
    assert_string_equal(joined(r->drop_body), "g");
    assert_string_equal(joined(r->drop_headers), "h-*");
    assert_string_equal(joined(r->match), "v k");
    assert_string_equal(joined(r->events), "t:create");
    assert_string_equal(r->wrap, "n");
    assert_string_equal(r->hidden_type, "t/p");
    assert_string_equal(r->hidden_body, "no {id}");
    assert_string_equal(r->page.limit, "l");
    assert_string_equal(r->page.offset, "o");
    assert_true(r->page.limit_default == 5 && r->page.limit_max == 6 &&
                !r->page.in_query && !r->page.search);
    assert_string_equal(r->page.items, "i");
    assert_string_equal(r->page.select, "s");
    assert_string_equal(r->page.total, "x-t");
    assert_string_equal(r->page.next, "x-n");
    json_decref(made);
}

/* Words that those above exclude. */
static void the_others_arrive(void **state)
{
    json_t *made = json_array();
    const aa_rule_t *r;
    const char *why;

    (void)state;
    r = compiled(&why, BARE("asks = 'run', stream = true"), 1, made, root)
            ->rule;
    assert_true(r->asks_runs && r->long_lived && !r->remembers_run &&
                !r->sent && !r->check && !r->copies && !r->refuse);
    assert_int_equal(r->hidden_status, 404);
    assert_null(r->hidden_body);
    json_array_clear(made);
    r = compiled(&why, BARE("check = 'object', copies = '/t/{answer.id}'"), 1,
                 made, root)
            ->rule;
    assert_string_equal(r->copies, "/t/{answer.id}");
    assert_int_equal(r->check, AA_CHECK_OBJECT);
    json_array_clear(made);
    r = compiled(&why,
                 ROW("check = 'count', page = { limit = { 'l', 5 },"
                     " offset = 'o', search = '/t/{id}/search' }"),
                 1, made, root)
            ->rule;
    assert_int_equal(r->check, AA_CHECK_COUNT);
    assert_string_equal(r->page.search, "/t/{id}/search");
    assert_int_equal(r->page.limit_max, 1000);
    json_array_clear(made);
    r = compiled(&why, BARE("refuse = 'why'"), 1, made, root)->rule;
    assert_string_equal(r->refuse, "why");
    json_decref(made);
}

/* Only a gateway reads more of the request, and only its rule must fit. */
static void without_a_gateway(void **state)
{
    static const char text[] =
        "route { 'POST', '/t', body = 'json', events = { { 't', 'read' } },"
        " enforce = { ask_first = { '/b/{body.x}?y={query.y}', events = { "
        "'n:one' } } } }";
    json_t *made = json_array();
    const aa_route_t *route;
    const char *why;

    (void)state;
    route = compiled(&why, text, 0, made, root);
    assert_non_null(route);
    assert_false(route->reads_body);
    assert_null(route->query_names[0]);
    json_array_clear(made);
    assert_null(compiled(&why, text, 1, made, root));
    assert_non_null(strstr(why, "the row has no event 'n:one'"));
    json_array_clear(made);
    route = compiled(&why,
                     "route { 'POST', '/t', body = 'json',"
                     " events = { { 't', 'read' } }, enforce = { ask_first = "
                     "'/b/{body.x}?y={query.y}' } }",
                     1, made, root);
    assert_true(route->reads_body);
    assert_string_equal(joined(route->query_names), "y");
    json_decref(made);
}

/* Elements of an array are what the events say. */
static void each_comes_from_the_events(void **state)
{
    json_t *made = json_array();
    const char *why;

    (void)state;
    assert_true(compiled(&why, EACH("rewrite = { stamp = 'm' }"), 1, made, root)
                    ->rule->each);
    json_decref(made);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_arrive),
        cmocka_unit_test(rewrites_arrive),
        cmocka_unit_test(the_others_arrive),
        cmocka_unit_test(without_a_gateway),
        cmocka_unit_test(each_comes_from_the_events),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    failed = cmocka_run_group_tests_name("rules", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
