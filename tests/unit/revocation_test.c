/* SPDX-License-Identifier: Apache-2.0 */
/* A revoked key is refused at once, however reader and writer interleave. */
#include <signal.h>

#include "apr_strings.h"
#include "authn/cache.h"
#include "base/crypto.h"
#include "model/limits.h"
#include "stage.h"
#include "store/driver.h"

/* ------------------------------------------- revocation and its interleavings
 *
 * A reader reads the row, takes the epoch, reads again, tags, caches. The
 * writer commits, then bumps, then returns. At whatever point the one comes
 * between the steps of the other: once the writer has returned, nobody may
 * believe the key any more. */

/** Between which steps of the reader something happens. */
typedef enum point_e {
    BEFORE_FIRST,  /* reading */
    AFTER_FIRST,   /* the epoch comes next */
    BEFORE_SECOND, /* the epoch has been taken */
    AFTER_SECOND,
    AFTER_ALL, /* the fact is in the cache */
    POINTS
} point_e;

static const char *const point_names[POINTS] = {
    "before the first reading", "after it", "before the second reading",
    "after it, too", "when it is cached"};

static struct {
    const aa_store_driver_t *real;
    stage_t *stage;
    int reads; /* so far */
    point_e commit, bump;
} interleaving;

static void writer_commits(stage_t *stage)
{
    aa_store_t *store = stage->accounts.store;
    aa_store_t plain = {interleaving.real, store->handle};

    stage->accounts.store = &plain;
    assert_int_equal(stage_sql(stage, "UPDATE api_keys SET revoked = 1", NULL),
                     APR_SUCCESS);
    stage->accounts.store = store;
}

static void writer_bumps(stage_t *stage)
{
    aa_epoch_bump(stage->accounts.epoch,
                  aa_epoch_slot(stage->accounts.epoch, REALM, "alice"));
}

static void point_reached(point_e point)
{
    if (point == interleaving.commit)
        writer_commits(interleaving.stage);
    if (point == interleaving.bump)
        writer_bumps(interleaving.stage);
}

static apr_status_t read_between(void *handle, const char *sql,
                                 const aa_value_t *args, int nargs,
                                 aa_row_fn *row, void *baton, aa_error_t *err,
                                 apr_pool_t *p)
{
    int second = interleaving.reads++;
    apr_status_t rv;

    point_reached(second ? BEFORE_SECOND : BEFORE_FIRST);
    rv = interleaving.real->read(handle, sql, args, nargs, row, baton, err, p);
    point_reached(second ? AFTER_SECOND : AFTER_FIRST);
    return rv;
}

static void revocation_between(stage_t *stage)
{
    unsigned char digest[AA_SHA256_LEN] = {1};
    const char *text = stage_key(stage, NULL, "alice");
    aa_authn_cache_t *cache;
    aa_principal_t *principal;
    aa_error_t err;

    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    interleaving.reads = 0;
    if (stage_key_verify(stage, &principal, text, T0, &err) == APR_SUCCESS) {
        aa_authn_cache_put(cache, digest, principal, T0);
        aa_principal_unref(principal);
    }
    assert_int_equal(interleaving.reads, 2);
    if (interleaving.commit == AFTER_ALL) { /* it was true until now */
        principal = aa_authn_cache_get(cache, digest, T0);
        assert_non_null(principal);
        aa_principal_unref(principal);
    }
    point_reached(AFTER_ALL);
    /* here the writer's command returns */
    interleaving.commit = interleaving.bump = POINTS;
    assert_null(aa_authn_cache_get(cache, digest, T0));
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_KEY_UNKNOWN);
}

static void revocation_interleavings(void **state)
{
    stage_t *stage = *state;
    aa_store_driver_t between = *stage->accounts.store->driver;

    interleaving.real = stage->accounts.store->driver;
    interleaving.stage = stage;
    between.read = read_between;
    stage->accounts.store->driver = &between;
    interleaving.commit = interleaving.bump = POINTS;
    stage_user(stage, "alice", NULL);
    for (point_e commit = BEFORE_FIRST; commit < POINTS; commit++)
        for (point_e bump = commit; bump < POINTS; bump++) {
            print_message("commit %s, bump %s\n", point_names[commit],
                          point_names[bump]);
            interleaving.commit = commit;
            interleaving.bump = bump;
            revocation_between(stage);
        }
    stage->accounts.store->driver = interleaving.real;
}

/* The writer is killed between commit and bump: a minute at the most. */
static void revocation_without_bump(void **state)
{
    stage_t *stage = *state;
    unsigned char key[AA_SHA256_LEN] = {1};
    aa_authn_cache_t *cache;
    aa_principal_t *principal;
    aa_key_t record = {0};
    aa_error_t err;
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, &record, "alice");
    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(stage_key_verify(stage, &principal, text, T0, &err),
                     APR_SUCCESS);
    aa_authn_cache_put(cache, key, principal, T0);
    assert_int_equal(stage_sql(stage, "UPDATE api_keys SET revoked = 1", NULL),
                     APR_SUCCESS);
    assert_ptr_equal(aa_authn_cache_get(cache, key, T0 + 59 * SECOND),
                     principal);
    aa_principal_unref(principal);
    assert_null(aa_authn_cache_get(cache, key, T0 + 60 * SECOND));
    assert_int_equal(stage_key_verdict(stage, text, T0 + 60 * SECOND),
                     AA_E_KEY_UNKNOWN);
    print_message("called again, the command makes good for it\n");
    aa_authn_cache_put(cache, key, principal, T0);
    assert_int_equal(
        aa_key_revoke(&stage->accounts, REALM, record.id, &err, stage->pool),
        APR_SUCCESS);
    assert_null(aa_authn_cache_get(cache, key, T0));
    aa_principal_unref(principal);
}

/* Every change of a user or a key is told to all processes. */
static void each_change_bumps(void **state)
{
    stage_t *stage = *state;
    aa_accounts_t *accounts = &stage->accounts;
    apr_uint32_t slot = aa_epoch_slot(accounts->epoch, REALM, "alice");
    aa_user_t user = {REALM, "alice", NULL, T0, 0};
    aa_key_t key = {.realm = REALM, .owner = "alice"}, next;
    aa_error_t err;
    const char *text;
    apr_uint64_t epoch = aa_epoch_get(accounts->epoch, slot);

#define BUMPS(call)                                                            \
    do {                                                                       \
        print_message("%s\n", #call);                                          \
        assert_int_equal(call, APR_SUCCESS);                                   \
        assert_int_equal(aa_epoch_get(accounts->epoch, slot), ++epoch);        \
    } while (0)

    BUMPS(aa_user_create(accounts, &user, &err, stage->pool));
    BUMPS(aa_key_create(&text, accounts, &key, PREFIX, T0, &err, stage->pool));
    BUMPS(aa_key_rotate(&text, &next, accounts, REALM, key.id, PREFIX, SECOND,
                        T0, &err, stage->pool));
    BUMPS(aa_key_revoke(accounts, REALM, key.id, &err, stage->pool));
    BUMPS(aa_user_disable(accounts, REALM, "alice", 1, &err, stage->pool));
    BUMPS(aa_user_disable(accounts, REALM, "alice", 0, &err, stage->pool));
    BUMPS(aa_user_delete(accounts, REALM, "alice", &err, stage->pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(revocation_interleavings),
        WITH_STAGE(revocation_without_bump),
        WITH_STAGE(each_change_bumps),
    };

    return cmocka_run_group_tests_name("revocation", tests, NULL, NULL);
}
