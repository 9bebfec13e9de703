/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of questions begin and end with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "apr_strings.h"
#include "asking.h"

apr_pool_t *pool, *p;
aa_http_pool_t *asker;
scripted_t *server;
const char *why;

int test_begin(void **state)
{
    (void)state;
    apr_pool_create(&p, pool);
    assert_int_equal(aa_http_pool_make(&asker, p), APR_SUCCESS);
    server = scripted_start(NULL);
    return 0;
}

int test_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    scripted_stop(server);
    return 0;
}

aa_http_ask_t question(const char *method, const char *target)
{
    aa_http_ask_t ask = {0};

    ask.method = method;
    ask.url =
        apr_psprintf(p, "http://127.0.0.1:%d%s", scripted_port(server), target);
    ask.max = 1024;
    ask.timeout = apr_time_from_sec(5);
    ask.connect_timeout = apr_time_from_sec(2);
    return ask;
}

apr_status_t put(aa_http_answer_t **answer, const aa_http_ask_t *ask)
{
    apr_status_t rv = aa_http_ask(answer, &why, asker, ask, p);

    assert_int_equal(rv == APR_SUCCESS, *answer != NULL);
    assert_int_equal(rv == APR_SUCCESS, why == NULL);
    return rv;
}

apr_status_t ask_for(aa_http_answer_t **answer, const char *method)
{
    aa_http_ask_t ask = question(method, "/x");

    return put(answer, &ask);
}

void says(const char *raw)
{
    scripted_say(server, SCRIPTED_KEEP, raw, 0);
}

void ask_often(int n, const char *method)
{
    aa_http_answer_t *answer;

    for (int i = 0; i < n; i++)
        assert_int_equal(ask_for(&answer, method), APR_SUCCESS);
}
