/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of the lock file, each with an open file description of its own,
 * and the byte by which the kernel says that a process lives. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "apr_thread_mutex.h"
#include "base/crypto.h"
#include "base/private.h"
#include "model/limits.h"
#include "share/lockfile.h"
#include "share/segment.h"

_Static_assert(sizeof(off_t) == 8, "there are 62 bits of bytes");

/* Of one process; a fork begins it anew. */
typedef struct self_t {
    pid_t pid;          /* atomic; 0: not asked for yet */
    apr_uint64_t owner; /* atomic; 0: no byte of the file says that it lives */
} self_t;

struct aa_lockfile_t {
    const char *path;
    dev_t device;
    ino_t inode;
    self_t *self;              /* or NULL: no such memory, hence no seats */
    apr_thread_mutex_t *mutex; /* of what follows */
    pid_t pid;                 /* whose the descriptors are */
    int alive;                 /* has the owner's byte; or -1 */
    int nidle;
    int idle[AA_OBJECT_IDLE_MAX];
};

/* ------------------------------------------------------- descriptors */

/* Asked twice a hold, and a system call costs more than all else of it. */
pid_t aa_lockfile_self(aa_lockfile_t *file)
{
    pid_t pid =
        file->self ? __atomic_load_n(&file->self->pid, __ATOMIC_RELAXED) : 0;

    if (pid)
        return pid;
    pid = getpid();
    if (file->self)
        __atomic_store_n(&file->self->pid, pid, __ATOMIC_RELAXED);
    return pid;
}

static void close_all(aa_lockfile_t *file)
{
    while (file->nidle)
        close(file->idle[--file->nidle]);
    if (file->alive >= 0)
        close(file->alive);
    file->alive = -1;
}

/* A descriptor from before a fork shares its locks with the other process. */
static void forget_parents(aa_lockfile_t *file, pid_t pid)
{
    if (file->pid == pid)
        return;
    close_all(file);
    file->pid = pid;
}

static int take_idle(aa_lockfile_t *file, pid_t pid)
{
    int fd;

    apr_thread_mutex_lock(file->mutex);
    forget_parents(file, pid);
    fd = file->nidle ? file->idle[--file->nidle] : -1;
    apr_thread_mutex_unlock(file->mutex);
    return fd;
}

/* Another file of the name would let two processes hold the same object. */
static apr_status_t open_same(int *fd, const aa_lockfile_t *file, apr_pool_t *p)
{
    struct stat st;
    const char *why;
    apr_status_t rv = aa_private_open(fd, &why, file->path, 0, p);

    if (rv != APR_SUCCESS)
        return rv;
    if (fstat(*fd, &st) == 0 && st.st_dev == file->device &&
        st.st_ino == file->inode)
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

apr_status_t aa_lockfile_set(int fd, short type, apr_uint64_t at)
{
    return set(fd, type, at, 1);
}

int aa_lockfile_locked(int fd, apr_uint64_t at)
{
    struct flock range = {.l_type = F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)at,
                          .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

apr_status_t aa_lockfile_take(int *fd, aa_lockfile_t *file, pid_t pid,
                              apr_pool_t *p)
{
    *fd = take_idle(file, pid);
    return *fd >= 0 ? APR_SUCCESS : open_same(fd, file, p);
}

/* In a child the descriptor is a copy; its locks are the parent's to end. */
void aa_lockfile_give(aa_lockfile_t *file, int fd, pid_t pid)
{
    if (aa_lockfile_self(file) == pid &&
        set(fd, F_UNLCK, 0, 0) == APR_SUCCESS) {
        apr_thread_mutex_lock(file->mutex);
        if (file->pid == pid && file->nidle < AA_OBJECT_IDLE_MAX) {
            file->idle[file->nidle++] = fd;
            fd = -1;
        }
        apr_thread_mutex_unlock(file->mutex);
    }
    if (fd >= 0)
        close(fd);
}

/* ------------------------------------------------------------- owners */

/* The number is random, since what is left of another boot of the machine must
 * not look alive. */
static apr_uint64_t byte_of(apr_uint64_t owner)
{
    return AA_LOCKFILE_END + owner % AA_LOCKFILE_END;
}

int aa_lockfile_lives(void *fd, apr_uint64_t owner)
{
    return aa_lockfile_locked(*(int *)fd, byte_of(owner));
}

apr_status_t aa_lockfile_live(apr_uint64_t *owner, int fd)
{
    apr_status_t rv = aa_crypto_random(owner, sizeof(*owner));

    *owner |= 1; /* never 0 */
    return rv == APR_SUCCESS ? set(fd, F_WRLCK, byte_of(*owner), 1) : rv;
}

/* What one thread has drawn is good for all of the process. */
static apr_uint64_t draw(aa_lockfile_t *file, apr_pool_t *p)
{
    apr_uint64_t owner = __atomic_load_n(&file->self->owner, __ATOMIC_ACQUIRE);

    if (owner)
        return owner;
    forget_parents(file, aa_lockfile_self(file));
    if (open_same(&file->alive, file, p) != APR_SUCCESS)
        return 0;
    if (aa_lockfile_live(&owner, file->alive) != APR_SUCCESS) {
        close(file->alive);
        file->alive = -1;
        return 0;
    }
    __atomic_store_n(&file->self->owner, owner, __ATOMIC_RELEASE);
    return owner;
}

apr_uint64_t aa_lockfile_owner(aa_lockfile_t *file, apr_pool_t *p)
{
    apr_uint64_t owner;

    if (!file->self)
        return 0;
    owner = __atomic_load_n(&file->self->owner, __ATOMIC_ACQUIRE);
    if (owner)
        return owner;
    apr_thread_mutex_lock(file->mutex);
    owner = draw(file, p);
    apr_thread_mutex_unlock(file->mutex);
    return owner;
}

/* ----------------------------------------------------------------- open */

static apr_status_t cleanup(void *data)
{
    close_all(data);
    return APR_SUCCESS;
}

apr_status_t aa_lockfile_make(aa_lockfile_t **pfile, const char *path, int fd,
                              apr_pool_t *p)
{
    aa_lockfile_t *file = apr_pcalloc(p, sizeof(*file));
    struct stat st;
    apr_status_t rv;

    *pfile = NULL;
    if (fstat(fd, &st) != 0)
        return APR_FROM_OS_ERROR(errno);
    file->path = apr_pstrdup(p, path);
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->self = aa_segment_own(sizeof(*file->self), p);
    file->pid = aa_lockfile_self(file);
    file->alive = -1;
    rv = apr_thread_mutex_create(&file->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, file, cleanup, apr_pool_cleanup_null);
    *pfile = file;
    return APR_SUCCESS;
}
