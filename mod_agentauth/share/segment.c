/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of several processes: anonymous, of each its own, or of a file. */
#include <sys/mman.h>

#include "share/segment.h"

typedef struct segment_t {
    void *base;
    apr_size_t size;
} segment_t;

static apr_status_t unmap(void *data)
{
    segment_t *segment = data;

    munmap(segment->base, segment->size);
    return APR_SUCCESS;
}

static void *map(int fd, int flags, apr_size_t size, apr_pool_t *p)
{
    segment_t *segment = apr_palloc(p, sizeof(*segment));

    segment->size = size;
    segment->base = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (segment->base == MAP_FAILED)
        return NULL;
    apr_pool_cleanup_register(p, segment, unmap, apr_pool_cleanup_null);
    return segment->base;
}

void *aa_segment_make(apr_size_t size, apr_pool_t *p)
{
    return map(-1, MAP_SHARED | MAP_ANONYMOUS, size, p);
}

void *aa_segment_own(apr_size_t size, apr_pool_t *p)
{
    void *base = map(-1, MAP_PRIVATE | MAP_ANONYMOUS, size, p);

    return base && madvise(base, size, MADV_WIPEONFORK) == 0 ? base : NULL;
}

void *aa_segment_map(int fd, apr_size_t size, apr_pool_t *p)
{
    return map(fd, MAP_SHARED, size, p);
}
