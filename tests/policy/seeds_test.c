/* SPDX-License-Identifier: Apache-2.0 */
/* LangGraph's published example policies, in Lua, decide as they should. */
#include "harness.h"

static aa_policy_t *open_file(world_t *w, const char *name)
{
    return world_policy_file(w, apr_pstrcat(w->p, POLICY_DIR "/", name, NULL),
                             -1);
}

typedef struct row_t {
    const char *request, *body, *verdict, *sent; /* sent NULL: as received */
} row_t;

static void check(world_t *w, aa_policy_t *policy, const row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        aa_policy_verdict_t v =
            world_ask(w, policy, rows[i].request, rows[i].body);

        print_message("%s\n", rows[i].request);
        assert_string_equal(world_say(w, &v), rows[i].verdict);
        if (rows[i].sent)
            assert_string_equal(v.body, rows[i].sent);
        else
            assert_null(v.body);
    }
}

#define OWN "filter {\"owner\":\"alice\"}"
#define NO "deny ASSERT Not authorized"

static void owners(void **state)
{
    static const row_t rows[] = {
        {"POST /threads", "{}", OWN, "{\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /threads", NULL, OWN, "{\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /threads", "{\"metadata\":{\"owner\":\"bob\",\"n\":1.10}}", OWN,
         "{\"metadata\":{\"owner\":\"alice\",\"n\":1.10}}"},
        {"POST /threads", "{\"metadata\":{\"owner\":\"alice\"}}", OWN, NULL},
        {"GET /threads/1", NULL, OWN, NULL},
        {"DELETE /threads/1", NULL, OWN, NULL},
        {"PATCH /threads/1", "{\"metadata\":{}}", OWN,
         "{\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /threads/search", "{\"limit\":5}", OWN, NULL},
        {"POST /threads/1/runs", "{\"assistant_id\":\"a\"}", OWN,
         "{\"assistant_id\":\"a\",\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /assistants", "{\"graph_id\":\"g\"}", OWN,
         "{\"graph_id\":\"g\",\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /threads/1/copy", NULL, OWN, NULL},
        {"PUT /store/items",
         "{\"namespace\":[\"alice\",\"notes\"],\"key\":\"k\",\"value\":{}}",
         "allow", NULL},
        {"PUT /store/items",
         "{\"namespace\":[\"bob\",\"notes\"],\"key\":\"k\",\"value\":{}}", NO,
         NULL},
        {"PUT /store/items", "{\"namespace\":[],\"key\":\"k\",\"value\":{}}",
         NO, NULL},
        {"POST /store/items/search", "{\"namespace_prefix\":[\"alice\"]}",
         "allow", NULL},
        {"POST /store/items/search", "{\"namespace_prefix\":[\"bob\"]}", NO,
         NULL},
    };
    world_t *w = *state;
    aa_policy_t *policy = open_file(w, "seed_001.lua");
    aa_policy_who_t who = {.method = "GET", .path = "/threads/1"};
    aa_policy_verdict_t v;
    apr_table_t *headers = apr_table_make(w->p, 1);
    json_t *user;

    check(w, policy, rows, sizeof(rows) / sizeof(*rows));
    who.headers = headers;
    assert_int_equal(aa_policy_authenticates(policy), 1);
    apr_table_set(headers, "Authorization", "Bearer alice-token");
    assert_int_equal(aa_policy_authenticate(&user, &v, policy, &who, w->p),
                     APR_SUCCESS);
    assert_string_equal(world_json(w, user),
                        "{\"display_name\":\"alice\",\"identity\":\"alice\","
                        "\"is_authenticated\":true,\"permissions\":[]}");
    apr_table_set(headers, "Authorization", "Bearer other");
    assert_int_equal(aa_policy_authenticate(&user, &v, policy, &who, w->p),
                     APR_EINVAL);
    assert_string_equal(world_say(w, &v), "deny EXCEPTION 401 Invalid token");
}

static void permissions(void **state)
{
    static const row_t rows[] = {
        {"POST /threads", "{\"metadata\":{\"a\":1}}", OWN,
         "{\"metadata\":{\"a\":1,\"owner\":\"alice\"}}"},
        {"GET /threads/1", NULL, OWN, NULL},
        {"POST /threads/1/runs", "{\"assistant_id\":\"a\"}", OWN,
         "{\"assistant_id\":\"a\",\"metadata\":{\"owner\":\"alice\"}}"},
        {"POST /assistants", "{\"graph_id\":\"g\"}", "allow", NULL},
        {"PATCH /threads/1", "{}", "deny FALSE", NULL},
        {"DELETE /threads/1", NULL, "deny FALSE", NULL},
        {"POST /threads/search", "{}", "deny FALSE", NULL},
        {"DELETE /assistants/1", NULL, "deny FALSE", NULL},
        {"POST /store/items/search", "{}", "deny FALSE", NULL},
        /* read and create, of which both must be let in */
        {"POST /threads/1/copy", NULL, OWN, NULL},
        /* update is refused, although read would be let in */
        {"POST /threads/1/state", "{}", "deny FALSE", NULL},
    };
    world_t *w = *state;
    aa_policy_t *policy = open_file(w, "seed_004.lua");
    aa_policy_verdict_t v;

    check(w, policy, rows, sizeof(rows) / sizeof(*rows));
    assert_int_equal(aa_policy_authenticates(policy), 0);
    w->user = "{\"identity\":\"bob\",\"permissions\":[\"assistants:read\"]}";
    v = world_ask(w, policy, "POST /assistants", "{\"graph_id\":\"g\"}");
    assert_string_equal(
        world_say(w, &v),
        "deny EXCEPTION 403 User lacks the required permissions.");
}

/* Events are taken from rows that have one of them, so that what a map calls
 * a request does not matter here. */
static void all_actions(void **state)
{
    static const struct {
        const char *resource, *action;
    } events[] = {{"threads", "create"},
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
                  {"runs", "create"}};
    world_t *w = *state;
    aa_policy_t *policy = open_file(w, "actions.lua");

    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        aa_event_t event = {.resource = events[i].resource,
                            .action = events[i].action};
        aa_route_t route = {.events = &event, .nevents = 1};
        aa_route_match_t match = {.route = &route};
        aa_policy_verdict_t v = world_ask_row(w, policy, &match, NULL);

        print_message("%s:%s\n", event.resource, event.action);
        assert_string_equal(world_say(w, &v),
                            apr_psprintf(w->p, "filter {\"handler\":\"%s.%s\"}",
                                         event.resource, event.action));
    }
}

/* Every row of the map that asks the policy can be decided. */
static void all_rows(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = open_file(w, "seed_001.lua");
    int asked = 0;

    for (int i = 0; i < aa_routes_count(w->routes); i++) {
        const aa_route_t *route = aa_routes_at(w->routes, i);
        aa_route_match_t match = {.route = route};
        aa_policy_verdict_t v;

        if (aa_route_access(route) != AA_ACCESS_POLICY || !route->nevents)
            continue;
        v = world_ask_row(w, policy, &match,
                          route->events[0].each ? "[{}]" : "{}");
        print_message("%s: %s %s\n", aa_route_name(route), world_say(w, &v),
                      v.reason ? v.reason : "");
        assert_int_not_equal(v.cause, AA_CAUSE_OURS);
        assert_int_not_equal(v.cause, AA_CAUSE_UNMATCHED);
        asked++;
    }
    print_message("%d rows\n", asked);
    assert_true(asked > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(owners), WORLD(permissions), WORLD(all_actions), WORLD(all_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
