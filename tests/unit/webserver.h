/* SPDX-License-Identifier: Apache-2.0 */
/* A little HTTP server on 127.0.0.1 in a thread, for tests of clients. */
#ifndef TEST_WEBSERVER_H
#define TEST_WEBSERVER_H

#include <stddef.h>

typedef struct webserver_t webserver_t;

typedef enum webserver_e {
    WEBSERVER_ANSWER, /* status, head and body */
    WEBSERVER_SILENT, /* reads the request and never answers */
    WEBSERVER_SLOW,   /* a byte of the body each 20 ms */
    WEBSERVER_CLOSE,  /* reads the request and closes */
    WEBSERVER_ENDLESS_HEAD,
    WEBSERVER_ENDLESS_BODY
} webserver_e;

/** One page; the memory is the caller's and stays until the next change. */
typedef struct webserver_page_t {
    const char *path; /* NULL: every other path */
    webserver_e how;
    int status;
    const char *head; /* further header lines, each with CR LF; or NULL */
    const char *body;
    size_t len; /* 0: strlen(body) */
} webserver_page_t;

/** Listens on a free port. tls: with a certificate that nobody vouches for. */
webserver_t *webserver_start(int tls);
void webserver_stop(webserver_t *server);
int webserver_port(const webserver_t *server);

/** Replace all pages; the list ends with one whose status is 0. */
void webserver_pages(webserver_t *server, const webserver_page_t *pages);

/** Requests read so far (TLS: handshakes begun). */
int webserver_count(webserver_t *server);
/** Head of the last request; valid until the next. */
const char *webserver_head(webserver_t *server);

#endif
