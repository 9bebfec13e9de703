/* SPDX-License-Identifier: Apache-2.0 */
/* Inflates gzip into a buffer that grows by doubling up to its bound. */
#include <string.h>
#include <zlib.h>

#include "base/inflate.h"

#define GZIP_ONLY (15 + 16) /* zlib: largest window, gzip header */
#define FIRST_SIZE 8192

static apr_status_t end(void *stream)
{
    inflateEnd(stream);
    return APR_SUCCESS;
}

static char *grown(const char *old, apr_size_t used, apr_size_t size,
                   apr_pool_t *p)
{
    char *buffer = apr_palloc(p, size + 1);

    if (used)
        memcpy(buffer, old, used);
    return buffer;
}

apr_status_t aa_gzip_inflate(char **out, apr_size_t *outlen, const char *in,
                             apr_size_t len, apr_size_t max, apr_pool_t *p)
{
    z_stream *stream = apr_pcalloc(p, sizeof(*stream));
    apr_size_t size = FIRST_SIZE < max ? FIRST_SIZE : max, used = 0;
    char *buffer = grown(NULL, 0, size, p);
    int rv;

    *out = NULL;
    *outlen = 0;
    if (inflateInit2(stream, GZIP_ONLY) != Z_OK)
        return APR_ENOMEM;
    apr_pool_cleanup_register(p, stream, end, apr_pool_cleanup_null);
    stream->next_in = (Bytef *)in;
    stream->avail_in = (uInt)len;
    for (;;) {
        stream->next_out = (Bytef *)buffer + used;
        stream->avail_out = (uInt)(size - used);
        rv = inflate(stream, Z_NO_FLUSH);
        used = size - stream->avail_out;
        if (rv == Z_STREAM_END)
            break;
        if (rv != Z_OK || stream->avail_out)
            return APR_EINVAL; /* broken, or ended early */
        if (size == max)
            return APR_ENOSPC;
        size = size > max / 2 ? max : size * 2;
        buffer = grown(buffer, used, size, p);
    }
    if (stream->avail_in)
        return APR_EINVAL; /* something follows the member */
    buffer[used] = '\0';
    *out = buffer;
    *outlen = used;
    return APR_SUCCESS;
}
