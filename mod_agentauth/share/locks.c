/* SPDX-License-Identifier: Apache-2.0 */
/* Seats for readers, byte-range locks for all else, and when each ends. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "model/limits.h"
#include "share/lockfile.h"
#include "share/locks.h"

#define NAP_FIRST 200 /* microseconds; each is half as long again, up to … */
#define NAP_LAST 10000

_Static_assert(AA_CLAIM_END <= AA_LOCKFILE_END, "a byte each");

struct aa_locks_t {
    aa_lockfile_t *file;
    aa_readers_t *readers;
};

struct aa_hold_t {
    aa_locks_t *locks;
    aa_claim_t *claims; /* sorted; where `mark` is set it is to be undone */
    int n;
    pid_t pid;
    int lives; /* atomic; 0: ended */
    int fd;    /* -1: only seats so far */
    int waited;
};

/* ------------------------------------------------------------- one claim */

/* What is marked is undone when the hold ends. */
static int sit_down(aa_hold_t *hold, aa_claim_t *claim, apr_pool_t *p)
{
    aa_locks_t *locks = hold->locks;
    apr_uint64_t owner;

    if (claim->lock == AA_LOCK_EXCLUSIVE || hold->n > AA_OBJECT_SEATS_HOLD)
        return 0;
    owner = aa_lockfile_owner(locks->file, p);
    if (owner)
        claim->mark = 1 + aa_readers_enter(locks->readers, owner, claim->at,
                                           (uintptr_t)claim);
    return claim->mark;
}

/* The byte after a claim is held by a writer that waits for it. */
static apr_status_t try_once(int fd, const aa_claim_t *claim,
                             const aa_readers_t *readers)
{
    apr_status_t rv;

    if (claim->lock == AA_LOCK_SHARED)
        return aa_lockfile_locked(fd, claim->at + 1)
                   ? APR_EAGAIN
                   : aa_lockfile_set(fd, F_RDLCK, claim->at);
    rv = aa_lockfile_set(fd, F_WRLCK, claim->at);
    if (rv == APR_SUCCESS &&
        aa_readers_inside(readers, claim->at, aa_lockfile_lives, &fd))
        rv = APR_EAGAIN;
    return rv;
}

/* Of a clock that nobody sets. */
static apr_int64_t ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The kernel's own wait has no deadline but a signal's; so look again and
 * again. Readers let a waiting writer pass; one of those waiting is enough. Its
 * intent ends with its hold: beside the lock it keeps nobody out. */
static apr_status_t wait_for(aa_hold_t *hold, const aa_claim_t *claim,
                             apr_int64_t deadline)
{
    apr_int64_t nap = NAP_FIRST, left;
    int intent = 0;
    apr_status_t rv;

    while ((rv = try_once(hold->fd, claim, hold->locks->readers)) ==
           APR_EAGAIN) {
        left = deadline - ticks();
        if (left <= 0)
            return APR_TIMEUP;
        hold->waited = 1;
        if (claim->lock == AA_LOCK_EXCLUSIVE && !intent)
            intent = aa_lockfile_set(hold->fd, F_WRLCK, claim->at + 1) ==
                     APR_SUCCESS;
        apr_sleep(nap < left ? nap : left);
        nap += nap / 2;
        if (nap > NAP_LAST)
            nap = NAP_LAST;
    }
    return rv;
}

static apr_status_t take_one(aa_hold_t *hold, aa_claim_t *claim,
                             apr_int64_t deadline, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    if (sit_down(hold, claim, p))
        return APR_SUCCESS;
    if (hold->fd < 0)
        rv = aa_lockfile_take(&hold->fd, hold->locks->file, hold->pid, p);
    if (rv != APR_SUCCESS)
        return rv;
    if (claim->lock == AA_LOCK_EXCLUSIVE) {
        aa_readers_announce(hold->locks->readers, claim->at);
        claim->mark = 1;
    }
    return wait_for(hold, claim, deadline);
}

/* ---------------------------------------------------------------- holds */

static int compare(const void *a, const void *b)
{
    const aa_claim_t *one = a, *two = b;

    if (one->at != two->at)
        return one->at < two->at ? -1 : 1;
    return (two->lock == AA_LOCK_EXCLUSIVE) - (one->lock == AA_LOCK_EXCLUSIVE);
}

static apr_status_t take_all(aa_hold_t *hold, apr_interval_time_t wait,
                             apr_pool_t *p)
{
    apr_int64_t deadline = ticks() + wait;
    aa_claim_t *claims = hold->claims;
    apr_status_t rv = APR_SUCCESS;

    qsort(claims, (size_t)hold->n, sizeof(*claims), compare);
    for (int i = 0; i < hold->n && rv == APR_SUCCESS; i++)
        if (i == 0 || claims[i].at != claims[i - 1].at) /* the stronger first */
            rv = take_one(hold, &claims[i], deadline, p);
    return rv;
}

static void undo_marks(const aa_hold_t *hold)
{
    aa_readers_t *readers = hold->locks->readers;

    for (int i = 0; i < hold->n; i++)
        if (hold->claims[i].mark && hold->claims[i].lock == AA_LOCK_SHARED)
            aa_readers_leave(readers, hold->claims[i].mark - 1);
        else if (hold->claims[i].mark)
            aa_readers_admit(readers, hold->claims[i].at);
}

/* In a process that was forked meanwhile the locks are not ours to end. */
void aa_object_release(aa_hold_t *hold)
{
    aa_lockfile_t *file;

    if (!hold || !__atomic_exchange_n(&hold->lives, 0, __ATOMIC_ACQ_REL))
        return;
    file = hold->locks->file;
    if (aa_lockfile_self(file) == hold->pid)
        undo_marks(hold);
    if (hold->fd >= 0)
        aa_lockfile_give(file, hold->fd, hold->pid);
}

static apr_status_t release(void *data)
{
    aa_object_release(data);
    return APR_SUCCESS;
}

int aa_object_waited(const aa_hold_t *hold)
{
    return hold->waited;
}

apr_status_t aa_locks_take(aa_hold_t **phold, aa_locks_t *locks,
                           aa_claim_t *claims, int n, apr_interval_time_t wait,
                           apr_pool_t *p)
{
    aa_hold_t *hold = apr_pcalloc(p, sizeof(*hold));
    apr_status_t rv;

    *phold = NULL;
    hold->locks = locks;
    hold->claims = claims;
    hold->n = n;
    hold->pid = aa_lockfile_self(locks->file);
    hold->fd = -1;
    hold->lives = 1;
    apr_pool_cleanup_register(p, hold, release, apr_pool_cleanup_null);
    rv = take_all(hold, wait, p);
    if (rv == APR_SUCCESS)
        *phold = hold;
    else
        apr_pool_cleanup_run(p, hold, release);
    return rv;
}

/* ----------------------------------------------------------------- open */

/* Also a trial: a file system without such locks refuses the start. */
static apr_status_t sweep(const aa_locks_t *locks, int fd)
{
    apr_uint64_t token;
    apr_status_t rv = aa_lockfile_live(&token, fd);

    if (rv == APR_SUCCESS)
        aa_readers_sweep(locks->readers, token, aa_lockfile_lives, &fd);
    return rv;
}

apr_status_t aa_locks_make(aa_locks_t **plocks, const char *path, int fd,
                           aa_readers_t *readers, apr_pool_t *p)
{
    aa_locks_t *locks = apr_pcalloc(p, sizeof(*locks));
    apr_status_t rv = aa_lockfile_make(&locks->file, path, fd, p);

    *plocks = NULL;
    locks->readers = readers;
    if (rv == APR_SUCCESS)
        rv = sweep(locks, fd);
    if (rv == APR_SUCCESS)
        *plocks = locks;
    return rv;
}
