/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are looked at before anybody sees them, and bad backends. */
#include "apr_strings.h"
#include "enforce_stage.h"
#include "model/limits.h"

#define HIDDEN(id) "404 Thread with ID " id " not found"

/* 1: it was answered with 200. */
static int shows(const char *what)
{
    return !strncmp(what, "200 ", 4);
}

/* ------------------------------------------------------------ one object */

static void objects_are_looked_at(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has_thread(t, "own", MINE);
    has_thread(t, "bob", THEIRS);
    has_thread(t, "nomd", "{}");
    has(t, "/threads/bare", "{\"thread_id\":\"bare\"}");
    has(t, "/threads/text", "{\"thread_id\":\"text\",\"metadata\":\"alice\"}");
    comes(t, "GET", "/threads/own", NULL,
          "200 {\"thread_id\":\"own\",\"metadata\":{\"owner\":\"alice\"}}");
    assert_string_equal(t->task.reply->content_type, "application/json");
    comes(t, "GET", "/threads/bob", NULL, HIDDEN("bob"));
    comes(t, "GET", "/threads/nomd", NULL, HIDDEN("nomd"));
    comes(t, "GET", "/threads/bare", NULL, HIDDEN("bare"));
    comes(t, "GET", "/threads/text", NULL, HIDDEN("text"));
    comes(t, "GET", "/threads/none", NULL, HIDDEN("none"));
}

/* The second time it is known, and the backend may answer by itself; who is
 * refused costs a question each time, as for a missing one. */
static void known_objects_go_on(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has_thread(t, "own", MINE);
    has_thread(t, "bob", THEIRS);
    assert_true(shows(asks(t, "GET", "/threads/own", NULL)));
    comes(t, "GET", "/threads/bob", NULL, HIDDEN("bob"));
    assert_string_equal(begins(t, "GET", "/threads/own", NULL), "go");
    assert_string_equal(asked(t), "");
    assert_false(is_free(t, "/threads/own"));
    aa_enforce_end(&t->task, NULL);
    comes(t, "GET", "/threads/bob", NULL, HIDDEN("bob"));
    assert_string_equal(asked(t), "GET /threads/bob");
    assert_true(is_free(t, "/threads/bob"));
}

static void heads_are_looked_at(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has_thread(t, "own", MINE);
    has_thread(t, "bob", THEIRS);
    assert_true(shows(asks(t, "HEAD", "/threads/own", NULL)));
    assert_string_equal(asked(t), "GET /threads/own");
    comes(t, "HEAD", "/threads/bob", NULL, HIDDEN("bob"));
}

/* With a query it may be another answer: it is looked at each time. */
static void queries_are_no_facts(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has_thread(t, "own", MINE);
    has(t, "/threads/own?as=bob",
        "{\"thread_id\":\"own\",\"metadata\":" THEIRS "}");
    assert_true(shows(asks(t, "GET", "/threads/own", NULL)));
    comes(t, "GET", "/threads/own?as=bob", NULL, HIDDEN("own"));
    assert_string_equal(asked(t), "GET /threads/own?as=bob");
    comes(t, "GET", "/threads/own", NULL, "go");
}

/* What hides a foreign object is, byte for byte, what hides a missing one:
 * whatever the backend says of that, and whether it was known or not. */
static void both_are_hidden_alike(void **state)
{
    static const char *const targets[] = {"/threads/%s", "/threads/%s/state",
                                          "/assistants/%s",
                                          "/assistants/%s/graph"};
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        const char *target = apr_psprintf(t->p, targets[i], "x");
        const char *path =
            apr_pstrmemdup(t->p, target, strcspn(target + 9, "/") + 9);
        const char *question = apr_pstrcat(t->p, "GET ", path, NULL);
        const aa_reply_t *missing;

        says(t, question, 404, "text/html", "<h1>gone</h1>");
        asks(t, "GET", target, NULL);
        missing = t->task.reply;
        says(t, question, 0, NULL, NULL);
        has(t, path,
            "{\"thread_id\":\"x\",\"assistant_id\":\"x\","
            "\"metadata\":" THEIRS "}");
        for (int again = 0; again < 2; again++) {
            asks(t, "GET", target, NULL);
            assert_int_equal(t->task.reply->status, missing->status);
            assert_int_equal(t->task.reply->len, missing->len);
            assert_memory_equal(t->task.reply->body, missing->body,
                                missing->len);
            assert_string_equal(t->task.reply->content_type,
                                missing->content_type);
            assert_null(t->task.reply->headers);
            assert_null(missing->headers);
        }
    }
}

/* An item of the store: null hides it, which is a 200 as well. */
static void items_of_the_store(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has(t, "/store/items?namespace=n&key=own",
        "{\"namespace\":[\"n\"],\"key\":\"own\",\"value\":" MINE "}");
    has(t, "/store/items?namespace=n&key=bob",
        "{\"namespace\":[\"n\"],\"key\":\"bob\",\"value\":" THEIRS "}");
    says(t, "GET /store/items?namespace=n&key=none", 200, "application/json",
         "null");
    comes(t, "GET", "/store/items?namespace=n&key=bob", NULL, "200 null");
    comes(t, "GET", "/store/items?namespace=n&key=none", NULL, "200 null");
    comes(t, "GET", "/store/items?namespace=n&key=gone", NULL, "200 null");
    comes(t, "GET", "/store/items?namespace=n&key=own", NULL,
          "200 {\"namespace\":[\"n\"],\"key\":\"own\",\"value\":{\"owner\":"
          "\"alice\"}}");
}

/* What is made is answered only when it matches. */
static void made_objects(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    assert_true(shows(asks(t, "POST", "/threads", "{}")));
    says(t, "POST /threads", 200, "application/json",
         "{\"thread_id\":\"x\",\"metadata\":{\"owner\":\"bob\"}}");
    comes(t, "POST", "/threads", "{}", "409 Thread already exists");
    says(t, "POST /threads", 409, "application/json", "{\"of\":\"bob\"}");
    comes(t, "POST", "/threads", "{}", "409 Thread already exists");
    says(t, "POST /threads", 422, "application/json", "{\"bad\":1}");
    comes(t, "POST", "/threads", "{}", "422 {\"bad\":1}");
}

/* ------------------------------------------------------------- bad backends */

static const struct {
    const char *name;
    int status;
    const char *body, *what;
} bad[] = {
    {"500", 500, "{}", "AGA0702"},
    {"503", 503, "{}", "AGA0702"},
    {"302", 302, "", "AGA0702"},
    {"304", 304, "", "AGA0702"},
    {"401", 401, "{}", "AGA0702"},
    {"403", 403, "{}", "AGA0702"},
    {"429", 429, "{}", "AGA0702"},
    {"HTML", 200, "<html>own</html>", "AGA0702"},
    {"nothing", 200, "", "AGA0702"},
    {"cut", 200, "{\"metadata\":{\"owner\":\"alice\"", "AGA0702"},
    {"twice", 200, "{\"metadata\":" MINE "}{\"metadata\":" MINE "}", "AGA0702"},
    {"two owners", 200, "{\"metadata\":" THEIRS ",\"metadata\":" MINE "}",
     "AGA0702"},
    {"bad UTF-8", 200, "{\"metadata\":" MINE ",\"x\":\"\x80\"}", "AGA0702"},
};

/* The same for what is asked for first and for what is looked at. */
static void bad_answers(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        says(t, "GET /threads/own", bad[i].status, "application/json",
             bad[i].body);
        if (strcmp(asks(t, "GET", "/threads/own", NULL), bad[i].what) ||
            strcmp(asks(t, "GET", "/threads/own/state", NULL), bad[i].what))
            fail_msg("%s", bad[i].name);
        assert_true(is_free(t, "/threads/own"));
    }
    says(t, "GET /threads/own", 200, "application/json", "[]");
    comes(t, "GET", "/threads/own", NULL, "AGA0702");
    comes(t, "GET", "/threads/own/state", NULL, "AGA0702");
    says(t, "GET /threads/own", 200, "text/plain", "{\"metadata\":" MINE "}");
    assert_true(shows(asks(t, "GET", "/threads/own", NULL)));
}

static void no_answers(void **state)
{
    static const struct {
        apr_status_t rv;
        const char *what;
    } failures[] = {{APR_ENOSPC, "AGA0702"},
                    {APR_TIMEUP, "AGA0703"},
                    {APR_EGENERAL, "AGA0702"}};
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    for (int i = 0; i < 3; i++) {
        fails(t, "*", failures[i].rv);
        comes(t, "GET", "/threads/own", NULL, failures[i].what);
        comes(t, "GET", "/threads/own/state", NULL, failures[i].what);
        comes(t, "POST", "/threads", "{}", failures[i].what);
        comes(t, "POST", "/store/items/search", "{}", failures[i].what);
        comes(t, "POST", "/runs/batch", "[{\"assistant_id\":\"sys\"}]",
              failures[i].what);
        assert_int_equal(aa_codes[t->task.error.code].status,
                         failures[i].rv == APR_TIMEUP ? 504 : 502);
        assert_int_equal(t->task.error.retry_after,
                         failures[i].rv == APR_TIMEUP);
    }
}

/* ------------------------------------------------------------------ copies */

static void copies_are_stamped(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "threads:read", "{\"team\":\"x\"}");
    by_filter(t, "threads:create", MINE);
    has_thread(t, "a", "{\"team\":\"x\",\"owner\":\"bob\"}");
    has_thread(t, "b", "{\"owner\":\"bob\"}");
    comes(t, "POST", "/threads/a/copy", NULL,
          "200 {\"metadata\":{\"team\":\"x\",\"owner\":\"alice\"},"
          "\"thread_id\":\"made-1\"}");
    assert_string_equal(asked(t), "GET /threads/a, POST /threads/a/copy, "
                                  "PATCH /threads/made-1");
    same_json(t, body_asked(t, 2), "{\"metadata\":" MINE "}");
    comes(t, "POST", "/threads/b/copy", NULL, "409 Thread not found");
    comes(t, "POST", "/threads/none/copy", NULL, "409 Thread not found");
}

static void copies_that_bear_it(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has_thread(t, "a", MINE);
    assert_true(shows(asks(t, "POST", "/threads/a/copy", NULL)));
    assert_string_equal(asked(t), "GET /threads/a, POST /threads/a/copy");
}

static void copies_without_a_stamp(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    by_filter(t, "threads:read", "{\"team\":\"x\"}");
    has_thread(t, "a", "{\"team\":\"x\",\"owner\":\"bob\"}");
    says(t, "PATCH /threads/made-1", 422, "application/json", "{}");
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0702");
    assert_null(there(t, "/threads/made-1"));
    fails(t, "PATCH /threads/made-2", APR_TIMEUP);
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0702");
    assert_null(there(t, "/threads/made-2"));
    says(t, "POST /threads/a/copy", 200, "application/json", "{\"a\":1}");
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0702");
    says(t, "POST /threads/a/copy", 200, "text/plain", "copied");
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0702");
}

/* What equality cannot say must hold for the copy nevertheless. */
static void copies_must_match(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "a", THEIRS);
    has_thread(t, "b", "{\"owner\":\"bob\",\"team\":\"x\"}");
    by_filter(t, "threads:create",
              "{\"$or\":[{\"owner\":\"alice\"},{\"team\":\"x\"}]}");
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0708");
    assert_null(there(t, "/threads/made-1"));
    assert_true(shows(asks(t, "POST", "/threads/b/copy", NULL)));
    by_filter(t, "threads:create",
              "{\"$and\":[{\"owner\":\"alice\"},{\"owner\":\"bob\"}]}");
    comes(t, "POST", "/threads/a/copy", NULL, "AGA0708");
    by_filter(t, "threads:create", NULL);
    comes(t, "POST", "/threads/a/copy", NULL, "go");
}

/* What handlers say of a copy is put into it. */
static void copies_as_handlers_say(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "a", THEIRS);
    comes(t, "POST", "/threads/a/copy", NULL, "go");
    assert_string_equal(t->verdict.decisions[1].action, "create");
    t->verdict.decisions[0].set = parsed(t, "{\"metadata\":{\"no\":1}}");
    t->verdict.decisions[1].set = parsed(t, "{\"metadata\":{\"from\":1}}");
    assert_string_equal(carries(t, NULL),
                        "200 {\"metadata\":{\"owner\":\"bob\",\"from\":1},"
                        "\"thread_id\":\"made-1\"}");
}

/* -------------------------------------------------------------------- runs */

static void runs_are_remembered(void **state)
{
    enforce_t *t = *state;

    has(t, "/assistants/sys", "{\"assistant_id\":\"sys\"}");
    t->location = "/runs/" ONE;
    comes(t, "POST", "/runs", "{\"assistant_id\":\"sys\"}", "go");
    t->location = "/threads/t/runs/" TWO "/join?x=1";
    comes(t, "POST", "/runs/stream", "{\"assistant_id\":\"sys\"}", "go");
    t->location = NULL;
    comes(t, "GET", "/runs/" ONE "/stream", NULL, "go");
    comes(t, "GET", "/runs/" TWO "/stream", NULL, "go");
    comes(t, "GET", "/runs/11111111-2222-4333-8444-AAAAAAAAAAA1/stream", NULL,
          "go");
    comes(t, "GET", "/runs/11111111-2222-4333-8444-aaaaaaaaaaa3/stream", NULL,
          "404 Run not found");
    t->user = "bob";
    comes(t, "GET", "/runs/" ONE "/stream", NULL, "404 Run not found");
    assert_string_equal(asked(t), "");
}

/* Only rows that say so remember. */
static void other_locations(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "own", "{}");
    t->location = "/threads/own/runs/" ONE;
    comes(t, "GET", "/threads/own/state", NULL, "go");
    comes(t, "GET", "/runs/" ONE "/stream", NULL, "404 Run not found");
}

static void runs_of_a_batch(void **state)
{
    enforce_t *t = *state;
    const char *body =
        "[{\"assistant_id\":\"sys\"},{\"assistant_id\":\"sys\"}]";

    has(t, "/assistants/sys", "{\"assistant_id\":\"sys\"}");
    assert_true(shows(asks(t, "POST", "/runs/batch", body)));
    comes(t, "GET", "/runs/made-1/stream", NULL, "go");
    comes(t, "GET", "/runs/made-2/stream", NULL, "go");
    comes(t, "GET", "/runs/made-3/stream", NULL, "404 Run not found");
    says(t, "POST /runs/batch", 422, "application/json",
         "[{\"run_id\":\"made-3\"}]");
    comes(t, "POST", "/runs/batch", body, "422 [{\"run_id\":\"made-3\"}]");
    comes(t, "GET", "/runs/made-3/stream", NULL, "404 Run not found");
    says(t, "POST /runs/batch", 200, "application/json", "[{\"run_id\":7},1]");
    assert_true(shows(asks(t, "POST", "/runs/batch", body)));
    says(t, "POST /runs/batch", 200, "text/plain", "runs");
    comes(t, "POST", "/runs/batch", body, "AGA0702");
    says(t, "POST /runs/batch", 500, "text/plain", "runs");
    comes(t, "POST", "/runs/batch", body, "AGA0702");
}

/* ------------------------------------------------------------------- rules */

static void rows_without_a_rule(void **state)
{
    enforce_t *t = *state;

    on_map(t, "route { 'GET', '/a', events = { { 'a', 'read' } } }\n"
              "route { 'GET', '/b', events = { { 'a', 'read' } },"
              "  enforce = { refuse = 'it cannot be' } }");
    comes(t, "GET", "/a", NULL, "go");
    comes(t, "GET", "/b", NULL, "AGA0211");
    by_filter(t, "*", MINE);
    comes(t, "GET", "/a", NULL, "AGA0706");
    comes(t, "GET", "/b", NULL, "AGA0211");
}

static void opened_rows(void **state)
{
    enforce_t *t = *state;

    comes(t, "DELETE", "/runs/crons/1", NULL, "AGA0211");
    t->task.opened = 1;
    assert_string_equal(carries(t, NULL), "go");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BACKEND(objects_are_looked_at),
        WITH_BACKEND(known_objects_go_on),
        WITH_BACKEND(heads_are_looked_at),
        WITH_BACKEND(queries_are_no_facts),
        WITH_BACKEND(both_are_hidden_alike),
        WITH_BACKEND(items_of_the_store),
        WITH_BACKEND(made_objects),
        WITH_BACKEND(bad_answers),
        WITH_BACKEND(no_answers),
        WITH_BACKEND(copies_are_stamped),
        WITH_BACKEND(copies_that_bear_it),
        WITH_BACKEND(copies_without_a_stamp),
        WITH_BACKEND(copies_must_match),
        WITH_BACKEND(copies_as_handlers_say),
        WITH_BACKEND(runs_are_remembered),
        WITH_BACKEND(other_locations),
        WITH_BACKEND(runs_of_a_batch),
        WITH_BACKEND(rows_without_a_rule),
        WITH_BACKEND(opened_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
