/* SPDX-License-Identifier: Apache-2.0 */
/* Holds: exclusive over threads and processes, freed by death, with an end. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "apr_strings.h"
#include "crew.h"
#include "model/limits.h"
#include "share/objects.h"
#include "share/segment.h"
#include "stage.h"

#define LONG (20 * 1000000LL) /* what no test needs */
#define SHORT 50000LL
#define S AA_LOCK_SHARED
#define X AA_LOCK_EXCLUSIVE

static aa_object_key_t key_of(int number)
{
    aa_object_key_t key = {{0}};

    for (int i = 0; i < 32; i++)
        key.hash[i] = (unsigned char)(number >> (i % 4 * 8));
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

static apr_status_t hold(aa_hold_t **held, aa_objects_t *objects, int number,
                         aa_lock_e lock, apr_interval_time_t wait,
                         apr_pool_t *p)
{
    aa_object_key_t key = key_of(number);

    return aa_object_hold(held, objects, &key, &lock, 1, wait, p);
}

/* 1 when it can be had now; it is given back at once */
static int can(aa_objects_t *objects, int number, aa_lock_e lock, apr_pool_t *p)
{
    aa_hold_t *held;
    apr_status_t rv = hold(&held, objects, number, lock, 0, p);

    assert_true(rv == APR_SUCCESS || rv == APR_TIMEUP);
    assert_int_equal(held != NULL, rv == APR_SUCCESS);
    aa_object_release(held);
    return rv == APR_SUCCESS;
}

/* ------------------------------------------------------- what goes together */

static const struct {
    const char *name;
    aa_lock_e first, second;
    int other_object, together;
} pair_rows[] = {
    {"two use it", S, S, 0, 1},
    {"one uses, one changes", S, X, 0, 0},
    {"one changes, one uses", X, S, 0, 0},
    {"two change", X, X, 0, 0},
    {"two change different ones", X, X, 1, 1},
};

static void holds_that_go_together(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (size_t i = 0; i < sizeof(pair_rows) / sizeof(*pair_rows); i++) {
        int second = pair_rows[i].other_object ? 2 : 1;
        aa_hold_t *held;

        print_message("%s\n", pair_rows[i].name);
        assert_int_equal(
            hold(&held, objects, 1, pair_rows[i].first, 0, stage->pool),
            APR_SUCCESS);
        assert_int_equal(can(objects, second, pair_rows[i].second, stage->pool),
                         pair_rows[i].together);
        aa_object_release(held);
        assert_true(can(objects, second, pair_rows[i].second, stage->pool));
    }
}

static void hold_of_a_key_named_twice(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t keys[3] = {key_of(1), key_of(2), key_of(1)};
    const aa_lock_e locks[][3] = {{S, S, X}, {X, S, S}};
    aa_hold_t *held;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            aa_object_hold(&held, objects, keys, locks[i], 3, 0, stage->pool),
            APR_SUCCESS);
        assert_false(can(objects, 1, S, stage->pool));
        assert_true(can(objects, 2, S, stage->pool));
        assert_false(can(objects, 2, X, stage->pool));
        aa_object_release(held);
        assert_true(can(objects, 1, X, stage->pool));
    }
}

static void hold_of_how_many(void **state)
{
    static const struct {
        int n;
        apr_status_t rv;
    } rows[] = {{0, APR_EINVAL},
                {-1, APR_EINVAL},
                {1, APR_SUCCESS},
                {AA_OBJECT_KEYS_MAX, APR_SUCCESS},
                {AA_OBJECT_KEYS_MAX + 1, APR_EINVAL}};
    static aa_object_key_t keys[AA_OBJECT_KEYS_MAX + 1];
    static aa_lock_e locks[AA_OBJECT_KEYS_MAX + 1];
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;

    for (int i = 0; i <= AA_OBJECT_KEYS_MAX; i++) {
        keys[i] = key_of(i);
        locks[i] = X;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%d keys\n", rows[i].n);
        assert_int_equal(aa_object_hold(&held, objects, keys, locks, rows[i].n,
                                        0, stage->pool),
                         rows[i].rv);
        assert_int_equal(held != NULL, rows[i].rv == APR_SUCCESS);
        if (held)
            assert_false(can(objects, rows[i].n - 1, S, stage->pool));
        aa_object_release(held);
    }
    assert_true(can(objects, 0, X, stage->pool));
}

/* ---------------------------------------------------------------- exclusion */

typedef struct board_t {
    aa_objects_t *objects;
    int readers, writers; /* inside, now */
    int seen_wrong, failed;
    int total; /* changed by read and write, not by one increment */
    int asked;
    int shared_at_once;
} board_t;

static board_t *board_of(stage_t *stage)
{
    board_t *board = aa_segment_make(sizeof(*board), stage->pool);

    assert_non_null(board);
    board->objects = opened(stage);
    return board;
}

static int add(int *number, int by)
{
    return __atomic_add_fetch(number, by, __ATOMIC_SEQ_CST);
}

static int get(const int *number)
{
    return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void write_inside(board_t *board)
{
    int total = get(&board->total);

    if (add(&board->writers, 1) != 1 || get(&board->readers) != 0)
        add(&board->seen_wrong, 1);
    usleep(20);
    __atomic_store_n(&board->total, total + 1, __ATOMIC_SEQ_CST);
    add(&board->writers, -1);
}

static void read_inside(board_t *board)
{
    int total = get(&board->total);

    if (add(&board->readers, 1) > 1)
        add(&board->shared_at_once, 1);
    usleep(200);
    if (get(&board->writers) != 0 || get(&board->total) != total)
        add(&board->seen_wrong, 1);
    add(&board->readers, -1);
}

static void exclude(void *data, int number)
{
    board_t *board = data;
    aa_hold_t *held;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    for (int i = 0; i < 40; i++) {
        aa_lock_e lock = (i + number) % 2 ? S : X;

        if (hold(&held, board->objects, 1, lock, LONG, p) != APR_SUCCESS) {
            add(&board->failed, 1);
            continue;
        }
        if (lock == X)
            write_inside(board);
        else
            read_inside(board);
        if (i % 3)
            aa_object_release(held);
        else
            apr_pool_clear(p);
    }
    apr_pool_destroy(p);
}

static void holds_exclude_threads_and_processes(void **state)
{
    board_t *board = board_of(*state);

    assert_int_equal(crew_run(exclude, board), 0);
    assert_int_equal(board->failed, 0);
    assert_int_equal(board->seen_wrong, 0);
    assert_int_equal(board->total, CREW * 40 / 2);
    assert_true(board->shared_at_once > 0);
}

static void three_in_any_order(void *data, int number)
{
    static const int orders[6][3] = {{1, 2, 3}, {3, 2, 1}, {2, 3, 1},
                                     {1, 3, 2}, {3, 1, 2}, {2, 1, 3}};
    const aa_lock_e locks[3] = {X, number % 3 ? X : S, X};
    board_t *board = data;
    aa_object_key_t keys[3];
    aa_hold_t *held;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 3; j++)
            keys[j] = key_of(orders[(i + number) % 6][j]);
        if (aa_object_hold(&held, board->objects, keys, locks, 3, LONG, p) !=
            APR_SUCCESS) {
            add(&board->failed, 1);
            break;
        }
        write_inside(board);
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
}

static void holds_in_opposite_orders_end(void **state)
{
    board_t *board = board_of(*state);

    assert_int_equal(crew_run(three_in_any_order, board), 0);
    assert_int_equal(board->failed, 0);
    assert_int_equal(board->seen_wrong, 0);
    assert_int_equal(board->total, CREW * 20);
}

/* --------------------------------------------------------- how a hold ends */

/* A process that holds object 1 and says so, until it is killed. */
static pid_t holder(aa_objects_t *objects, aa_lock_e lock, apr_pool_t *p)
{
    aa_hold_t *held;
    int ends[2];
    char ready = 0;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        ready = hold(&held, objects, 1, lock, 0, p) == APR_SUCCESS;
        if (write(ends[1], &ready, 1) == 1)
            alarm(120);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    assert_int_equal(ready, 1);
    return pid;
}

static void hold_ends_with_its_process(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (int i = 0; i < 3; i++) { /* the last one queues: see below */
        pid_t pid = holder(objects, i == 1 ? X : S, stage->pool);

        assert_false(can(objects, 1, X, stage->pool));
        assert_int_equal(can(objects, 1, S, stage->pool), i != 1);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(can(objects, 1, X, stage->pool));
    }
}

/* A writer that is killed while it waits must not keep readers out. */
static void intent_ends_with_its_process(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held, *unused;
    pid_t pid;

    assert_int_equal(hold(&held, objects, 1, S, 0, stage->pool), APR_SUCCESS);
    pid = fork();
    if (pid == 0) {
        alarm(120);
        _exit(hold(&unused, objects, 1, X, LONG, stage->pool) != APR_SUCCESS);
    }
    while (can(objects, 1, S, stage->pool)) /* until the intent is seen */
        usleep(100);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(can(objects, 1, S, stage->pool));
    aa_object_release(held);
}

static void *release_it(void *data)
{
    aa_object_release(data);
    return NULL;
}

static void *destroy_it(void *data)
{
    apr_pool_destroy(data);
    return NULL;
}

static void in_thread(void *(*work)(void *), void *data)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, work, data), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void hold_ends_in_another_thread(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;
    apr_pool_t *p;

    assert_int_equal(hold(&held, objects, 1, X, 0, stage->pool), APR_SUCCESS);
    assert_false(can(objects, 1, S, stage->pool));
    in_thread(release_it, held);
    assert_true(can(objects, 1, X, stage->pool));

    assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
    assert_int_equal(hold(&held, objects, 1, X, 0, p), APR_SUCCESS);
    assert_false(can(objects, 1, S, stage->pool));
    in_thread(destroy_it, p);
    assert_true(can(objects, 1, X, stage->pool));
}

/* The second time must not end what somebody else got meanwhile. */
static void hold_ends_once(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *first, *second;
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, stage->pool), APR_SUCCESS);
    assert_int_equal(hold(&first, objects, 1, X, 0, p), APR_SUCCESS);
    aa_object_release(first);
    assert_int_equal(hold(&second, objects, 1, X, 0, stage->pool), APR_SUCCESS);
    aa_object_release(first);
    apr_pool_destroy(p);
    assert_false(can(objects, 1, S, stage->pool));
    aa_object_release(second);
    aa_object_release(NULL);
    assert_true(can(objects, 1, X, stage->pool));
}

static void hold_keeps_its_deadline(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_object_key_t keys[2] = {key_of(2), key_of(1)};
    const aa_lock_e locks[2] = {X, X};
    aa_hold_t *other, *held;
    apr_time_t begin;

    assert_int_equal(hold(&other, objects, 2, X, 0, stage->pool), APR_SUCCESS);
    begin = apr_time_now();
    assert_int_equal(
        aa_object_hold(&held, objects, keys, locks, 2, SHORT, stage->pool),
        APR_TIMEUP);
    assert_null(held);
    assert_in_range(apr_time_now() - begin, SHORT, 20 * SHORT);
    assert_true(can(objects, 1, X, stage->pool)); /* all or none */
    aa_object_release(other);
    assert_int_equal(
        aa_object_hold(&held, objects, keys, locks, 2, SHORT, stage->pool),
        APR_SUCCESS);
    aa_object_release(held);
}

/* ---------------------------------------------------------------- fairness */

typedef struct writer_t {
    aa_objects_t *objects;
    apr_pool_t *pool;
    apr_status_t rv;
    int done;
} writer_t;

static void *write_once(void *data)
{
    writer_t *writer = data;
    aa_hold_t *held;

    writer->rv = hold(&held, writer->objects, 1, X, LONG / 4, writer->pool);
    aa_object_release(held);
    add(&writer->done, 1);
    return NULL;
}

/* Each reader leaves only after the next has come, if it can come at all: the
 * object would never be free. */
static int readers_until_done(writer_t *writer, apr_pool_t *p)
{
    aa_hold_t *held, *next;
    pthread_t thread;
    int kept_out = 0;

    assert_int_equal(hold(&held, writer->objects, 1, S, 0, p), APR_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, write_once, writer), 0);
    while (!get(&writer->done)) {
        kept_out += hold(&next, writer->objects, 1, S, 0, p) != APR_SUCCESS;
        aa_object_release(held);
        held = next;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    aa_object_release(held);
    return kept_out;
}

static void kill_a_writer(aa_objects_t *objects, apr_pool_t *p)
{
    pid_t pid = holder(objects, X, p);

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* From seats first; after a writer was killed all readers queue. */
static void writer_gets_in_among_readers(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);

    for (int i = 0; i < 2; i++) {
        writer_t writer = {objects, NULL, APR_EGENERAL, 0};
        apr_pool_t *p;

        assert_int_equal(apr_pool_create(&writer.pool, NULL), APR_SUCCESS);
        assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
        assert_true(readers_until_done(&writer, p) > 0);
        assert_int_equal(writer.rv, APR_SUCCESS);
        assert_true(can(objects, 1, S, p)); /* no intent is left */
        apr_pool_destroy(p);
        apr_pool_destroy(writer.pool);
        kill_a_writer(objects, stage->pool);
    }
}

/* ----------------------------------------------------------------- flights */

static void ask(void *data, int number)
{
    board_t *board = data;
    aa_object_key_t key = key_of(1);
    apr_uint64_t version = aa_object_version(board->objects, &key);
    const char *fact;
    aa_fact_mark_t mark = {.len = 0};
    aa_hold_t *flight;
    apr_pool_t *p;

    (void)number;
    apr_pool_create(&p, NULL);
    if (aa_object_flight(&flight, board->objects, &key, LONG, p) != APR_SUCCESS)
        add(&board->failed, 1);
    else if (aa_object_recall(&fact, &mark, board->objects, &key, T0, p) !=
             APR_SUCCESS) {
        add(&board->asked, 1);
        usleep(20000); /* the backend */
        aa_object_remember(board->objects, &key, version, "{}", 2, T0);
    }
    apr_pool_destroy(p);
}

static void flight_is_one(void **state)
{
    board_t *board = board_of(*state);
    aa_object_key_t key = key_of(1);

    for (int i = 1; i <= 2; i++) {
        assert_int_equal(crew_run(ask, board), 0);
        assert_int_equal(board->failed, 0);
        assert_int_equal(board->asked, i);
        aa_object_bump(board->objects, &key);
    }
}

typedef struct asker_t {
    aa_objects_t *objects;
    apr_pool_t *pool;
    aa_hold_t *flight;
} asker_t;

static void *fly(void *data)
{
    asker_t *asker = data;
    aa_object_key_t key = key_of(1);

    if (aa_object_flight(&asker->flight, asker->objects, &key, LONG,
                         asker->pool) != APR_SUCCESS)
        asker->flight = NULL;
    return NULL;
}

/* Who waits for a flight of object 1 has its fourth byte, as an intent. */
static int somebody_waits(const char *file)
{
    struct flock range = {.l_type = F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = 4 * 0x100000001LL + 3,
                          .l_len = 1};
    int fd = open(file, O_RDWR);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &range), 0);
    close(fd);
    return range.l_type != F_UNLCK;
}

static void flight_says_who_waited(void **state)
{
    stage_t *stage = *state;
    aa_object_key_t key = key_of(1);
    asker_t asker = {opened(stage), NULL, NULL};
    aa_hold_t *first, *held;
    pthread_t thread;

    assert_int_equal(apr_pool_create(&asker.pool, NULL), APR_SUCCESS);
    assert_int_equal(
        aa_object_flight(&first, asker.objects, &key, 0, stage->pool),
        APR_SUCCESS);
    assert_int_equal(aa_object_waited(first), 0);
    assert_int_equal(
        aa_object_flight(&held, asker.objects, &key, 0, stage->pool),
        APR_TIMEUP);
    assert_int_equal(hold(&held, asker.objects, 1, X, 0, stage->pool),
                     APR_SUCCESS); /* a flight is not a hold */
    assert_int_equal(pthread_create(&thread, NULL, fly, &asker), 0);
    while (!somebody_waits(stage->state.objects))
        usleep(100);
    aa_object_release(first);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(asker.flight);
    assert_int_equal(aa_object_waited(asker.flight), 1);
    apr_pool_destroy(asker.pool);
    aa_object_release(held);
}

/* ---------------------------------------------------- descriptors and file */

static int descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(listing);
    while (readdir(listing))
        n++;
    closedir(listing);
    return n;
}

static void descriptors_are_few(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    int before = descriptors(), n = AA_OBJECT_IDLE_MAX + 20;
    aa_hold_t *held[AA_OBJECT_IDLE_MAX + 20];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++)
            assert_int_equal(hold(&held[i], objects, i, X, 0, stage->pool),
                             APR_SUCCESS);
        assert_int_equal(descriptors(), before + n);
        for (int i = 0; i < n; i++)
            aa_object_release(held[i]);
        assert_int_equal(descriptors(), before + AA_OBJECT_IDLE_MAX);
    }
}

/* What lies idle at the fork would be one description for both. */
static void descriptors_are_not_inherited(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    pid_t pid;

    assert_true(can(objects, 1, X, stage->pool));
    pid = holder(objects, X, stage->pool);
    assert_false(can(objects, 1, S, stage->pool));
    assert_true(can(objects, 2, X, stage->pool));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A child that ends its copy of a hold does not end the hold. */
static void hold_is_not_ended_by_a_child(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;
    int status;
    pid_t pid;

    assert_int_equal(hold(&held, objects, 1, X, 0, stage->pool), APR_SUCCESS);
    pid = fork();
    if (pid == 0) {
        aa_object_release(held);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(can(objects, 1, S, stage->pool));
    aa_object_release(held);
    assert_true(can(objects, 1, X, stage->pool));
}

/* Old and new children of a graceful restart. */
static void holds_of_two_openings_exclude(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *old = opened(stage), *objects = opened(stage);
    aa_object_key_t key = key_of(1);
    apr_uint64_t version = aa_object_version(objects, &key);
    aa_hold_t *held;

    assert_int_equal(hold(&held, old, 1, X, 0, stage->pool), APR_SUCCESS);
    assert_false(can(objects, 1, S, stage->pool));
    aa_object_release(held);
    assert_true(can(objects, 1, S, stage->pool));
    aa_object_bump(old, &key);
    assert_int_equal(aa_object_version(objects, &key), version + 1);
}

static void file_is_private_and_the_same(void **state)
{
    stage_t *stage = *state;
    const char *file = stage->state.objects;
    aa_objects_t *objects = opened(stage), *again;
    aa_hold_t *held;
    struct stat st;

    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_blocks * 512 >= st.st_size); /* no holes */
    assert_int_equal(chmod(file, 0640), 0);
    assert_int_equal(aa_objects_open(&again, file, stage->pool), APR_EINVAL);
    assert_null(again);
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(aa_objects_open(&again, file, stage->pool), APR_SUCCESS);
    assert_int_equal(unlink(file), 0);
    assert_int_not_equal(hold(&held, objects, 1, X, 0, stage->pool),
                         APR_SUCCESS);
    again = opened(stage);
    assert_int_equal(hold(&held, objects, 1, X, 0, stage->pool), APR_EGENERAL);
    assert_null(held);
    assert_true(can(again, 1, X, stage->pool));
}

#define WITH_STAGE(f)                                                          \
    cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(holds_that_go_together),
        WITH_STAGE(hold_of_a_key_named_twice),
        WITH_STAGE(hold_of_how_many),
        WITH_STAGE(holds_exclude_threads_and_processes),
        WITH_STAGE(holds_in_opposite_orders_end),
        WITH_STAGE(hold_ends_with_its_process),
        WITH_STAGE(intent_ends_with_its_process),
        WITH_STAGE(hold_ends_in_another_thread),
        WITH_STAGE(hold_ends_once),
        WITH_STAGE(hold_keeps_its_deadline),
        WITH_STAGE(writer_gets_in_among_readers),
        WITH_STAGE(flight_is_one),
        WITH_STAGE(flight_says_who_waited),
        WITH_STAGE(descriptors_are_few),
        WITH_STAGE(descriptors_are_not_inherited),
        WITH_STAGE(hold_is_not_ended_by_a_child),
        WITH_STAGE(holds_of_two_openings_exclude),
        WITH_STAGE(file_is_private_and_the_same),
    };

    alarm(300); /* some wait for what a broken lock never lets happen */
    return cmocka_run_group_tests_name("holds", tests, NULL, NULL);
}
