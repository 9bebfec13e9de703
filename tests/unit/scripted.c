/* SPDX-License-Identifier: Apache-2.0 */
/* One thread for each connection; requests have a Content-Length or no body. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "scripted.h"

#define CONNECTIONS_MAX 256
#define REQUEST_MAX (2 * 1024 * 1024)

struct scripted_t {
    int listener, port, stop[2]; /* a byte in stop ends all threads */
    pthread_t thread, threads[CONNECTIONS_MAX];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    scripted_e how;
    const char *raw;
    size_t len;
    int connections, requests, closed, twice;
    char last[REQUEST_MAX];
};

typedef struct connection_t {
    scripted_t *server;
    int fd;
    char data[REQUEST_MAX];
    size_t len;
} connection_t;

static void count(scripted_t *server, int *counter)
{
    pthread_mutex_lock(&server->lock);
    ++*counter;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* 1 when fd can be read, 0 when the server is to end or time is up. */
static int wait_for(scripted_t *server, int fd, int msec)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

    return poll(fds, 2, msec) > 0 && !fds[1].revents && fds[0].revents;
}

/* Bytes of the whole request that data begins with, 0: not whole. */
static size_t whole(const char *data, size_t len)
{
    const char *end = strstr(data, "\r\n\r\n");
    const char *field = strcasestr(data, "\r\nContent-Length:");
    size_t need;

    if (!end)
        return 0;
    need = (size_t)(end - data) + 4;
    if (field && field < end)
        need += strtoul(field + 17, NULL, 10);
    return len >= need ? need : 0;
}

static size_t request_read(connection_t *c)
{
    size_t n;

    while (!(n = whole(c->data, c->len))) {
        ssize_t got;

        if (c->len + 1 >= sizeof(c->data) || !wait_for(c->server, c->fd, -1))
            return 0;
        got = read(c->fd, c->data + c->len, sizeof(c->data) - c->len - 1);
        if (got <= 0)
            return 0;
        c->len += (size_t)got;
        c->data[c->len] = '\0';
    }
    return n;
}

static int put(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return 0;
        data += n;
        len -= (size_t)n;
    }
    return 1;
}

static int echo(connection_t *c)
{
    char target[1024] = "", text[2048];
    int n;

    sscanf(c->data, "%*15s %1023s", target);
    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(target), target);
    return put(c->fd, text, (size_t)n);
}

static int drip(connection_t *c, const char *raw, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!put(c->fd, raw + i, 1))
            return 0;
        (void)wait_for(c->server, -1, 20);
    }
    return 1;
}

/* Not before the client has taken it: a reset discards what is under way. */
static void reset(connection_t *c)
{
    struct linger linger = {1, 0};
    struct tcp_info info;
    socklen_t len = sizeof(info);

    do {
        (void)wait_for(c->server, -1, 20);
    } while (!getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
             info.tcpi_unacked);
    (void)wait_for(c->server, -1, 50);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* @return 1: the connection goes on */
static int answer(connection_t *c, int nth, scripted_e how, const char *raw,
                  size_t len)
{
    switch (how) {
    case SCRIPTED_KEEP:
        return put(c->fd, raw, len);
    case SCRIPTED_CLOSE:
        put(c->fd, raw, len);
        return 0;
    case SCRIPTED_RESET:
        put(c->fd, raw, len);
        reset(c);
        return 0;
    case SCRIPTED_DRIP:
        return drip(c, raw, len);
    case SCRIPTED_SILENT:
        (void)wait_for(c->server, c->fd, -1);
        return 0;
    case SCRIPTED_DIES:
        return nth == 1 && put(c->fd, raw, len);
    case SCRIPTED_ONCE:
        return scripted_requests(c->server) == 1 && put(c->fd, raw, len);
    case SCRIPTED_TWICE:
        put(c->fd, raw, len);
        (void)wait_for(c->server, -1, 50);
        put(c->fd, raw, len);
        count(c->server, &c->server->twice);
        return 1;
    case SCRIPTED_ECHO:
        return echo(c);
    }
    return 0;
}

static void *serve(void *data)
{
    connection_t *c = data;
    scripted_t *server = c->server;
    size_t n;

    for (int nth = 1; (n = request_read(c)); nth++) {
        scripted_e how;
        const char *raw;
        size_t len;

        pthread_mutex_lock(&server->lock);
        memcpy(server->last, c->data, n);
        server->last[n] = '\0';
        server->requests++;
        how = server->how;
        raw = server->raw;
        len = server->len;
        pthread_mutex_unlock(&server->lock);
        if (!answer(c, nth, how, raw, len))
            break;
        c->len -= n;
        memmove(c->data, c->data + n, c->len + 1);
    }
    close(c->fd);
    free(c);
    count(server, &server->closed);
    return NULL;
}

static void *run(void *data)
{
    scripted_t *server = data;
    int n = 0;

    while (wait_for(server, server->listener, -1)) {
        connection_t *c = calloc(1, sizeof(*c));

        c->server = server;
        c->fd = accept(server->listener, NULL, NULL);
        if (c->fd < 0 || n == CONNECTIONS_MAX)
            abort();
        count(server, &server->connections);
        if (pthread_create(&server->threads[n++], NULL, serve, c))
            abort();
    }
    return NULL;
}

static void listen_on(scripted_t *server, struct sockaddr *addr, socklen_t len)
{
    server->listener = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, addr, len) || listen(server->listener, 64))
        abort();
}

static void listen_inet(scripted_t *server)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof(addr);

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listen_on(server, (struct sockaddr *)&addr, len);
    if (getsockname(server->listener, (struct sockaddr *)&addr, &len))
        abort();
    server->port = ntohs(addr.sin_port);
}

static void listen_unix(scripted_t *server, const char *path)
{
    struct sockaddr_un addr = {0};

    addr.sun_family = AF_UNIX;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    unlink(path);
    listen_on(server, (struct sockaddr *)&addr, sizeof(addr));
}

scripted_t *scripted_start(const char *unix_path)
{
    scripted_t *server = calloc(1, sizeof(*server));

    if (unix_path)
        listen_unix(server, unix_path);
    else
        listen_inet(server);
    server->raw = "HTTP/1.1 204 No Content\r\n\r\n";
    server->len = strlen(server->raw);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    if (pipe(server->stop) ||
        pthread_create(&server->thread, NULL, run, server))
        abort();
    return server;
}

void scripted_stop(scripted_t *server)
{
    if (write(server->stop[1], "x", 1) != 1)
        abort();
    pthread_join(server->thread, NULL);
    for (int i = 0; i < server->connections; i++)
        pthread_join(server->threads[i], NULL);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int scripted_port(const scripted_t *server)
{
    return server->port;
}

void scripted_say(scripted_t *server, scripted_e how, const char *raw,
                  size_t len)
{
    pthread_mutex_lock(&server->lock);
    server->how = how;
    server->raw = raw;
    server->len = len ? len : strlen(raw);
    pthread_mutex_unlock(&server->lock);
}

static int value_of(scripted_t *server, const int *counter)
{
    int value;

    pthread_mutex_lock(&server->lock);
    value = *counter;
    pthread_mutex_unlock(&server->lock);
    return value;
}

static void await(scripted_t *server, const int *counter, int n)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&server->lock);
    while (*counter < n)
        if (pthread_cond_timedwait(&server->changed, &server->lock, &end)) {
            fprintf(stderr, "waited in vain\n");
            abort();
        }
    pthread_mutex_unlock(&server->lock);
}

int scripted_connections(scripted_t *server)
{
    return value_of(server, &server->connections);
}

int scripted_requests(scripted_t *server)
{
    return value_of(server, &server->requests);
}

int scripted_closed(scripted_t *server)
{
    return value_of(server, &server->closed);
}

void scripted_await_closed(scripted_t *server, int n)
{
    await(server, &server->closed, n);
}

void scripted_await_twice(scripted_t *server, int n)
{
    await(server, &server->twice, n);
}

const char *scripted_last(scripted_t *server)
{
    return server->last;
}
