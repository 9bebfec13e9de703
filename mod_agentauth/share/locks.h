/* SPDX-License-Identifier: Apache-2.0 */
/* Locks for threads and processes, with a deadline, that end with who has them.
 *
 * They are byte ranges of one file. Each hold has an open file description of
 * its own (F_OFD_SETLK), so the kernel tells threads apart as it does
 * processes, any thread may end a hold, and the death of a process ends all it
 * had. A shared lock that no writer is after needs none of it: readers.h. */
#ifndef AA_LOCKS_H
#define AA_LOCKS_H

#include "share/objects.h"
#include "share/readers.h"

typedef struct aa_locks_t aa_locks_t;

/** One byte of the file to lock; the byte after it must be nobody's. */
typedef struct aa_claim_t {
    apr_uint64_t at; /* less than AA_CLAIM_END */
    aa_lock_e lock;
    int mark; /* of the hold; 0 at first */
} aa_claim_t;

#define AA_CLAIM_END ((apr_uint64_t)1 << 62)

/**
 * @param path    of the file that @a fd has open and the caller will close;
 *                each process opens it again, and refuses another file of that
 *                name
 * @param readers in memory that all who use this file share
 * @return else the file is of no use for locks
 */
AA_CHECKED apr_status_t aa_locks_make(aa_locks_t **locks, const char *path,
                                      int fd, aa_readers_t *readers,
                                      apr_pool_t *p);

/**
 * Take all or none. They are sorted here, so that nobody who waits for one is
 * waited for with another.
 * @param claims belong to the hold from now on, in @a p as it is
 * @return as of aa_object_hold
 */
AA_CHECKED apr_status_t aa_locks_take(aa_hold_t **hold, aa_locks_t *locks,
                                      aa_claim_t *claims, int n,
                                      apr_interval_time_t wait, apr_pool_t *p);

#endif
