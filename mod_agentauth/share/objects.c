/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a backend: where their lock, version and fact are found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private.h"
#include "model/limits.h"
#include "share/facts.h"
#include "share/locks.h"
#include "share/objects.h"
#include "share/retired.h"
#include "share/segment.h"

#define VERSIONS_SIZE (AA_OBJECT_VERSIONS * sizeof(apr_uint64_t))

struct aa_objects_t {
    aa_locks_t *locks;
    apr_uint64_t *versions; /* atomic; the bytes of the file, … */
    aa_readers_t *readers;  /* … those after them, … */
    aa_retired_t *retired;  /* … and the rest */
    aa_facts_t *facts;      /* anonymous: metadata is nothing for the disk */
};

/* Its blocks are there before it is mapped: a full disk refuses the start and
 * does not kill a child that counts. */
static apr_status_t fill(int fd, apr_size_t size)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return APR_FROM_OS_ERROR(errno);
    if (st.st_size >= (off_t)size)
        return APR_SUCCESS;
    return APR_FROM_OS_ERROR(posix_fallocate(fd, 0, (off_t)size));
}

static apr_status_t map(aa_objects_t *objects, int fd, apr_pool_t *p)
{
    apr_size_t size = VERSIONS_SIZE + aa_readers_size + aa_retired_size;
    apr_status_t rv = fill(fd, size);

    if (rv != APR_SUCCESS)
        return rv;
    objects->versions = aa_segment_map(fd, size, p);
    objects->facts = aa_segment_make(aa_facts_size, p);
    if (!objects->versions || !objects->facts)
        return APR_ENOMEM;
    objects->readers = (aa_readers_t *)(objects->versions + AA_OBJECT_VERSIONS);
    objects->retired =
        (aa_retired_t *)((char *)objects->readers + aa_readers_size);
    return aa_retired_begin(objects->retired);
}

apr_status_t aa_objects_open(aa_objects_t **pobjects, const char *lock_file,
                             apr_pool_t *p)
{
    aa_objects_t *objects = apr_pcalloc(p, sizeof(*objects));
    const char *why;
    int fd = -1;
    apr_status_t rv = aa_private_open(&fd, &why, lock_file, 1, p);

    *pobjects = NULL;
    if (rv == APR_SUCCESS)
        rv = map(objects, fd, p);
    if (rv == APR_SUCCESS)
        rv = aa_locks_make(&objects->locks, lock_file, fd, objects->readers, p);
    if (fd >= 0)
        close(fd);
    if (rv == APR_SUCCESS)
        *pobjects = objects;
    return rv;
}

/* ---------------------------------------------------------------- locks */

/* Four bytes an object: lock and intent, flight and its intent. The places are
 * so many that nobody finds an identifier that shares another's. */
static apr_uint64_t range_of(const aa_object_key_t *key)
{
    apr_uint64_t place;

    memcpy(&place, key->hash, sizeof(place));
    return place % (AA_CLAIM_END / 4) * 4;
}

apr_status_t aa_object_hold(aa_hold_t **hold, aa_objects_t *objects,
                            const aa_object_key_t *keys, const aa_lock_e *locks,
                            int n, apr_interval_time_t wait, apr_pool_t *p)
{
    aa_claim_t *claims;

    *hold = NULL;
    if (n < 1 || n > AA_OBJECT_KEYS_MAX)
        return APR_EINVAL;
    claims = apr_pcalloc(p, (apr_size_t)n * sizeof(*claims));
    for (int i = 0; i < n; i++) {
        claims[i].at = range_of(&keys[i]);
        claims[i].lock = locks[i];
    }
    return aa_locks_take(hold, objects->locks, claims, n, wait, p);
}

apr_status_t aa_object_flight(aa_hold_t **flight, aa_objects_t *objects,
                              const aa_object_key_t *key,
                              apr_interval_time_t wait, apr_pool_t *p)
{
    aa_claim_t *claim = apr_pcalloc(p, sizeof(*claim));

    claim->at = range_of(key) + 2;
    claim->lock = AA_LOCK_EXCLUSIVE;
    return aa_locks_take(flight, objects->locks, claim, 1, wait, p);
}

/* ---------------------------------------------------- versions and facts */

static apr_uint64_t *version_of(const aa_objects_t *objects,
                                const aa_object_key_t *key)
{
    apr_uint32_t slot;

    memcpy(&slot, key->hash + 12, sizeof(slot));
    return &objects->versions[slot % AA_OBJECT_VERSIONS];
}

apr_uint64_t aa_object_version(const aa_objects_t *objects,
                               const aa_object_key_t *key)
{
    return __atomic_load_n(version_of(objects, key), __ATOMIC_SEQ_CST);
}

void aa_object_bump(aa_objects_t *objects, const aa_object_key_t *key)
{
    __atomic_add_fetch(version_of(objects, key), 1, __ATOMIC_SEQ_CST);
}

apr_status_t aa_object_recall(const char **fact, aa_fact_mark_t *mark,
                              aa_objects_t *objects, const aa_object_key_t *key,
                              apr_time_t now, apr_pool_t *p)
{
    return aa_facts_get(fact, mark, objects->facts, key,
                        version_of(objects, key), now, p);
}

void aa_object_remember(aa_objects_t *objects, const aa_object_key_t *key,
                        apr_uint64_t version, const char *fact, apr_size_t len,
                        apr_time_t now)
{
    /* What was overtaken would only push out what is still true. */
    if (version == aa_object_version(objects, key))
        aa_facts_put(objects->facts, key, version, fact, len, now);
}

/* --------------------------------------------------------- deleted objects */

apr_status_t aa_object_retire(aa_objects_t *objects, const aa_object_key_t *key,
                              const unsigned char who[32])
{
    return aa_retired_add(objects->retired, key->hash, who);
}

int aa_object_barred(const aa_objects_t *objects, const aa_object_key_t *key,
                     const unsigned char who[32])
{
    return aa_retired_bars(objects->retired, key->hash, who);
}
