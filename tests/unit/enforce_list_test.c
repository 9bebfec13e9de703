/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and counts that are filtered here, against what brute force finds. */
#include <stdlib.h>
#include <sys/time.h>

#include "apr_strings.h"
#include "enforce_stage.h"
#include "model/limits.h"

/* Beyond equality, so that everything is looked at. */
#define SHARED "{\"readers\":{\"$contains\":\"alice\"}}"

/* In place of APR's: each look at the clock may take as long as a test says. */
static apr_time_t step, ahead;

apr_time_t apr_time_now(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    ahead += step;
    return now.tv_sec * SECOND + now.tv_usec + ahead;
}

static unsigned dice(unsigned sides)
{
    static unsigned seed = 20;

    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % sides;
}

/* ------------------------------------------------------------ brute force */

static json_t *some_metadata(enforce_t *t)
{
    static const char *const owners[] = {"alice", "bob", "carol"};
    json_t *metadata = parsed(t, "{}");

    if (dice(8))
        json_object_set_new(metadata, "owner", json_string(owners[dice(3)]));
    if (dice(3))
        json_object_set_new(metadata, "n", json_integer(dice(4)));
    if (dice(2))
        json_object_set_new(
            metadata, "readers",
            json_pack("[s,s]", owners[dice(3)], owners[dice(3)]));
    return metadata;
}

static void has_many(enforce_t *t, int n)
{
    for (int i = 0; i < n; i++) {
        const char *id = apr_psprintf(t->p, "t%d", i);
        json_t *object = json_pack("{s:s,s:O,s:i}", "thread_id", id, "metadata",
                                   some_metadata(t), "values", i);

        json_object_set_new(t->fake.objects,
                            apr_pstrcat(t->p, "/threads/", id, NULL), object);
    }
}

static json_t *some_filter(enforce_t *t)
{
    static const char *const filters[] = {
        SHARED,
        MINE,
        "{\"n\":2}",
        "{\"owner\":null}",
        "{\"$or\":[{\"owner\":\"bob\"},{\"n\":1}]}",
        "{\"$and\":[{\"owner\":\"alice\"},{\"n\":3}]}",
        "{\"owner\":\"alice\",\"readers\":{\"$contains\":[\"bob\"]}}",
        "{\"$or\":[{\"n\":0},{\"$and\":[{\"owner\":\"bob\"},{\"n\":3}]}]}",
        "{\"$and\":[{\"owner\":\"alice\"},{\"owner\":\"bob\"}]}"};

    return parsed(t, filters[dice(sizeof(filters) / sizeof(*filters))]);
}

/* What may be seen of all there is, from offset on, at most limit. */
static json_t *by_force(enforce_t *t, const json_t *wanted, long offset,
                        long limit)
{
    json_t *list = parsed(t, "[]"), *object;
    const json_t *filter = json_object_get(t->filters, "*");
    const char *path;

    json_object_foreach(t->fake.objects, path, object)
    {
        const json_t *metadata = json_object_get(object, "metadata");

        if (!aa_filter_match(filter, metadata) ||
            (wanted && !aa_member_has(metadata, wanted)) || offset-- > 0)
            continue;
        if ((long)json_array_size(list) < limit)
            json_array_append(list, object);
    }
    return list;
}

/* What goes on is answered by the backend itself. */
static json_t *finally(enforce_t *t, const char *target)
{
    aa_backend_answer_t answer;
    const char *why;

    assert_int_equal(t->rv, APR_SUCCESS);
    if (t->task.reply)
        return parsed(t, body_of(t));
    assert_int_equal(t->fake.backend.ask(&t->fake.backend, &answer, &why,
                                         "POST", target, t->task.body,
                                         t->task.body_len, t->p),
                     APR_SUCCESS);
    return parsed(t, answer.body);
}

static void searches_find_what_matches(void **state)
{
    enforce_t *t = *state;

    has_many(t, 230);
    for (int i = 0; i < 150; i++) {
        long limit = dice(40), offset = dice(60);
        json_t *wanted = dice(3) ? NULL : parsed(t, "{\"n\":2}");
        json_t *body = json_pack("{s:i,s:i,s:O*}", "limit", (int)limit,
                                 "offset", (int)offset, "metadata", wanted);
        const char *text = json_dumps(body, 0);
        json_t *is, *shall;

        by_json(t, "*", some_filter(t));
        asks(t, "POST", "/threads/search", text);
        is = finally(t, "/threads/search");
        shall = by_force(t, wanted, offset, limit);
        if (!json_equal(is, shall))
            fail_msg("%d: %s under %s: %s", i, text,
                     json_dumps(json_object_get(t->filters, "*"), 0),
                     json_dumps(is, 0));
        free((char *)text);
        json_decref(body);
    }
}

static void counts_count_what_matches(void **state)
{
    enforce_t *t = *state;

    has_many(t, 230);
    for (int i = 0; i < 40; i++) {
        json_t *wanted = dice(3) ? NULL : parsed(t, "{\"n\":2}");
        const char *body = wanted ? "{\"metadata\":{\"n\":2}}" : "{}";
        json_t *filter = some_filter(t);
        size_t shall;

        by_json(t, "*", filter);
        asks(t, "POST", "/threads/count", body);
        shall = json_array_size(by_force(t, wanted, 0, 1000));
        if (t->task.reply)
            assert_int_equal(atol(body_of(t)), shall);
        else /* equality: the backend's own search counts */
            assert_true(
                aa_member_has(json_object_get(t->task.json, "metadata"),
                              json_object_get(filter, "$and") ? NULL : filter));
    }
}

/* In a query it is the same. */
static void lists_by_query(void **state)
{
    enforce_t *t = *state;

    on_map(t, "crud");
    by_filter(t, "*", MINE);
    for (int i = 0; i < 250; i++)
        has(t, apr_psprintf(t->p, "/items/%d", i),
            "{\"id\":%d,\"owner\":\"%s\"}", i, i % 3 ? "bob" : "alice");
    comes(t, "GET", "/items?limit=3&offset=1&x=a%20b", NULL,
          "200 [{\"id\":3,\"owner\":\"alice\"},{\"id\":6,\"owner\":\"alice\"},"
          "{\"id\":9,\"owner\":\"alice\"}]");
    assert_string_equal(asked(t), "GET /items?limit=100&offset=0&x=a%20b");
    asks(t, "GET", "/items?limit=100", NULL);
    assert_int_equal(json_array_size(parsed(t, body_of(t))), 84);
    comes(t, "GET", "/items?limit=1&offset=84", NULL, "200 []");
    comes(t, "GET", "/items?limit=1&offset=83", NULL,
          "200 [{\"id\":249,\"owner\":\"alice\"}]");
    comes(t, "HEAD", "/items?limit=1", NULL,
          "200 [{\"id\":0,\"owner\":\"alice\"}]");
    assert_string_equal(asked(t), "GET /items?limit=100&offset=0");
}

/* ------------------------------------------------------------------- pages */

static void pages_of_the_backend(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    for (int i = 0; i < AA_LIST_PAGE; i++)
        has_thread(t, apr_psprintf(t->p, "t%d", i),
                   "{\"readers\":[\"alice\"]}");
    asks(t, "POST", "/threads/search", "{\"limit\":1000}");
    assert_int_equal(json_array_size(parsed(t, body_of(t))), AA_LIST_PAGE);
    assert_string_equal(asked(t), "POST /threads/search, POST /threads/search");
    same_json(t, body_asked(t, 0), "{\"limit\":100,\"offset\":0}");
    same_json(t, body_asked(t, 1), "{\"limit\":100,\"offset\":100}");
    asks(t, "POST", "/threads/search", "{\"limit\":99}");
    assert_string_equal(asked(t), "POST /threads/search");
    asks(t, "POST", "/threads/search", NULL); /* 10 is what it has by default */
    assert_int_equal(json_array_size(parsed(t, body_of(t))), 10);
    comes(t, "POST", "/threads/search", "{\"limit\":0}", "200 []");
    assert_string_equal(asked(t), "");
}

static void numbers_of_pages(void **state)
{
    static const char *const bodies[][2] = {
        {"{\"limit\":1000,\"offset\":1000000}", "200 []"},
        {"{\"limit\":null,\"offset\":null}", "200 []"},
        {"{\"limit\":1001}", "AGA0709"},
        {"{\"limit\":-1}", "AGA0709"},
        {"{\"offset\":-1}", "AGA0709"},
        {"{\"offset\":1000001}", "AGA0709"},
        {"{\"limit\":1.5}", "AGA0709"},
        {"{\"limit\":true}", "AGA0709"},
        {"{\"limit\":[]}", "AGA0709"},
        {"{\"limit\":\"99999999999999999999\"}", "AGA0709"}};
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        comes(t, "POST", "/threads/search", bodies[i][0], bodies[i][1]);
}

/* What tells of pages speaks of what may be seen only. */
static void totals_and_next_pages(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    for (int i = 0; i < 9; i++)
        has_thread(t, apr_psprintf(t->p, "t%d", i),
                   i % 3 ? "{}" : "{\"readers\":[\"alice\"]}");
    asks(t, "POST", "/threads/search", "{\"limit\":2}");
    assert_string_equal(header_of(t, "x-pagination-next"), "2");
    assert_string_equal(header_of(t, "x-pagination-total"), "3");
    asks(t, "POST", "/threads/search", "{\"limit\":2,\"offset\":2}");
    assert_null(header_of(t, "x-pagination-next"));
    assert_string_equal(header_of(t, "x-pagination-total"), "3");
}

/* ------------------------------------------------------------------ fields */

/* Metadata that was not asked for is fetched, and not shown. */
static void selected_fields(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    has_thread(t, "a", "{\"readers\":[\"alice\"]}");
    has_thread(t, "b", "{\"readers\":[\"bob\"]}");
    comes(t, "POST", "/threads/search", "{\"select\":[\"thread_id\"]}",
          "200 [{\"thread_id\":\"a\"}]");
    same_json(t, body_asked(t, 0),
              "{\"select\":[\"thread_id\",\"metadata\"],\"limit\":100,"
              "\"offset\":0}");
    comes(t, "POST", "/threads/search",
          "{\"select\":[\"metadata\",\"thread_id\"]}",
          "200 [{\"metadata\":{\"readers\":[\"alice\"]},\"thread_id\":\"a\"}]");
    comes(t, "POST", "/threads/search", "{\"select\":\"thread_id\"}",
          "200 [{\"thread_id\":\"a\",\"metadata\":{\"readers\":[\"alice\"]}}]");
}

/* Elements are shown as the backend wrote them. */
static void bytes_of_elements(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    says(t, "POST /threads/search", 200, "application/json",
         "[ {\"metadata\":{\"readers\":[\"alice\"] }, \"n\": 1.50},\n"
         "{\"metadata\":{\"readers\":[]}},\n7 , null,\"alice\",[\"alice\"] ]");
    comes(t, "POST", "/threads/search", "{}",
          "200 [{\"metadata\":{\"readers\":[\"alice\"] }, \"n\": 1.50}]");
}

static void lists_in_a_member(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", MINE);
    says(t, "POST /store/items/search", 200, "application/json",
         "{\"items\":[{\"key\":\"1\",\"value\":" MINE "},{\"key\":\"2\","
         "\"value\":" THEIRS "},{\"value\":\"alice\"},{\"owner\":\"alice\"}],"
         "\"of\":" THEIRS "}");
    comes(t, "POST", "/store/items/search", "{}",
          "200 {\"items\":[{\"key\":\"1\",\"value\":{\"owner\":\"alice\"}}]}");
    says(t, "POST /store/items/search", 200, "application/json",
         "{\"items\":[]}");
    comes(t, "POST", "/store/items/search", "{}", "200 {\"items\":[]}");
}

/* A namespace is a list; a filter sees it under that name. */
static void wrapped_elements(void **state)
{
    enforce_t *t = *state;

    says(t, "POST /store/namespaces", 200, "application/json",
         "{\"namespaces\":[[\"u\",\"alice\"],[\"u\",\"bob\"],[\"alice\"],7]}");
    by_filter(t, "*", "{\"namespace\":{\"$contains\":\"alice\"}}");
    comes(t, "POST", "/store/namespaces", "{}",
          "200 {\"namespaces\":[[\"u\",\"alice\"],[\"alice\"]]}");
    by_filter(t, "*", MINE);
    comes(t, "POST", "/store/namespaces", "{}", "200 {\"namespaces\":[]}");
    by_filter(t, "*", NULL);
    comes(t, "POST", "/store/namespaces", "{}", "go");
}

/* ------------------------------------------------------------------ bounds */

static void too_many_elements(void **state)
{
    enforce_t *t = *state;
    long pages = AA_LIST_ELEMENTS_MAX / AA_LIST_PAGE;

    by_filter(t, "*", SHARED);
    t->fake.deaf = 1;
    for (long i = 0; i < AA_LIST_ELEMENTS_MAX + AA_LIST_PAGE; i++)
        json_object_set_new(t->fake.objects,
                            apr_psprintf(t->p, "/threads/t%ld", i),
                            json_pack("{s:{}}", "metadata"));
    comes(t, "POST", "/threads/search", "{}", "AGA0705");
    assert_int_equal(json_array_size(t->fake.asked), pages + 1);
    for (long i = 0; i < AA_LIST_PAGE; i++)
        json_object_del(t->fake.objects,
                        apr_psprintf(t->p, "/threads/t%ld", i));
    comes(t, "POST", "/threads/search", "{}", "200 []");
    comes(t, "POST", "/threads/count", "{}", "200 0");
}

/* A full page of numbers, and much white space. */
static void too_many_bytes(void **state)
{
    enforce_t *t = *state;
    size_t size = 1024 * 1024;
    char *text = apr_palloc(t->p, size + 1);

    by_filter(t, "*", SHARED);
    memset(text, ' ', size);
    text[0] = '[';
    for (int i = 0; i < AA_LIST_PAGE; i++)
        memcpy(text + 1 + 2 * i, i ? ",0" : " 0", 2);
    text[size - 1] = ']';
    text[size] = '\0';
    says(t, "POST /threads/search", 200, "application/json", text);
    comes(t, "POST", "/threads/search", "{}", "AGA0705");
    assert_int_equal(json_array_size(t->fake.asked), AA_LIST_BYTES_MAX / size);
}

static void too_long(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    for (int i = 0; i < AA_LIST_PAGE; i++)
        has_thread(t, apr_psprintf(t->p, "t%d", i), "{}");
    step = AA_LIST_TIME_MAX / 3;
    comes(t, "POST", "/threads/search", "{}", "200 []");
    step = AA_LIST_TIME_MAX / 2;
    comes(t, "POST", "/threads/search", "{}", "AGA0705");
    step = 0;
    assert_string_equal(asked(t), "POST /threads/search");
}

/* Who answers the same to each page is not asked for ever. */
static void backends_that_do_not_page(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    t->fake.stubborn = 1;
    for (int i = 0; i < 150; i++)
        has_thread(t, apr_psprintf(t->p, "t%d", i), "{}");
    comes(t, "POST", "/threads/search", "{}", "AGA0705");
    json_object_clear(t->fake.objects);
    for (int i = 0; i < 50; i++)
        has_thread(t, apr_psprintf(t->p, "t%d", i), "{}");
    comes(t, "POST", "/threads/search", "{}", "200 []");
}

static void bad_lists(void **state)
{
    static const char *const lists[][2] = {
        {"[]", "200 []"},          {"{}", "AGA0702"},     {"null", "AGA0702"},
        {"{\"0\":{}}", "AGA0702"}, {"<html>", "AGA0702"}, {"", "AGA0702"},
        {"[{}", "AGA0702"},        {"[{}],", "AGA0702"},  {"7", "AGA0702"}};
    enforce_t *t = *state;

    by_filter(t, "*", SHARED);
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        says(t, "POST /threads/search", 200, "application/json", lists[i][0]);
        comes(t, "POST", "/threads/search", "{}", lists[i][1]);
    }
    says(t, "POST /threads/search", 422, "text/plain", "no");
    comes(t, "POST", "/threads/search", "{}", "422 no");
    says(t, "POST /threads/search", 500, "text/plain", "no");
    comes(t, "POST", "/threads/search", "{}", "AGA0702");
    says(t, "POST /store/items/search", 200, "application/json",
         "[{\"value\":" MINE "}]");
    comes(t, "POST", "/store/items/search", "{}", "AGA0702");
}

/* ---------------------------------------------------------------- equality */

static void equality_is_the_backends(void **state)
{
    enforce_t *t = *state;

    has_thread(t, "a", MINE);
    by_filter(t, "*", MINE);
    comes(t, "POST", "/threads/search", "{}", "go");
    assert_string_equal(asked(t), "");
    by_filter(t, "*", "{\"owner\":null}");
    comes(t, "POST", "/threads/search", "{}", "200 []");
    by_filter(t, "*", SHARED);
    comes(t, "POST", "/threads/search", "{\"metadata\":{\"x\":1}}", "200 []");
    same_json(t, body_asked(t, 0),
              "{\"metadata\":{\"x\":1},\"limit\":100,\"offset\":0}");
}

/* A mixture is restricted by its equality and looked at for the rest. */
static void mixtures(void **state)
{
    enforce_t *t = *state;

    by_filter(t, "*",
              "{\"owner\":\"alice\",\"readers\":{\"$contains\":\"bob\"}}");
    has_thread(t, "a", "{\"owner\":\"alice\",\"readers\":[\"bob\"]}");
    has_thread(t, "b", "{\"owner\":\"bob\",\"readers\":[\"bob\"]}");
    t->fake.deaf = 1; /* its answer is not believed either */
    asks(t, "POST", "/threads/search", "{}");
    assert_int_equal(json_array_size(parsed(t, body_of(t))), 1);
    same_json(t, body_asked(t, 0),
              "{\"metadata\":" MINE ",\"limit\":100,\"offset\":0}");
    comes(t, "POST", "/threads/count", "{}", "200 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BACKEND(searches_find_what_matches),
        WITH_BACKEND(counts_count_what_matches),
        WITH_BACKEND(lists_by_query),
        WITH_BACKEND(pages_of_the_backend),
        WITH_BACKEND(numbers_of_pages),
        WITH_BACKEND(totals_and_next_pages),
        WITH_BACKEND(selected_fields),
        WITH_BACKEND(bytes_of_elements),
        WITH_BACKEND(lists_in_a_member),
        WITH_BACKEND(wrapped_elements),
        WITH_BACKEND(too_many_elements),
        WITH_BACKEND(too_many_bytes),
        WITH_BACKEND(too_long),
        WITH_BACKEND(backends_that_do_not_page),
        WITH_BACKEND(bad_lists),
        WITH_BACKEND(equality_is_the_backends),
        WITH_BACKEND(mixtures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
