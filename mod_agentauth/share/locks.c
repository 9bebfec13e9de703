/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-range locks, each hold with an open file description of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apr_strings.h"
#include "apr_thread_mutex.h"
#include "base/private.h"
#include "model/limits.h"
#include "share/locks.h"
#include "share/segment.h"

#define NAP_FIRST 200 /* microseconds; each is half as long again, up to … */
#define NAP_LAST 10000

_Static_assert(sizeof(off_t) == 8, "claims are 62 bits");

struct aa_locks_t {
    const char *path;
    dev_t device;
    ino_t inode;
    pid_t *self; /* atomic; of each process its own, 0 at first; or NULL */
    apr_thread_mutex_t *mutex; /* of what follows */
    pid_t pid;                 /* whose the idle descriptors are */
    int nidle;
    int idle[AA_OBJECT_IDLE_MAX];
};

struct aa_hold_t {
    aa_locks_t *locks;
    pid_t pid;
    int fd; /* atomic; -1: ended */
    int waited;
};

/* ------------------------------------------------------- descriptors */

/* Asked twice a hold, and a system call costs as much as the lock itself. */
static pid_t self(aa_locks_t *locks)
{
    pid_t pid =
        locks->self ? __atomic_load_n(locks->self, __ATOMIC_RELAXED) : 0;

    if (pid)
        return pid;
    pid = getpid();
    if (locks->self)
        __atomic_store_n(locks->self, pid, __ATOMIC_RELAXED);
    return pid;
}

/* A descriptor from before a fork shares its locks with the other process. */
static void forget_parents(aa_locks_t *locks, pid_t pid)
{
    if (locks->pid == pid)
        return;
    while (locks->nidle)
        close(locks->idle[--locks->nidle]);
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
static int writer_waits(int fd, apr_uint64_t at)
{
    struct flock range = {.l_type = F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)at + 1,
                          .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

static apr_status_t try_once(int fd, const aa_claim_t *claim)
{
    if (claim->lock == AA_LOCK_EXCLUSIVE)
        return set(fd, F_WRLCK, claim->at, 1);
    if (writer_waits(fd, claim->at))
        return APR_EAGAIN;
    return set(fd, F_RDLCK, claim->at, 1);
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
static apr_status_t take_one(aa_hold_t *hold, const aa_claim_t *claim,
                             apr_int64_t deadline)
{
    apr_int64_t nap = NAP_FIRST, left;
    int intent = 0;
    apr_status_t rv;

    while ((rv = try_once(hold->fd, claim)) == APR_EAGAIN) {
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

/* ---------------------------------------------------------------- holds */

static int compare(const void *a, const void *b)
{
    const aa_claim_t *one = a, *two = b;

    if (one->at != two->at)
        return one->at < two->at ? -1 : 1;
    return (two->lock == AA_LOCK_EXCLUSIVE) - (one->lock == AA_LOCK_EXCLUSIVE);
}

static apr_status_t take_all(aa_hold_t *hold, aa_claim_t *claims, int n,
                             apr_interval_time_t wait)
{
    apr_int64_t deadline = ticks() + wait;
    apr_status_t rv = APR_SUCCESS;

    qsort(claims, (size_t)n, sizeof(*claims), compare);
    for (int i = 0; i < n && rv == APR_SUCCESS; i++)
        if (i == 0 || claims[i].at != claims[i - 1].at) /* the stronger first */
            rv = take_one(hold, &claims[i], deadline);
    return rv;
}

/* In a process that was forked meanwhile the locks are not ours to end. */
void aa_object_release(aa_hold_t *hold)
{
    int fd = hold ? __atomic_exchange_n(&hold->fd, -1, __ATOMIC_ACQ_REL) : -1;
    aa_locks_t *locks;

    if (fd < 0)
        return;
    locks = hold->locks;
    if (self(locks) == hold->pid && set(fd, F_UNLCK, 0, 0) == APR_SUCCESS) {
        apr_thread_mutex_lock(locks->mutex);
        if (locks->pid == hold->pid && locks->nidle < AA_OBJECT_IDLE_MAX) {
            locks->idle[locks->nidle++] = fd;
            fd = -1;
        }
        apr_thread_mutex_unlock(locks->mutex);
    }
    if (fd >= 0)
        close(fd);
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
    apr_status_t rv = APR_SUCCESS;

    *phold = NULL;
    hold->locks = locks;
    hold->pid = self(locks);
    hold->fd = take_idle(locks, hold->pid);
    if (hold->fd < 0)
        rv = open_same(&hold->fd, locks, p);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, hold, release, apr_pool_cleanup_null);
    rv = take_all(hold, claims, n, wait);
    if (rv == APR_SUCCESS)
        *phold = hold;
    else
        apr_pool_cleanup_run(p, hold, release);
    return rv;
}

/* ----------------------------------------------------------------- open */

static apr_status_t close_idle(void *data)
{
    aa_locks_t *locks = data;

    while (locks->nidle)
        close(locks->idle[--locks->nidle]);
    return APR_SUCCESS;
}

apr_status_t aa_locks_make(aa_locks_t **plocks, const char *path, int fd,
                           apr_pool_t *p)
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
    locks->self = aa_segment_own(sizeof(*locks->self), p);
    locks->pid = self(locks);
    rv = apr_thread_mutex_create(&locks->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, locks, close_idle, apr_pool_cleanup_null);
    *plocks = locks;
    return APR_SUCCESS;
}
