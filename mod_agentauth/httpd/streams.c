/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that go on for long end with their credential, and with their
 * client.
 *
 * A request is decided once, at its beginning. While its answer streams, the
 * watchdog of the process looks whether the credential has expired or its
 * owner was changed in the store, and closes the client's connection then:
 * whoever still may come, comes again and is decided anew.
 *
 * The same look finds clients that have left. mod_proxy would notice at its
 * second write to them, so not while the backend has nothing to say; here the
 * backend's connection is shut down, which wakes the thread that waits for it
 * and tells the backend. */
#include <poll.h>
#include <sys/socket.h>

#include "apr_portable.h"
#include "apr_ring.h"
#include "apr_thread_mutex.h"
#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "mod_proxy.h"

#include "context.h"

APLOG_USE_MODULE(agentauth);

struct aa_stream_t {
    APR_RING_ENTRY(aa_stream_t) link;
    request_rec *r;
    const aa_principal_t *principal;
    int ended; /* its credential did */
    /* The backend's connection while mod_proxy reads the answer from it. */
    conn_rec *origin;
    int answered; /* it is mod_proxy's again: the answer was read */
    int cut;      /* it was shut down, as the client has left */
    int dropped;  /* so is the rest of the answer; of the request's thread */
};

typedef APR_RING_HEAD(streams_t, aa_stream_t) streams_t;

static streams_t streams;
static apr_thread_mutex_t *lock; /* NULL: not set up in this process */

apr_status_t aa_streams_init(apr_pool_t *p)
{
    APR_RING_INIT(&streams, aa_stream_t, link);
    return apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, p);
}

/* Before the request's pool and the connection's socket are gone. */
static apr_status_t leave(void *data)
{
    aa_stream_t *stream = data;

    apr_thread_mutex_lock(lock);
    APR_RING_REMOVE(stream, link);
    apr_thread_mutex_unlock(lock);
    return APR_SUCCESS;
}

void aa_stream_watch(request_rec *r, aa_ctx_t *ctx)
{
    aa_stream_t *stream;

    if (!lock || !ctx->principal)
        return;
    stream = apr_pcalloc(r->pool, sizeof(*stream));
    stream->r = r;
    stream->principal = ctx->principal;
    ctx->stream = stream;
    apr_thread_mutex_lock(lock);
    APR_RING_INSERT_TAIL(&streams, stream, aa_stream_t, link);
    apr_thread_mutex_unlock(lock);
    apr_pool_cleanup_register(r->pool, stream, leave, apr_pool_cleanup_null);
}

/* ---- the backend's connection
 *
 * It is mod_proxy's, which gives it to the next request when this one is done
 * with it, or closes it. Whoever shuts it down a moment later would end
 * somebody else's answer, or with the number of the socket something else
 * altogether. So it is known here exactly as long as it is this request's:
 *
 * mod_proxy_http makes a request_rec for the answer, in a pool of its own below
 * the connection's, and runs `create_req`. However the request ends, it passes
 * ap_proxy_release_connection, which destroys that pool before it closes the
 * connection or puts it back; and where the connection's own pool is cleared
 * (its socket is one of its cleanups), pools below it go first. The cleanup of
 * that pool takes the lock that the watchdog holds while it looks. */

static apr_status_t forget_origin(void *data)
{
    aa_stream_t *stream = data;

    apr_thread_mutex_lock(lock);
    if (stream->cut && stream->origin)
        stream->origin->keepalive = AP_CONN_CLOSE; /* no use to anybody */
    stream->origin = NULL;
    stream->answered = 1;
    apr_thread_mutex_unlock(lock);
    return APR_SUCCESS;
}

/* mod_proxy has sent the request and is about to read the answer. */
static int know_origin(request_rec *r, request_rec *rp)
{
    const aa_ctx_t *ctx = aa_ctx_peek(r);
    aa_stream_t *stream = ctx ? ctx->stream : NULL;

    if (!stream)
        return DECLINED;
    apr_thread_mutex_lock(lock);
    stream->origin = rp->connection;
    stream->answered = stream->cut = 0; /* another member of a balancer */
    apr_thread_mutex_unlock(lock);
    apr_pool_cleanup_register(rp->pool, stream, forget_origin,
                              apr_pool_cleanup_null);
    ap_add_input_filter("AGENTAUTH_ORIGIN", stream, rp, rp->connection);
    ap_add_input_filter("AGENTAUTH_ORIGIN_HEAD", stream, rp, rp->connection);
    return OK;
}

/* Nobody reads what comes now, nor the error that mod_proxy makes of it. */
static apr_status_t drop_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    (void)f;
    apr_brigade_cleanup(bb);
    return APR_ECONNABORTED;
}

/* A connection that breaks off is the backend's fault to mod_proxy, which logs
 * an error, answers 502 and may take the member out of its balancer. This one
 * was ended here: the answer ends, as one whose client cannot be written to.
 * Where there was no head yet, mod_proxy blames nobody only when it has both
 * connections for used ones, which may have ended by themselves. */
static apr_status_t origin_filter(ap_filter_t *f, apr_bucket_brigade *bb,
                                  ap_input_mode_t mode, apr_read_type_e block,
                                  apr_off_t readbytes)
{
    aa_stream_t *stream = f->ctx;
    apr_status_t rv = ap_get_brigade(f->next, bb, mode, block, readbytes);
    conn_rec *client = stream->r->connection;

    if (!__atomic_load_n(&stream->cut, __ATOMIC_ACQUIRE))
        return rv;
    apr_brigade_cleanup(bb);
    if (!stream->dropped)
        ap_add_output_filter("AGENTAUTH_DROP", NULL, stream->r, client);
    stream->dropped = 1;
    f->c->keepalives++;
    client->keepalives++;
    client->aborted = 1;
    return APR_EOF;
}

/* ---- the watchdog's look
 *
 * The requests belong to other threads: their pools are not touched, and so
 * nothing is logged as theirs. */

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

/* -1: none, which neither poll nor shutdown minds. */
static apr_os_sock_t socket_of(conn_rec *c)
{
    apr_socket_t *socket = ap_get_conn_socket(c);
    apr_os_sock_t fd = -1;

    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return -1;
    return fd;
}

/* The socket of the client; of all streams of an HTTP/2 connection. */
static void end_client(aa_stream_t *stream, const char *why)
{
    conn_rec *c = stream->r->connection;

    stream->ended = 1;
    shutdown(socket_of(c->master ? c->master : c), SHUT_RDWR);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, stream->r->server,
                 "%s: a stream of user %s was ended: %s",
                 aa_codes[AA_E_STREAM_ENDED].number,
                 stream->principal->identity, why);
}

/* Of an HTTP/2 connection mod_http2 watches the socket, and says of each
 * stream whether it was given up. */
static int has_left(conn_rec *c)
{
    struct pollfd client = {-1, POLLRDHUP, 0};

    if (c->master)
        return c->aborted;
    client.fd = socket_of(c);
    return poll(&client, 1, 0) == 1;
}

static void end_origin(aa_stream_t *stream)
{
    __atomic_store_n(&stream->cut, 1, __ATOMIC_RELEASE);
    shutdown(socket_of(stream->origin), SHUT_RDWR);
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, stream->r->server,
                 "the client of a stream of user %s has left",
                 stream->principal->identity);
}

/* Once the answer was read, the thread may be done with the client's socket
 * too, and httpd close it; before, it is open for certain. */
static void look(aa_stream_t *stream, apr_time_t now)
{
    const char *why = stream->ended ? NULL : why_ended(stream->principal, now);

    if (stream->answered)
        return;
    if (why)
        end_client(stream, why);
    if (stream->origin && !stream->cut && has_left(stream->r->connection))
        end_origin(stream);
}

void aa_streams_look(apr_time_t now)
{
    aa_stream_t *stream;

    if (!lock)
        return;
    apr_thread_mutex_lock(lock);
    APR_RING_FOREACH(stream, &streams, aa_stream_t, link) look(stream, now);
    apr_thread_mutex_unlock(lock);
}

void aa_streams_register(void)
{
    APR_OPTIONAL_HOOK(proxy, create_req, know_origin, NULL, NULL,
                      APR_HOOK_MIDDLE);
    /* Above and below the one that reads HTTP. */
    ap_register_input_filter("AGENTAUTH_ORIGIN", origin_filter, NULL,
                             AP_FTYPE_RESOURCE);
    ap_register_input_filter("AGENTAUTH_ORIGIN_HEAD", origin_filter, NULL,
                             AP_FTYPE_TRANSCODE);
    ap_register_output_filter("AGENTAUTH_DROP", drop_filter, NULL,
                              AP_FTYPE_RESOURCE);
}
