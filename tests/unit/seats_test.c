/* SPDX-License-Identifier: Apache-2.0 */
/* Seats of readers: never beside a writer, free when their process is dead. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "crew.h"
#include "model/limits.h"
#include "share/locks.h"
#include "share/readers.h"
#include "share/segment.h"
#include "stage.h"

#define LONG (60 * 1000000LL) /* what no test needs */
#define S AA_LOCK_SHARED
#define X AA_LOCK_EXCLUSIVE
#define ALICE 11 /* owners */
#define BOB 13
#define CAROL 15

static aa_readers_t *seats(stage_t *stage)
{
    aa_readers_t *readers = aa_segment_make(aa_readers_size, stage->pool);

    assert_non_null(readers);
    return readers;
}

/* `data` names who is dead */
static int all_but(void *data, apr_uint64_t owner)
{
    return owner != *(apr_uint64_t *)data;
}

static int inside(const aa_readers_t *readers, apr_uint64_t at,
                  apr_uint64_t dead)
{
    return aa_readers_inside(readers, at, all_but, &dead);
}

/* ------------------------------------------------------------------- seats */

static void seat_is_had_when_no_writer_is_announced(void **state)
{
    aa_readers_t *readers = seats(*state);
    int seat = aa_readers_enter(readers, ALICE, 4, 0);

    assert_true(seat >= 0);
    aa_readers_announce(readers, 4);
    assert_int_equal(aa_readers_enter(readers, ALICE, 4, 0), -1);
    assert_true(aa_readers_enter(readers, ALICE, 8, 0) >= 0);
    aa_readers_announce(readers, 4);
    aa_readers_admit(readers, 4);
    assert_int_equal(aa_readers_enter(readers, ALICE, 4, 0), -1);
    aa_readers_admit(readers, 4);
    assert_true(aa_readers_enter(readers, ALICE, 4, 0) >= 0);
    assert_int_equal(inside(readers, 4, 0), 1);
}

static void seat_counts_for_its_object_while_its_owner_lives(void **state)
{
    aa_readers_t *readers = seats(*state);
    int seat = aa_readers_enter(readers, ALICE, 0, 0), other;

    assert_int_equal(inside(readers, 0, BOB), 1);
    assert_int_equal(inside(readers, 0, ALICE), 0);
    assert_int_equal(inside(readers, 4, BOB), 0);
    other = aa_readers_enter(readers, BOB, 0, 1);
    assert_int_not_equal(other, seat);
    aa_readers_leave(readers, seat);
    assert_int_equal(inside(readers, 0, ALICE), 1);
    aa_readers_leave(readers, other);
    assert_int_equal(inside(readers, 0, 0), 0);
}

static int sit_many(aa_readers_t *readers, apr_uint64_t owner)
{
    int n = 0;

    for (apr_uint64_t i = 0; i < 4 * AA_OBJECT_SEATS; i++)
        n += aa_readers_enter(readers, owner, 4, i) >= 0;
    return n;
}

static void seats_run_out(void **state)
{
    aa_readers_t *readers = seats(*state);

    assert_in_range(sit_many(readers, ALICE), AA_OBJECT_SEATS / 2,
                    AA_OBJECT_SEATS);
    for (int i = 0; i < AA_OBJECT_SEATS; i++)
        aa_readers_leave(readers, i);
    assert_int_equal(inside(readers, 4, 0), 0);
    assert_true(sit_many(readers, ALICE) > AA_OBJECT_SEATS / 2);
}

static void seats_of_the_dead_are_swept(void **state)
{
    aa_readers_t *readers = seats(*state);
    apr_uint64_t dead = ALICE;
    int many, bob = aa_readers_enter(readers, BOB, 8, 0);

    assert_true(bob >= 0);
    many = sit_many(readers, ALICE);
    assert_true(sit_many(readers, ALICE) < AA_OBJECT_SEATS / 2);
    aa_readers_sweep(readers, CAROL, all_but, &dead);
    assert_int_equal(inside(readers, 4, 0), 0);
    assert_int_equal(inside(readers, 8, 0), 1);
    assert_int_equal(sit_many(readers, ALICE), many);
}

/* ----------------------------------------------------------------- at once */

typedef struct race_t {
    aa_readers_t *readers;
    apr_uint64_t hints[CREW];
    int writing, sat, wrong;
} race_t;

/* Seats that writers look at first: there it is a matter of nanoseconds. */
static void find_front_seats(race_t *race)
{
    for (int i = 0; i < CREW; i++)
        for (int seat = -1; seat != i; race->hints[i] += seat != i) {
            seat = aa_readers_enter(race->readers, ALICE, 4, race->hints[i]);
            aa_readers_leave(race->readers, seat);
        }
}

static int read_once(race_t *race, int number)
{
    int seat = aa_readers_enter(race->readers, ALICE, 4, race->hints[number]);

    if (seat < 0)
        return 0;
    __atomic_add_fetch(&race->sat, 1, __ATOMIC_RELAXED);
    for (int look = 0; look < 20; look++)
        if (__atomic_load_n(&race->writing, __ATOMIC_SEQ_CST))
            __atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
    aa_readers_leave(race->readers, seat);
    return 1;
}

static void write_once(race_t *race)
{
    apr_uint64_t nobody = 0;

    aa_readers_announce(race->readers, 4);
    while (aa_readers_inside(race->readers, 4, all_but, &nobody))
        sched_yield();
    __atomic_store_n(&race->writing, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 5; i++)
        sched_yield();
    __atomic_store_n(&race->writing, 0, __ATOMIC_SEQ_CST);
    aa_readers_admit(race->readers, 4);
}

/* Readers go on until they have sat: at the latest when nobody writes. */
static void race(void *data, int number)
{
    int sat = 0;

    for (int i = 0; !number && i < 5000; i++)
        write_once(data);
    for (int i = 0; number && (i < 20000 || !sat); i++) {
        sat += read_once(data, number);
        if (i >= 20000)
            sched_yield(); /* the writer may wait for the processor */
    }
}

static void seats_and_writers_see_each_other(void **state)
{
    stage_t *stage = *state;
    race_t *shared = aa_segment_make(sizeof(*shared), stage->pool);

    assert_non_null(shared);
    shared->readers = seats(stage);
    find_front_seats(shared);
    assert_int_equal(crew_run(race, shared), 0);
    assert_int_equal(shared->wrong, 0);
    assert_true(shared->sat > 0);
    assert_int_equal(inside(shared->readers, 4, 0), 0);
}

/* ------------------------------------------------- holds, and who has them */

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

static int can(aa_objects_t *objects, int number, aa_lock_e lock, apr_pool_t *p)
{
    aa_hold_t *held;
    apr_status_t rv = hold(&held, objects, number, lock, 0, p);

    assert_true(rv == APR_SUCCESS || rv == APR_TIMEUP);
    aa_object_release(held);
    return rv == APR_SUCCESS;
}

/* Few have seats, many stand in the queue: both keep a writer out. */
static void hold_of_few_and_of_many(void **state)
{
    static const int sizes[] = {1, AA_OBJECT_SEATS_HOLD,
                                AA_OBJECT_SEATS_HOLD + 1};
    static aa_object_key_t keys[AA_OBJECT_SEATS_HOLD + 1];
    static aa_lock_e locks[AA_OBJECT_SEATS_HOLD + 1]; /* all shared */
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;

    for (int i = 0; i <= AA_OBJECT_SEATS_HOLD; i++)
        keys[i] = key_of(i);
    for (int i = 0; i < 3; i++) {
        print_message("%d keys\n", sizes[i]);
        assert_int_equal(aa_object_hold(&held, objects, keys, locks, sizes[i],
                                        0, stage->pool),
                         APR_SUCCESS);
        assert_false(can(objects, 0, X, stage->pool));
        assert_false(can(objects, sizes[i] - 1, X, stage->pool));
        assert_true(can(objects, 0, S, stage->pool));
        aa_object_release(held);
        assert_true(can(objects, 0, X, stage->pool));
        assert_true(can(objects, sizes[i] - 1, X, stage->pool));
    }
}

static void hold_is_not_ended_by_a_child(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;
    pid_t pid;

    assert_int_equal(hold(&held, objects, 1, S, 0, stage->pool), APR_SUCCESS);
    pid = fork();
    if (pid == 0) {
        aa_object_release(held);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(can(objects, 1, X, stage->pool));
    aa_object_release(held);
    assert_true(can(objects, 1, X, stage->pool));
}

static void say(int fd, int good)
{
    char byte = (char)good;

    if (write(fd, &byte, 1) == 1)
        alarm(120);
    for (;;)
        pause();
}

static int heard(int fd)
{
    char byte = 0;

    return read(fd, &byte, 1) == 1 && byte;
}

/* The parent has seats, too, and lives. */
static void seat_of_a_killed_child_is_free(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    aa_hold_t *held;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(hold(&held, objects, 2, S, 0, stage->pool), APR_SUCCESS);
    pid = fork();
    if (pid == 0)
        say(ends[1], hold(&held, objects, 1, S, 0, stage->pool) == APR_SUCCESS);
    assert_true(heard(ends[0]));
    assert_false(can(objects, 1, X, stage->pool));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(can(objects, 1, X, stage->pool));
    assert_false(can(objects, 2, X, stage->pool));
    close(ends[0]);
    close(ends[1]);
}

/* Holds 1; its child holds 2 and says its own number, 0 if all is not well. */
static void have_a_child(stage_t *stage, aa_objects_t *objects, int fd)
{
    aa_hold_t *held;
    int good = hold(&held, objects, 1, S, 0, stage->pool) == APR_SUCCESS;

    if (fork() == 0) {
        pid_t pid =
            hold(&held, objects, 2, S, 0, stage->pool) == APR_SUCCESS && good
                ? getpid()
                : 0;

        if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
            _exit(1);
    }
    alarm(120);
    for (;;)
        pause();
}

/* What it forked lives on, with seats of its own. */
static void seat_of_a_killed_parent_is_free(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *objects = opened(stage);
    pid_t pid, grandchild = 0;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0)
        have_a_child(stage, objects, ends[1]);
    assert_int_equal(read(ends[0], &grandchild, sizeof(grandchild)),
                     sizeof(grandchild));
    assert_true(grandchild > 0);
    assert_false(can(objects, 1, X, stage->pool));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(can(objects, 1, X, stage->pool));
    assert_false(can(objects, 2, X, stage->pool));
    kill(grandchild, SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

/* Old and new children of a graceful restart. */
static void seats_of_two_openings_exclude(void **state)
{
    stage_t *stage = *state;
    aa_objects_t *old = opened(stage), *objects;
    aa_hold_t *held;

    assert_int_equal(hold(&held, old, 1, S, 0, stage->pool), APR_SUCCESS);
    objects = opened(stage); /* which sweeps */
    assert_false(can(objects, 1, X, stage->pool));
    assert_true(can(objects, 1, S, stage->pool));
    aa_object_release(held);
    assert_true(can(objects, 1, X, stage->pool));
}

static void opening_sweeps(void **state)
{
    stage_t *stage = *state;
    aa_readers_t *readers = seats(stage);
    aa_locks_t *locks;
    int fd;

    opened(stage);
    fd = open(stage->state.objects, O_RDWR);
    assert_true(fd >= 0);
    assert_true(aa_readers_enter(readers, ALICE, 4, 0) >= 0);
    assert_int_equal(
        aa_locks_make(&locks, stage->state.objects, fd, readers, stage->pool),
        APR_SUCCESS);
    assert_int_equal(inside(readers, 4, 0), 0); /* no process is ALICE */
    close(fd);
}

/* ------------------------------------------------------------ what is short */

static int without_descriptors(stage_t *stage)
{
    aa_objects_t *objects = opened(stage);
    struct rlimit few = {0, 0}, before;
    aa_hold_t *held;
    int wrong = 0;

    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        return 1;
    few.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < 2; i++) {
        apr_status_t rv = hold(&held, objects, 1, i ? S : X, 0, stage->pool);

        wrong += held != NULL || rv == APR_SUCCESS || rv == APR_TIMEUP;
    }
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 2; i++)
        wrong += !can(objects, 1, i ? S : X, stage->pool);
    return wrong;
}

static void holds_need_descriptors(void **state)
{
    assert_int_equal(stage_child(without_descriptors, *state, 0), 0);
}

static void file_without_locks_is_refused(void **state)
{
    stage_t *stage = *state;
    const char *file = stage->state.objects;
    aa_locks_t *locks;
    int fd;

    opened(stage);
    for (int i = 0; i < 2; i++) {
        fd = open(file, i ? O_RDWR : O_RDONLY); /* no lock of a writer, then */
        assert_true(fd >= 0);
        assert_int_equal(aa_locks_make(&locks, file, fd, seats(stage),
                                       stage->pool) == APR_SUCCESS,
                         i);
        assert_int_equal(locks != NULL, i);
        close(fd);
    }
}

/* ------------------------------------------------------------------- crowds */

#define CROWD 200

typedef struct crowd_t {
    aa_objects_t *objects;
    apr_interval_time_t wait;
    int inside, wrong, done, late, other;
} crowd_t;

static int add(int *number, int by)
{
    return __atomic_add_fetch(number, by, __ATOMIC_SEQ_CST);
}

static void *want(void *data)
{
    crowd_t *crowd = data;
    aa_hold_t *held;
    apr_pool_t *p;
    apr_status_t rv;

    apr_pool_create(&p, NULL);
    rv = hold(&held, crowd->objects, 1, X, crowd->wait, p);
    if (rv == APR_SUCCESS) {
        add(&crowd->wrong, add(&crowd->inside, 1) != 1);
        sched_yield();
        add(&crowd->inside, -1);
    }
    add(rv == APR_SUCCESS  ? &crowd->done
        : rv == APR_TIMEUP ? &crowd->late
                           : &crowd->other,
        1);
    apr_pool_destroy(p);
    return NULL;
}

static void gather(crowd_t *crowd, aa_hold_t *until_all_wait)
{
    pthread_t threads[CROWD];

    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, want, crowd), 0);
    aa_object_release(until_all_wait);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd->wrong, 0);
    assert_int_equal(crowd->other, 0);
}

static void crowd_waits_and_each_gets_it(void **state)
{
    stage_t *stage = *state;
    crowd_t crowd = {opened(stage), LONG, 0, 0, 0, 0, 0};
    aa_hold_t *held;

    assert_int_equal(hold(&held, crowd.objects, 1, S, 0, stage->pool),
                     APR_SUCCESS);
    gather(&crowd, held);
    assert_int_equal(crowd.done, CROWD);
    assert_true(can(crowd.objects, 1, X, stage->pool));
}

/* Nobody waits for longer than was said, however many there are. */
static void crowd_is_let_go_in_time(void **state)
{
    stage_t *stage = *state;
    crowd_t crowd = {opened(stage), 50000, 0, 0, 0, 0, 0};
    aa_hold_t *held;

    assert_int_equal(hold(&held, crowd.objects, 1, S, 0, stage->pool),
                     APR_SUCCESS);
    gather(&crowd, NULL);
    assert_int_equal(crowd.late, CROWD);
    aa_object_release(held);
    assert_true(can(crowd.objects, 1, X, stage->pool));
    assert_true(can(crowd.objects, 1, S, stage->pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(seat_is_had_when_no_writer_is_announced),
        WITH_STAGE(seat_counts_for_its_object_while_its_owner_lives),
        WITH_STAGE(seats_run_out),
        WITH_STAGE(seats_of_the_dead_are_swept),
        WITH_STAGE(seats_and_writers_see_each_other),
        WITH_STAGE(hold_of_few_and_of_many),
        WITH_STAGE(hold_is_not_ended_by_a_child),
        WITH_STAGE(seat_of_a_killed_child_is_free),
        WITH_STAGE(seat_of_a_killed_parent_is_free),
        WITH_STAGE(seats_of_two_openings_exclude),
        WITH_STAGE(opening_sweeps),
        WITH_STAGE(holds_need_descriptors),
        WITH_STAGE(file_without_locks_is_refused),
        WITH_STAGE(crowd_waits_and_each_gets_it),
        WITH_STAGE(crowd_is_let_go_in_time),
    };

    alarm(300); /* some wait for what a broken lock never lets happen */
    return cmocka_run_group_tests_name("seats", tests, NULL, NULL);
}
