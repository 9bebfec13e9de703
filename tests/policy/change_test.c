/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler sees in value, and what becomes of its changes. */
#include "harness.h"

#define ALL                                                                    \
    "local auth = require 'agentauth'\n"                                       \
    "auth.on(function(ctx, value)\n"
#define END "\nend)"

/* A row with a member of each kind; body members are mutable but for limit. */
static aa_member_t kwargs[] = {
    {.name = "webhook",
     .from = AA_FROM_BODY,
     .key = "webhook",
     .is_mutable = 1},
    {.name = "tags",
     .from = AA_FROM_BODY,
     .key = "config.tags",
     .is_mutable = 1},
    {.name = "input", .from = AA_FROM_BODY, .key = "input"},
};
static aa_member_t members[] = {
    {.name = "thread_id", .from = AA_FROM_PATH, .key = "thread_id"},
    {.name = "namespace",
     .from = AA_FROM_QUERY,
     .key = "ns",
     .is_mutable = 1,
     .split = '.'},
    {.name = "wait", .from = AA_FROM_QUERY, .key = "wait"},
    {.name = "metadata",
     .from = AA_FROM_BODY,
     .key = "metadata",
     .is_mutable = 1},
    {.name = "limit", .from = AA_FROM_BODY, .key = "limit"},
    {.name = "status", .from = AA_FROM_LITERAL},
    {.name = "kwargs", .from = AA_FROM_TABLE, .members = kwargs, .nmembers = 3},
};
static aa_event_t event = {.resource = "threads",
                           .action = "create_run",
                           .members = members,
                           .nmembers = 7};
static const char *const query_names[] = {"ns", "wait", NULL};
static aa_route_t route = {.events = &event,
                           .nevents = 1,
                           .reads_body = 1,
                           .body = AA_BODY_JSON,
                           .query_names = query_names};

static aa_route_match_t match = {
    .route = &route, .params = {{"thread_id", "t1"}}, .nparams = 1};

/* sent NULL: the original bytes; set "": none. */
static const struct {
    const char *name, *handler, *body, *sent, *set;
} changes[] = {
    {"nothing", "", "{\"metadata\":{\"a\":1.10}}", NULL, ""},
    {"read alone", "local x = value.metadata.a", "{\"metadata\":{\"a\":1.10}}",
     NULL, ""},
    {"in place", "value.metadata.owner = 'x'", "{\"metadata\":{\"a\":1.10}}",
     "{\"metadata\":{\"a\":1.10,\"owner\":\"x\"}}",
     "{\"metadata\":{\"owner\":\"x\"}}"},
    {"reassigned", "value.metadata = {owner = 'x'}",
     "{\"metadata\":{\"a\":1.10}}", "{\"metadata\":{\"owner\":\"x\"}}",
     "{\"metadata\":{\"owner\":\"x\"}}"},
    {"reassigned to the same", "value.metadata = {a = 1.1}",
     "{\"metadata\":{\"a\":1.10}}", NULL, ""},
    {"made", "value.metadata = {owner = 'x'}", "{\"limit\":5}",
     "{\"limit\":5,\"metadata\":{\"owner\":\"x\"}}",
     "{\"metadata\":{\"owner\":\"x\"}}"},
    {"made without a body", "value.metadata = {owner = 'x'}", NULL,
     "{\"metadata\":{\"owner\":\"x\"}}", "{\"metadata\":{\"owner\":\"x\"}}"},
    {"made in an empty body", "value.metadata = {owner = 'x'}", "",
     "{\"metadata\":{\"owner\":\"x\"}}", "{\"metadata\":{\"owner\":\"x\"}}"},
    {"removed", "value.metadata = nil", "{\"a\":1,\"metadata\":{\"b\":1}}",
     "{\"a\":1}", "{\"metadata\":null}"},
    {"null reads as nil", "assert(value.metadata == nil)",
     "{\"metadata\":null}", NULL, ""},
    {"null inside",
     "assert(value.metadata.a == nil and #value.metadata.l == 3 "
     "and value.metadata.l[2] == nil)",
     "{\"metadata\":{\"a\":null,\"l\":[1,null,3]}}", NULL, ""},
    {"null untouched", "value.metadata.b = 2",
     "{\"metadata\":{\"a\":null,\"l\":[1,null,3]}}",
     "{\"metadata\":{\"a\":null,\"l\":[1,null,3],\"b\":2}}",
     "{\"metadata\":{\"b\":2}}"},
    {"null replaced", "value.metadata = {a = 1}", "{\"metadata\":null}",
     "{\"metadata\":{\"a\":1}}", "{\"metadata\":{\"a\":1}}"},
    {"null written", "value.metadata.a = auth.null", "{\"metadata\":{\"a\":1}}",
     "{\"metadata\":{\"a\":null}}", "{\"metadata\":{\"a\":null}}"},
    {"null for a member", "value.metadata = auth.null", "{\"metadata\":{}}",
     "{\"metadata\":null}", "{\"metadata\":null}"},
    {"empty list stays a list", "value.metadata.b = 1",
     "{\"metadata\":{\"l\":[]}}", "{\"metadata\":{\"l\":[],\"b\":1}}",
     "{\"metadata\":{\"b\":1}}"},
    {"emptied list stays a list", "table.remove(value.metadata.l)",
     "{\"metadata\":{\"l\":[1]}}", "{\"metadata\":{\"l\":[]}}",
     "{\"metadata\":{\"l\":[]}}"},
    {"empty table is an object", "value.metadata.o = {}", "{\"metadata\":{}}",
     "{\"metadata\":{\"o\":{}}}", "{\"metadata\":{\"o\":{}}}"},
    {"empty array", "value.metadata.l = auth.array{}", "{\"metadata\":{}}",
     "{\"metadata\":{\"l\":[]}}", "{\"metadata\":{\"l\":[]}}"},
    {"empty table for a list", "value.metadata.l = {}",
     "{\"metadata\":{\"l\":[]}}", "{\"metadata\":{\"l\":{}}}",
     "{\"metadata\":{\"l\":{}}}"},
    {"list", "value.metadata.l = {1, 2.5, 'x'}", "{\"metadata\":{}}",
     "{\"metadata\":{\"l\":[1,2.5,\"x\"]}}",
     "{\"metadata\":{\"l\":[1,2.5,\"x\"]}}"},
    {"appended", "table.insert(value.metadata.l, 'x')",
     "{\"metadata\":{\"l\":[1.10]}}", "{\"metadata\":{\"l\":[1.10,\"x\"]}}",
     "{\"metadata\":{\"l\":[1.1,\"x\"]}}"},
    {"integers", "value.metadata.n = value.metadata.n + 1",
     "{\"metadata\":{\"n\":9007199254740993}}",
     "{\"metadata\":{\"n\":9007199254740994}}",
     "{\"metadata\":{\"n\":9007199254740994}}"},
    {"frozen values", "value.metadata.p = ctx.permissions", "{\"metadata\":{}}",
     "{\"metadata\":{\"p\":[\"threads:read\",\"assistants:create\"]}}",
     "{\"metadata\":{\"p\":[\"threads:read\",\"assistants:create\"]}}"},
    {"not mutable",
     "value.limit = 1 value.thread_id = 'x' value.wait = '1' "
     "value.status = 'x' value.other = 1",
     "{\"limit\":5}", NULL, ""},
    {"below a table", "value.kwargs.webhook = nil",
     "{\"webhook\":\"http://x\",\"input\":{}}", "{\"input\":{}}",
     "{\"kwargs\":{\"webhook\":null}}"},
    {"below a table, not mutable", "value.kwargs.input = 5",
     "{\"webhook\":\"http://x\",\"input\":{}}", NULL, ""},
    {"below a table, by path", "value.kwargs.tags = {'a'}",
     "{\"config\":{\"r\":1.10},\"input\":1}",
     "{\"config\":{\"r\":1.10,\"tags\":[\"a\"]},\"input\":1}",
     "{\"kwargs\":{\"tags\":[\"a\"]}}"},
    {"a table that was absent",
     "assert(value.kwargs == nil) value.kwargs = "
     "{tags = {'a'}}",
     "{}", "{\"config\":{\"tags\":[\"a\"]}}",
     "{\"kwargs\":{\"tags\":[\"a\"]}}"},
    {"a table that is removed", "value.kwargs = nil", "{\"webhook\":\"x\"}",
     "{}", "{\"kwargs\":{\"webhook\":null}}"},
    {"two at once", "value.metadata = {a = 1} value.kwargs.webhook = 'y'",
     "{\"webhook\":\"x\"}", "{\"webhook\":\"y\",\"metadata\":{\"a\":1}}",
     "{\"kwargs\":{\"webhook\":\"y\"},\"metadata\":{\"a\":1}}"},
    {"value replaced by the handler alone", "value = {metadata = {a = 1}}",
     "{\"metadata\":{}}", NULL, ""},
    {"metatable on it",
     "setmetatable(value, {__index = function() return 1 "
     "end}) value.metadata = {a = 1}",
     "{}", "{\"metadata\":{\"a\":1}}", "{\"metadata\":{\"a\":1}}"},
    {"query goes into set alone", "value.namespace[1] = 'b'", "{}", NULL,
     "{\"namespace\":[\"b\",\"c\"]}"},
    {"query untouched", "value.namespace = {'a', 'c'}", "{}", NULL, ""},
};

static void changed(void **state)
{
    world_t *w = *state;

    members[5].literal = json_string("pending");
    w->query = "ns=a.c&wait=1";
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        aa_policy_t *policy = world_policy(
            w, apr_pstrcat(w->p, ALL, changes[i].handler, END, NULL));
        aa_policy_verdict_t v =
            world_ask_row(w, policy, &match, changes[i].body);

        print_message("%s\n", changes[i].name);
        if (v.effect != AA_POLICY_ALLOW)
            fail_msg("%s: %s", world_say(w, &v), v.reason);
        if (changes[i].sent) {
            assert_string_equal(v.body, changes[i].sent);
            assert_int_equal(v.body_len, strlen(changes[i].sent));
        }
        else {
            assert_null(v.body);
        }
        assert_int_equal(v.ndecisions, 1);
        assert_string_equal(world_json(w, v.decisions[0].set), changes[i].set);
    }
    json_decref(members[5].literal);
    members[5].literal = NULL;
}

static void seen(void **state)
{
    static const char *const truths[] = {
        "value.thread_id == 't1'",
        "value.namespace[1] == 'a' and #value.namespace == 2",
        "value.wait == '1 +'",
        "value.status == 'pending'",
        "value.kwargs.input.x == 1 and value.kwargs.webhook == nil",
        "value.kwargs.tags == nil and value.nothing == nil",
        "math.type(value.limit) == 'integer'",
    };
    world_t *w = *state;

    members[5].literal = json_string("pending");
    w->query = "x=1&ns=a.c&&wait=1+%2B&x=2&=";
    for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++) {
        aa_policy_t *policy = world_policy(
            w, apr_pstrcat(w->p, ALL "return ", truths[i], END, NULL));
        aa_policy_verdict_t v = world_ask_row(
            w, policy, &match, "{\"limit\":5,\"input\":{\"x\":1}}");

        print_message("%s\n", truths[i]);
        assert_string_equal(world_say(w, &v), "allow");
    }
    json_decref(members[5].literal);
    members[5].literal = NULL;
}

/* ------------------------------------------------------------------ refused */

static void bad_values(void **state)
{
    static const char *const handlers[] = {
        "value.metadata = {a = function() end}",
        "value.metadata = {a = 0/0}",
        "value.metadata = {a = '\\xff'}",
        "value.metadata = {a = 'a\\0b'}",
        "value.metadata = {1, a = 2}",
        "value.metadata = {[1.5] = 1}",
        "value.metadata = {1, nil, 3}",
        "value.metadata.m = value.metadata",
        "value.metadata = {['\\xff'] = 1}",
        "value.metadata.l.x = 1",
    };
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
        aa_policy_t *policy =
            world_policy(w, apr_pstrcat(w->p, ALL, handlers[i], END, NULL));
        aa_policy_verdict_t v =
            world_ask_row(w, policy, &match, "{\"metadata\":{\"l\":[1]}}");

        print_message("%s\n", handlers[i]);
        assert_string_equal(world_say(w, &v), "deny RESULT");
        assert_contains(v.reason, "value.metadata cannot be sent");
        assert_null(v.body);
        assert_null(v.filter);
    }
}

static void bodies(void **state)
{
    static const struct {
        const char *body, *verdict;
    } rows[] = {
        {"{}", "allow"},
        {" {\n} ", "allow"},
        {"", "allow"},
        {NULL, "allow"},
        {" ", "deny BODY"},
        {"[]", "deny BODY"},
        {"null", "deny BODY"},
        {"1", "deny BODY"},
        {"{", "deny BODY"},
        {"{}x", "deny BODY"},
        {"{}{}", "deny BODY"},
        {"{\"a\":1,\"a\":2}", "deny BODY"},
        {"{\"a\":1,\"\\u0061\":2}", "deny BODY"},
        {"{\"x\":{\"a\":1,\"a\":2}}", "deny BODY"},
        {"{\"a\":\"\\u0000\"}", "deny BODY"},
        {"{\"a\":\"\\ud800\"}", "deny BODY"},
        {"{\"a\":\"\xff\"}", "deny BODY"},
        {"{\"a\":1e400}", "deny BODY"},
        {"{\"a\":18446744073709551616}", "deny BODY"},
        {"{\"a\":01}", "deny BODY"},
        {"{'a':1}", "deny BODY"},
        {"{\"a\":1,}", "deny BODY"},
        {"\xef\xbb\xbf{}", "deny BODY"},
        {"{\"a\":NaN}", "deny BODY"},
    };
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ALL "return true" END);

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_policy_verdict_t v = world_ask_row(w, policy, &match, rows[i].body);

        print_message("%s\n", rows[i].body ? rows[i].body : "(none)");
        assert_string_equal(world_say(w, &v), rows[i].verdict);
    }
    /* a row that does not look at the body leaves it alone */
    route.reads_body = 0;
    assert_int_equal(world_ask_row(w, policy, &match, "[").effect,
                     AA_POLICY_ALLOW);
    route.reads_body = 1;
}

static void queries(void **state)
{
    static const struct {
        const char *query, *verdict;
    } rows[] = {
        {NULL, "allow"},
        {"", "allow"},
        {"wait", "allow"},
        {"wait=%C3%A4", "allow"},
        {"other=1&other=2", "allow"},
        {"wait=1&wait=1", "deny QUERY"},
        {"wait=1&w%61it=2", "deny QUERY"},
        {"wait&wait=", "deny QUERY"},
        {"wait=%", "deny QUERY"},
        {"wait=%4", "deny QUERY"},
        {"wait=%4x", "deny QUERY"},
        {"other=%zz", "deny QUERY"},
        {"wait=%00", "deny QUERY"},
        {"wait=%ff", "deny QUERY"},
    };
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ALL "return true" END);

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_policy_verdict_t v;

        w->query = rows[i].query;
        v = world_ask_row(w, policy, &match, NULL);
        print_message("%s\n", rows[i].query ? rows[i].query : "(none)");
        assert_string_equal(world_say(w, &v), rows[i].verdict);
    }
}

/* ----------------------------------------------------------- several events */

static aa_member_t metadata[] = {{.name = "metadata",
                                  .from = AA_FROM_BODY,
                                  .key = "metadata",
                                  .is_mutable = 1}};

/* A later event sees what an earlier one changed, and adds to it. */
static void composed(void **state)
{
    world_t *w = *state;
    aa_event_t events[] = {{.resource = "threads",
                            .action = "update",
                            .members = metadata,
                            .nmembers = 1},
                           {.resource = "threads",
                            .action = "read",
                            .members = metadata,
                            .nmembers = 1}};
    aa_route_t two = {.events = events, .nevents = 2, .reads_body = 1};
    aa_route_match_t m = {.route = &two};
    aa_policy_t *policy = world_policy(
        w, "local auth = require 'agentauth'\n"
           "auth.on.threads.update(function(ctx, value) value.metadata = "
           "value.metadata or {} value.metadata.a = 1 return {a = 'x'} end)\n"
           "auth.on.threads.read(function(ctx, value) assert(value.metadata.a "
           "== 1) value.metadata.b = 2 value.metadata.z = nil return {b = 'y'} "
           "end)\n");
    aa_policy_verdict_t v;

    v = world_ask_row(w, policy, &m, "{\"metadata\":{\"z\":0,\"n\":1.10}}");
    assert_string_equal(v.body, "{\"metadata\":{\"n\":1.10,\"a\":1,\"b\":2}}");
    assert_string_equal(world_say(w, &v),
                        "filter {\"$and\":[{\"a\":\"x\"},{\"b\":\"y\"}]}");
    assert_int_equal(v.ndecisions, 2);
    assert_string_equal(world_json(w, v.decisions[0].filter), "{\"a\":\"x\"}");
    assert_string_equal(v.decisions[1].action, "read");
    assert_string_equal(world_json(w, v.decisions[1].set),
                        "{\"metadata\":{\"b\":2}}");
    v = world_ask_row(w, policy, &m, NULL);
    assert_string_equal(v.body, "{\"metadata\":{\"a\":1,\"b\":2}}");
}

static void one_denial_denies(void **state)
{
    world_t *w = *state;
    aa_event_t events[] = {{.resource = "threads", .action = "update"},
                           {.resource = "threads", .action = "read"}};
    aa_route_t two = {.events = events, .nevents = 2};
    aa_route_match_t m = {.route = &two};
    aa_policy_verdict_t v;

    v = world_ask_row(
        w,
        world_policy(w, "local auth = require 'agentauth'\n"
                        "auth.on.threads.update(function() end)\n"
                        "auth.on.threads.read(function() return false end)"),
        &m, NULL);
    assert_string_equal(world_say(w, &v), "deny FALSE");
    assert_null(v.filter);
    assert_string_equal(v.handler, "threads:read");
    v = world_ask_row(w,
                      world_policy(w, "local auth = require 'agentauth'\n"
                                      "auth.on.threads.read(function() end)"),
                      &m, NULL);
    assert_string_equal(world_say(w, &v), "deny UNMATCHED");
}

static void batches(void **state)
{
    world_t *w = *state;
    aa_event_t each = {.resource = "threads",
                       .action = "create_run",
                       .members = metadata,
                       .nmembers = 1,
                       .each = 1};
    aa_route_t batch = {.events = &each, .nevents = 1, .reads_body = 1};
    aa_route_match_t m = {.route = &batch};
    aa_policy_t *policy = world_policy(
        w, ALL "value.metadata = value.metadata or {} if value.metadata.bad "
               "then return false end if value.metadata.skip then return end "
               "value.metadata.o = 1" END);
    char *many = apr_pcalloc(w->p, 8192);
    aa_policy_verdict_t v;

    v = world_ask_row(w, policy, &m,
                      " [ {\"metadata\":{\"n\":1.10}} ,\n{\"metadata\":{"
                      "\"skip\":true}}, {} ]\n");
    assert_string_equal(world_say(w, &v), "allow");
    assert_int_equal(v.ndecisions, 3);
    assert_string_equal(v.body, " [ {\"metadata\":{\"n\":1.10,\"o\":1}} ,\n"
                                "{\"metadata\":{\"skip\":true}}, "
                                "{\"metadata\":{\"o\":1}} ]\n");
    v = world_ask_row(w, policy, &m, "[{\"metadata\":{\"skip\":true}}]");
    assert_null(v.body);
    v = world_ask_row(w, policy, &m, "[{},{\"metadata\":{\"bad\":true}}]");
    assert_string_equal(world_say(w, &v), "deny FALSE");
    assert_null(v.body);
    static const char *const refused[] = {"{}", "[1]", "[{},[]]", "[null]",
                                          "",   "[]",  NULL};
    for (int i = 0; i < 7; i++) {
        v = world_ask_row(w, policy, &m, refused[i]);
        assert_string_equal(world_say(w, &v), "deny BODY");
    }
    strcpy(many, "[{}");
    for (int i = 1; i < AA_POLICY_EVENTS_MAX; i++)
        strcat(many, ",{}");
    v = world_ask_row(w, policy, &m, apr_pstrcat(w->p, many, "]", NULL));
    assert_int_equal(v.ndecisions, AA_POLICY_EVENTS_MAX);
    assert_string_equal(world_say(w, &v), "allow");
    v = world_ask_row(w, policy, &m, apr_pstrcat(w->p, many, ",{}]", NULL));
    assert_string_equal(world_say(w, &v), "deny BODY");
}

static void selected(void **state)
{
    static const char *const starts[] = {"run.start", "input.respond", NULL};
    world_t *w = *state;
    aa_event_t events[] = {
        {.resource = "threads",
         .action = "create_run",
         .when = "cmd.method",
         .when_in = starts},
        {.resource = "threads", .action = "update", .when = "supersteps"}};
    aa_route_t row = {.events = events, .nevents = 2, .reads_body = 1};
    aa_route_match_t m = {.route = &row};
    aa_policy_t *policy = world_policy(w, ALL "return true" END);
    static const struct {
        const char *body;
        int n;
    } rows[] = {
        {"{\"cmd\":{\"method\":\"run.start\"}}", 1},
        {"{\"cmd\":{\"method\":\"input.respond\"},\"supersteps\":[]}", 2},
        {"{\"supersteps\":0}", 1},
        {"{\"supersteps\":null}", 0},
        {"{\"cmd\":{\"method\":\"run.stop\"}}", 0},
        {"{\"cmd\":{\"method\":5}}", 0},
        {"{\"cmd\":\"run.start\"}", 0},
        {"{\"cmd.method\":\"run.start\"}", 0},
        {"{}", 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_policy_verdict_t v;

        print_message("%s\n", rows[i].body);
        row.events_optional = 0;
        v = world_ask_row(w, policy, &m, rows[i].body);
        assert_int_equal(v.ndecisions, rows[i].n);
        assert_string_equal(world_say(w, &v),
                            rows[i].n ? "allow" : "deny BODY");
        row.events_optional = 1;
        v = world_ask_row(w, policy, &m, rows[i].body);
        assert_string_equal(world_say(w, &v), "allow");
    }
}

/* With texts that surely mean no. */
static void selected_by_query(void **state)
{
    static const char *const no[] = {"0", "false", NULL};
    static const char *const names[] = {"cancel", "any", NULL};
    world_t *w = *state;
    aa_event_t events[] = {{.resource = "threads", .action = "read"},
                           {.resource = "threads",
                            .action = "update",
                            .when = "cancel",
                            .when_query = 1,
                            .when_in = no},
                           {.resource = "threads",
                            .action = "delete",
                            .when = "any",
                            .when_query = 1,
                            .when_in = no + 2}};
    aa_route_t row = {.events = events, .nevents = 3, .query_names = names};
    aa_route_match_t m = {.route = &row};
    aa_policy_t *policy = world_policy(w, ALL "return true" END);
    static const struct {
        const char *query;
        int n; /* 0: refused */
    } rows[] = {{NULL, 1},
                {"", 1},
                {"cancel=0", 1},
                {"cancel=false", 1},
                {"cancel=true", 2},
                {"cancel=1", 2},
                {"cancel=yes", 2},
                {"cancel=FALSE", 2},
                {"cancel=0%20", 2},
                {"cancel=", 2},
                {"cancel", 2},
                {"c%61ncel=true", 2},
                {"Cancel=true", 1},
                {"cancel%00=true", 0},
                {"cancel=0&cancel=true", 0},
                {"cancel=true&cancel=0", 0},
                {"cancel=0&c%61ncel=1", 0},
                {"cancel=%ff", 0},
                {"any=0", 2},
                {"any", 2},
                {"any&cancel=1", 3}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_policy_verdict_t v;

        print_message("%s\n", rows[i].query ? rows[i].query : "none");
        w->query = rows[i].query;
        v = world_ask_row(w, policy, &m, NULL);
        assert_string_equal(world_say(w, &v),
                            rows[i].n ? "allow" : "deny QUERY");
        assert_int_equal(v.ndecisions, rows[i].n);
    }
}

static void map_none(void **state)
{
    world_t *w = *state;
    const char *why = NULL;
    aa_policy_t *policy;
    aa_policy_verdict_t v;

    assert_int_equal(
        aa_routes_open(&w->routes, &why, "none", NULL, "", 0, w->p),
        APR_SUCCESS);
    policy = world_policy(
        w, "local auth = require 'agentauth'\n"
           "auth.on.http.post(function(ctx, value) value.path = 'x' return "
           "value.query.a == '1' and value.query.b == '' and ctx.resource == "
           "'http' and ctx.action == 'post' end)\n");
    w->query = "a=1&b";
    v = world_ask(w, policy, "POST /any/thing", "{\"x\"");
    assert_string_equal(world_say(w, &v), "allow");
    assert_null(v.body);
    assert_null(v.decisions[0].set);
    w->query = "a=1&b&a=2";
    v = world_ask(w, policy, "POST /any/thing", NULL);
    assert_string_equal(world_say(w, &v), "deny QUERY");
    w->query = "a=2&b";
    v = world_ask(w, policy, "POST /any/thing", NULL);
    assert_string_equal(world_say(w, &v), "deny FALSE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(changed),           WORLD(seen),
        WORLD(bad_values),        WORLD(bodies),
        WORLD(queries),           WORLD(composed),
        WORLD(one_denial_denies), WORLD(batches),
        WORLD(selected),          WORLD(selected_by_query),
        WORLD(map_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
