/* SPDX-License-Identifier: Apache-2.0 */
/* The epoch page: shared by processes, never replaced, refused when odd. */
#include <fcntl.h>

#include "apr_strings.h"
#include "model/limits.h"
#include "stage.h"

static aa_epoch_t *page(stage_t *stage)
{
    return stage->accounts.epoch;
}

static void epoch_counts(void **state)
{
    stage_t *stage = *state;
    apr_uint32_t slot = aa_epoch_slot(page(stage), REALM, "alice");
    apr_uint64_t before = aa_epoch_get(page(stage), slot);

    assert_int_equal(aa_epoch_get(page(stage), slot), before);
    aa_epoch_bump(page(stage), slot);
    assert_int_equal(aa_epoch_get(page(stage), slot), before + 1);
}

static int bump_alice(stage_t *stage)
{
    aa_epoch_t *own;
    aa_error_t err;

    if (aa_epoch_open(&own, stage->state.epoch, 0, &err, stage->pool) !=
        APR_SUCCESS)
        return 1;
    aa_epoch_bump(own, aa_epoch_slot(own, REALM, "alice"));
    return 0;
}

static void epoch_is_shared_with_other_processes(void **state)
{
    stage_t *stage = *state;
    apr_uint32_t slot = aa_epoch_slot(page(stage), REALM, "alice");
    apr_uint64_t before = aa_epoch_get(page(stage), slot);

    assert_int_equal(stage_child(bump_alice, stage, 0), 0);
    assert_int_equal(aa_epoch_get(page(stage), slot), before + 1);
}

static void epoch_slots_differ(void **state)
{
    stage_t *stage = *state;
    unsigned char seen[AA_EPOCH_SLOTS] = {0};
    int distinct = 0;

    assert_int_not_equal(aa_epoch_slot(page(stage), "a", "bc"),
                         aa_epoch_slot(page(stage), "ab", "c"));
    for (int i = 0; i < AA_EPOCH_SLOTS; i++) {
        apr_uint32_t slot = aa_epoch_slot(
            page(stage), REALM, apr_psprintf(stage->pool, "user%d", i));

        assert_in_range(slot, 0, AA_EPOCH_SLOTS - 1);
        distinct += !seen[slot];
        seen[slot] = 1;
    }
    /* a fair hash fills 1 - 1/e of them */
    assert_in_range(distinct, AA_EPOCH_SLOTS * 60 / 100,
                    AA_EPOCH_SLOTS * 66 / 100);
}

static void epoch_is_kept(void **state)
{
    stage_t *stage = *state;
    aa_epoch_t *again;
    aa_error_t err;
    struct stat before, after;

    aa_epoch_bump(page(stage), 7);
    assert_int_equal(stat(stage->state.epoch, &before), 0);
    assert_int_equal(
        aa_epoch_open(&again, stage->state.epoch, 1, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(stat(stage->state.epoch, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(aa_epoch_get(again, 7), aa_epoch_get(page(stage), 7));
    assert_int_equal(before.st_mode & 0777, 0600);
    /* A hole that a full disk cannot fill would end who bumps. */
    assert_true(before.st_blocks * 512 >= before.st_size);
}

static void write_file(const char *path, const void *data, size_t len,
                       off_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static const struct {
    const char *name;
    const char *data;
    size_t len;
    off_t size;
    int opens, creates;
} file_rows[] = {
    {"empty", "", 0, 0, 0, 1},
    {"never finished: no version word", "", 0, 65536, 0, 1},
    {"another version", "\2\0\0\0\0EGA", 8, 65536, 0, 0},
    {"another kind of file", "SQLite format 3", 16, 65536, 0, 0},
    {"cut", "\1\0\0\0\0EGA\0\x10\0\0\0\0\0\0", 16, 4096, 0, 0},
    {"other number of slots", "\1\0\0\0\0EGA\1\x10\0\0\0\0\0\0", 16, 65536, 0,
     0},
    {"right", "\1\0\0\0\0EGA\0\x10\0\0\0\0\0\0", 16, 65536, 1, 1},
};

static void epoch_files(void **state)
{
    stage_t *stage = *state;
    const char *path = apr_pstrcat(stage->pool, stage->dir, "/e", NULL);
    aa_epoch_t *epoch;
    aa_error_t err;

    for (size_t i = 0; i < sizeof(file_rows) / sizeof(*file_rows); i++) {
        for (int create = 0; create < 2; create++) {
            int good = create ? file_rows[i].creates : file_rows[i].opens;

            print_message("%s, create=%d\n", file_rows[i].name, create);
            write_file(path, file_rows[i].data, file_rows[i].len,
                       file_rows[i].size);
            assert_int_equal(
                aa_epoch_open(&epoch, path, create, &err, stage->pool),
                good ? APR_SUCCESS : AA_EREFUSED);
            assert_int_equal(epoch != NULL, good);
            if (!good)
                assert_int_equal(err.code, AA_E_STORE);
        }
    }
}

static void epoch_missing_or_exposed(void **state)
{
    stage_t *stage = *state;
    const char *path = apr_pstrcat(stage->pool, stage->dir, "/e", NULL);
    aa_epoch_t *epoch;
    aa_error_t err;

    assert_int_equal(aa_epoch_open(&epoch, path, 0, &err, stage->pool),
                     AA_EREFUSED);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(symlink(stage->state.epoch, path), 0);
    assert_int_equal(aa_epoch_open(&epoch, path, 1, &err, stage->pool),
                     AA_EREFUSED);
    unlink(path);
    assert_int_equal(aa_epoch_open(&epoch, path, 1, &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(aa_epoch_open(&epoch, path, 1, &err, stage->pool),
                     AA_EREFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(epoch_counts),
        WITH_STAGE(epoch_is_shared_with_other_processes),
        WITH_STAGE(epoch_slots_differ),
        WITH_STAGE(epoch_is_kept),
        WITH_STAGE(epoch_files),
        WITH_STAGE(epoch_missing_or_exposed),
    };

    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
