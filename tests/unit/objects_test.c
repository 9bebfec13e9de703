/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and facts: what is stale, old, torn or pushed out is not known. */
#include "apr_strings.h"
#include "base/crypto.h"
#include "crew.h"
#include "model/limits.h"
#include "share/facts.h"
#include "share/segment.h"
#include "stage.h"

#define TTL AA_OBJECT_FACT_TTL

/* Facts of one set of the table, which bytes 8 and 9 choose, unless `set`
 * differs; versions of their own. */
static aa_object_key_t key_of(int set, int number)
{
    aa_object_key_t key = {{0}};

    key.hash[8] = (unsigned char)set;
    key.hash[9] = (unsigned char)(set >> 8);
    key.hash[12] = (unsigned char)number;
    key.hash[13] = (unsigned char)(number >> 8);
    return key;
}

static aa_objects_t *opened(stage_t *stage)
{
    aa_objects_t *objects;

    assert_int_equal(
        aa_objects_open(&objects, stage->state.objects, stage->pool),
        APR_SUCCESS);
    return objects;
}

static void learn(aa_objects_t *objects, const aa_object_key_t *key,
                  const char *fact, apr_time_t now)
{
    aa_object_remember(objects, key, aa_object_version(objects, key), fact,
                       strlen(fact), now);
}

static const char *known(aa_objects_t *objects, const aa_object_key_t *key,
                         apr_time_t now, apr_pool_t *p)
{
    const char *fact = "unset";
    aa_fact_mark_t mark = {.len = 0};
    apr_status_t rv = aa_object_recall(&fact, &mark, objects, key, now, p);

    if (rv == APR_SUCCESS) {
        assert_int_equal(strlen(fact), mark.len);
        return fact;
    }
    assert_int_equal(rv, APR_ENOENT);
    assert_null(fact);
    assert_int_equal(mark.len, 0);
    return NULL;
}

/* ---------------------------------------------------------------- versions */

static int bump_many(stage_t *stage)
{
    aa_objects_t *own;
    aa_object_key_t key = key_of(0, 1);

    if (aa_objects_open(&own, stage->state.objects, stage->pool) != APR_SUCCESS)
        return 1;
    for (int i = 0; i < 1000; i++)
        aa_object_bump(own, &key);
    return 0;
}

static void versions_count_for_all(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t key = key_of(0, 1), other = key_of(0, 2);
    apr_uint64_t before = aa_object_version(objects, &key);

    assert_int_equal(stage_child(bump_many, stage, 0), 0);
    assert_int_equal(aa_object_version(objects, &key), before + 1000);
    assert_int_equal(aa_object_version(objects, &other), 0);
}

/* v: take the version; b: bump; r: remember with the version taken last */
static const struct {
    const char *steps;
    int known;
} order_rows[] = {
    {"", 0},        {"vr", 1},    {"vrb", 0},   {"vbr", 0},
    {"bvr", 1},     {"vbrb", 0},  {"bvrb", 0},  {"bvbr", 0},
    {"vbbr", 0},    {"vrbvr", 1}, {"vrbr", 0},  {"vbrvr", 1},
    {"bvrbvrb", 0}, {"vrvr", 1},  {"vbvrb", 0}, {"bbvr", 1},
};

static void facts_that_a_bump_overtook(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (size_t i = 0; i < sizeof(order_rows) / sizeof(*order_rows); i++) {
        aa_object_key_t key = key_of((int)i, (int)i);
        apr_uint64_t version = 0;

        print_message("order \"%s\"\n", order_rows[i].steps);
        for (const char *step = order_rows[i].steps; *step; step++)
            if (*step == 'v')
                version = aa_object_version(objects, &key);
            else if (*step == 'b')
                aa_object_bump(objects, &key);
            else
                aa_object_remember(objects, &key, version, "{}", 2, T0);
        assert_int_equal(known(objects, &key, T0, stage->pool) != NULL,
                         order_rows[i].known);
    }
}

/* The version in the table, not only the one at remembering, is compared. */
static void facts_carry_their_version(void **state)
{
    stage_t *stage = *state;
    aa_facts_t *facts = aa_segment_make(aa_facts_size, stage->pool);
    aa_object_key_t key = key_of(1, 1);
    const char *fact;
    aa_fact_mark_t mark = {.len = 0};

    aa_facts_put(facts, &key, 7, "{}", 2, T0);
    for (apr_uint64_t version = 6; version <= 8; version++)
        assert_int_equal(
            aa_facts_get(&fact, &mark, facts, &key, &version, T0, stage->pool),
            version == 7 ? APR_SUCCESS : APR_ENOENT);
}

/* l: learn, with a text of its own each time; b: bump; t: time passes; then
 * whoever has read it before is told "the same", reads anew, or knows nothing
 */
static const struct {
    const char *steps;
    const char *again;
} same_rows[] = {
    {"", "same"},  {"b", "none"}, {"l", "new"},   {"bl", "new"},
    {"t", "none"}, {"tl", "new"}, {"lb", "none"}, {"o", "same"},
};

static void facts_are_known_again(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (size_t i = 0; i < sizeof(same_rows) / sizeof(*same_rows); i++) {
        aa_object_key_t key = key_of((int)i, (int)i);
        aa_object_key_t other = key_of((int)i, (int)i + 100);
        aa_fact_mark_t mark = {.len = 0};
        apr_time_t now = T0;
        const char *fact;
        apr_status_t rv;

        learn(objects, &key, "{}", now);
        assert_int_equal(
            aa_object_recall(&fact, &mark, objects, &key, now, stage->pool),
            APR_SUCCESS);
        assert_string_equal(fact, "{}");
        for (const char *step = same_rows[i].steps; *step; step++)
            if (*step == 'b')
                aa_object_bump(objects, &key);
            else if (*step == 't')
                now += TTL + 1;
            else
                learn(objects, *step == 'l' ? &key : &other, "{\"n\":1}", now);
        rv = aa_object_recall(&fact, &mark, objects, &key, now, stage->pool);
        print_message("steps \"%s\"\n", same_rows[i].steps);
        assert_string_equal(rv != APR_SUCCESS ? "none"
                            : fact            ? "new"
                                              : "same",
                            same_rows[i].again);
    }
}

/* ------------------------------------------------------------ time and size */

static const struct {
    const char *name;
    apr_time_t after;
    int known;
} time_rows[] = {
    {"at once", 0, 1},
    {"as old as may be", TTL, 1},
    {"too old", TTL + 1, 0},
    {"a request that began before", -1000, 1},
    {"a clock that was set back, a little", -TTL, 1},
    {"a clock that was set back", -TTL - 1, 0},
};

static void facts_have_a_time(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t key = key_of(1, 1);

    learn(objects, &key, "{}", T0);
    for (size_t i = 0; i < sizeof(time_rows) / sizeof(*time_rows); i++) {
        print_message("%s\n", time_rows[i].name);
        assert_int_equal(
            known(objects, &key, T0 + time_rows[i].after, stage->pool) != NULL,
            time_rows[i].known);
    }
}

static void facts_come_back_as_they_were(void **state)
{
    static const apr_size_t sizes[] = {0,
                                       1,
                                       7,
                                       8,
                                       9,
                                       15,
                                       16,
                                       17,
                                       99,
                                       AA_OBJECT_FACT_MAX - 1,
                                       AA_OBJECT_FACT_MAX};
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    char text[AA_OBJECT_FACT_MAX + 2] = {0};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        aa_object_key_t key = key_of(1, 1);
        const char *fact;

        print_message("%u bytes\n", (unsigned)sizes[i]);
        memset(text, 0, sizeof(text));
        for (apr_size_t j = 0; j < sizes[i]; j++)
            text[j] = (char)('A' + (j + i) % 58);
        learn(objects, &key, text, T0);
        fact = known(objects, &key, T0, stage->pool);
        assert_non_null(fact);
        assert_string_equal(fact, text);
    }
}

static void facts_too_long_are_not_kept(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t key = key_of(1, 1);
    char text[AA_OBJECT_FACT_MAX + 2] = {0};

    memset(text, 'x', AA_OBJECT_FACT_MAX + 1);
    learn(objects, &key, text, T0);
    assert_null(known(objects, &key, T0, stage->pool));
    text[AA_OBJECT_FACT_MAX] = '\0';
    learn(objects, &key, text, T0);
    assert_non_null(known(objects, &key, T0, stage->pool));
}

/* ------------------------------------------------------------------- places */

static void facts_belong_to_the_whole_key(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t key = key_of(1, 1);

    learn(objects, &key, "{}", T0);
    for (int i = 0; i < 32; i++) {
        aa_object_key_t other = key;

        other.hash[i] ^= 0x80;
        assert_null(known(objects, &other, T0, stage->pool));
    }
    assert_non_null(known(objects, &key, T0, stage->pool));
}

static void facts_push_out_the_oldest(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t elsewhere = key_of(2, 99);

    learn(objects, &elsewhere, "e", T0 - 5);
    for (int i = 0; i <= AA_OBJECT_FACTS_SET; i++) {
        /* the first is not the oldest */
        aa_object_key_t key = key_of(1, i);

        learn(objects, &key, "{}", i == 2 ? T0 - 1 : T0 + i);
    }
    for (int i = 0; i <= AA_OBJECT_FACTS_SET; i++) {
        aa_object_key_t key = key_of(1, i);

        assert_int_equal(known(objects, &key, T0, stage->pool) != NULL, i != 2);
    }
    assert_non_null(known(objects, &elsewhere, T0, stage->pool));
}

/* Learnt again, an object needs no second place. */
static void facts_replace_their_own(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t first = key_of(1, 1), second = key_of(1, 2);

    learn(objects, &first, "first", T0);
    for (int i = 0; i < 2 * AA_OBJECT_FACTS_SET; i++)
        learn(objects, &second, i % 2 ? "odd" : "even", T0 + i);
    assert_string_equal(known(objects, &first, T0, stage->pool), "first");
    assert_string_equal(known(objects, &second, T0, stage->pool), "odd");
}

/* Entries from a future that the clock has left must not stay for ever. */
static void facts_of_another_time_go_first(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (int i = 0; i <= AA_OBJECT_FACTS_SET; i++) {
        aa_object_key_t key = key_of(1, i);

        learn(objects, &key, "{}", i ? T0 + i : T0 + 100 * TTL);
    }
    for (int i = 0; i <= AA_OBJECT_FACTS_SET; i++) {
        aa_object_key_t key = key_of(1, i);
        apr_time_t then = i ? T0 : T0 + 100 * TTL;

        assert_int_equal(known(objects, &key, then, stage->pool) != NULL,
                         i != 0);
    }
}

static void facts_are_bounded(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    int n = 3 * AA_OBJECT_FACTS, found = 0;
    aa_object_key_t *keys =
        apr_palloc(stage->pool, (apr_size_t)n * sizeof(*keys));

    for (int i = 0; i < n; i++) {
        assert_int_equal(aa_crypto_sha256(keys[i].hash, &i, sizeof(i), NULL, 0),
                         APR_SUCCESS);
        learn(objects, &keys[i], "{}", T0 + i);
    }
    for (int i = 0; i < n; i++)
        found += known(objects, &keys[i], T0 + n, stage->pool) != NULL;
    assert_in_range(found, AA_OBJECT_FACTS * 95 / 100, AA_OBJECT_FACTS);
    assert_non_null(known(objects, &keys[n - 1], T0 + n, stage->pool));
}

/* --------------------------------------------------------------------- torn */

typedef struct table_t {
    aa_facts_t *facts;
    unsigned char *bytes; /* the same */
    apr_size_t at, len;   /* where the entry of `key` is */
    aa_object_key_t key;
    apr_pool_t *pool;
} table_t;

/* -1 when it is not believed, else its first letter */
static int letter(const table_t *table)
{
    apr_uint64_t version = 1;
    const char *fact;
    aa_fact_mark_t mark = {.len = 0};

    if (aa_facts_get(&fact, &mark, table->facts, &table->key, &version, T0,
                     table->pool) != APR_SUCCESS)
        return -1;
    for (apr_size_t i = 1; i < mark.len; i++)
        assert_int_equal(fact[i], fact[0]);
    return fact[0];
}

static void put(const table_t *table, char of, apr_size_t len)
{
    char text[AA_OBJECT_FACT_MAX];

    memset(text, of, len);
    aa_facts_put(table->facts, &table->key, 1, text, len, T0);
}

static void table_make(table_t *table, apr_pool_t *p)
{
    table->pool = p;
    table->facts = aa_segment_make(aa_facts_size, p);
    table->bytes = (unsigned char *)table->facts;
    table->key = key_of(1, 1);
    put(table, 'a', 100);
    while (!table->bytes[table->at])
        table->at++;
    table->at &= ~(apr_size_t)7;
    table->len = aa_facts_size - 1;
    while (!table->bytes[table->len])
        table->len--;
    table->len += 1 - table->at;
}

static void facts_with_a_wrong_byte(void **state)
{
    stage_t *stage = *state;
    table_t table = {0};

    table_make(&table, stage->pool);
    assert_in_range(table.len, 100 + 32 + 32, 100 + 200);
    for (apr_size_t i = table.at; i < table.at + table.len; i++) {
        table.bytes[i] ^= 1;
        assert_int_equal(letter(&table), -1);
        table.bytes[i] ^= 1;
        assert_int_equal(letter(&table), 'a');
    }
}

/* A writer that is killed has written some words of the new entry. */
static void facts_half_written(void **state)
{
    static const apr_size_t sizes[] = {100, 60, 140, AA_OBJECT_FACT_MAX};
    stage_t *stage = *state;
    table_t table = {0};
    unsigned char old[5000], new[5000];

    table_make(&table, stage->pool);
    memcpy(old, table.bytes + table.at, sizeof(old));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        apr_size_t words = (table.len - 100 + sizes[i] + 7) / 8;

        put(&table, 'b', sizes[i]);
        assert_int_equal(letter(&table), 'b');
        memcpy(new, table.bytes + table.at, sizeof(new));
        for (apr_size_t cut = 0; cut <= words; cut++) {
            memcpy(table.bytes + table.at, old, sizeof(old));
            memcpy(table.bytes + table.at, new, cut * 8);
            assert_int_equal(letter(&table), cut == 0       ? 'a'
                                             : cut == words ? 'b'
                                                            : -1);
        }
        memcpy(table.bytes + table.at, new, words * 4);
        memcpy(table.bytes + table.at + words * 4, old, sizeof(old) / 2);
        put(&table, 'c', 10); /* its place is of use again */
        assert_int_equal(letter(&table), 'c');
    }
}

typedef struct crowd_t {
    table_t table;
    int wrong, seen, lost;
} crowd_t;

static void scribble(void *data, int number)
{
    crowd_t *crowd = data;
    table_t table = crowd->table;

    apr_pool_create(&table.pool, NULL);
    for (int i = 0; i < 500; i++) {
        int found;

        table.key = key_of(1, (i + number) % 6);
        if (number % 2)
            put(&table, (char)('a' + (i + number) % 26),
                (apr_size_t)(i * 37 % AA_OBJECT_FACT_MAX) + 1);
        found = letter(&table); /* asserts that it is of one piece */
        __atomic_add_fetch(found < 0 ? &crowd->lost : &crowd->seen, 1,
                           __ATOMIC_RELAXED);
        apr_pool_clear(table.pool);
    }
    apr_pool_destroy(table.pool);
}

static void facts_written_by_many_at_once(void **state)
{
    stage_t *stage = *state;
    crowd_t *crowd = aa_segment_make(sizeof(*crowd), stage->pool);

    table_make(&crowd->table, stage->pool);
    assert_int_equal(crew_run(scribble, crowd), 0);
    assert_true(crowd->seen > 0);
    put(&crowd->table, 'z', 10);
    assert_int_equal(letter(&crowd->table), 'z');
}

#define WITH_STAGE(f)                                                          \
    cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(versions_count_for_all),
        WITH_STAGE(facts_that_a_bump_overtook),
        WITH_STAGE(facts_carry_their_version),
        WITH_STAGE(facts_are_known_again),
        WITH_STAGE(facts_have_a_time),
        WITH_STAGE(facts_come_back_as_they_were),
        WITH_STAGE(facts_too_long_are_not_kept),
        WITH_STAGE(facts_belong_to_the_whole_key),
        WITH_STAGE(facts_push_out_the_oldest),
        WITH_STAGE(facts_replace_their_own),
        WITH_STAGE(facts_of_another_time_go_first),
        WITH_STAGE(facts_are_bounded),
        WITH_STAGE(facts_with_a_wrong_byte),
        WITH_STAGE(facts_half_written),
        WITH_STAGE(facts_written_by_many_at_once),
    };

    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
