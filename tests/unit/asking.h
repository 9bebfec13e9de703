/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh backend, asker and pool for each test of questions. */
#ifndef TEST_ASKING_H
#define TEST_ASKING_H

#include "base/http.h"
#include "scripted.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define GOOD OK_HEAD "Content-Length: 2\r\n\r\n{}"

extern apr_pool_t *pool, *p; /* of the program, of the test */
extern aa_http_pool_t *asker;
extern scripted_t *server;
extern const char *why; /* of the last question */

int test_begin(void **state);
int test_end(void **state);

/** To the server, with bounds that a good answer keeps. */
aa_http_ask_t question(const char *method, const char *target);
apr_status_t put(aa_http_answer_t **answer, const aa_http_ask_t *ask);
apr_status_t ask_for(aa_http_answer_t **answer, const char *method);
/** So often, and each time there has to be an answer. */
void ask_often(int n, const char *method);

/** The server says it to all, and keeps the connection. */
void says(const char *raw);

/** One row of the list tests[n] of main. */
#define ONE(function)                                                          \
    tests[n++] = (struct CMUnitTest)                                           \
    {                                                                          \
#function, function, test_begin, test_end, NULL                        \
    }
/** And one for each of a table. */
#define ROWS(rows, function, title)                                            \
    for (size_t i = 0; i < LENGTH(rows); i++)                                  \
        tests[n++] = (struct CMUnitTest)                                       \
        {                                                                      \
            rows[i].title, function, test_begin, test_end, &rows[i]            \
        }

#endif
