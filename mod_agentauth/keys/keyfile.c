/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes whole small files, with the flags that keep tricks out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "keys/keyfile.h"

static void stamp_fill(aa_keyfile_stamp_t *stamp, const struct stat *st)
{
    stamp->mtime =
        apr_time_from_sec(st->st_mtim.tv_sec) + st->st_mtim.tv_nsec / 1000;
    stamp->size = (apr_uint64_t)st->st_size;
    stamp->inode = (apr_uint64_t)st->st_ino;
}

void aa_keyfile_stat(aa_keyfile_stamp_t *stamp, const char *file)
{
    struct stat st;

    memset(stamp, 0, sizeof(*stamp));
    if (stat(file, &st) == 0)
        stamp_fill(stamp, &st);
}

static apr_status_t stat_check(const struct stat *st, aa_keyfile_e kind,
                               apr_size_t max)
{
    if (!S_ISREG(st->st_mode))
        return APR_EINVAL;
    if (kind == AA_KEYFILE_SECRET && (st->st_mode & 077))
        return APR_EACCES;
    return (apr_uint64_t)st->st_size > max ? APR_ENOSPC : APR_SUCCESS;
}

static apr_status_t read_all(char *text, apr_size_t *len, apr_size_t room,
                             int fd)
{
    *len = 0;
    while (*len < room) {
        ssize_t n = read(fd, text + *len, room - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        *len += (apr_size_t)n;
    }
    text[*len] = '\0';
    return APR_SUCCESS;
}

apr_status_t aa_keyfile_read(const char **ptext, apr_size_t *len,
                             aa_keyfile_stamp_t *stamp, const char *file,
                             aa_keyfile_e kind, apr_size_t max, apr_pool_t *p)
{
    /* Not to hang on a FIFO that someone put there. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = open(file, kind == AA_KEYFILE_PUBLIC ? flags : flags | O_NOFOLLOW);
    struct stat st;
    apr_status_t rv;
    char *text;

    *ptext = NULL;
    *len = 0;
    if (fd < 0)
        return errno;
    rv = fstat(fd, &st) == 0 ? stat_check(&st, kind, max) : errno;
    if (rv != APR_SUCCESS)
        goto leave;
    text = apr_palloc(p, (apr_size_t)st.st_size + 1);
    rv = read_all(text, len, (apr_size_t)st.st_size, fd);
    if (rv != APR_SUCCESS)
        goto leave;
    *ptext = text;
    if (stamp)
        stamp_fill(stamp, &st);
leave:
    close(fd);
    return rv;
}

static apr_status_t write_all(int fd, const char *text, apr_size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        text += n;
        len -= (apr_size_t)n;
    }
    return APR_SUCCESS;
}

static apr_status_t finish(int fd, apr_time_t mtime)
{
    struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

    if (mtime) {
        times[1].tv_sec = (time_t)apr_time_sec(mtime);
        times[1].tv_nsec = (long)apr_time_usec(mtime) * 1000;
    }
    return futimens(fd, times) == 0 && fsync(fd) == 0 ? APR_SUCCESS : errno;
}

apr_status_t aa_keyfile_write(const char *file, const char *text,
                              apr_size_t len, apr_time_t mtime, apr_pool_t *p)
{
    char random[9] = "";
    const char *fresh;
    apr_status_t rv;
    int fd;

    rv = aa_base62_random(random, 8);
    if (rv != APR_SUCCESS)
        return rv;
    fresh = apr_pstrcat(p, file, ".", random, ".new", NULL);
    fd =
        open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    rv = write_all(fd, text, len);
    if (rv == APR_SUCCESS)
        rv = finish(fd, mtime);
    if (close(fd) != 0 && rv == APR_SUCCESS)
        rv = errno;
    if (rv == APR_SUCCESS && rename(fresh, file) != 0)
        rv = errno;
    if (rv != APR_SUCCESS)
        unlink(fresh);
    return rv;
}
