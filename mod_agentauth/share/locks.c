/* SPDX-License-Identifier: Apache-2.0 */
/* Seats for readers, byte-range locks for all else, and when each ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apr_strings.h"
#include "apr_thread_mutex.h"
#include "base/crypto.h"
#include "base/private.h"
#include "model/limits.h"
#include "share/locks.h"
#include "share/segment.h"

#define NAP_FIRST 200 /* microseconds; each is half as long again, up to … */
#define NAP_LAST 10000

_Static_assert(sizeof(off_t) == 8, "claims are 62 bits");

/* Of one process; a fork begins it anew. */
typedef struct self_t {
    pid_t pid;          /* atomic; 0: not asked for yet */
    apr_uint64_t owner; /* atomic; 0: no byte of the file says that it lives */
} self_t;

struct aa_locks_t {
    const char *path;
    dev_t device;
    ino_t inode;
    aa_readers_t *readers;
    self_t *self;              /* or NULL: no such memory, hence no seats */
    apr_thread_mutex_t *mutex; /* of what follows */
    pid_t pid;                 /* whose the descriptors are */
    int alive;                 /* has the owner's byte; or -1 */
    int nidle;
    int idle[AA_OBJECT_IDLE_MAX];
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

/* ------------------------------------------------------- descriptors */

/* Asked twice a hold, and a system call costs more than all else of it. */
static pid_t self(aa_locks_t *locks)
{
    pid_t pid =
        locks->self ? __atomic_load_n(&locks->self->pid, __ATOMIC_RELAXED) : 0;

    if (pid)
        return pid;
    pid = getpid();
    if (locks->self)
        __atomic_store_n(&locks->self->pid, pid, __ATOMIC_RELAXED);
    return pid;
}

static void close_all(aa_locks_t *locks)
{
    while (locks->nidle)
        close(locks->idle[--locks->nidle]);
    if (locks->alive >= 0)
        close(locks->alive);
    locks->alive = -1;
}

/* A descriptor from before a fork shares its locks with the other process. */
static void forget_parents(aa_locks_t *locks, pid_t pid)
{
    if (locks->pid == pid)
        return;
    close_all(locks);
    locks->pid = pid;
}

static int take_idle(aa_locks_t *locks, pid_t pid)
{
    int fd;

    apr_thread_mutex_lock(locks->mutex);
    forget_parents(locks, pid);
    fd = locks->nidle ? locks->idle[--locks->nidle] : -1;
    apr_thread_mutex_unlock(locks->mutex);
    return fd;
}

/* Another file of the name would let two processes hold the same object. */
static apr_status_t open_same(int *fd, const aa_locks_t *locks, apr_pool_t *p)
{
    struct stat st;
    const char *why;
    apr_status_t rv = aa_private_open(fd, &why, locks->path, 0, p);

    if (rv != APR_SUCCESS)
        return rv;
    if (fstat(*fd, &st) == 0 && st.st_dev == locks->device &&
        st.st_ino == locks->inode)
        return APR_SUCCESS;
    close(*fd);
    *fd = -1;
    return APR_EGENERAL;
}

/* ------------------------------------------------------ one byte range */

static apr_status_t set(int fd, short type, apr_uint64_t at, off_t len)
{
    struct flock range = {.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)at,
                          .l_len = len};

    while (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return APR_EAGAIN;
        if (errno != EINTR)
            return APR_FROM_OS_ERROR(errno);
    }
    return APR_SUCCESS;
}

/* The byte after a claim is held by a writer that waits for it. */
static int is_locked(int fd, apr_uint64_t at)
{
    struct flock range = {.l_type = F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)at,
                          .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

/* ------------------------------------------------------------- owners */

/* A process with seats has one byte of the file locked for as long as it
 * lives. Its number is random, since what is left of another boot of the
 * machine must not look alive. */
#define OWNER_BYTE(owner) (AA_CLAIM_END + (owner) % AA_CLAIM_END)

static apr_status_t draw(apr_uint64_t *number)
{
    apr_status_t rv = aa_crypto_random(number, sizeof(*number));

    *number |= 1; /* never 0 */
    return rv;
}

static int owner_lives(void *fd, apr_uint64_t owner)
{
    return is_locked(*(int *)fd, OWNER_BYTE(owner));
}

static apr_status_t live(apr_uint64_t *owner, aa_locks_t *locks, apr_pool_t *p)
{
    apr_status_t rv = draw(owner);

    if (rv == APR_SUCCESS)
        rv = open_same(&locks->alive, locks, p);
    if (rv != APR_SUCCESS)
        return rv;
    rv = set(locks->alive, F_WRLCK, OWNER_BYTE(*owner), 1);
    if (rv == APR_SUCCESS)
        return rv;
    close(locks->alive);
    locks->alive = -1;
    return rv;
}

/* 0: no seats, then */
static apr_uint64_t owner_of(aa_locks_t *locks, apr_pool_t *p)
{
    apr_uint64_t owner =
        locks->self ? __atomic_load_n(&locks->self->owner, __ATOMIC_ACQUIRE)
                    : 0;

    if (owner || !locks->self)
        return owner;
    apr_thread_mutex_lock(locks->mutex);
    forget_parents(locks, self(locks));
    owner = __atomic_load_n(&locks->self->owner, __ATOMIC_ACQUIRE);
    if (!owner && live(&owner, locks, p) == APR_SUCCESS)
        __atomic_store_n(&locks->self->owner, owner, __ATOMIC_RELEASE);
    else if (locks->alive < 0)
        owner = 0;
    apr_thread_mutex_unlock(locks->mutex);
    return owner;
}

/* ------------------------------------------------------------- one claim */

static int sit_down(aa_hold_t *hold, aa_claim_t *claim, apr_pool_t *p)
{
    apr_uint64_t owner;

    if (claim->lock == AA_LOCK_EXCLUSIVE || hold->n > AA_OBJECT_SEATS_HOLD)
        return 0;
    owner = owner_of(hold->locks, p);
    if (owner)
        claim->mark = 1 + aa_readers_enter(hold->locks->readers, owner,
                                           claim->at, (uintptr_t)claim);
    return claim->mark;
}

static apr_status_t try_once(int fd, const aa_claim_t *claim,
                             const aa_readers_t *readers)
{
    apr_status_t rv;

    if (claim->lock == AA_LOCK_SHARED)
        return is_locked(fd, claim->at + 1) ? APR_EAGAIN
                                            : set(fd, F_RDLCK, claim->at, 1);
    rv = set(fd, F_WRLCK, claim->at, 1);
    if (rv == APR_SUCCESS &&
        aa_readers_inside(readers, claim->at, owner_lives, &fd))
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
            intent = set(hold->fd, F_WRLCK, claim->at + 1, 1) == APR_SUCCESS;
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
        hold->fd = take_idle(hold->locks, hold->pid);
    if (hold->fd < 0)
        rv = open_same(&hold->fd, hold->locks, p);
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

static void give_back(aa_locks_t *locks, int fd, pid_t pid)
{
    if (set(fd, F_UNLCK, 0, 0) == APR_SUCCESS) {
        apr_thread_mutex_lock(locks->mutex);
        if (locks->pid == pid && locks->nidle < AA_OBJECT_IDLE_MAX) {
            locks->idle[locks->nidle++] = fd;
            fd = -1;
        }
        apr_thread_mutex_unlock(locks->mutex);
    }
    if (fd >= 0)
        close(fd);
}

/* In a process that was forked meanwhile the locks are not ours to end. */
void aa_object_release(aa_hold_t *hold)
{
    if (!hold || !__atomic_exchange_n(&hold->lives, 0, __ATOMIC_ACQ_REL))
        return;
    if (self(hold->locks) == hold->pid) {
        undo_marks(hold);
        if (hold->fd >= 0)
            give_back(hold->locks, hold->fd, hold->pid);
    }
    else if (hold->fd >= 0) {
        close(hold->fd);
    }
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
    hold->pid = self(locks);
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

static apr_status_t cleanup(void *data)
{
    close_all(data);
    return APR_SUCCESS;
}

/* Also a trial: a file system without such locks refuses the start. */
static apr_status_t sweep(aa_locks_t *locks, int fd)
{
    apr_uint64_t token;
    apr_status_t rv = draw(&token);

    if (rv == APR_SUCCESS)
        rv = set(fd, F_WRLCK, OWNER_BYTE(token), 1);
    if (rv == APR_SUCCESS)
        aa_readers_sweep(locks->readers, token, owner_lives, &fd);
    return rv;
}

apr_status_t aa_locks_make(aa_locks_t **plocks, const char *path, int fd,
                           aa_readers_t *readers, apr_pool_t *p)
{
    aa_locks_t *locks = apr_pcalloc(p, sizeof(*locks));
    struct stat st;
    apr_status_t rv;

    *plocks = NULL;
    if (fstat(fd, &st) != 0)
        return APR_FROM_OS_ERROR(errno);
    locks->path = apr_pstrdup(p, path);
    locks->device = st.st_dev;
    locks->inode = st.st_ino;
    locks->readers = readers;
    locks->self = aa_segment_own(sizeof(*locks->self), p);
    locks->pid = self(locks);
    locks->alive = -1;
    rv = sweep(locks, fd);
    if (rv == APR_SUCCESS)
        rv =
            apr_thread_mutex_create(&locks->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, locks, cleanup, apr_pool_cleanup_null);
    *plocks = locks;
    return APR_SUCCESS;
}
