/* SPDX-License-Identifier: Apache-2.0 */
/* Answers one connection at a time, in all the ways a bad server can. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "webserver.h"

#define PAGES_MAX 8

struct webserver_t {
    int listener, port, stop[2]; /* a byte in stop ends the thread */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    webserver_page_t pages[PAGES_MAX];
    int count;
    char head[8192];
    SSL_CTX *tls;
};

/* 1 when fd can be read, 0 when the server is to end or time is up. */
static int wait_for(webserver_t *server, int fd, int msec)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

    return poll(fds, 2, msec) > 0 && !fds[1].revents && fds[0].revents;
}

static int request_read(webserver_t *server, int fd, char *head, size_t room)
{
    size_t len = 0;

    head[0] = '\0';
    while (!strstr(head, "\r\n\r\n")) {
        ssize_t n;

        if (len + 1 >= room || !wait_for(server, fd, 5000))
            return 0;
        n = read(fd, head + len, room - len - 1);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        head[len] = '\0';
    }
    return 1;
}

static webserver_page_t page_find(webserver_t *server, const char *head)
{
    static const webserver_page_t none = {NULL, WEBSERVER_ANSWER, 404, NULL, "",
                                          0};
    char path[1024] = "";
    const webserver_page_t *page;

    sscanf(head, "%*15s %1023s", path);
    for (page = server->pages; page->status; page++)
        if (!page->path || !strcmp(page->path, path))
            return *page;
    return none;
}

/* 0 when the client has gone. */
static int put(int fd, const char *data, size_t len)
{
    return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void endless(int fd, const char *piece)
{
    while (put(fd, piece, strlen(piece)))
        ;
}

static void answer(webserver_t *server, int fd, const webserver_page_t *page)
{
    size_t len = page->len ? page->len : strlen(page->body);
    char head[2048];
    int n =
        snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\n%s",
                 page->status, page->head ? page->head : "");

    put(fd, head, (size_t)n);
    if (page->how == WEBSERVER_ENDLESS_HEAD) {
        endless(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
        return;
    }
    put(fd, "\r\n", 2);
    if (page->how == WEBSERVER_ENDLESS_BODY)
        endless(fd, "0123456789012345678901234567890123456789012345678901234");
    else if (page->how == WEBSERVER_SLOW)
        for (size_t i = 0; i < len && put(fd, page->body + i, 1); i++)
            (void)wait_for(server, -1, 20);
    else
        put(fd, page->body, len);
}

static void tls_accept(webserver_t *server, int fd)
{
    SSL *ssl = SSL_new(server->tls);

    pthread_mutex_lock(&server->lock);
    server->count++;
    pthread_mutex_unlock(&server->lock);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        static const char text[] = "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n"
                                   "{\"keys\":[]}";
        char buf[1024];

        if (SSL_read(ssl, buf, sizeof(buf)) > 0)
            SSL_write(ssl, text, sizeof(text) - 1);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void serve(webserver_t *server, int fd)
{
    char head[8192], rest[64];
    webserver_page_t page;

    if (!request_read(server, fd, head, sizeof(head)))
        return;
    pthread_mutex_lock(&server->lock);
    memcpy(server->head, head, sizeof(head));
    server->count++;
    page = page_find(server, head);
    pthread_mutex_unlock(&server->lock);
    if (page.how == WEBSERVER_SILENT) /* until the client has had enough */
        (void)wait_for(server, fd, -1);
    else if (page.how != WEBSERVER_CLOSE)
        answer(server, fd, &page);
    shutdown(fd, SHUT_WR);
    while (wait_for(server, fd, 1000) && read(fd, rest, sizeof(rest)) > 0)
        ;
}

static void *run(void *data)
{
    webserver_t *server = data;

    while (wait_for(server, server->listener, -1)) {
        int fd = accept(server->listener, NULL, NULL);

        if (fd < 0)
            continue;
        if (server->tls)
            tls_accept(server, fd);
        else
            serve(server, fd);
        close(fd);
    }
    return NULL;
}

/* A self-signed certificate for localhost. */
static SSL_CTX *tls_make(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_sign(cert, key, EVP_sha256());
    SSL_CTX_use_certificate(ctx, cert);
    SSL_CTX_use_PrivateKey(ctx, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

webserver_t *webserver_start(int tls)
{
    webserver_t *server = calloc(1, sizeof(*server));
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof(addr);

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&addr, len) ||
        listen(server->listener, 64) ||
        getsockname(server->listener, (struct sockaddr *)&addr, &len) ||
        pipe(server->stop))
        abort();
    server->port = ntohs(addr.sin_port);
    server->tls = tls ? tls_make() : NULL;
    pthread_mutex_init(&server->lock, NULL);
    if (pthread_create(&server->thread, NULL, run, server))
        abort();
    return server;
}

void webserver_stop(webserver_t *server)
{
    if (write(server->stop[1], "x", 1) != 1)
        abort();
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int webserver_port(const webserver_t *server)
{
    return server->port;
}

void webserver_pages(webserver_t *server, const webserver_page_t *pages)
{
    int i = 0;

    pthread_mutex_lock(&server->lock);
    for (; pages[i].status; i++)
        server->pages[i] = pages[i];
    memset(&server->pages[i], 0, sizeof(*pages));
    pthread_mutex_unlock(&server->lock);
}

int webserver_count(webserver_t *server)
{
    int count;

    pthread_mutex_lock(&server->lock);
    count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const char *webserver_head(webserver_t *server)
{
    return server->head;
}
