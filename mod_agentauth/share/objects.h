/* SPDX-License-Identifier: Apache-2.0 */
/* A backend's objects, for all processes: a lock, a version, and a fact each.
 *
 * Who asks the backend about an object takes its version first, asks, and
 * remembers the answer with that earlier version. Who changes it bumps the
 * version before the change is sent and again when it is answered. So what was
 * learnt before or during a change is never recalled after it. Who is killed
 * between the two bumps ends the hold while the backend may still be at it:
 * what others learn just then may stay wrong for AA_OBJECT_FACT_TTL. */
#ifndef AA_OBJECTS_H
#define AA_OBJECTS_H

#include "apr_pools.h"
#include "apr_time.h"
#include "model/error.h"

/** Made by the parent before the fork; used by any thread of any child. */
typedef struct aa_objects_t aa_objects_t;

/** What one request holds; ends with aa_object_release or with its pool. */
typedef struct aa_hold_t aa_hold_t;

/** SHA-256 of the backend's name (not the realm's) and the canonical path. */
typedef struct aa_object_key_t {
    unsigned char hash[32];
} aa_object_key_t;

/** What a fact is known again by; zeroed: none. */
typedef struct aa_fact_mark_t {
    apr_uint64_t sum[4];
    apr_uint64_t key[4];
    apr_uint64_t version;
    apr_int64_t when;
    apr_uint64_t len; /* bytes of the text */
} aa_fact_mark_t;

typedef enum aa_lock_e {
    AA_LOCK_SHARED,   /* to use the object */
    AA_LOCK_EXCLUSIVE /* to create, change or delete it */
} aa_lock_e;

/**
 * Open, in the parent and before the fork.
 * @param lock_file absolute: STATEDIR/objects.lock, made (0600, of the
 *                  directory's owner) when it is missing, never replaced. Its
 *                  bytes are versions, shared locks and deleted ids, its
 *                  byte ranges are the other locks, so that all of them hold
 *                  between the children before and after a restart; facts
 *                  begin anew
 * @return APR_SUCCESS; else the file cannot be used or memory is short: do
 *         not start
 */
AA_CHECKED apr_status_t aa_objects_open(aa_objects_t **objects,
                                        const char *lock_file, apr_pool_t *p);

/**
 * Hold objects, all or none. One hold a request: a second one for the same
 * object by the same request would wait for the first.
 * @param keys, locks n of each, in any order; a key may be there twice, then
 *                    the stronger lock counts
 * @param n    1 … AA_OBJECT_KEYS_MAX
 * @param wait at most this long, all together; 0: one try
 * @param p    what it was allocated in; when it is cleared, by whatever
 *             thread, the hold ends. So it does when the process dies
 * @return APR_SUCCESS; APR_TIMEUP: somebody else holds one of them (503);
 *         APR_EINVAL: n is out of range; else the system refused (500). Only
 *         APR_SUCCESS lets anybody act
 */
AA_CHECKED apr_status_t aa_object_hold(aa_hold_t **hold, aa_objects_t *objects,
                                       const aa_object_key_t *keys,
                                       const aa_lock_e *locks, int n,
                                       apr_interval_time_t wait, apr_pool_t *p);

/**
 * Be the one that asks the backend about an object, among all processes. Look
 * again for the fact when it is got: who had it before may have found out.
 * Take it after the hold of the object, never before.
 * @return as of aa_object_hold
 */
AA_CHECKED apr_status_t aa_object_flight(aa_hold_t **flight,
                                         aa_objects_t *objects,
                                         const aa_object_key_t *key,
                                         apr_interval_time_t wait,
                                         apr_pool_t *p);

/**
 * 1 when somebody else had it first. Who waited for a flight and still finds
 * no fact releases it and asks beside the others: facts that cannot be kept
 * must not be asked for one after the other.
 */
int aa_object_waited(const aa_hold_t *hold);

/** End it; from any thread, at any time, also twice; NULL is nothing. */
void aa_object_release(aa_hold_t *hold);

/** One atomic load. Objects may share a version: that only costs a question. */
apr_uint64_t aa_object_version(const aa_objects_t *objects,
                               const aa_object_key_t *key);

/** One atomic increment: before a change is sent, and when it is answered. */
void aa_object_bump(aa_objects_t *objects, const aa_object_key_t *key);

/**
 * What is known of an object.
 * @param fact NUL-terminated copy in @a p, exactly as it was remembered; NULL:
 *             it is the one of @a mark, unchanged and still good
 * @param mark in: of the fact that the caller has read before, zeroed: none;
 *             out: of this one, zeroed when there is none
 * @param now  when this is asked
 * @return APR_SUCCESS; APR_ENOENT: nothing, or it is older than
 *         AA_OBJECT_FACT_TTL, or the version moved on: ask the backend
 */
AA_CHECKED apr_status_t aa_object_recall(const char **fact,
                                         aa_fact_mark_t *mark,
                                         aa_objects_t *objects,
                                         const aa_object_key_t *key,
                                         apr_time_t now, apr_pool_t *p);

/**
 * Keep what was learnt. More than AA_OBJECT_FACT_MAX bytes are not kept, nor
 * is what a bump has overtaken. "There is no such object" is a fact, too, when
 * the caller has a text for it.
 * @param version what aa_object_version said before the backend was asked
 * @param now     when the backend was asked
 */
void aa_object_remember(aa_objects_t *objects, const aa_object_key_t *key,
                        apr_uint64_t version, const char *fact, apr_size_t len,
                        apr_time_t now);

/** Its id stays with @a who from now on: as aa_retired_add. */
AA_CHECKED apr_status_t aa_object_retire(aa_objects_t *objects,
                                         const aa_object_key_t *key,
                                         const unsigned char who[32]);

/** 1 when another object of this id was somebody else's: as aa_retired_bars. */
AA_CHECKED int aa_object_barred(const aa_objects_t *objects,
                                const aa_object_key_t *key,
                                const unsigned char who[32]);

#endif
