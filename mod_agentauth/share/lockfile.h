/* SPDX-License-Identifier: Apache-2.0 */
/* The file whose byte ranges are locks: its descriptors, and who lives. */
#ifndef AA_LOCKFILE_H
#define AA_LOCKFILE_H

#include <sys/types.h>

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_lockfile_t aa_lockfile_t;

#define AA_LOCKFILE_END ((apr_uint64_t)1 << 62) /* bytes for locks */

/**
 * @param fd open on @a path; each process opens that again, and refuses another
 *           file of that name
 * @return else the file is of no use for locks
 */
AA_CHECKED apr_status_t aa_lockfile_make(aa_lockfile_t **file, const char *path,
                                         int fd, apr_pool_t *p);

/** This process, also just after a fork. */
pid_t aa_lockfile_self(aa_lockfile_t *file);

/** A descriptor whose locks nobody else has, in this process @a pid. */
AA_CHECKED apr_status_t aa_lockfile_take(int *fd, aa_lockfile_t *file,
                                         pid_t pid, apr_pool_t *p);

/** Ends all its locks. */
void aa_lockfile_give(aa_lockfile_t *file, int fd, pid_t pid);

/** @return APR_EAGAIN: somebody else has a lock there */
AA_CHECKED apr_status_t aa_lockfile_set(int fd, short type, apr_uint64_t at);

/** 1 when another descriptor locks it for writing, or in doubt. */
int aa_lockfile_locked(int fd, apr_uint64_t at);

/** A random number that is alive as long as this process; 0: there is none. */
apr_uint64_t aa_lockfile_owner(aa_lockfile_t *file, apr_pool_t *p);

/** Such a number that is alive as long as @a fd is open. */
AA_CHECKED apr_status_t aa_lockfile_live(apr_uint64_t *owner, int fd);

/** An aa_owner_lives_fn; @a data is any descriptor of the file. */
int aa_lockfile_lives(void *data, apr_uint64_t owner);

#endif
