/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticate handler: what it is shown and what it may return. */
#include "harness.h"

#define WHO                                                                    \
    "local auth = require 'agentauth'\n"                                       \
    "auth.authenticate(function(req)\n"
#define END "\nend)"

static const struct {
    const char *name, *body, *user; /* or "nobody", or the denial */
} rows[] = {
    {"string", "return 'bob'",
     "{\"display_name\":\"bob\",\"identity\":\"bob\",\"is_authenticated\":true,"
     "\"permissions\":[]}"},
    {"table", "return {identity = 'bob', permissions = {'a'}, org = 'x'}",
     "{\"display_name\":\"bob\",\"identity\":\"bob\",\"is_authenticated\":true,"
     "\"org\":\"x\",\"permissions\":[\"a\"]}"},
    {"all members",
     "return {identity = 'bob', permissions = {}, display_name "
     "= 'Bob', is_authenticated = false}",
     "{\"display_name\":\"Bob\",\"identity\":\"bob\",\"is_authenticated\":false"
     ",\"permissions\":[]}"},
    {"permissions by array",
     "return {identity = 'b', permissions = "
     "auth.array{}}",
     "{\"display_name\":\"b\",\"identity\":\"b\",\"is_authenticated\":true,"
     "\"permissions\":[]}"},
    {"nil", "return nil", "nobody"},
    {"nothing", "", "nobody"},
    {"exception", "error(auth.HTTPException{detail = 'no'})",
     "deny EXCEPTION 401 no"},
    {"assert", "assert(false, 'x')", "deny LUA"},
    {"error", "error('x')", "deny LUA"},
    {"loop", "while true do end", "deny BUDGET"},
    {"false", "return false", "deny RESULT"},
    {"true", "return true", "deny RESULT"},
    {"number", "return 7", "deny RESULT"},
    {"empty string", "return ''", "deny RESULT"},
    {"exception returned", "return auth.HTTPException{}", "deny RESULT"},
    {"no identity", "return {name = 'bob'}", "deny RESULT"},
    {"number as identity", "return {identity = 7}", "deny RESULT"},
    {"255 bytes", "return string.rep('x', 255):sub(1, 255)", NULL},
    {"256 bytes", "return string.rep('x', 256)", "deny RESULT"},
    {"control character", "return 'a\\nb'", "deny RESULT"},
    {"NUL", "return 'a\\0b'", "deny RESULT"},
    {"DEL", "return 'a\\x7f'", "deny RESULT"},
    {"not UTF-8", "return '\\xff'", "deny RESULT"},
    {"overlong UTF-8", "return '\\xc0\\xaf'", "deny RESULT"},
    {"permissions no list", "return {identity = 'b', permissions = {a = 1}}",
     "deny RESULT"},
    {"permissions of numbers", "return {identity = 'b', permissions = {1}}",
     "deny RESULT"},
    {"permissions string", "return {identity = 'b', permissions = 'a'}",
     "deny RESULT"},
    {"empty permission", "return {identity = 'b', permissions = {''}}",
     "deny RESULT"},
    {"display_name", "return {identity = 'b', display_name = 5}",
     "deny RESULT"},
    {"is_authenticated", "return {identity = 'b', is_authenticated = 'no'}",
     "deny RESULT"},
    {"function inside", "return {identity = 'b', f = function() end}",
     "deny RESULT"},
    {"path", "return req.path .. req.method",
     "{\"display_name\":\"/threads/t1GET\",\"identity\":\"/threads/t1GET\","
     "\"is_authenticated\":true,\"permissions\":[]}"},
    {"members",
     "assert(req.path_params.thread_id == 't1' and "
     "req.query_params.a == 'x y' and req.query_params.b[2] == '2' "
     "and req.query_params.c == nil and req.authorization == "
     "'Bearer t' and req.headers.authorization == 'Bearer t' and "
     "req.headers['x-two'] == '1, 2' and req.claims.sub == 's' and "
     "req.claims.none == nil)",
     "nobody"},
    {"frozen",
     "assert(not pcall(function() req.path = 1 end) and not "
     "pcall(function() req.headers.x = 1 end) and not "
     "pcall(function() req.claims.sub = 1 end))",
     "nobody"},
    {"claims returned", "return {identity = req.claims.sub, c = req.claims}",
     "{\"c\":{\"sub\":\"s\"},\"display_name\":\"s\",\"identity\":\"s\","
     "\"is_authenticated\":true,\"permissions\":[]}"},
};

static void users(void **state)
{
    world_t *w = *state;
    apr_table_t *headers = apr_table_make(w->p, 4);
    aa_route_match_t match = {.params = {{"thread_id", "t1"}}, .nparams = 1};
    json_t *claims = json_pack("{s:s}", "sub", "s");
    aa_policy_who_t who = {.method = "GET",
                           .path = "/threads/t1",
                           .query = "a=x+y&b=1&b=2",
                           .match = &match,
                           .headers = headers,
                           .claims = claims};

    apr_table_add(headers, "AUTHORIZATION", "Bearer t");
    apr_table_add(headers, "X-Two", "1");
    apr_table_add(headers, "x-two", "2");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_policy_t *policy =
            world_policy(w, apr_pstrcat(w->p, WHO, rows[i].body, END, NULL));
        aa_policy_verdict_t v;
        json_t *user = NULL;
        apr_status_t rv = aa_policy_authenticate(&user, &v, policy, &who, w->p);
        const char *got = rv == APR_SUCCESS  ? world_json(w, user)
                          : rv == APR_ENOENT ? "nobody"
                                             : world_say(w, &v);

        print_message("%s\n", rows[i].name);
        if (rows[i].user)
            assert_string_equal(got, rows[i].user);
        else
            assert_int_equal(rv, APR_SUCCESS);
        if (rv == APR_EINVAL)
            assert_contains(v.reason, "handler authenticate");
        if (rv != APR_SUCCESS)
            assert_null(user);
    }
    json_decref(claims);
}

static void without(void **state)
{
    world_t *w = *state;
    aa_policy_who_t who = {.method = "GET", .path = "/"};
    aa_policy_verdict_t v;
    json_t *user;
    aa_policy_t *policy =
        world_policy(w, "require 'agentauth'.on(function() end)");

    assert_int_equal(aa_policy_authenticates(policy), 0);
    assert_int_equal(aa_policy_authenticate(&user, &v, policy, &who, w->p),
                     APR_ENOENT);
    policy =
        world_policy(w, WHO "assert(req.claims == nil and "
                            "req.authorization == nil and next(req.headers) "
                            "== nil) return 'x'" END);
    assert_int_equal(aa_policy_authenticates(policy), 1);
    assert_int_equal(aa_policy_authenticate(&user, &v, policy, &who, w->p),
                     APR_SUCCESS);
    who.query = "a=%";
    assert_int_equal(aa_policy_authenticate(&user, &v, policy, &who, w->p),
                     APR_EINVAL);
    assert_string_equal(world_say(w, &v), "deny QUERY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(users), WORLD(without)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
