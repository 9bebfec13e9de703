/* SPDX-License-Identifier: Apache-2.0 */
/* A full or failing disk for the files of one directory, by LD_PRELOAD.
 *
 * FULL_DISK_DIR     whose files are meant, resolved
 * FULL_DISK_FLAG    while this file is there: its first byte says what fails,
 *                   'f' all that takes space, 'd' reading and locking, too
 * FULL_DISK_WRITES  after so many writes of this process the disk is full;
 *                   the last one is cut in half */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int in_directory(int fd)
{
    const char *dir = getenv("FULL_DISK_DIR");
    char link[40], name[1024];
    ssize_t n;

    if (!dir)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof(name) - 1);
    if (n < 0)
        return 0;
    name[n] = '\0';
    return !strncmp(name, dir, strlen(dir));
}

/* 0: nothing fails. */
static char flag(void)
{
    const char *file = getenv("FULL_DISK_FLAG");
    char first = 0;
    long fd =
        file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        if (syscall(SYS_read, fd, &first, 1) != 1)
            first = 0;
        syscall(SYS_close, fd);
    }
    return first;
}

static int left(void)
{
    static int used;
    const char *max = getenv("FULL_DISK_WRITES");

    return max ? atoi(max) - __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED) : 2;
}

/* How much of a write has room; -1: nothing. */
static ssize_t room(int fd, size_t len)
{
    int n;

    if (!in_directory(fd))
        return (ssize_t)len;
    n = flag() ? 0 : left();
    return n > 1 ? (ssize_t)len : n == 1 && len > 1 ? (ssize_t)(len / 2) : -1;
}

static int full(void)
{
    errno = ENOSPC;
    return -1;
}

static int dead(int fd)
{
    if (flag() != 'd' || !in_directory(fd))
        return 0;
    errno = EIO;
    return 1;
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t n = room(fd, len);

    return n < 0 ? full() : syscall(SYS_write, fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    ssize_t n = room(fd, len);

    return n < 0 ? full() : syscall(SYS_pwrite64, fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return pwrite64(fd, data, len, at);
}

int ftruncate64(int fd, off64_t len)
{
    off_t now = lseek(fd, 0, SEEK_END);

    if (len > now && room(fd, 1) < 0)
        return full();
    return (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate(int fd, off_t len)
{
    return ftruncate64(fd, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return room(fd, 1) < 0 ? full()
                           : (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    return fallocate64(fd, mode, at, len);
}

int posix_fallocate64(int fd, off64_t at, off64_t len)
{
    return fallocate64(fd, 0, at, len) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    return posix_fallocate64(fd, at, len);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    return dead(fd) ? -1 : syscall(SYS_pread64, fd, data, len, at);
}

ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    return pread64(fd, data, len, at);
}

/* SQLite asks for a lock before it reads anything, cached or not. */
int fcntl64(int fd, int command, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, command);
    arg = va_arg(ap, void *);
    va_end(ap);
    if ((command == F_SETLK || command == F_SETLKW) && dead(fd))
        return -1;
    return (int)syscall(SYS_fcntl, fd, command, arg);
}
