/* SPDX-License-Identifier: Apache-2.0 */
/* Questions over connections that are kept, each by a handle of libcurl.
 *
 * A handle has one connection and is used by one thread at a time; nothing is
 * shared between handles, so that there is nothing to lock in libcurl. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_thread_mutex.h"
#include "base/transfer.h"
#include "model/limits.h"

typedef struct handle_t {
    CURL *easy;
    char *place;          /* whom its connection leads to */
    curl_socket_t socket; /* of its connection while it is idle */
    apr_time_t since;     /* idle since */
} handle_t;

struct aa_http_pool_t {
    apr_thread_mutex_t *lock; /* guards what follows */
    int n;
    handle_t *idle[AA_HTTP_IDLE_MAX]; /* the one used last is the last */
};

/* --------------------------------------------------------------- handles */

static void handle_close(handle_t *handle)
{
    if (!handle)
        return;
    if (handle->easy)
        curl_easy_cleanup(handle->easy);
    free(handle->place);
    free(handle);
}

static handle_t *handle_make(const char *place)
{
    handle_t *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return NULL;
    handle->easy = curl_easy_init();
    handle->place = strdup(place);
    if (handle->easy && handle->place)
        return handle;
    handle_close(handle);
    return NULL;
}

/* Nothing may come unasked over an idle connection: it was closed, or what
 * would be read is not the answer to the next question. */
static int handle_quiet(const handle_t *handle)
{
    struct pollfd fd = {handle->socket, POLLIN, 0};

    return !poll(&fd, 1, 0);
}

static handle_t *idle_remove(aa_http_pool_t *pool, int i)
{
    handle_t *handle = pool->idle[i];

    pool->n--;
    memmove(pool->idle + i, pool->idle + i + 1,
            (size_t)(pool->n - i) * sizeof(*pool->idle));
    return handle;
}

/* The handle used last that leads to place, idle since @a oldest at most; NULL:
 * there is none. */
static handle_t *idle_find(aa_http_pool_t *pool, const char *place,
                           apr_time_t oldest)
{
    handle_t *handle = NULL;

    apr_thread_mutex_lock(pool->lock);
    for (int i = pool->n - 1; i >= 0 && pool->idle[i]->since >= oldest; i--)
        if (!strcmp(pool->idle[i]->place, place)) {
            handle = idle_remove(pool, i);
            break;
        }
    apr_thread_mutex_unlock(pool->lock);
    return handle;
}

void aa_http_pool_sweep(aa_http_pool_t *pool, apr_time_t now)
{
    handle_t *old;

    do {
        old = NULL;
        apr_thread_mutex_lock(pool->lock);
        if (pool->n && pool->idle[0]->since < now - AA_HTTP_IDLE_TIME)
            old = idle_remove(pool, 0);
        apr_thread_mutex_unlock(pool->lock);
        handle_close(old); /* TLS says good-bye: not under the lock */
    } while (old);
}

static handle_t *handle_take(aa_http_pool_t *pool, const char *place,
                             apr_interval_time_t age)
{
    apr_time_t now = apr_time_now();
    handle_t *handle;

    aa_http_pool_sweep(pool, now);
    while ((handle = idle_find(pool, place, now - age))) {
        if (handle_quiet(handle))
            return handle;
        handle_close(handle);
    }
    return handle_make(place);
}

static void handle_put(aa_http_pool_t *pool, handle_t *handle)
{
    handle_t *surplus = NULL;

    handle->socket = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(handle->easy, CURLINFO_ACTIVESOCKET,
                          &handle->socket) != CURLE_OK ||
        handle->socket == CURL_SOCKET_BAD) { /* "Connection: close" */
        handle_close(handle);
        return;
    }
    curl_easy_reset(handle->easy); /* forgets pointers into the request */
    handle->since = apr_time_now();
    apr_thread_mutex_lock(pool->lock);
    if (pool->n == AA_HTTP_IDLE_MAX)
        surplus = idle_remove(pool, 0);
    pool->idle[pool->n++] = handle;
    apr_thread_mutex_unlock(pool->lock);
    handle_close(surplus);
}

static apr_status_t pool_close(void *baton)
{
    aa_http_pool_t *pool = baton;

    while (pool->n)
        handle_close(pool->idle[--pool->n]);
    return APR_SUCCESS;
}

apr_status_t aa_http_pool_make(aa_http_pool_t **pool, apr_pool_t *p)
{
    aa_http_pool_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv =
        apr_thread_mutex_create(&made->lock, APR_THREAD_MUTEX_DEFAULT, p);

    *pool = NULL;
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(p, made, pool_close, apr_pool_cleanup_null);
    *pool = made;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------- questions */

static int method_safe(const char *method)
{
    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

/* The name of a "Name: value" is one that the list has. */
static int names(const char *line, const char *const *list)
{
    size_t n = strcspn(line, ":");

    for (; *list; list++)
        if (strlen(*list) == n && !strncasecmp(line, *list, n))
            return 1;
    return 0;
}

static const char *header_fault(const char *line)
{
    /* These are said by us, or would move the end of the message. */
    static const char *const ours[] = {"Accept-Encoding",
                                       "Connection",
                                       "Content-Encoding",
                                       "Content-Length",
                                       "Content-Type",
                                       "Expect",
                                       "Keep-Alive",
                                       "Proxy-Connection",
                                       "TE",
                                       "Trailer",
                                       "Transfer-Encoding",
                                       "Upgrade",
                                       NULL};
    size_t n = 0;

    while (apr_isalnum(line[n]) ||
           (line[n] && strchr("!#$%&'*+-.^_`|~", line[n])))
        n++;
    if (!n || line[n] != ':')
        return "a header to send has no name";
    for (; line[n]; n++)
        if (apr_iscntrl(line[n]) && line[n] != '\t')
            return "a header to send has a control character";
    return names(line, ours) ? "a header to send is not the caller's" : NULL;
}

static const char *ask_fault(const aa_http_ask_t *ask)
{
    static const char *const methods[] = {"GET",    "POST", "PATCH", "PUT",
                                          "DELETE", "HEAD", NULL};
    const char *const *method = methods;
    const char *fault = NULL;

    while (*method && strcmp(*method, ask->method))
        method++;
    if (!*method)
        return "the method is none of GET, POST, PATCH, PUT, DELETE, HEAD";
    if (ask->body && method_safe(ask->method))
        return "GET and HEAD have no body";
    if (!aa_http_absolute(ask->url))
        return "the URL is not a plain http or https one";
    if (ask->unix_socket && *ask->unix_socket != '/')
        return "the socket's path is not absolute";
    for (const char *const *h = ask->headers; h && *h && !fault; h++)
        fault = header_fault(*h);
    return fault;
}

/* Connections are told apart by scheme, host, port and socket. */
static const char *place_of(const aa_http_ask_t *ask, apr_pool_t *p)
{
    const char *host = strstr(ask->url, "://") + 3;
    size_t n = (size_t)(host - ask->url) + strcspn(host, "/?");

    return apr_pstrcat(p, ask->unix_socket ? ask->unix_socket : "", "|",
                       apr_pstrmemdup(p, ask->url, n), NULL);
}

#define SET(option, value) AA_TRANSFER_SET(rc, easy, option, value)

static CURLcode method_set(CURL *easy, const aa_http_ask_t *ask)
{
    const char *method = ask->method;
    CURLcode rc = CURLE_OK;

    if (!strcmp(method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
        return rc;
    }
    if (ask->body || (strcmp(method, "GET") && strcmp(method, "DELETE"))) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE,
            (curl_off_t)(ask->body ? ask->len : 0));
        SET(CURLOPT_POSTFIELDS, ask->body ? ask->body : "");
    }
    else
        SET(CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_CUSTOMREQUEST, method);
    return rc;
}

/* libcurl takes "Name:" for a wish to leave the field out, and "Name;" for an
 * empty one. */
static const char *line_for_curl(const char *line, apr_pool_t *p)
{
    size_t n = strcspn(line, ":");

    if (line[n + 1 + strspn(line + n + 1, " \t")])
        return line;
    return apr_pstrcat(p, apr_pstrmemdup(p, line, n), ";", NULL);
}

/* NULL: no memory. */
static struct curl_slist *fields_make(const aa_http_ask_t *ask, apr_pool_t *p)
{
    const char *const first[] = {
        "Expect:", "Accept-Encoding: identity",
        ask->body ? "Content-Type: application/json" : "Content-Type:", NULL};
    const char *const *groups[] = {first, ask->headers};
    struct curl_slist *fields = NULL;

    for (int i = 0; i < 2; i++)
        for (const char *const *h = groups[i]; h && *h; h++) {
            struct curl_slist *longer =
                curl_slist_append(fields, i ? line_for_curl(*h, p) : *h);

            if (!longer) {
                curl_slist_free_all(fields);
                return NULL;
            }
            fields = longer;
        }
    return fields;
}

static CURLcode ask_options(CURL *easy, aa_transfer_t *t,
                            const aa_http_ask_t *ask, struct curl_slist *fields)
{
    CURLcode rc = aa_transfer_options(
        easy, t, ask->url, ask->timeout,
        ask->connect_timeout ? ask->connect_timeout : ask->timeout);

    if (rc == CURLE_OK)
        rc = fields ? method_set(easy, ask) : CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_HTTPHEADER, fields);
    SET(CURLOPT_PATH_AS_IS, 1L); /* what was checked is what is asked */
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_UNIX_SOCKET_PATH, ask->unix_socket);
    return rc;
}

apr_status_t aa_http_ask(aa_http_answer_t **answer, const char **why,
                         aa_http_pool_t *pool, const aa_http_ask_t *ask,
                         apr_pool_t *p)
{
    aa_transfer_t t = {.p = p, .max = ask->max, .identity = 1};
    int safe;
    struct curl_slist *fields;
    handle_t *handle;
    apr_status_t rv;

    *answer = NULL;
    *why = ask_fault(ask);
    if (*why)
        return APR_EGENERAL;
    safe = method_safe(ask->method);
    t.bodiless = !strcmp(ask->method, "HEAD");
    t.sends = safe ? 2 : 1;
    handle = handle_take(pool, place_of(ask, p),
                         safe ? AA_HTTP_IDLE_TIME : AA_HTTP_IDLE_UNSAFE);
    if (!handle) {
        *why = "libcurl gave no handle";
        return APR_EGENERAL;
    }
    fields = fields_make(ask, p);
    rv = aa_transfer_perform(answer, why, handle->easy, &t,
                             ask_options(handle->easy, &t, ask, fields));
    if (rv == APR_SUCCESS)
        handle_put(pool, handle);
    else
        handle_close(handle);
    curl_slist_free_all(fields);
    return rv == APR_SUCCESS || rv == APR_TIMEUP || rv == APR_ENOSPC
               ? rv
               : APR_EGENERAL;
}
