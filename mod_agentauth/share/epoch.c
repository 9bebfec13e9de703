/* SPDX-License-Identifier: Apache-2.0 */
/* The epoch page: one mapped file of counters, shared by children and CLI. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "base/private.h"
#include "model/limits.h"
#include "share/epoch.h"

#define EPOCH_VERSION 0x4147450000000001ULL /* "AGE", layout 1 */

/* The file, as it is on disk: machine order, for one machine. */
typedef struct page_t {
    apr_uint64_t version;
    apr_uint64_t nslots;
    apr_uint64_t reserved[6]; /* slots begin on a cache line of their own */
    apr_uint64_t slots[AA_EPOCH_SLOTS];
} page_t;

struct aa_epoch_t {
    page_t *page;
};

static apr_status_t unmap(void *data)
{
    aa_epoch_t *epoch = data;

    munmap(epoch->page, sizeof(*epoch->page));
    return APR_SUCCESS;
}

/* A file without its version word was never used: whoever began it was
 * stopped before the end, so it may be finished. The lock is held. */
static apr_status_t finish(int fd)
{
    struct stat st;
    apr_uint64_t head[2] = {0, 0};
    int code;

    if (fstat(fd, &st) != 0)
        return APR_FROM_OS_ERROR(errno);
    if (st.st_size >= (off_t)sizeof(head) &&
        pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
        return APR_EGENERAL;
    if (head[0])
        return APR_SUCCESS;
    head[0] = EPOCH_VERSION;
    head[1] = AA_EPOCH_SLOTS;
    errno = 0;
    /* Room for all of it now: where a hole cannot be filled later, because the
     * disk is full, storing into the mapping ends the process. */
    code = posix_fallocate(fd, 0, sizeof(page_t));
    if (code == 0 &&
        (pwrite(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
         fsync(fd) != 0))
        code = errno ? errno : ENOSPC; /* written in part: it is full */
    /* Half of its head would be taken for another version. */
    if (code != 0 && ftruncate(fd, 0) != 0)
        code = errno;
    return APR_FROM_OS_ERROR(code);
}

static const char *unfit(int fd)
{
    struct stat st;
    apr_uint64_t head[2];

    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(page_t))
        return "is too short";
    if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        head[0] != EPOCH_VERSION || head[1] != AA_EPOCH_SLOTS)
        return "is of another version";
    return NULL;
}

/* Nobody looks at the file while another process is making it. */
static const char *prepare(int fd, int create)
{
    const char *why = NULL;

    if (flock(fd, create ? LOCK_EX : LOCK_SH) != 0)
        return "cannot be locked";
    if (create && finish(fd) != APR_SUCCESS)
        why = "cannot be written";
    if (!why)
        why = unfit(fd);
    flock(fd, LOCK_UN);
    return why;
}

apr_status_t aa_epoch_open(aa_epoch_t **pepoch, const char *file, int create,
                           aa_error_t *err, apr_pool_t *p)
{
    aa_epoch_t *epoch = apr_pcalloc(p, sizeof(*epoch));
    const char *why;
    int fd = -1;

    *pepoch = NULL;
    if (aa_private_open(&fd, &why, file, create, p) == APR_SUCCESS)
        why = prepare(fd, create);
    if (!why) {
        epoch->page = mmap(NULL, sizeof(*epoch->page), PROT_READ | PROT_WRITE,
                           MAP_SHARED, fd, 0);
        if (epoch->page == MAP_FAILED)
            why = "cannot be mapped";
    }
    if (fd >= 0)
        close(fd);
    if (why)
        return aa_refuse(err, p, AA_E_STORE, "epoch page %s: %s", file, why);
    apr_pool_cleanup_register(p, epoch, unmap, apr_pool_cleanup_null);
    *pepoch = epoch;
    return APR_SUCCESS;
}

/* FNV-1a. Two subjects in one slot only cost a look into the store. */
static apr_uint64_t hash(apr_uint64_t h, const char *text)
{
    do {
        h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
    } while (*text++); /* the NUL too: it keeps "a","bc" and "ab","c" apart */
    return h;
}

apr_uint32_t aa_epoch_slot(const aa_epoch_t *epoch, const char *realm,
                           const char *name)
{
    apr_uint64_t h = hash(hash(0xcbf29ce484222325ULL, realm), name);

    (void)epoch;
    return (apr_uint32_t)((h ^ h >> 32) % AA_EPOCH_SLOTS);
}

apr_uint64_t aa_epoch_get(const aa_epoch_t *epoch, apr_uint32_t slot)
{
    return __atomic_load_n(&epoch->page->slots[slot % AA_EPOCH_SLOTS],
                           __ATOMIC_ACQUIRE);
}

void aa_epoch_bump(aa_epoch_t *epoch, apr_uint32_t slot)
{
    /* Release for the readers' acquire; the commit is a system call and has
     * happened long before. */
    __atomic_add_fetch(&epoch->page->slots[slot % AA_EPOCH_SLOTS], 1,
                       __ATOMIC_ACQ_REL);
}
