/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a request on its way: stamps, restrictions, who calls, cuts,
 * webhooks. */
#include "apr_strings.h"
#include "enforce_stage.h"
#include "model/limits.h"

#define MEMBERS "{\"members\":{\"$contains\":\"alice\"}}"
#define EITHER "{\"$or\":[{\"owner\":\"alice\"},{\"team\":\"x\"}]}"
#define NEITHER "{\"$and\":[{\"owner\":\"alice\"},{\"owner\":\"bob\"}]}"
#define AS_ALICE                                                               \
    "\"langgraph_auth_user\":{\"identity\":\"alice\",\"permissions\":[\"p1\"]" \
    ",\"is_authenticated\":true},\"langgraph_auth_user_id\":\"alice\","        \
    "\"langgraph_auth_permissions\":[\"p1\"]"

/* A search goes on that nothing can satisfy. */
#define NOTHING "nothing"

typedef struct row_t {
    const char *name, *filter, *body, *out; /* out: JSON, or the outcome */
} row_t;

static int finds_nothing(enforce_t *t)
{
    json_t *body = parsed(t, body_of(t)), *value;
    json_t *within = json_object_get(body, "metadata");
    const char *key;

    json_object_foreach(within ? within : body, key, value)
    {
        const char *text = json_string_value(value);

        if (text && strlen(text) == 32 &&
            strspn(text, "0123456789abcdef") == 32)
            return 1;
    }
    return 0;
}

/* Each row: either what goes on, or what is answered or refused. */
static void runs(enforce_t *t, const row_t *row, const char *method,
                 const char *target)
{
    const char *what;

    by_filter(t, "*", row->filter);
    what = asks(t, method, target, row->body);
    if (!strcmp(row->out, NOTHING) && !strcmp(what, "go") && finds_nothing(t))
        return;
    if (*row->out != '{' && *row->out != '[') {
        if (strcmp(what, row->out))
            fail_msg("%s: %s", row->name, what);
        return;
    }
    if (strcmp(what, "go"))
        fail_msg("%s: %s", row->name, what);
    same_json(t, body_of(t), row->out);
}

#define RUN_ALL(t, rows, method, target)                                       \
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)                  \
    runs(t, &rows[i], method, target)

static void furnish(enforce_t *t)
{
    static const char all[] =
        "{\"owner\":\"alice\",\"team\":\"x\",\"members\":[\"alice\"],"
        "\"a.b\":[\"x\"],\"n\":1}";

    has_thread(t, "own", all);
    has(t, "/assistants/own", "{\"assistant_id\":\"own\",\"metadata\":%s}",
        all);
}

/* --------------------------------------------------------- stamp and keep */

static const row_t changes[] = {
    {"other members stay", MINE, "{\"metadata\":{\"x\":1}}",
     "{\"metadata\":{\"x\":1,\"owner\":\"alice\"}}"},
    {"no metadata", MINE, "{}", "{\"metadata\":" MINE "}"},
    {"no body", MINE, NULL, "{\"metadata\":" MINE "}"},
    {"null", MINE, "{\"metadata\":null}", "{\"metadata\":" MINE "}"},
    {"another owner", MINE, "{\"metadata\":" THEIRS "}",
     "{\"metadata\":" MINE "}"},
    {"no owner", MINE, "{\"metadata\":{\"owner\":null}}",
     "{\"metadata\":" MINE "}"},
    {"escaped names", MINE,
     "{\"metad\\u0061ta\":{\"own\\u0065r\":\"bob\",\"x\":2}}",
     "{\"metadata\":{\"owner\":\"alice\",\"x\":2}}"},
    {"a name with a dot", MINE, "{\"metadata.owner\":\"bob\"}",
     "{\"metadata.owner\":\"bob\",\"metadata\":" MINE "}"},
    {"a dot below", MINE, "{\"metadata\":{\"owner.x\":1}}",
     "{\"metadata\":{\"owner.x\":1,\"owner\":\"alice\"}}"},
    {"a key with a dot", "{\"a.b\":{\"$contains\":\"x\"}}",
     "{\"metadata\":{\"a.b\":[\"y\"]}}", "AGA0709"},
    {"a key with a dot, left alone", "{\"a.b\":{\"$contains\":\"x\"}}",
     "{\"metadata\":{\"a\":{\"b\":1}}}", "{\"metadata\":{\"a\":{\"b\":1}}}"},
    {"a list", MINE, "{\"metadata\":[]}", "AGA0709"},
    {"a text", MINE, "{\"metadata\":\"x\"}", "AGA0709"},
    {"contains: not to be changed", MEMBERS,
     "{\"metadata\":{\"members\":[\"bob\"],\"y\":1}}",
     "{\"metadata\":{\"y\":1}}"},
    {"contains: left alone", MEMBERS, "{\"metadata\":{\"y\":1}}",
     "{\"metadata\":{\"y\":1}}"},
    {"or: not to be changed", EITHER,
     "{\"metadata\":{\"owner\":\"bob\",\"team\":\"y\",\"y\":1}}",
     "{\"metadata\":{\"y\":1}}"},
    {"a number", "{\"n\":1}", "{\"metadata\":{\"n\":\"1\"}}",
     "{\"metadata\":{\"n\":1}}"},
    {"no filter", NULL, "{\"metadata\":" THEIRS "}",
     "{\"metadata\":" THEIRS "}"},
    {"a list as body", NULL, "[]", "denied"},
};

static void patches(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    RUN_ALL(t, changes, "PATCH", "/threads/own");
    by_filter(t, "*", NEITHER);
    assert_int_equal(
        strncmp(asks(t, "PATCH", "/threads/own", "{}"), "AGA0708", 7), 0);
}

static void other_bytes_stay(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "*", MINE);
    comes(t, "PATCH", "/threads/own",
          "{ \"n\" : 1.50,\n \"metadata\" : {\"x\":1e2, \"owner\":\"bob\" }  }",
          "go");
    assert_string_equal(body_of(t),
                        "{ \"n\" : 1.50,\n \"metadata\" : {\"x\":1e2, "
                        "\"owner\":\"alice\" }  }");
}

/* created_by = "system" would be for all. */
static const row_t assistants[] = {
    {"said", MINE, "{\"metadata\":{\"created_by\":\"system\",\"x\":1}}",
     "{\"metadata\":{\"x\":1,\"owner\":\"alice\"}}"},
    {"escaped", MINE, "{\"metadata\":{\"created\\u005fby\":\"system\"}}",
     "{\"metadata\":" MINE "}"},
    {"in a list", MINE, "{\"metadata\":[{\"created_by\":\"system\"}]}",
     "AGA0709"},
    {"elsewhere", MINE, "{\"metadata\":{\"a\":{\"created_by\":\"system\"}}}",
     "{\"metadata\":{\"a\":{\"created_by\":\"system\"},\"owner\":\"alice\"}}"},
};

static void nobody_is_the_system(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    RUN_ALL(t, assistants, "PATCH", "/assistants/own");
}

/* The body itself is what is stamped. */
static const row_t items[] = {
    {"stamped", MINE, "{\"x\":1}", "{\"x\":1,\"owner\":\"alice\"}"},
    {"another owner", MINE, "{\"owner\":\"bob\",\"x\":1}",
     "{\"owner\":\"alice\",\"x\":1}"},
    {"no owner", MINE, "{\"owner\":null}", MINE},
    {"contains", MEMBERS, "{\"members\":[\"bob\"],\"x\":1}", "{\"x\":1}"},
    {"a key with a dot", "{\"o.b\":\"x\"}", "{}", "AGA0709"},
    {"a list", NULL, "[]", "denied"},
};

static void whole_bodies(void **state)
{
    enforce_t *t = *state;

    on_map(t, "crud");
    has(t, "/items/1",
        "{\"id\":\"1\",\"owner\":\"alice\",\"o.b\":\"x\","
        "\"members\":[\"alice\"]}");
    by_filter(t, "*", MINE);
    comes(t, "PUT", "/items/1", "{\"owner\":\"bob\"}", "go");
    same_json(t, body_of(t), MINE);
    by_filter(t, "*", MEMBERS); /* it would replace what is looked for */
    comes(t, "PUT", "/items/1", "{\"members\":[\"bob\"]}", "AGA0708");
    RUN_ALL(t, items, "PATCH", "/items/1");
}

/* What is made must be found again by who made it. */
static void made_as_it_is_found(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", EITHER);
    comes(t, "POST", "/threads", "{}", "AGA0708");
    comes(t, "POST", "/threads", "{\"metadata\":{\"team\":\"x\"}}",
          "200 {\"metadata\":{\"team\":\"x\"},\"thread_id\":\"made-1\"}");
    by_filter(t, "*", NEITHER);
    comes(t, "POST", "/threads", "{}", "AGA0708");
    comes(t, "POST", "/threads", "{\"metadata\":" MINE "}", "AGA0708");
    assert_string_equal(asked(t), "");
}

#define ITEM(value) "{\"namespace\":[\"n\"],\"key\":\"k\",\"value\":" value "}"

static const row_t sent[] = {
    {"own", MINE, ITEM(MINE), ITEM(MINE)},
    {"another's", MINE, ITEM(THEIRS), "AGA0708"},
    {"nobody's", MINE, ITEM("{}"), "AGA0708"},
    {"no object", MINE, ITEM("\"alice\""), "AGA0708"},
    {"by namespace", "{\"namespace\":{\"$contains\":\"n\"}}", ITEM("{}"),
     ITEM("{}")},
    {"of another namespace", "{\"namespace\":{\"$contains\":\"m\"}}",
     ITEM("{\"namespace\":[\"m\"]}"), "AGA0708"},
};

static void puts_into_the_store(void **state)
{
    enforce_t *t = *state;

    RUN_ALL(t, sent, "PUT", "/store/items");
}

/* ---------------------------------------------------------------- searches */

static const row_t searches[] = {
    {"restricted", MINE, "{\"metadata\":{\"x\":1},\"limit\":5}",
     "{\"metadata\":{\"x\":1,\"owner\":\"alice\"},\"limit\":5}"},
    {"without metadata", MINE, "{}", "{\"metadata\":" MINE "}"},
    {"without a body", MINE, NULL, "{\"metadata\":" MINE "}"},
    {"for oneself", MINE, "{\"metadata\":" MINE "}", "{\"metadata\":" MINE "}"},
    {"for another", MINE, "{\"metadata\":" THEIRS "}", NOTHING},
    {"for nobody", MINE, "{\"metadata\":{\"owner\":null}}", NOTHING},
    {"for a list", MINE, "{\"metadata\":{\"owner\":[\"alice\"]}}", NOTHING},
    {"null", MINE, "{\"metadata\":null}", "{\"metadata\":" MINE "}"},
    {"a text", MINE, "{\"metadata\":\"x\"}", "AGA0709"},
    {"a list", MINE, "{\"metadata\":[]}", "AGA0709"},
    {"a number", "{\"n\":1}", "{\"metadata\":{\"n\":1.0}}",
     "{\"metadata\":{\"n\":1.0}}"},
    {"no number", "{\"n\":1}", "{\"metadata\":{\"n\":\"1\"}}", NOTHING},
    {"true", "{\"n\":1}", "{\"metadata\":{\"n\":true}}", NOTHING},
    {"contradiction", NEITHER, "{}", "200 []"},
    {"no filter", NULL, "{\"metadata\":" THEIRS "}",
     "{\"metadata\":" THEIRS "}"},
};

static void restricted_searches(void **state)
{
    enforce_t *t = *state;

    RUN_ALL(t, searches, "POST", "/threads/search");
    by_filter(t, "*", MINE);
    comes(t, "POST", "/threads/count", "{\"metadata\":" THEIRS "}", "go");
    assert_true(finds_nothing(t));
    comes(t, "POST", "/threads/count", "{}", "go");
    same_json(t, body_of(t), "{\"metadata\":" MINE "}");
}

/* What nobody decided is restricted to nothing, body or not. */
static void undecided_searches(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "own", MINE);
    comes(t, "POST", "/threads/search", "{}", "go");
    t->verdict.ndecisions = 0;
    assert_string_equal(carries(t, "{}"), "200 []");
    assert_string_equal(carries(t, NULL), "200 []");
    has_thread(t, "bob", THEIRS);
    by_filter(t, "*", MINE);
    comes(t, "POST", "/threads/search", "{}", "go");
    assert_string_equal(
        carries(t, NULL),
        "200 [{\"thread_id\":\"own\",\"metadata\":{\"owner\":\"alice\"}}]");
}

static const row_t flat[] = {
    {"restricted", MINE, "{\"x\":1}", "{\"x\":1,\"owner\":\"alice\"}"},
    {"for another", MINE, THEIRS, NOTHING},
    {"for oneself", MINE, MINE, MINE},
    {"a key with a dot", "{\"o.b\":\"x\"}", "{}", "AGA0709"},
    {"a list", NULL, "[]", "denied"},
};

static void flat_searches(void **state)
{
    enforce_t *t = *state;

    on_map(t, "route { 'POST', '/s', events = { { 's', 'search' } },"
              "  body = 'json', enforce = { check = 'list', match = '.',"
              "  rewrite = { restrict = '.' },"
              "  page = { limit = { 'limit', 10 }, offset = 'offset',"
              "           items = 'found' } } }");
    RUN_ALL(t, flat, "POST", "/s");
}

/* ------------------------------------------------------------- who calls */

#define A "\"assistant_id\":\"own\""
#define STAMPED "\"metadata\":" MINE
#define CALLS(more) "\"config\":{\"configurable\":{" more AS_ALICE "}}"

static const row_t callers[] = {
    {"said", MINE, "{" A "}", "{" A "," STAMPED "," CALLS("") "}"},
    {"others stay", MINE,
     "{" A ",\"config\":{\"tags\":[],\"configurable\":{"
     "\"k\":2}}}",
     "{" A "," STAMPED ",\"config\":{\"tags\":[],\"configurable\":{\"k\":2,"
     "" AS_ALICE "}}}"},
    {"claimed", MINE,
     "{" A ",\"config\":{\"configurable\":{\"langgraph_auth_user\":{"
     "\"identity\":\"bob\",\"admin\":1},\"langgraph_auth_user_id\":\"bob\","
     "\"langgraph_auth_permissions\":[\"all\"],\"langgraph_auth_x\":1,"
     "\"langgraph\\u005fauth_y\":1,\"langgraph_aut\":2}}}",
     "{" A "," STAMPED "," CALLS("\"langgraph_aut\":2,") "}"},
    {"a thread of its own", MINE,
     "{" A ",\"config\":{\"configurable\":{\"thread_id\":\"bob\"}},"
     "\"checkpoint\":{\"thread_id\":\"bob\",\"checkpoint_id\":\"1\"}}",
     "{" A "," STAMPED "," CALLS("") ",\"checkpoint\":{\"checkpoint_id\":"
                                     "\"1\"}}"},
    {"null", MINE, "{" A ",\"config\":null}",
     "{" A "," STAMPED "," CALLS("") "}"},
    {"null below", MINE, "{" A ",\"config\":{\"configurable\":null}}",
     "{" A "," STAMPED "," CALLS("") "}"},
    {"a list", MINE, "{" A ",\"config\":[]}", "AGA0709"},
    {"a list below", MINE, "{" A ",\"config\":{\"configurable\":[]}}",
     "AGA0709"},
    {"a name with a dot", MINE, "{" A ",\"config.configurable\":1}",
     "{" A ",\"config.configurable\":1," STAMPED "," CALLS("") "}"},
    {"no filter", NULL, "{" A "}", "{" A "," CALLS("") "}"},
};

static void callers_are_said(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    RUN_ALL(t, callers, "POST", "/threads/own/runs");
    RUN_ALL(t, callers, "POST", "/runs");
}

/* Changed many times over, each time in other memory. */
static void large_bodies(void **state)
{
    enforce_t *t = *state;
    char *pad = apr_palloc(t->p, 3 * AA_EDIT_SMALL + 1);
    const char *body;

    furnish(t);
    memset(pad, 'x', 3 * AA_EDIT_SMALL);
    pad[3 * AA_EDIT_SMALL] = '\0';
    by_filter(t, "*", MINE);
    body = apr_pstrcat(t->p, "{" A ",\"checkpoint\":{\"thread_id\":\"bob\",",
                       "\"n\":1},\"input\":\"", pad, "\",\"context\":{",
                       "\"langgraph_auth_user\":1},\"config\":{",
                       "\"configurable\":{\"thread_id\":\"bob\"}},",
                       "\"webhook\":\"/threads\",\"metadata\":", THEIRS, "}",
                       NULL);
    comes(t, "POST", "/threads/own/runs", body, "go");
    same_json(t, body_of(t),
              apr_pstrcat(t->p, "{" A ",\"checkpoint\":{\"n\":1},\"input\":\"",
                          pad, "\",\"context\":{}," CALLS("") "," STAMPED "}",
                          NULL));
}

/* In a batch each element says it. */
static void callers_of_a_batch(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    for (size_t i = 0; i < sizeof(callers) / sizeof(*callers); i++) {
        const row_t *row = &callers[i];
        const char *what;

        by_filter(t, "*", row->filter);
        what = asks(t, "POST", "/runs/batch",
                    apr_pstrcat(t->p, "[{" A "}, ", row->body, "]", NULL));
        if (*row->out == 'A') {
            assert_string_equal(what, row->out);
            continue;
        }
        same_json(t, t->task.body,
                  apr_pstrcat(t->p, "[", callers[row->filter ? 0 : 9].out, ",",
                              row->out, "]", NULL));
    }
}

/* Who asks for the state of a thread starts nothing that bears a stamp. */
static void commands(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "*", MINE);
    comes(t, "POST", "/threads/own/commands", "{\"method\":\"state.get\"}",
          "go");
    comes(t, "POST", "/threads/own/commands",
          "{\"method\":\"run.start\",\"params\":{\"assistant_id\":\"own\"}}",
          "go");
    same_json(t, body_of(t),
              "{\"method\":\"run.start\",\"params\":{\"assistant_id\":\"own\","
              "" STAMPED "," CALLS("") "}}");
    comes(t, "POST", "/threads/own/commands",
          "{\"method\":\"run.start\",\"params\":[]}", "AGA0709");
    comes(t, "POST", "/threads/bob/commands", "{\"method\":\"state.get\"}",
          "404 Thread with ID bob not found");
}

/* ------------------------------------------------------------------ cuts */

static const row_t deep[] = {
    {"cut", NULL, "{\"checkpoint\":{\"thread_id\":\"bob\",\"x\":1}}",
     "{\"checkpoint\":{\"x\":1}}"},
    {"nothing to cut", NULL, "{\"checkpoint\":{\"x\":1}}",
     "{\"checkpoint\":{\"x\":1}}"},
    {"a list", NULL, "{\"checkpoint\":[{\"thread_id\":\"bob\"}]}",
     "{\"checkpoint\":[{\"thread_id\":\"bob\"}]}"},
    {"a dot", NULL, "{\"checkpoint.thread_id\":\"x\"}",
     "{\"checkpoint.thread_id\":\"x\"}"},
    {"null", NULL, "{\"checkpoint\":{\"thread_id\":null}}",
     "{\"checkpoint\":{}}"},
    {"no object", NULL, "[{\"checkpoint\":{\"thread_id\":\"bob\"}}]", "denied"},
};

/* The policy refuses these as well; nobody has to rely on that. */
static void bodies_that_are_no_object(void **state)
{
    static const char *const bodies[][2] = {
        {"{}", "go"},
        {"", "go"},
        {"[]", "AGA0709"},
        {"[{\"metadata\":{\"owner\":\"bob\"}}]", "AGA0709"},
        {"7", "AGA0709"},
        {"null", "AGA0709"},
        {"\"metadata\"", "AGA0709"},
        {"{\"metadata\":}", "AGA0303"},
        {"{} {}", "AGA0303"},
        {"\xEF\xBB\xBF{}", "AGA0303"},
        {"{\"a\":1,\"\\u0061\":2}", "AGA0303"}};
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "*", MINE);
    asks(t, "PATCH", "/threads/own", "{}");
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        assert_string_equal(carries(t, bodies[i][0]), bodies[i][1]);
}

static void members_are_cut(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    RUN_ALL(t, deep, "POST", "/threads/own/history");
}

static void parameters_are_cut(void **state)
{
    static const char *const queries[][2] = {
        {"x=1&delete_threads=true&y=%26", "x=1&y=%26"},
        {"delete_threads=true", NULL},
        {"delete%5Fthreads=true&x=", "x="},
        {"delete_threads&delete_threads=1&x=1", "x=1"},
        {"x=1", "x=1"}};
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "*", MINE);
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        comes(t, "DELETE",
              apr_pstrcat(t->p, "/assistants/own?", queries[i][0], NULL), NULL,
              "go");
        if (queries[i][1])
            assert_string_equal(t->task.query, queries[i][1]);
        else
            assert_null(t->task.query);
    }
    comes(t, "DELETE", "/assistants/own?delete_threads=%zz", NULL, "denied");
}

static void headers_are_cut(void **state)
{
    enforce_t *t = *state;
    const aa_rule_t *rule;

    furnish(t);
    comes(t, "POST", "/runs", "{" A "}", "go");
    rule = aa_route_rule(t->match.route);
    assert_true(aa_enforce_drops(rule, "x-user"));
    assert_true(aa_enforce_drops(rule, "X-User"));
    assert_true(aa_enforce_drops(rule, "X-"));
    assert_false(aa_enforce_drops(rule, "content-type"));
    assert_false(aa_enforce_drops(rule, "x"));
    assert_false(aa_enforce_drops(NULL, "x-user"));
}

/* A handler's namespace is the one that is asked for. */
static void parameters_are_set(void **state)
{
    enforce_t *t = *state;

    on_policy(t, "auth.on(function(ctx, value)\n"
                 "  value.namespace = { 'users', ctx.user.identity }\n"
                 "  return true end)");
    comes(t, "GET", "/store/items?key=a%20b&namespace=users.bob", NULL, "go");
    assert_string_equal(t->task.query, "key=a%20b&namespace=users.alice");
    t->user = "al.ice";
    comes(t, "GET", "/store/items?key=k&namespace=users.bob", NULL, "AGA0708");
}

/* ---------------------------------------------------------------- webhooks */

static const struct {
    const char *url;
    int loops;
} webhooks[] = {
    {"http://192.0.2.7/hook", 0},
    {"https://192.0.2.7:8443/hook?x=1", 0},
    {"http://user:pass@192.0.2.7/hook", 1},
    {"http://[2001:db8::7]/hook", 0},
    {"http://3221225991/hook", 0}, /* 192.0.2.7 as one number */
    {"/runs/stream", 1},
    {"runs/stream", 1},
    {"", 1},
    {"//127.0.0.1/", 1},
    {"http:/runs", 1},
    {"http:127.0.0.1/", 1},
    {"ftp://192.0.2.7/", 1},
    {"file:///etc/passwd", 1},
    {"http://127.0.0.1:8123/threads", 1},
    {"HTTP://127.0.0.1/", 1},
    {"http://127.0.0.2/", 1},
    {"http://localhost/", 1},
    {"http://LOCALHOST./", 1},
    {"http://127.1/", 1},
    {"http://2130706433/", 1},
    {"http://0x7f000001/", 1},
    {"http://0x7f.1/", 1},
    {"http://017700000001/", 1},
    {"http://0177.0.0.1/", 1},
    {"http://127.0.0.1./", 1},
    {"http://0/", 1},
    {"http://0.0.0.0/", 1},
    {"http://169.254.169.254/", 1},
    {"http://[::1]/", 1},
    {"http://[::]/", 1},
    {"http://[::ffff:127.0.0.1]/", 1},
    {"http://[::ffff:7f00:1]/", 1},
    {"http://[::ffff:0:0]/", 1},
    {"http://[::127.0.0.1]/", 1},
    {"http://[fe80::1]/", 1},
    {"http://[fe80::1%25lo]/", 1},
    {"http://user@127.0.0.1/", 1},
    {"http://192.0.2.7@127.0.0.1/", 1},
    {"http://127.0.0.1@192.0.2.7@127.0.0.1/", 1},
    {"http://127.0.0.1\\@192.0.2.7/", 1},
    {"http:\\\\127.0.0.1\\", 1},
    {"http://192.0.2.7\\@127.0.0.1/", 1},
    {"http://127.0.0.1#@192.0.2.7/", 1},
    {"http://127.0.0.1?@192.0.2.7/", 1},
    {"http://127%2e0%2e0%2e1/", 1},
    {"http://127\xE3\x80\x82"
     "0.0.1/",
     1},
    {" http://127.0.0.1/", 1},
    {"http://127.0.0.1 /", 1},
    {"http://127.0.0.1\t.192.0.2.7/", 1},
    {"http://\t127.0.0.1/", 1},
    {"http://no-such-host.invalid/", 1},
    {"http://127.0.0.1.192.0.2.7/", 1},
};

/* Any host is let in here, but for this one and the backend's. */
static int is_let_in(enforce_t *t, const char *url, const char *backend)
{
    t->fake.backend.name = backend;
    t->task.backend = &t->fake.backend;
    t->task.webhook_any = 1;
    t->task.p = t->p;
    return !aa_webhook_why_not(url, &t->task);
}

static void loops(void **state)
{
    enforce_t *t = *state;

    for (size_t i = 0; i < sizeof(webhooks) / sizeof(*webhooks); i++)
        if (is_let_in(t, webhooks[i].url, "http://198.51.100.1:8123") ==
            webhooks[i].loops)
            fail_msg("%s", webhooks[i].url);
}

/* The backend's own host by each of its names. */
static void backend_hosts(void **state)
{
    static const struct {
        const char *url, *backend;
        int loops;
    } pairs[] = {
        {"http://192.0.2.7/hook", "http://192.0.2.7:8123", 1},
        {"https://192.0.2.7./hook", "http://192.0.2.7:8123/base", 1},
        {"http://3221225991/", "http://192.0.2.7:8123", 1},
        {"http://[::ffff:192.0.2.7]/", "http://192.0.2.7:8123", 1},
        {"http://192.0.2.8/hook", "http://192.0.2.7:8123", 0},
        {"http://[2001:DB8:0::7]/", "http://[2001:db8::7]:8123", 1},
        {"http://[2001:db8::8]/", "http://[2001:db8::7]:8123", 0},
        {"http://Agents.invalid/", "http://agents.invalid:8123", 1},
        {"http://localhost/", "unix:/run/a.sock|http://192.0.2.7", 1},
    };
    enforce_t *t = *state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        if (is_let_in(t, pairs[i].url, pairs[i].backend) == pairs[i].loops)
            fail_msg("%s", pairs[i].url);
}

/* Without that only origins of the list are let in. */
static void webhook_origins(void **state)
{
    static const char *const origins[] = {"https://hooks.example",
                                          "http://127.0.0.1:8123", NULL};
    enforce_t *t = *state;

    is_let_in(t, "http://192.0.2.7/", "http://127.0.0.1:8123");
    t->task.webhook_any = 0;
    t->task.webhook_origins = origins;
    assert_null(aa_webhook_why_not("https://Hooks.example:443/x", &t->task));
    assert_non_null(aa_webhook_why_not("http://hooks.example/x", &t->task));
    assert_non_null(aa_webhook_why_not("https://hooks.example:444/", &t->task));
    assert_non_null(aa_webhook_why_not("https://hooks.example.x/", &t->task));
    assert_non_null(aa_webhook_why_not("https://hooks.example@x/", &t->task));
    assert_non_null(aa_webhook_why_not("http://127.0.0.1:8123/", &t->task));
}

#define HOOK(url) "{" A ",\"webhook\":" url "}"
#define WITHOUT "{" A "," CALLS("") "}"
#define WITH(url) "{" A ",\"webhook\":" url "," CALLS("") "}"

static const row_t dropped[] = {
    {"elsewhere", NULL, HOOK("\"http://192.0.2.7/\""),
     WITH("\"http://192.0.2.7/\"")},
    {"null", NULL, HOOK("null"), WITH("null")},
    {"a path", NULL, HOOK("\"/threads\""), WITHOUT},
    {"loopback", NULL, HOOK("\"http://127.0.0.1\""), WITHOUT},
    {"escaped", NULL, "{" A ",\"web\\u0068ook\":\"/threads\"}", WITHOUT},
    {"a list", NULL, HOOK("[\"http://192.0.2.7/\"]"), WITHOUT},
    {"an object", NULL, HOOK("{\"href\":\"/\"}"), WITHOUT},
};

static void webhooks_are_dropped(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    t->webhook_any = 1;
    RUN_ALL(t, dropped, "POST", "/runs");
    t->webhook = AA_WEBHOOK_DROP;
    RUN_ALL(t, dropped, "POST", "/runs");
}

static void webhooks_are_refused(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    t->webhook_any = 1;
    t->webhook = AA_WEBHOOK_REFUSE;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
        comes(t, "POST", "/runs", dropped[i].body, i < 2 ? "go" : "AGA0707");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BACKEND(patches),
        WITH_BACKEND(other_bytes_stay),
        WITH_BACKEND(nobody_is_the_system),
        WITH_BACKEND(whole_bodies),
        WITH_BACKEND(made_as_it_is_found),
        WITH_BACKEND(puts_into_the_store),
        WITH_BACKEND(restricted_searches),
        WITH_BACKEND(undecided_searches),
        WITH_BACKEND(flat_searches),
        WITH_BACKEND(callers_are_said),
        WITH_BACKEND(large_bodies),
        WITH_BACKEND(callers_of_a_batch),
        WITH_BACKEND(commands),
        WITH_BACKEND(members_are_cut),
        WITH_BACKEND(bodies_that_are_no_object),
        WITH_BACKEND(parameters_are_cut),
        WITH_BACKEND(headers_are_cut),
        WITH_BACKEND(parameters_are_set),
        WITH_BACKEND(loops),
        WITH_BACKEND(backend_hosts),
        WITH_BACKEND(webhook_origins),
        WITH_BACKEND(webhooks_are_dropped),
        WITH_BACKEND(webhooks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
