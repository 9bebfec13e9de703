/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, reads and writes the files that nobody else may see. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/private.h"

const char *aa_private_directory(const char *path, apr_pool_t *p)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? "/"
           : slash       ? apr_pstrmemdup(p, path, (apr_size_t)(slash - path))
                         : ".";
}

/* What root makes for the server must be the server's: the directory says
 * who that is. */
static apr_status_t give_to_directory_owner(int fd, const char *path,
                                            apr_pool_t *p)
{
    struct stat st;

    if (geteuid() != 0)
        return APR_SUCCESS;
    if (stat(aa_private_directory(path, p), &st) != 0 ||
        fchown(fd, st.st_uid, st.st_gid) != 0)
        return APR_FROM_OS_ERROR(errno);
    return APR_SUCCESS;
}

static apr_status_t make(int *fd, const char *path, apr_pool_t *p)
{
    apr_status_t rv;

    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0)
        return APR_FROM_OS_ERROR(errno);
    rv = give_to_directory_owner(*fd, path, p);
    if (rv != APR_SUCCESS) {
        close(*fd);
        *fd = -1;
        unlink(path);
    }
    return rv;
}

static const char *unfit(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return "cannot be looked at";
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if (st.st_mode & 077)
        return "is open to group or others: chmod 600";
    return NULL;
}

static apr_status_t open_as(int *fd, const char **why, const char *path,
                            int flags, apr_pool_t *p)
{
    int code;

    *why = NULL;
    *fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0) {
        code = errno;
        *why = code == ELOOP ? "is a symbolic link"
                             : apr_pstrdup(p, strerror(code));
        return code == ELOOP ? APR_EINVAL : APR_FROM_OS_ERROR(code);
    }
    *why = unfit(*fd);
    if (!*why)
        return APR_SUCCESS;
    close(*fd);
    *fd = -1;
    return APR_EINVAL;
}

apr_status_t aa_private_open(int *fd, const char **why, const char *path,
                             int create, apr_pool_t *p)
{
    apr_status_t rv;

    *why = NULL;
    if (create) {
        rv = make(fd, path, p);
        if (rv == APR_SUCCESS)
            return rv;
        if (!APR_STATUS_IS_EEXIST(rv)) {
            *why = apr_pstrdup(p, strerror(APR_TO_OS_ERROR(rv)));
            return rv;
        }
    }
    return open_as(fd, why, path, O_RDWR, p);
}

apr_status_t aa_private_read(char **data, apr_size_t *len, const char **why,
                             const char *path, apr_size_t max, apr_pool_t *p)
{
    struct stat st;
    ssize_t got = 0;
    int fd;
    apr_status_t rv = open_as(&fd, why, path, O_RDONLY, p);

    *data = NULL;
    *len = 0;
    if (rv != APR_SUCCESS)
        return rv;
    if (fstat(fd, &st) != 0 || (apr_size_t)st.st_size > max) {
        *why = "is too long";
        close(fd);
        return APR_ENOSPC;
    }
    *data = apr_pcalloc(p, (apr_size_t)st.st_size + 1);
    while (*len < (apr_size_t)st.st_size &&
           (got = read(fd, *data + *len, (apr_size_t)st.st_size - *len)) > 0)
        *len += (apr_size_t)got;
    close(fd);
    if (got >= 0)
        return APR_SUCCESS;
    *why = "cannot be read";
    return APR_EGENERAL;
}

static apr_status_t write_all(int fd, const char *data, apr_size_t len)
{
    ssize_t put;

    for (; len; data += put, len -= (apr_size_t)put)
        if ((put = write(fd, data, len)) < 0)
            return APR_FROM_OS_ERROR(errno);
    return fsync(fd) == 0 ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
}

/* A name is on disk when its directory is. */
static apr_status_t sync_directory(const char *path, apr_pool_t *p)
{
    int fd =
        open(aa_private_directory(path, p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0 || fsync(fd) != 0)
        rv = APR_FROM_OS_ERROR(errno);
    if (fd >= 0)
        close(fd);
    return rv;
}

/* The content goes to a file of another name first, so that nobody ever sees
 * half of it; `name_it` then gives it the real name in one step. */
static apr_status_t put(const char *path, const void *data, apr_size_t len,
                        int (*name_it)(const char *, const char *),
                        apr_pool_t *p)
{
    unsigned char salt[8];
    const char *temp;
    apr_status_t rv = aa_crypto_random(salt, sizeof(salt));
    int fd = -1;

    if (rv != APR_SUCCESS)
        return rv;
    temp = apr_pstrcat(p, path, ".", aa_hex(salt, sizeof(salt), p), NULL);
    rv = make(&fd, temp, p);
    if (rv != APR_SUCCESS)
        return rv;
    rv = write_all(fd, data, len);
    close(fd);
    if (rv == APR_SUCCESS && name_it(temp, path) != 0)
        rv = APR_FROM_OS_ERROR(errno);
    if (rv != APR_SUCCESS || name_it == link)
        unlink(temp);
    return rv == APR_SUCCESS ? sync_directory(path, p) : rv;
}

apr_status_t aa_private_make(const char *path, const void *data, apr_size_t len,
                             apr_pool_t *p)
{
    return put(path, data, len, link, p);
}

apr_status_t aa_private_replace(const char *path, const void *data,
                                apr_size_t len, apr_pool_t *p)
{
    return put(path, data, len, rename, p);
}
