/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and guards the state directory and the secrets in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/private.h"
#include "base/state.h"

void aa_state_paths(aa_state_t *state, const char *dir, apr_pool_t *p)
{
    state->dir = apr_pstrdup(p, dir);
    state->secrets = apr_pstrcat(p, dir, "/secrets", NULL);
    state->pepper = apr_pstrcat(p, dir, "/secrets/pepper", NULL);
    state->jwks = apr_pstrcat(p, dir, "/jwks", NULL);
    state->epoch = apr_pstrcat(p, dir, "/epoch", NULL);
    state->objects = apr_pstrcat(p, dir, "/objects.lock", NULL);
    state->effective = apr_pstrcat(p, dir, "/effective.json", NULL);
    state->store_url =
        apr_pstrcat(p, "sqlite:", dir, "/agentauth.sqlite", NULL);
}

static apr_status_t refuse_system(aa_error_t *err, apr_pool_t *p,
                                  const char *what, const char *path)
{
    int code = errno;

    return aa_refuse(err, p, AA_E_STATE_DIR, "%s %s: %s", what, path,
                     strerror(code));
}

apr_status_t aa_state_check(const aa_state_t *state, uid_t *owner, gid_t *group,
                            aa_error_t *err, apr_pool_t *p)
{
    struct stat st;

    if (stat(state->dir, &st) != 0) {
        if (errno == ENOENT)
            return APR_ENOENT;
        return refuse_system(err, p, "state directory", state->dir);
    }
    if (!S_ISDIR(st.st_mode))
        return aa_refuse(err, p, AA_E_STATE_DIR, "%s is not a directory",
                         state->dir);
    if (st.st_mode & 07)
        return aa_refuse(err, p, AA_E_STATE_DIR,
                         "state directory %s is open to all users: "
                         "chmod 700 %s",
                         state->dir, state->dir);
    if (owner)
        *owner = st.st_uid;
    if (group)
        *group = st.st_gid;
    return APR_SUCCESS;
}

/* The directories above ours are everybody's, whatever the umask says: only
 * ours is private. */
static void make_parents(const char *dir, apr_pool_t *p)
{
    const char *parent = aa_private_directory(dir, p);

    if (parent[0] != '/' || !parent[1] || access(parent, F_OK) == 0)
        return;
    make_parents(parent, p);
    if (mkdir(parent, 0755) == 0)
        (void)chmod(parent, 0755);
}

static apr_status_t make_directory(const char *dir, uid_t owner, gid_t group,
                                   aa_error_t *err, apr_pool_t *p)
{
    struct stat st;

    if (mkdir(dir, 0700) == 0) {
        if (geteuid() == 0 && lchown(dir, owner, group) != 0)
            return refuse_system(err, p, "cannot give away", dir);
        return APR_SUCCESS;
    }
    if (errno != EEXIST)
        return refuse_system(err, p, "cannot make", dir);
    if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return aa_refuse(err, p, AA_E_STATE_DIR, "%s is not a directory", dir);
    return APR_SUCCESS;
}

/* Entries of a directory of root's: nobody else could put anything there. */
static apr_status_t hand_over(const char *dir, uid_t owner, gid_t group,
                              aa_error_t *err, apr_pool_t *p)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;

    if (!listing)
        return refuse_system(err, p, "cannot read", dir);
    while ((entry = readdir(listing))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (fchownat(dirfd(listing), entry->d_name, owner, group,
                     AT_SYMLINK_NOFOLLOW) != 0) {
            closedir(listing);
            return refuse_system(err, p, "cannot give away files of", dir);
        }
    }
    closedir(listing);
    return APR_SUCCESS;
}

/* The directory itself last: until then only root can change its entries. */
static apr_status_t hand_over_all(const aa_state_t *state, uid_t owner,
                                  gid_t group, aa_error_t *err, apr_pool_t *p)
{
    const char *const inner[] = {state->secrets, state->jwks, state->dir};
    apr_status_t rv;

    for (int i = 0; i < 3; i++) {
        rv = hand_over(inner[i], owner, group, err, p);
        if (rv != APR_SUCCESS)
            return rv;
    }
    if (lchown(state->dir, owner, group) != 0)
        return refuse_system(err, p, "cannot give away", state->dir);
    return APR_SUCCESS;
}

apr_status_t aa_state_create(const aa_state_t *state, uid_t owner, gid_t group,
                             aa_error_t *err, apr_pool_t *p)
{
    const char *const dirs[] = {state->dir, state->secrets, state->jwks};
    uid_t found = (uid_t)-1;
    apr_status_t rv;

    make_parents(state->dir, p);
    for (int i = 0; i < 3; i++) {
        rv = make_directory(dirs[i], owner, group, err, p);
        if (rv != APR_SUCCESS)
            return rv;
    }
    rv = aa_state_check(state, &found, NULL, err, p);
    if (rv != APR_SUCCESS || found == owner)
        return rv;
    if (found == 0 && geteuid() == 0)
        return hand_over_all(state, owner, group, err, p);
    return aa_refuse(err, p, AA_E_STATE_DIR,
                     "state directory %s belongs to uid %ld, not to uid %ld: "
                     "chown -R it, or choose another directory",
                     state->dir, (long)found, (long)owner);
}

static apr_status_t secret_make(unsigned char *secret, apr_size_t len,
                                const char *path, aa_error_t *err,
                                apr_pool_t *p)
{
    apr_status_t rv = aa_crypto_random(secret, len);

    if (rv == APR_SUCCESS)
        rv = aa_private_make(path, secret, len, p);
    if (rv == APR_SUCCESS)
        return rv;
    if (APR_STATUS_IS_EEXIST(rv)) /* another process was faster: use its */
        return aa_state_secret(secret, len, path, 0, err, p);
    errno = APR_TO_OS_ERROR(rv);
    return refuse_system(err, p, "cannot make", path);
}

apr_status_t aa_state_secret(unsigned char *secret, apr_size_t len,
                             const char *path, int create, aa_error_t *err,
                             apr_pool_t *p)
{
    char *data;
    apr_size_t got;
    const char *why;
    apr_status_t rv = aa_private_read(&data, &got, &why, path, len, p);

    if (rv == APR_SUCCESS && got == len) {
        memcpy(secret, data, len);
        aa_crypto_wipe(data, len);
        return APR_SUCCESS;
    }
    if (APR_STATUS_IS_ENOENT(rv) && create)
        return secret_make(secret, len, path, err, p);
    if (APR_STATUS_IS_ENOENT(rv))
        return aa_refuse(err, p, AA_E_STATE_DIR,
                         "%s is missing, and the records in the store need "
                         "it: restore it from the backup that belongs to the "
                         "store, or remove the store and issue all keys anew",
                         path);
    return aa_refuse(err, p, AA_E_STATE_DIR, "%s %s", path,
                     why ? why : "has not the right length");
}
