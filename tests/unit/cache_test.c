/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of known credentials: what may be believed, and for how long. */
#include <pthread.h>

#include "apr_strings.h"
#include "authn/cache.h"
#include "model/limits.h"
#include "stage.h"

static aa_principal_t *principal_make(const char *identity)
{
    aa_principal_t *principal = aa_principal_create(AA_METHOD_APIKEY);

    principal->identity = apr_pstrdup(principal->pool, identity);
    assert_int_equal(aa_principal_seal(principal), APR_SUCCESS);
    return principal;
}

static void key_make(unsigned char *key, unsigned number)
{
    assert_int_equal(aa_crypto_sha256(key, &number, sizeof(number), NULL, 0),
                     APR_SUCCESS);
}

static int cached(aa_authn_cache_t *cache, const unsigned char *key,
                  apr_time_t now)
{
    aa_principal_t *found = aa_authn_cache_get(cache, key, now);

    aa_principal_unref(found);
    return found != NULL;
}

static const struct {
    const char *name;
    apr_interval_time_t stale, expires; /* after T0; 0: unset */
    apr_interval_time_t good, bad;      /* looked at these times after T0 */
} life_rows[] = {
    {"nothing said: a minute", 0, 0, 60 * SECOND - 1, 60 * SECOND},
    {"stale sooner", 10 * SECOND, 0, 10 * SECOND - 1, 10 * SECOND},
    {"stale later: a minute all the same", 600 * SECOND, 0, 60 * SECOND - 1,
     60 * SECOND},
    {"expires sooner", 0, 5 * SECOND, 5 * SECOND - 1, 5 * SECOND},
    {"expires later", 0, 600 * SECOND, 60 * SECOND - 1, 60 * SECOND},
    {"clock set back", 0, 0, 0, -1},
};

static void cache_life(void **state)
{
    stage_t *stage = *state;
    aa_authn_cache_t *cache;
    unsigned char key[AA_SHA256_LEN];

    key_make(key, 1);
    assert_int_equal(
        aa_authn_cache_create(&cache, NULL, 100, 1 << 24, stage->pool),
        APR_SUCCESS);
    for (size_t i = 0; i < sizeof(life_rows) / sizeof(*life_rows); i++) {
        aa_principal_t *alice = principal_make("alice");

        print_message("%s\n", life_rows[i].name);
        alice->stale = life_rows[i].stale ? T0 + life_rows[i].stale : 0;
        alice->expires = life_rows[i].expires ? T0 + life_rows[i].expires : 0;
        aa_authn_cache_put(cache, key, alice, T0);
        assert_true(cached(cache, key, T0));
        assert_true(cached(cache, key, T0 + life_rows[i].good));
        assert_false(cached(cache, key, T0 + life_rows[i].bad));
        assert_int_equal(aa_authn_cache_count(cache), 0);
        assert_int_equal(alice->refs, 1); /* the cache's are given back */
        aa_principal_unref(alice);
    }
}

static void cache_epoch(void **state)
{
    stage_t *stage = *state;
    aa_epoch_t *epoch = stage->accounts.epoch;
    aa_principal_t *alice = principal_make("alice");
    aa_authn_cache_t *cache, *blind;
    unsigned char key[AA_SHA256_LEN];

    key_make(key, 1);
    assert_int_equal(
        aa_authn_cache_create(&cache, epoch, 100, 1 << 24, stage->pool),
        APR_SUCCESS);
    assert_int_equal(
        aa_authn_cache_create(&blind, NULL, 100, 1 << 24, stage->pool),
        APR_SUCCESS);
    alice->has_epoch = 1;
    alice->epoch_slot = 5;
    alice->epoch = aa_epoch_get(epoch, 5);
    aa_authn_cache_put(cache, key, alice, T0);
    aa_authn_cache_put(blind, key, alice, T0);
    assert_false(cached(blind, key, T0)); /* cannot tell, keeps nothing */
    aa_epoch_bump(epoch, 6);
    assert_true(cached(cache, key, T0));
    aa_epoch_bump(epoch, 5);
    assert_false(cached(cache, key, T0));
    aa_authn_cache_put(cache, key, alice, T0); /* proved too early */
    assert_false(cached(cache, key, T0));
    aa_principal_unref(alice);
}

static void cache_replaces(void **state)
{
    stage_t *stage = *state;
    aa_principal_t *a = principal_make("a"), *b = principal_make("b"), *found;
    aa_authn_cache_t *cache;
    unsigned char key[AA_SHA256_LEN];

    key_make(key, 1);
    assert_int_equal(
        aa_authn_cache_create(&cache, NULL, 100, 1 << 24, stage->pool),
        APR_SUCCESS);
    aa_authn_cache_put(cache, key, a, T0);
    aa_authn_cache_put(cache, key, b, T0);
    assert_int_equal(aa_authn_cache_count(cache), 1);
    assert_int_equal(a->refs, 1);
    found = aa_authn_cache_get(cache, key, T0);
    assert_string_equal(found->identity, "b");
    aa_principal_unref(found);
    aa_principal_unref(a);
    aa_principal_unref(b);
}

static const struct {
    const char *name;
    apr_size_t entries, bytes, cost, least, most; /* of 1000 that are put */
} bound_rows[] = {
    {"four entries", 4, 1 << 24, 0, 4, 4},
    {"one entry", 1, 1 << 24, 0, 1, 1},
    {"many shards", 256, 1 << 24, 0, 192, 256},
    {"bytes, not entries", 64, 16 * 8192, 0, 12, 16},
    {"large principals", 64, 16 * 8192, 4 * 8192, 4, 4},
    {"larger than all room", 64, 8192, 1 << 20, 0, 0},
};

static void cache_bounds(void **state)
{
    stage_t *stage = *state;

    for (size_t i = 0; i < sizeof(bound_rows) / sizeof(*bound_rows); i++) {
        apr_pool_t *p;
        aa_authn_cache_t *cache;
        aa_principal_t *one = principal_make("one");
        unsigned char key[AA_SHA256_LEN];

        print_message("%s\n", bound_rows[i].name);
        one->bytes = bound_rows[i].cost;
        assert_int_equal(apr_pool_create(&p, stage->pool), APR_SUCCESS);
        assert_int_equal(aa_authn_cache_create(&cache, NULL,
                                               bound_rows[i].entries,
                                               bound_rows[i].bytes, p),
                         APR_SUCCESS);
        for (unsigned n = 0; n < 1000; n++) {
            key_make(key, n);
            aa_authn_cache_put(cache, key, one, T0);
            assert_int_equal(cached(cache, key, T0), bound_rows[i].most > 0);
        }
        assert_in_range(aa_authn_cache_count(cache), bound_rows[i].least,
                        bound_rows[i].most);
        assert_int_equal(one->refs, 1 + aa_authn_cache_count(cache));
        apr_pool_destroy(p);
        assert_int_equal(one->refs, 1);
        aa_principal_unref(one);
    }
}

/* What is used all the time stays when a flood of others comes by. */
static void cache_keeps_the_busy(void **state)
{
    stage_t *stage = *state;
    aa_principal_t *one = principal_make("one");
    aa_authn_cache_t *cache;
    unsigned char busy[AA_SHA256_LEN], key[AA_SHA256_LEN];

    assert_int_equal(
        aa_authn_cache_create(&cache, NULL, 16, 1 << 24, stage->pool),
        APR_SUCCESS);
    key_make(busy, 0);
    aa_authn_cache_put(cache, busy, one, T0);
    for (unsigned n = 1; n < 500; n++) {
        assert_true(cached(cache, busy, T0));
        key_make(key, n);
        aa_authn_cache_put(cache, key, one, T0);
    }
    assert_true(cached(cache, busy, T0));
    aa_principal_unref(one);
}

/* ------------------------------------------------------------------ threads */

enum { THREADS = 4, ROUNDS = 20000, KEYS = 300 };

static unsigned char keys[KEYS][AA_SHA256_LEN];

typedef struct player_t {
    aa_authn_cache_t *cache;
    aa_epoch_t *epoch;
    unsigned seed;
    int hits, wrong;
} player_t;

static void *play(void *data)
{
    player_t *player = data;

    for (int i = 0; i < ROUNDS; i++) {
        unsigned number = (unsigned)rand_r(&player->seed) % KEYS;
        const unsigned char *key = keys[number];
        char name[16];
        aa_principal_t *found;

        snprintf(name, sizeof(name), "u%u", number);
        found = aa_authn_cache_get(player->cache, key, T0);
        if (found) {
            player->hits++;
            player->wrong += strcmp(found->identity, name) != 0;
            aa_principal_unref(found);
            if (i % 500 == 0)
                aa_epoch_bump(player->epoch, number);
            continue;
        }
        found = principal_make(name);
        found->has_epoch = 1;
        found->epoch_slot = number;
        found->epoch = aa_epoch_get(player->epoch, number);
        aa_authn_cache_put(player->cache, key, found, T0);
        aa_principal_unref(found);
    }
    return NULL;
}

static void cache_serves_threads(void **state)
{
    stage_t *stage = *state;
    pthread_t threads[THREADS];
    player_t players[THREADS];
    aa_authn_cache_t *cache;

    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 256,
                                           1 << 24, stage->pool),
                     APR_SUCCESS);
    for (unsigned number = 0; number < KEYS; number++)
        key_make(keys[number], number);
    for (int i = 0; i < THREADS; i++) {
        players[i] =
            (player_t){cache, stage->accounts.epoch, (unsigned)i + 1, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(players[i].wrong, 0);
        assert_true(players[i].hits > 0);
    }
    assert_true(aa_authn_cache_count(cache) <= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(cache_life),           WITH_STAGE(cache_epoch),
        WITH_STAGE(cache_replaces),       WITH_STAGE(cache_bounds),
        WITH_STAGE(cache_keeps_the_busy), WITH_STAGE(cache_serves_threads),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
