/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are asked for before a request may touch them. */
#include "apr_strings.h"
#include "enforce_stage.h"
#include "model/limits.h"

#define NO_RUN "404 Run not found"
#define RUN "{\"assistant_id\":\"sys\"}"
#define RUN_OR_MAKE                                                            \
    "{\"assistant_id\":\"sys\",\"if_not_exists\":\"create\",\"metadata\":"     \
    "{\"x\":1}}"

/* Threads and assistants: "own" is alice's, "bob" is bob's, "none" is not
 * there, "sys" is for all, "nomd" says nothing of an owner. */
static void furnish(enforce_t *t)
{
    static const char *const all[][2] = {
        {"own", MINE}, {"bob", THEIRS}, {"nomd", "{}"}};

    by_filter(t, "*", MINE);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        const char *path = apr_pstrcat(t->p, "/assistants/", all[i][0], NULL);

        has_thread(t, all[i][0], all[i][1]);
        has(t, path, "{\"assistant_id\":\"%s\",\"metadata\":%s}", all[i][0],
            all[i][1]);
    }
    has(t, "/assistants/sys",
        "{\"assistant_id\":\"sys\",\"metadata\":{\"created_by\":\"system\"}}");
}

/* "%" in a text is the object's name. */
static const char *named(enforce_t *t, const char *text, const char *name)
{
    const char *at = text ? strchr(text, '%') : NULL;

    return at ? named(t,
                      apr_pstrcat(t->p, apr_pstrmemdup(t->p, text, at - text),
                                  name, at + 1, NULL),
                      name)
              : text;
}

/* ------------------------------------------- let in, foreign and missing */

static const struct {
    const char *method, *target, *body, *hidden;
} rows[] = {
    {"GET", "/threads/%/state", NULL, "404 Thread with ID % not found"},
    {"GET", "/threads/%/history", NULL, "404 Thread with ID % not found"},
    {"POST", "/threads/%/state", "{}", "404 Thread with ID % not found"},
    {"GET", "/threads/%/runs", NULL, "404 Thread with ID % not found"},
    {"PATCH", "/threads/%", "{\"metadata\":{}}", "404 Thread not found"},
    {"DELETE", "/threads/%", NULL, "404 Thread with ID % not found"},
    {"POST", "/threads/%/runs", RUN, "404 Thread with ID % not found"},
    {"POST", "/threads/%/runs/stream", RUN, "404 Thread with ID % not found"},
    {"POST", "/threads/%/runs/wait", RUN, "404 Thread with ID % not found"},
    {"GET", "/threads/%/stream", NULL, "404 Thread with ID % not found"},
    {"POST", "/runs/cancel?action=interrupt",
     "{\"thread_id\":\"%\",\"run_ids\":[]}", NO_RUN},
    {"POST", "/threads/prune", "{\"thread_ids\":[\"%\"]}",
     "404 Thread not found"},
    {"PATCH", "/assistants/%", "{\"name\":\"n\"}", "404 Assistant not found"},
    {"DELETE", "/assistants/%", NULL, "404 Assistant not found"},
    {"GET", "/assistants/%/graph", NULL, "404 Assistant not found"},
    {"POST", "/assistants/%/latest", "{\"version\":1}",
     "404 Assistant not found"},
    {"POST", "/assistants/%/versions", "{\"limit\":0}",
     "404 Assistant \"%\" not found."},
    {"POST", "/threads/own/runs", "{\"assistant_id\":\"%\"}",
     "404 No assistant found for \"%\". Make sure the assistant ID is for a "
     "valid assistant or a valid graph ID."},
    {"POST", "/runs/batch", "[{\"assistant_id\":\"%\"}]",
     "404 No assistant found for \"{body.assistant_id}\""},
};

/* What own objects are answered with: not what hides. */
static int lets_in(const char *what)
{
    return !strcmp(what, "go") || !strncmp(what, "200 ", 4);
}

static void only_own_objects(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        static const char *const hidden[] = {"bob", "none", "nomd"};
        const char *method = rows[i].method, *what;

        what = asks(t, method, named(t, rows[i].target, "own"),
                    named(t, rows[i].body, "own"));
        if (!lets_in(what))
            fail_msg("%s %s, own: %s", method, rows[i].target, what);
        for (int h = 0; h < 3; h++) {
            what = asks(t, method, named(t, rows[i].target, hidden[h]),
                        named(t, rows[i].body, hidden[h]));
            if (!strncmp(rows[i].body ? rows[i].body : "", "[", 1))
                assert_int_equal(t->task.reply->status, 404);
            else
                assert_string_equal(what, named(t, rows[i].hidden, hidden[h]));
        }
    }
}

/* Without a filter it only has to be there. */
static void nobody_filters(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "*", NULL);
    comes(t, "GET", "/threads/bob/state", NULL, "go");
    comes(t, "GET", "/threads/none/state", NULL,
          "404 Thread with ID none not found");
}

static void filters_of_several_events(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "a", "{\"r\":1,\"u\":1}");
    has_thread(t, "b", "{\"r\":1}");
    by_filter(t, "threads:read", "{\"r\":1}");
    by_filter(t, "threads:update", "{\"u\":1}");
    comes(t, "POST", "/threads/a/state", "{}", "go");
    comes(t, "POST", "/threads/b/state", "{}",
          "404 Thread with ID b not found");
    comes(t, "GET", "/threads/b/state", NULL, "go");
}

/* --------------------------------------------------------- what belongs */

static void runs_of_the_thread(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    has(t, "/threads/own/runs/1", "{\"run_id\":\"1\",\"thread_id\":\"own\"}");
    has(t, "/threads/own/runs/2", "{\"run_id\":\"2\",\"thread_id\":\"bob\"}");
    has(t, "/threads/own/runs/3", "{\"run_id\":\"3\"}");
    has(t, "/threads/own/runs/4", "{\"run_id\":\"4\",\"thread_id\":5}");
    has(t, "/threads/bob/runs/1", "{\"run_id\":\"1\",\"thread_id\":\"bob\"}");
    comes(t, "GET", "/threads/own/runs/1", NULL, "go");
    comes(t, "GET", "/threads/own/runs/1", NULL, "go"); /* now from facts */
    comes(t, "GET", "/threads/own/runs/2", NULL, NO_RUN);
    comes(t, "GET", "/threads/own/runs/2", NULL, NO_RUN);
    comes(t, "GET", "/threads/own/runs/3", NULL, NO_RUN);
    comes(t, "GET", "/threads/own/runs/4", NULL, NO_RUN);
    comes(t, "GET", "/threads/own/runs/5", NULL, NO_RUN);
    comes(t, "GET", "/threads/bob/runs/1", NULL,
          "404 Thread with ID bob not found");
    comes(t, "DELETE", "/threads/own/runs/2", NULL, NO_RUN);
    comes(t, "DELETE", "/threads/own/runs/1", NULL, "go");
}

static void built_in_assistants(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    has(t, "/assistants/like",
        "{\"assistant_id\":\"like\",\"metadata\":{\"created_by\":\"System\"}}");
    comes(t, "POST", "/runs", RUN, "go");
    comes(t, "POST", "/runs", "{\"assistant_id\":\"own\"}", "go");
    comes(t, "GET", "/assistants/sys/graph", NULL, "404 Assistant not found");
    comes(t, "PATCH", "/assistants/sys", "{}", "404 Assistant not found");
    asks(t, "POST", "/runs", "{\"assistant_id\":\"like\"}");
    assert_int_equal(t->task.reply->status, 404);
    comes(t, "POST", "/runs", "{}", "AGA0709");
    comes(t, "POST", "/runs", "{\"assistant_id\":null}", "AGA0709");
    comes(t, "POST", "/runs", "{\"assistant_id\":[\"sys\"]}", "AGA0709");
    comes(t, "POST", "/runs", "{\"assistant_id\":\"\"}", "AGA0709");
    comes(t, "POST", "/runs", "{\"assistant_id\":\"..\"}", "AGA0709");
}

/* Whatever is in a name stays one segment. */
static void names_are_segments(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    asks(t, "POST", "/runs", "{\"assistant_id\":\"sys?x=1\"}");
    assert_string_equal(asked(t), "GET /assistants/sys%3Fx%3D1");
    asks(t, "POST", "/runs", "{\"assistant_id\":\"../threads/own\"}");
    assert_string_equal(asked(t), "GET /assistants/..%2Fthreads%2Fown");
    assert_int_equal(t->task.reply->status, 404);
}

static void optional_objects(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/runs/crons", RUN, "go");
    comes(t, "POST", "/runs/crons",
          "{\"assistant_id\":\"sys\",\"thread_id\":null}", "go");
    comes(t, "POST", "/runs/crons",
          "{\"assistant_id\":\"sys\",\"thread_id\":\"own\"}", "go");
    comes(t, "POST", "/runs/crons",
          "{\"assistant_id\":\"sys\",\"thread_id\":\"bob\"}",
          "404 Thread not found");
    comes(t, "POST", "/runs/crons",
          "{\"assistant_id\":\"sys\",\"thread_id\":{}}", "AGA0709");
}

/* The last place of a path is the list, the others are texts. */
static void runs_of_a_list(void **state)
{
    static const char *const refused[] = {
        "{\"thread_id\":\"own\"}", "{\"thread_id\":\"own\",\"run_ids\":\"2\"}",
        "{\"thread_id\":[\"own\"],\"run_ids\":[\"1\"]}",
        "{\"thread_id\":\"own\",\"run_ids\":[[\"2\"]]}", NULL};
    enforce_t *t = *state;

    furnish(t);
    has(t, "/threads/own/runs/1", "{\"run_id\":\"1\",\"thread_id\":\"own\"}");
    has(t, "/threads/own/runs/2", "{\"run_id\":\"2\",\"thread_id\":\"bob\"}");
    comes(t, "POST", "/runs/cancel",
          "{\"thread_id\":\"own\",\"run_ids\":[\"1\"]}", "go");
    comes(t, "POST", "/runs/cancel",
          "{\"thread_id\":\"own\",\"run_ids\":[\"1\",\"2\"]}", NO_RUN);
    comes(t, "POST", "/runs/cancel",
          "{\"thread_id\":\"own\",\"run_ids\":[\"3\"]}", NO_RUN);
    for (size_t i = 0; refused[i]; i++)
        comes(t, "POST", "/runs/cancel", refused[i], "AGA0709");
}

/* ---------------------------------------------------------------- each */

static void each_of_a_list(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    has_thread(t, "own2", MINE);
    comes(t, "POST", "/threads/prune", "{\"thread_ids\":[\"own\",\"own2\"]}",
          "go");
    assert_string_equal(asked(t), "GET /threads/own, GET /threads/own2");
    comes(t, "POST", "/threads/prune", "{\"thread_ids\":[\"own\",\"bob\"]}",
          "404 Thread not found");
    comes(t, "POST", "/threads/prune", "{\"thread_ids\":[\"own\",null]}",
          "AGA0709");
    comes(t, "POST", "/threads/prune", "{\"thread_ids\":[[\"bob\"]]}",
          "AGA0709");
    comes(t, "POST", "/threads/prune", "{\"thread_ids\":[]}", "go");
}

/* What is no list cannot be asked for one by one. */
static void each_of_no_list(void **state)
{
    static const char *const bodies[] = {"{\"thread_ids\":\"bob\"}",
                                         "{\"thread_ids\":{\"0\":\"bob\"}}",
                                         "{\"thread_ids\":null}", "{}", NULL};
    enforce_t *t = *state;

    furnish(t);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        comes(t, "POST", "/threads/prune", bodies[i], "AGA0709");
}

/* The policy is not always asked for each: a map of one's own. */
static void each_of_no_batch(void **state)
{
    enforce_t *t = *state;
    aa_policy_decision_t decision = {.resource = "threads",
                                     .action = "create_run"};

    furnish(t);
    comes(t, "POST", "/runs/batch", "[" RUN "]",
          "200 [{\"run_id\":\"made-1\"}]");
    decision.effect = AA_POLICY_FILTER;
    decision.filter = parsed(t, MINE);
    t->verdict.decisions = &decision;
    t->verdict.ndecisions = 1;
    assert_string_equal(carries(t, "{\"assistant_id\":\"bob\"}"), "AGA0709");
}

static void each_of_a_batch(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/runs/batch", "[" RUN "," RUN "]",
          "200 [{\"run_id\":\"made-1\"},{\"run_id\":\"made-2\"}]");
    asks(t, "POST", "/runs/batch", "[" RUN ",{\"assistant_id\":\"bob\"}]");
    assert_int_equal(t->task.reply->status, 404);
    comes(t, "POST", "/runs/batch", "[" RUN ",{}]", "AGA0709");
}

static void too_many(void **state)
{
    enforce_t *t = *state;
    const char *body = "{\"thread_ids\":[\"own\"";
    char *list = apr_palloc(t->p, 8 * AA_OBJECT_CHANGES_MAX + 64), *to;

    furnish(t);
    to = apr_cpystrn(list, body, 64);
    for (int i = 1; i < AA_OBJECT_CHANGES_MAX; i++)
        to = apr_cpystrn(to, ",\"own\"", 8);
    apr_cpystrn(to, "]}", 3);
    comes(t, "POST", "/threads/prune", list, "go");
    apr_cpystrn(to, ",\"own\"]}", 10);
    comes(t, "POST", "/threads/prune", list, "AGA0709");
    assert_string_equal(asked(t), "");
}

/* ------------------------------------------------------ absent objects */

static void made_by_the_request(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/threads", "{\"thread_id\":\"bob\"}",
          "409 Thread already exists");
    comes(t, "POST", "/threads",
          "{\"thread_id\":\"bob\",\"if_exists\":\"do_nothing\"}",
          "409 Thread already exists");
    assert_int_equal(
        strncmp(asks(t, "POST", "/threads", "{\"thread_id\":\"new\"}"), "200 ",
                4),
        0);
    assert_string_equal(asked(t), "GET /threads/new, POST /threads");
    same_json(t, body_of(t), "{\"thread_id\":\"new\",\"metadata\":" MINE "}");
}

#define ITEM(owner)                                                            \
    "{\"namespace\":[\"n\",\"m\"],\"key\":\"k\",\"value\":{\"owner\":"         \
    "\"" owner "\"}}"
#define ITEM_AT "/store/items?namespace=n.m&key=k"

static void absent_when_it_matches(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", "{\"key\":\"k\"}");
    comes(t, "DELETE", "/store/items",
          "{\"namespace\":[\"n\",\"m\"],\"key\":\"k\"}", "go");
    assert_string_equal(asked(t), "GET " ITEM_AT);
    by_filter(t, "*", "{\"key\":\"j\"}");
    comes(t, "DELETE", "/store/items",
          "{\"namespace\":[\"n\",\"m\"],\"key\":\"k\"}", "404 Item not found");
}

static void null_is_absent(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    says(t, "GET " ITEM_AT, 200, "application/json", "null");
    comes(t, "PUT", "/store/items", ITEM("alice"), "go");
    comes(t, "DELETE", "/store/items",
          "{\"namespace\":[\"n\",\"m\"],\"key\":\"k\"}", "404 Item not found");
    says(t, "GET " ITEM_AT, 200, "application/json", ITEM("bob"));
    comes(t, "PUT", "/store/items", ITEM("alice"), "404 Item not found");
    says(t, "GET " ITEM_AT, 200, "application/json", ITEM("alice"));
    comes(t, "PUT", "/store/items", ITEM("alice"), "go");
    says(t, "GET " ITEM_AT, 200, "application/json", "[]");
    comes(t, "PUT", "/store/items", ITEM("alice"), "AGA0702");
}

/* ["a.b"] and ["a","b"] are one text with dots. */
static void lists_without_a_reading(void **state)
{
    static const char *const lists[] = {"[\"n.m\"]", "[]", "[\"\"]", "[1]",
                                        "{}"};
    enforce_t *t = *state;

    by_filter(t, "*", "{\"key\":\"k\"}");
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        comes(t, "DELETE", "/store/items",
              apr_pstrcat(t->p, "{\"key\":\"k\",\"namespace\":", lists[i], "}",
                          NULL),
              "AGA0709");
}

/* ---------------------------------------------------------------- made here */

static void made_before_the_run(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/threads/none/runs", RUN_OR_MAKE, "go");
    assert_string_equal(asked(t), "GET /assistants/sys, GET /threads/none, "
                                  "POST /threads");
    same_json(t, body_asked(t, 2),
              "{\"thread_id\":\"none\",\"if_exists\":\"raise\",\"metadata\":"
              "{\"x\":1,\"owner\":\"alice\"}}");
    assert_string_equal(json_string_value(json_object_get(parsed(t, body_of(t)),
                                                          "if_not_exists")),
                        "reject");
}

static void not_made(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/threads/bob/runs", RUN_OR_MAKE,
          "404 Thread with ID bob not found");
    comes(t, "POST", "/threads/none/runs",
          "{\"assistant_id\":\"sys\",\"if_not_exists\":\"Create\"}",
          "404 Thread with ID none not found");
    comes(t, "POST", "/threads/own/runs", RUN_OR_MAKE, "go");
    assert_string_equal(asked(t), "GET /threads/own");
    assert_string_equal(json_string_value(json_object_get(parsed(t, body_of(t)),
                                                          "if_not_exists")),
                        "create");
    assert_null(there(t, "/threads/none"));
}

/* Somebody was faster, past the gateway. */
static void made_by_another(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    says(t, "POST /threads", 409, "text/plain", "exists");
    comes(t, "POST", "/threads/none/runs", RUN_OR_MAKE,
          "404 Thread with ID none not found");
    says(t, "POST /threads", 500, "text/plain", "exists");
    comes(t, "POST", "/threads/none/runs", RUN_OR_MAKE, "AGA0702");
}

static void made_only_as_it_is_found(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    by_filter(t, "threads:create_run",
              "{\"$or\":[{\"owner\":\"alice\"},{\"team\":\"x\"}]}");
    comes(t, "POST", "/threads/none/runs", RUN_OR_MAKE, "AGA0708");
    assert_null(there(t, "/threads/none"));
    comes(t, "POST", "/threads/none/runs",
          "{\"assistant_id\":\"sys\",\"if_not_exists\":\"create\","
          "\"metadata\":{\"team\":\"x\"}}",
          "go");
    assert_non_null(there(t, "/threads/none"));
}

/* A subscription makes the thread, under the policy's filter for that. */
static void made_for_a_subscription(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "POST", "/threads/none/stream/events", "{}", "go");
    assert_true(json_equal(there(t, "/threads/none"),
                           parsed(t, "{\"thread_id\":\"none\","
                                     "\"metadata\":" MINE "}")));
    comes(t, "POST", "/threads/bob/stream/events", "{}",
          "404 Thread with ID bob not found");
}

/* ------------------------------------------------------ needless questions */

static void what_changes_nothing_is_not_asked(void **state)
{
    enforce_t *t = *state;

    comes(t, "PUT", "/store/items", ITEM("bob"), "go");
    assert_string_equal(asked(t), "");
    comes(t, "POST", "/threads", "{\"thread_id\":\"x\"}", "go");
    assert_string_equal(asked(t), "");
    by_filter(t, "*", MINE);
    comes(t, "PUT", "/store/items", ITEM("alice"), "go");
    assert_string_equal(asked(t), "GET " ITEM_AT);
    comes(t, "GET", "/threads/own", NULL, "404 Thread with ID own not found");
    assert_string_equal(asked(t), "GET /threads/own");
}

/* A refusal by the body comes before any question. */
static void bad_bodies_ask_nothing(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "PATCH", "/threads/bob", "{\"metadata\":7}", "AGA0709");
    assert_string_equal(asked(t), "");
    comes(t, "PUT", "/store/items", ITEM("bob"), "AGA0708");
    assert_string_equal(asked(t), "");
}

/* A name that no URL holds is the client's fault, not the backend's. */
static void names_have_a_length(void **state)
{
    static const apr_size_t lengths[] = {AA_BACKEND_URL_MAX / 2,
                                         AA_BACKEND_URL_MAX + 1};
    enforce_t *t = *state;

    furnish(t);
    for (int i = 0; i < 2; i++) {
        char *name = apr_pcalloc(t->p, lengths[i] + 1);

        memset(name, 'x', lengths[i]);
        asks(t, "POST", "/threads/own/runs",
             apr_pstrcat(t->p, "{\"assistant_id\":\"", name, "\"}", NULL));
        assert_int_equal(t->rv, i ? AA_EREFUSED : APR_SUCCESS);
        assert_int_equal(t->task.error.code, i ? AA_E_ENFORCE_BODY : 0);
    }
}

/* ------------------------------------------------------------------- locks */

static void locks_until_the_end(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    assert_string_equal(begins(t, "GET", "/threads/own/state", NULL), "go");
    assert_false(is_free(t, "/threads/own"));
    aa_enforce_end(&t->task, NULL);
    assert_true(is_free(t, "/threads/own"));
    assert_string_equal(begins(t, "DELETE", "/threads/own", NULL), "go");
    assert_false(is_free(t, "/threads/own"));
    aa_enforce_end(&t->task, NULL);
    aa_enforce_end(&t->task, NULL);
    assert_true(is_free(t, "/threads/own"));
}

/* Whatever is answered or refused holds nothing, even before its end. */
static void no_locks_afterwards(void **state)
{
    static const char *const questions[] = {"GET /threads/own"};
    enforce_t *t = *state;

    furnish(t);
    begins(t, "DELETE", "/threads/bob", NULL);
    assert_true(is_free(t, "/threads/bob"));
    begins(t, "DELETE", "/threads/none", NULL);
    assert_true(is_free(t, "/threads/none"));
    fails(t, questions[0], APR_TIMEUP);
    assert_string_equal(begins(t, "DELETE", "/threads/own", NULL), "AGA0703");
    assert_true(is_free(t, "/threads/own"));
    says(t, questions[0], 422, "text/plain", "no such name");
    assert_string_equal(begins(t, "DELETE", "/threads/own", NULL),
                        "422 no such name");
    assert_true(is_free(t, "/threads/own"));
    begins(t, "POST", "/threads", "{\"thread_id\":\"x\"}");
    assert_true(is_free(t, "/threads/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BACKEND(only_own_objects),
        WITH_BACKEND(nobody_filters),
        WITH_BACKEND(filters_of_several_events),
        WITH_BACKEND(runs_of_the_thread),
        WITH_BACKEND(built_in_assistants),
        WITH_BACKEND(names_are_segments),
        WITH_BACKEND(optional_objects),
        WITH_BACKEND(runs_of_a_list),
        WITH_BACKEND(each_of_a_list),
        WITH_BACKEND(each_of_no_list),
        WITH_BACKEND(each_of_no_batch),
        WITH_BACKEND(each_of_a_batch),
        WITH_BACKEND(too_many),
        WITH_BACKEND(made_by_the_request),
        WITH_BACKEND(absent_when_it_matches),
        WITH_BACKEND(null_is_absent),
        WITH_BACKEND(lists_without_a_reading),
        WITH_BACKEND(made_before_the_run),
        WITH_BACKEND(not_made),
        WITH_BACKEND(made_by_another),
        WITH_BACKEND(made_only_as_it_is_found),
        WITH_BACKEND(made_for_a_subscription),
        WITH_BACKEND(what_changes_nothing_is_not_asked),
        WITH_BACKEND(bad_bodies_ask_nothing),
        WITH_BACKEND(names_have_a_length),
        WITH_BACKEND(locks_until_the_end),
        WITH_BACKEND(no_locks_afterwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
