/* SPDX-License-Identifier: Apache-2.0 */
/* Deleted ids: theirs who deleted them, everywhere and after a restart; nobody
 * pushes out others' by deleting many. */
#include <stdlib.h>

#include "base/crypto.h"
#include "crew.h"
#include "model/limits.h"
#include "share/objects.h"
#include "stage.h"

/* More than any set has room for. */
#define MANY (2 * AA_RETIRED_MAX)

typedef struct digest_t {
    unsigned char bytes[32];
} digest_t;

static digest_t digest(const char *kind, int number)
{
    digest_t out = {{0}};

    if (aa_crypto_sha256(out.bytes, kind, strlen(kind), &number,
                         sizeof(number)) != APR_SUCCESS)
        abort();
    return out;
}

static aa_object_key_t key_of(int id)
{
    aa_object_key_t key;
    digest_t hash = digest("id", id);

    memcpy(key.hash, hash.bytes, sizeof(key.hash));
    return key;
}

static void deletes(aa_objects_t *objects, int who, int id)
{
    aa_object_key_t key = key_of(id);

    if (aa_object_retire(objects, &key, digest("who", who).bytes) !=
        APR_SUCCESS)
        abort();
}

static int barred(const aa_objects_t *objects, int who, int id)
{
    aa_object_key_t key = key_of(id);

    return aa_object_barred(objects, &key, digest("who", who).bytes);
}

static aa_objects_t *opened(stage_t *stage)
{
    aa_objects_t *objects;

    assert_int_equal(
        aa_objects_open(&objects, stage->state.objects, stage->pool),
        APR_SUCCESS);
    return objects;
}

static void id_is_theirs_who_deleted_it(void **state)
{
    aa_objects_t *objects = opened(*state);

    assert_int_equal(barred(objects, 2, 1), 0);
    deletes(objects, 1, 1);
    assert_int_equal(barred(objects, 1, 1), 0);
    assert_int_equal(barred(objects, 2, 1), 1);
    assert_int_equal(barred(objects, 2, 2), 0);
    deletes(objects, 2, 2);
    assert_int_equal(barred(objects, 1, 2), 1);
    assert_int_equal(barred(objects, 2, 1), 1);
}

static void last_deletion_counts(void **state)
{
    aa_objects_t *objects = opened(*state);

    deletes(objects, 1, 1);
    deletes(objects, 2, 1);
    assert_int_equal(barred(objects, 1, 1), 1);
    assert_int_equal(barred(objects, 2, 1), 0);
}

static int delete_one(stage_t *stage)
{
    aa_objects_t *own;

    if (aa_objects_open(&own, stage->state.objects, stage->pool) != APR_SUCCESS)
        return 1;
    deletes(own, 1, 7);
    return 0;
}

/* By another process, and after everybody has closed the file. */
static void all_processes_know(void **state)
{
    stage_t *stage = *state;

    assert_int_equal(stage_child(delete_one, stage, 0), 0);
    assert_int_equal(barred(opened(stage), 2, 7), 1);
    assert_int_equal(barred(opened(stage), 1, 7), 0);
}

static void many_of_one_push_out_their_own(void **state)
{
    aa_objects_t *objects = opened(*state);
    int kept = 0;

    for (int id = 0; id < 100; id++)
        deletes(objects, 1, id);
    for (int id = 1000; id < 1000 + MANY; id++)
        deletes(objects, 2, id);
    for (int id = 0; id < 100; id++)
        kept += barred(objects, 2, id);
    assert_int_equal(kept, 100);
    assert_int_equal(barred(objects, 1, 1000 + MANY - 1), 1);
    assert_int_equal(barred(objects, 1, 1000), 0); /* the oldest has gone */
}

static void nearly_all_are_kept(void **state)
{
    aa_objects_t *objects = opened(*state);
    int kept = 0;

    for (int id = 0; id < AA_RETIRED_MAX / 2; id++)
        deletes(objects, id, id);
    for (int id = 0; id < AA_RETIRED_MAX / 2; id++)
        kept += barred(objects, id + 1, id);
    assert_true(kept > AA_RETIRED_MAX / 2 * 99 / 100);
}

#define EACH 500

static void deletes_some(void *data, int number)
{
    for (int i = 0; i < EACH; i++)
        deletes(data, number, number * EACH + i);
}

/* The objects are in memory that forked processes share. */
static void many_at_once_lose_nothing(void **state)
{
    aa_objects_t *objects = opened(*state);

    assert_int_equal(crew_run(deletes_some, objects), 0);
    for (int id = 0; id < CREW * EACH; id++) {
        assert_int_equal(barred(objects, CREW, id), 1);
        assert_int_equal(barred(objects, id / EACH, id), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(id_is_theirs_who_deleted_it),
        WITH_STAGE(last_deletion_counts),
        WITH_STAGE(all_processes_know),
        WITH_STAGE(many_of_one_push_out_their_own),
        WITH_STAGE(nearly_all_are_kept),
        WITH_STAGE(many_at_once_lose_nothing),
    };

    return cmocka_run_group_tests_name("retired", tests, NULL, NULL);
}
