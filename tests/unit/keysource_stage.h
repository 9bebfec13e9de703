/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of key sources stand on. */
#ifndef KEYSOURCE_STAGE_H
#define KEYSOURCE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_pools.h"
#include "keys/issuer.h"
#include "webserver.h"

#define SEC(n) apr_time_from_sec(n)
#define NOW SEC(1700000000)
#define LAST                                                                   \
    {                                                                          \
        NULL, WEBSERVER_ANSWER, 0, NULL, NULL, 0                               \
    }

extern apr_pool_t *pool, *p; /* of the program, of one row */
extern webserver_t *server;
extern const char *dir;       /* cache_dir, emptied for each row */
extern const char *one, *two; /* key sets with one and with two keys */
extern int lines;             /* log lines at warning or above */

const char *url_of(const char *path);
aa_issuer_t issuer_of(const char *url, const char *jwks);
/** Intervals of a minute, ten minutes, a day; five seconds for a fetch. */
const aa_keysource_conf_t *conf_of(void);
aa_keysource_t *source_of(const aa_issuer_t *issuer,
                          aa_keysource_shared_t *shared);
/** One whose keys are fetched from /jwks of the server. */
aa_keysource_t *url_source(aa_keysource_shared_t *shared);
/** Usable keys in use; -1: no set that may be used. */
int keys(aa_keysource_t *source, apr_time_t now);
void serve(const char *path, int status, const char *body);
void write_file(const char *file, const char *text);
const char *kept_file(const char *url);

int row_begin(void **state);
int row_end(void **state);
/** First in main, before anything else. */
void keysource_begin(void);
/** The tests; what main returns. */
int keysource_run(const char *name, const struct CMUnitTest *tests, size_t n);

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROWS(array, function)                                                  \
    for (size_t i = 0; i < COUNT(array); i++)                                  \
        tests[n++] = (struct CMUnitTest){array[i].name, function, row_begin,   \
                                         row_end, &array[i]};
#define ONE(function)                                                          \
    tests[n++] = (struct CMUnitTest)                                           \
    {                                                                          \
#function, function, row_begin, row_end, NULL                          \
    }

#endif
