/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that go on for long end when their credential does.
 *
 * A request is decided once, at its beginning. While its answer streams, the
 * watchdog of the process looks whether the credential has expired or its
 * owner was changed in the store, and closes the client's connection then:
 * whoever still may come, comes again and is decided anew. */
#include <sys/socket.h>

#include "apr_portable.h"
#include "apr_ring.h"
#include "apr_thread_mutex.h"
#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"

#include "context.h"

APLOG_USE_MODULE(agentauth);

typedef struct stream_t {
    APR_RING_ENTRY(stream_t) link;
    request_rec *r;
    const aa_principal_t *principal;
    int ended;
} stream_t;

typedef APR_RING_HEAD(streams_t, stream_t) streams_t;

static streams_t streams;
static apr_thread_mutex_t *lock; /* NULL: not set up in this process */

apr_status_t aa_streams_init(apr_pool_t *p)
{
    APR_RING_INIT(&streams, stream_t, link);
    return apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, p);
}

/* Before the request's pool and the connection's socket are gone. */
static apr_status_t leave(void *data)
{
    stream_t *stream = data;

    apr_thread_mutex_lock(lock);
    APR_RING_REMOVE(stream, link);
    apr_thread_mutex_unlock(lock);
    return APR_SUCCESS;
}

void aa_stream_watch(request_rec *r, const aa_ctx_t *ctx)
{
    stream_t *stream;

    if (!lock || !ctx->principal)
        return;
    stream = apr_pcalloc(r->pool, sizeof(*stream));
    stream->r = r;
    stream->principal = ctx->principal;
    apr_thread_mutex_lock(lock);
    APR_RING_INSERT_TAIL(&streams, stream, stream_t, link);
    apr_thread_mutex_unlock(lock);
    apr_pool_cleanup_register(r->pool, stream, leave, apr_pool_cleanup_null);
}

static const char *why_ended(const aa_principal_t *principal, apr_time_t now)
{
    if (principal->expires && now >= principal->expires)
        return "its credential expired";
    if (principal->has_epoch &&
        aa_epoch_get(aa_runtime->epoch, principal->epoch_slot) !=
            principal->epoch)
        return "its user or key was changed";
    return NULL;
}

/* The socket of the client; of all streams of an HTTP/2 connection. */
static void close_client(const request_rec *r)
{
    conn_rec *c = r->connection->master ? r->connection->master : r->connection;
    apr_socket_t *socket = ap_get_conn_socket(c);
    apr_os_sock_t fd;

    if (socket && apr_os_sock_get(&fd, socket) == APR_SUCCESS)
        shutdown(fd, SHUT_RDWR);
}

void aa_streams_look(apr_time_t now)
{
    stream_t *stream;

    if (!lock)
        return;
    apr_thread_mutex_lock(lock);
    APR_RING_FOREACH(stream, &streams, stream_t, link)
    {
        const char *why =
            stream->ended ? NULL : why_ended(stream->principal, now);

        if (!why)
            continue;
        stream->ended = 1;
        close_client(stream->r);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, stream->r,
                      "%s: a stream of user %s was ended: %s",
                      aa_codes[AA_E_STREAM_ENDED].number,
                      stream->principal->identity, why);
    }
    apr_thread_mutex_unlock(lock);
}
