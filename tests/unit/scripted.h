/* SPDX-License-Identifier: Apache-2.0 */
/* A server on 127.0.0.1 that keeps connections and says what it is told to. */
#ifndef TEST_SCRIPTED_H
#define TEST_SCRIPTED_H

#include <stddef.h>

typedef struct scripted_t scripted_t;

typedef enum scripted_e {
    SCRIPTED_KEEP,   /* says it, waits for the next request */
    SCRIPTED_CLOSE,  /* says it, closes */
    SCRIPTED_RESET,  /* says it, resets the connection once it was read */
    SCRIPTED_DRIP,   /* says it, a byte each 20 ms */
    SCRIPTED_SILENT, /* says nothing */
    SCRIPTED_DIES,   /* says it to the first request of a connection, closes
                      * upon the second */
    SCRIPTED_ONCE,   /* says it to the very first request, closes upon others */
    SCRIPTED_TWICE,  /* says it, and a little later once more, unasked */
    SCRIPTED_ECHO    /* 200 with the request's target as the body */
} scripted_e;

/** unix_path: NULL for a free port. */
scripted_t *scripted_start(const char *unix_path);
void scripted_stop(scripted_t *server);
int scripted_port(const scripted_t *server);

/** For every request from now on; raw stays the caller's. len 0: strlen. */
void scripted_say(scripted_t *server, scripted_e how, const char *raw,
                  size_t len);

int scripted_connections(scripted_t *server); /* accepted so far */
int scripted_requests(scripted_t *server);    /* read so far */
/** Wait until so many connections were closed by the server, 20 s at most. */
void scripted_await_closed(scripted_t *server, int n);
int scripted_closed(scripted_t *server);
/** Wait until what SCRIPTED_TWICE says was said so often. */
void scripted_await_twice(scripted_t *server, int n);
/** The last request with its body; valid until the next. */
const char *scripted_last(scripted_t *server);

#endif
