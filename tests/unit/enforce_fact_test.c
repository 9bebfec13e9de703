/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of objects: facts, and ids of those that were deleted. */
#include "apr_strings.h"
#include "enforce_stage.h"
#include "model/limits.h"

/* "own" is alice's, "bob" is bob's. */
static void furnish(enforce_t *t)
{
    by_filter(t, "*", MINE);
    has_thread(t, "own", MINE);
    has_thread(t, "bob", THEIRS);
}

/* What own objects are answered with: not what hides. */
static int lets_in(const char *what)
{
    return !strcmp(what, "go") || !strncmp(what, "200 ", 4);
}

/* ------------------------------------------------------------------- facts */

/* For whoever is let in; who is refused costs a question each time. */
static void facts_are_kept(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "GET", "/threads/own/state", NULL, "go");
    assert_string_equal(asked(t), "GET /threads/own");
    comes(t, "GET", "/threads/own/history", NULL, "go");
    assert_string_equal(asked(t), "");
    comes(t, "GET", "/threads/bob/state", NULL,
          "404 Thread with ID bob not found");
    comes(t, "GET", "/threads/bob/state", NULL,
          "404 Thread with ID bob not found");
    assert_string_equal(asked(t), "GET /threads/bob");
    t->user = "bob";
    by_filter(t, "*", THEIRS);
    comes(t, "GET", "/threads/bob/state", NULL, "go");
    assert_string_equal(asked(t), "");
    comes(t, "GET", "/threads/own/state", NULL,
          "404 Thread with ID own not found");
    assert_string_equal(asked(t), "GET /threads/own");
}

static void facts_end(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "GET", "/threads/own/state", NULL, "go");
    comes(t, "PATCH", "/threads/own", "{\"metadata\":{}}", "go");
    has_thread(t, "own", THEIRS); /* as the backend did with the PATCH */
    comes(t, "GET", "/threads/own/state", NULL,
          "404 Thread with ID own not found");
    has_thread(t, "own", MINE);
    t->now += AA_OBJECT_FACT_TTL + 1;
    comes(t, "GET", "/threads/own/state", NULL, "go");
    assert_string_equal(asked(t), "GET /threads/own");
}

/* That something is missing is asked for each time: it may be made. */
static void missing_is_no_fact(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "GET", "/threads/none/state", NULL,
          "404 Thread with ID none not found");
    has_thread(t, "none", MINE);
    comes(t, "GET", "/threads/none/state", NULL, "go");
}

/* The request itself still changes it: facts learnt meanwhile do not last. */
static void facts_during_a_change(void **state)
{
    enforce_t *t = *state;
    aa_task_t change;
    aa_object_key_t key;
    const char *fact;
    aa_fact_mark_t mark = {.len = 0};

    furnish(t);
    comes(t, "GET", "/threads/own/state", NULL, "go");
    assert_string_equal(begins(t, "DELETE", "/threads/own", NULL), "go");
    change = t->task;
    assert_false(is_free(t, "/threads/own"));
    assert_int_equal(aa_task_key(&key, &t->task, "/threads/own"), APR_SUCCESS);
    assert_int_equal(
        aa_object_recall(&fact, &mark, t->objects, &key, t->now, t->p),
        APR_ENOENT);
    aa_object_remember(t->objects, &key, aa_object_version(t->objects, &key),
                       "{}", 2, t->now);
    aa_enforce_end(&change, NULL);
    assert_int_equal(
        aa_object_recall(&fact, &mark, t->objects, &key, t->now, t->p),
        APR_ENOENT);
    has_thread(t, "own", THEIRS);
    comes(t, "GET", "/threads/own/state", NULL,
          "404 Thread with ID own not found");
}

/* Two spellings of one UUID are one lock, but for some backends two objects:
 * what is known of the one says nothing of the other. */
static void spellings_have_facts_of_their_own(void **state)
{
    enforce_t *t = *state;
    const char *upper = "/threads/11111111-2222-4333-8444-AAAAAAAAAAA1";

    by_filter(t, "*", MINE);
    has_thread(t, ONE, THEIRS);
    has_thread(t, strrchr(upper, '/') + 1, MINE);
    comes(t, "GET", apr_pstrcat(t->p, upper, "/state", NULL), NULL, "go");
    comes(t, "GET", "/threads/" ONE "/state", NULL,
          "404 Thread with ID " ONE " not found");
    assert_true(lets_in(asks(t, "GET", upper, NULL)));
    assert_true(lets_in(asks(t, "GET", upper, NULL))); /* from facts */
    assert_string_equal(asked(t), "");
    comes(t, "GET", "/threads/" ONE, NULL,
          "404 Thread with ID " ONE " not found");
}

static void spellings_have_one_lock(void **state)
{
    static const char *const spellings[] = {
        ("{" ONE "}"),
        ("urn:uuid:" ONE),
        ("uuid:" ONE "urn:"),
        "11111111222243338444aaaaaaaaaaa1",
        "11111111-2222-4333-8444-AAAAAAAAAAA1",
        "11111111-2222-uuid:4333-8444-AAAAAAAAAAA1"};
    enforce_t *t = *state;

    for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
        by_filter(t, "*", MINE);
        has(t,
            apr_pstrcat(t->p, "/threads/",
                        aa_percent_encode(spellings[i], t->p), NULL),
            "{\"metadata\":" MINE "}");
        assert_string_equal(
            begins(t, "DELETE",
                   apr_pstrcat(t->p, "/threads/", spellings[i], NULL), NULL),
            "go");
        assert_false(is_free(t, "/threads/11111111222243338444aaaaaaaaaaa1"));
        assert_true(is_free(t, "/threads/11111111222243338444aaaaaaaaaaa2"));
        aa_enforce_end(&t->task, NULL);
    }
}

/* The name of a graph leads to an assistant that has another name: no write to
 * it would end what is known by the alias. */
static void aliases_have_no_facts(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    has(t, "/assistants/agent",
        "{\"assistant_id\":\"" ONE "\",\"graph_id\":\"agent\","
        "\"name\":\"agent\",\"metadata\":" MINE "}");
    comes(t, "GET", "/assistants/agent/graph", NULL, "go");
    comes(t, "GET", "/assistants/agent/graph", NULL, "go");
    assert_string_equal(asked(t), "GET /assistants/agent");
}

/* Two rows may look at different sides of one object. */
static void facts_are_of_one_view(void **state)
{
    enforce_t *t = *state;

    on_map(t, "route { 'GET', '/d/{id}/meta', events = { { 'd', 'read' } },"
              "  enforce = { ask_first = '/d/{id}', match = 'metadata' } }\n"
              "route { 'GET', '/d/{id}/self', events = { { 'd', 'read' } },"
              "  enforce = { ask_first = '/d/{id}', match = '.' } }\n"
              "route { 'GET', '/d/{id}/in/{of}',"
              "  events = { { 'd', 'read' } },"
              "  enforce = { ask_first = { '/d/{id}', same = { of = '{of}' } },"
              "              match = '.' } }");
    by_filter(t, "*", MINE);
    has(t, "/d/1",
        "{\"id\":\"1\",\"of\":\"x\",\"owner\":\"bob\",\"metadata\":"
        "" MINE "}");
    has(t, "/d/2",
        "{\"id\":\"2\",\"of\":\"x\",\"owner\":\"alice\",\"metadata\":{}}");
    comes(t, "GET", "/d/1/meta", NULL, "go");
    assert_int_equal(strncmp(asks(t, "GET", "/d/1/self", NULL), "404", 3), 0);
    assert_int_equal(strncmp(asks(t, "GET", "/d/2/meta", NULL), "404", 3), 0);
    comes(t, "GET", "/d/2/self", NULL, "go");
    comes(t, "GET", "/d/2/in/x", NULL, "go");
    assert_int_equal(strncmp(asks(t, "GET", "/d/2/in/y", NULL), "404", 3), 0);
}

/* ---------------------------------------------------------- deleted threads */

#define IS_THERE "409 Thread already exists"

/* Each way to make a thread of an id that was another's is closed, and open
 * for its own. */
static void deleted_ids_stay_theirs(void **state)
{
    static const char own_run[] =
        "{\"assistant_id\":\"own\",\"if_not_exists\":\"create\"}";
    enforce_t *t = *state;

    furnish(t);
    comes(t, "DELETE", "/threads/own", NULL, "go");
    json_object_del(t->fake.objects, "/threads/own");
    t->user = "bob";
    by_filter(t, "*", THEIRS);
    has(t, "/assistants/own",
        "{\"assistant_id\":\"own\",\"metadata\":" THEIRS "}");
    comes(t, "POST", "/threads", "{\"thread_id\":\"own\"}", IS_THERE);
    comes(t, "POST", "/threads/own/runs", own_run,
          "404 Thread with ID own not found");
    comes(t, "POST", "/threads/own/stream/events", "{}",
          "404 Thread with ID own not found");
    by_filter(t, "*", NULL); /* not even who may see all */
    comes(t, "POST", "/threads", "{\"thread_id\":\"own\"}", IS_THERE);
    assert_null(there(t, "/threads/own"));
    by_filter(t, "*", THEIRS);
    assert_true(
        lets_in(asks(t, "POST", "/threads", "{\"thread_id\":\"free\"}")));
    t->user = "alice";
    by_filter(t, "*", MINE);
    assert_true(
        lets_in(asks(t, "POST", "/threads", "{\"thread_id\":\"own\"}")));
}

/* Whoever sees the one that is there is not kept from it. */
static void deleted_ids_that_are_there_again(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "DELETE", "/threads/own", NULL, "go");
    t->user = "root";
    by_filter(t, "*", NULL);
    comes(t, "POST", "/threads",
          "{\"thread_id\":\"own\",\"if_exists\":\"do_nothing\"}", "go");
    comes(t, "PATCH", "/threads/own", "{}", "go");
}

/* A refused deletion is none; nor is that of something else. */
static void only_deletions_retire(void **state)
{
    enforce_t *t = *state;

    furnish(t);
    comes(t, "DELETE", "/threads/bob", NULL,
          "404 Thread with ID bob not found");
    json_object_del(t->fake.objects, "/threads/bob");
    comes(t, "PATCH", "/threads/own", "{}", "go");
    json_object_del(t->fake.objects, "/threads/own");
    t->user = "bob";
    by_filter(t, "*", THEIRS);
    assert_true(
        lets_in(asks(t, "POST", "/threads", "{\"thread_id\":\"bob\"}")));
    assert_true(
        lets_in(asks(t, "POST", "/threads", "{\"thread_id\":\"own\"}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BACKEND(facts_are_kept),
        WITH_BACKEND(facts_end),
        WITH_BACKEND(missing_is_no_fact),
        WITH_BACKEND(facts_during_a_change),
        WITH_BACKEND(spellings_have_facts_of_their_own),
        WITH_BACKEND(spellings_have_one_lock),
        WITH_BACKEND(aliases_have_no_facts),
        WITH_BACKEND(facts_are_of_one_view),
        WITH_BACKEND(deleted_ids_stay_theirs),
        WITH_BACKEND(deleted_ids_that_are_there_again),
        WITH_BACKEND(only_deletions_retire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
