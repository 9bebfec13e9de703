/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: every row of the shared vectors, and conjunctions of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "agentpolicy.h"

static apr_pool_t *root;
static json_t *vectors;

static json_t *normal_of(const json_t *filter, apr_pool_t *p)
{
    const char *why = NULL;
    json_t *normal = NULL;

    if (aa_filter_normalise(&normal, &why, filter, p) != APR_SUCCESS) {
        assert_null(normal);
        assert_non_null(why);
    }
    return normal;
}

static json_t *parsed(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(json);
    return json;
}

/* One row of tests/vectors/filters.json. */
static void vector(void **state)
{
    const json_t *row = *state, *want = json_object_get(row, "normal");
    apr_pool_t *p;
    json_t *normal, *again;

    apr_pool_create(&p, root);
    normal = normal_of(json_object_get(row, "filter"), p);
    if (json_is_true(json_object_get(row, "error")))
        assert_null(normal);
    else {
        assert_non_null(normal);
        if (want)
            assert_true(json_equal(normal, want));
        again = normal_of(normal, p);
        assert_true(json_equal(normal, again));
        assert_int_equal(
            aa_filter_match(normal, json_object_get(row, "metadata")),
            json_is_true(json_object_get(row, "match")));
    }
    apr_pool_destroy(p);
}

/* Any two filters together hold exactly where both hold, and the conjunction
 * is a filter again. */
static void and_holds_where_both_hold(void **state)
{
    json_t *before = NULL, *both, *normal, *row, *metadata;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, row)
    {
        normal = normal_of(json_object_get(row, "filter"), root);
        metadata = json_object_get(row, "metadata");
        if (!normal)
            continue;
        both = aa_filter_and(before, normal, root);
        assert_int_equal(aa_filter_match(both, metadata),
                         aa_filter_match(normal, metadata) &&
                             (!before || aa_filter_match(before, metadata)));
        if (json_object_size(normal) < 20 &&
            json_dumpb(both, NULL, 0, 0) < AA_FILTER_BYTES_MAX)
            assert_non_null(normal_of(both, root));
        if (json_object_size(normal) < 5 && json_dumpb(normal, NULL, 0, 0) < 99)
            before = normal;
    }
}

static const struct {
    const char *name, *a, *b, *both; /* "" is NULL: all */
} ands[] = {
    {"all and all", "", "", ""},
    {"all and a filter", "", "{\"a\":1}", "{\"a\":1}"},
    {"a filter and all", "{\"a\":1}", "", "{\"a\":1}"},
    {"equal ones", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}"},
    {"different ones", "{\"a\":1}", "{\"b\":2}",
     "{\"$and\":[{\"a\":1},{\"b\":2}]}"},
    {"the same key keeps both", "{\"a\":1}", "{\"a\":2}",
     "{\"$and\":[{\"a\":1},{\"a\":2}]}"},
    {"flattened left", "{\"$and\":[{\"a\":1},{\"b\":2}]}", "{\"c\":3}",
     "{\"$and\":[{\"a\":1},{\"b\":2},{\"c\":3}]}"},
    {"flattened right", "{\"c\":3}", "{\"$and\":[{\"a\":1},{\"b\":2}]}",
     "{\"$and\":[{\"c\":3},{\"a\":1},{\"b\":2}]}"},
    {"a part that is there", "{\"$and\":[{\"a\":1},{\"b\":2}]}", "{\"b\":2}",
     "{\"$and\":[{\"a\":1},{\"b\":2}]}"},
    {"collapses", "{\"$and\":[{\"a\":1},{\"a\":1}]}", "{\"a\":1}", "{\"a\":1}"},
    {"$or stays a part", "{\"$or\":[{\"a\":1},{\"b\":2}]}", "{\"a\":1}",
     "{\"$and\":[{\"$or\":[{\"a\":1},{\"b\":2}]},{\"a\":1}]}"},
    {"$and beside a key stays a part",
     "{\"k\":1,\"$and\":[{\"a\":1},{\"b\":2}]}", "{\"a\":1}",
     "{\"$and\":[{\"k\":1,\"$and\":[{\"a\":1},{\"b\":2}]},{\"a\":1}]}"},
};

static void conjunctions(void **state)
{
    json_t *a, *b, *got, *want;
    apr_pool_t *p;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(ands) / sizeof(*ands); i++) {
        print_message("%s\n", ands[i].name);
        apr_pool_create(&p, root);
        a = *ands[i].a ? parsed(ands[i].a) : NULL;
        b = *ands[i].b ? parsed(ands[i].b) : NULL;
        want = *ands[i].both ? parsed(ands[i].both) : NULL;
        got = aa_filter_and(a, b, p);
        if (want)
            assert_true(json_equal(got, want));
        else
            assert_null(got);
        /* The result outlives what it was made of. */
        json_decref(a);
        json_decref(b);
        if (got)
            assert_non_null(json_dumpb(got, NULL, 0, 0) ? got : NULL);
        apr_pool_destroy(p);
        json_decref(want);
    }
}

/* What was never checked matches nothing, and neither does no metadata. */
static void unchecked_never_matches(void **state)
{
    static const char *const filters[] = {"{}",
                                          "[]",
                                          "true",
                                          "\"owner\"",
                                          "{\"$or\":[]}",
                                          "{\"$and\":[]}",
                                          "{\"owner\":{}}",
                                          "{\"owner\":{\"$ne\":\"bob\"}}",
                                          "{\"owner\":[\"alice\"]}",
                                          "{\"tags\":{\"$contains\":[]}}",
                                          "{\"$nor\":[{\"owner\":\"bob\"}]}"};
    json_t *metadata = parsed("{\"owner\":\"alice\",\"tags\":[\"a\"]}"),
           *filter;
    size_t i;

    (void)state;
    assert_int_equal(aa_filter_match(NULL, metadata), 0);
    for (i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
        print_message("%s\n", filters[i]);
        filter = parsed(filters[i]);
        assert_int_equal(aa_filter_match(filter, metadata), 0);
        json_decref(filter);
    }
    filter = parsed("{\"owner\":\"alice\"}");
    assert_int_equal(aa_filter_match(filter, metadata), 1);
    assert_int_equal(aa_filter_match(filter, NULL), 0);
    json_decref(filter);
    json_decref(metadata);
}

/* What JSON text cannot say, but a policy's value can. */
static void values_of_a_policy(void **state)
{
    json_t *filter = json_object();

    (void)state;
    assert_null(normal_of(NULL, root));
    json_object_set_new(filter, "k", json_stringn("a\0b", 3));
    assert_null(normal_of(filter, root));
    json_object_set_new(filter, "k", json_string_nocheck("\xff"));
    assert_null(normal_of(filter, root));
    json_object_set_new(filter, "k", json_real(9007199254740994.0));
    assert_null(normal_of(filter, root));
    json_object_set_new(filter, "k", json_real(9007199254740992.0));
    assert_non_null(normal_of(filter, root));
    json_object_set_new(filter, "k", json_string("a"));
    assert_non_null(normal_of(filter, root));
    json_decref(filter);
}

/* The message names the key and the fault. */
static void messages(void **state)
{
    json_t *filter = parsed("{\"owner\":{\"$in\":[\"a\"]}}"), *normal;
    const char *why = NULL;

    (void)state;
    assert_int_equal(aa_filter_normalise(&normal, &why, filter, root),
                     APR_EINVAL);
    assert_string_equal(why,
                        "'owner': unknown operator '$in' ($eq or $contains)");
    json_decref(filter);
}

static void load(const char *name)
{
    const char *srcdir = getenv("srcdir");
    json_error_t error;

    vectors = json_load_file(
        apr_pstrcat(root, srcdir ? srcdir : ".", "/tests/vectors/", name, NULL),
        JSON_REJECT_DUPLICATES, &error);
    if (!vectors) {
        print_error("%s:%d: %s\n", name, error.line, error.text);
        exit(1);
    }
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(and_holds_where_both_hold),
        cmocka_unit_test(conjunctions),
        cmocka_unit_test(unchecked_never_matches),
        cmocka_unit_test(values_of_a_policy),
        cmocka_unit_test(messages),
    };
    const size_t nothers = sizeof(others) / sizeof(*others);
    struct CMUnitTest *tests, one = {0};
    json_t *row;
    size_t i;
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    load("filters.json");
    if (json_array_size(vectors) < 300)
        return 1;
    tests = calloc(json_array_size(vectors) + nothers, sizeof(*tests));
    json_array_foreach(vectors, i, row)
    {
        one.name = json_string_value(json_object_get(row, "name"));
        one.test_func = vector;
        one.initial_state = row;
        tests[i] = one;
    }
    memcpy(tests + i, others, sizeof(others));
    failed = _cmocka_run_group_tests("filters", tests, i + nothers, NULL, NULL);
    free(tests);
    json_decref(vectors);
    apr_pool_destroy(root);
    apr_terminate();
    return failed != 0; /* 256 failures would look like none */
}
