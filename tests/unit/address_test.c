/* SPDX-License-Identifier: Apache-2.0 */
/* Where the backend is: the base that is left of a URL, or that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "enforce/address.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define SOCKET_107                                                             \
    "/234567890123456789012345678901234567890123456789012345678901234567890"   \
    "12345678901234567890123456789012345x7"

static apr_pool_t *pool, *p;

typedef struct row_t {
    const char *text;
    const char *plain; /* NULL: aa_address_read */
    const char *name;  /* NULL: refused */
    const char *why;   /* part of it when refused */
} row_t;

static row_t rows[] = {
    /* said by a directive */
    {"http://127.0.0.1:8123", NULL, "http://127.0.0.1:8123", NULL},
    {"http://127.0.0.1:8123/", NULL, "http://127.0.0.1:8123", NULL},
    {"https://h/base/", NULL, "https://h/base", NULL},
    {"HTTP://Lang.Example:80/Base", NULL, "http://lang.example/Base", NULL},
    {"HTTPS://h:443", NULL, "https://h", NULL},
    {"https://h:80", NULL, "https://h:80", NULL},
    {"http://h:8080", NULL, "http://h:8080", NULL},
    {"http://h:180", NULL, "http://h:180", NULL},
    {"http://[::1]:80/a", NULL, "http://[::1]/a", NULL},
    {"http://[::80]", NULL, "http://[::80]", NULL},
    {"http://[::80", NULL, NULL, "well formed"},
    {"http://h/a%20b", NULL, "http://h/a%20b", NULL},
    {"unix:/run/x.sock|http://h/base", NULL, "unix:/run/x.sock|http://h/base",
     NULL},
    {"UNIX:/run/x.sock|http://H/", NULL, "unix:/run/x.sock|http://h", NULL},
    {"unix:" SOCKET_107 "|http://h", NULL, "unix:" SOCKET_107 "|http://h",
     NULL},
    {"unix:" SOCKET_107 "8|http://h", NULL, NULL, "too long"},
    {"unix:/run/x.sock", NULL, NULL, "no '|'"},
    {"unix:/run/x.sock|", NULL, NULL, "http or https"},
    {"unix:|http://h/", NULL, NULL, "absolute"},
    {"unix:/|http://h/", NULL, NULL, "absolute"},
    {"unix:run/x.sock|http://h/", NULL, NULL, "absolute"},
    {"unix:/a\t|http://h/", NULL, NULL, "control"},
    {"unix:/a|unix:/b|http://h/", NULL, NULL, "http or https"},
    {"unix:/a|fcgi://h/", NULL, NULL, "http or https"},
    {"", NULL, NULL, "http or https"},
    {"h/base", NULL, NULL, "http or https"},
    {"//h/base", NULL, NULL, "http or https"},
    {"ftp://h/", NULL, NULL, "http or https"},
    {"h2c://h/", NULL, NULL, "http or https"},
    {"http:/h/", NULL, NULL, "http or https"},
    {"balancer://pool/", NULL, NULL, "AgentAuthBackend"},
    {"http://", NULL, NULL, "well formed"},
    {"http:///base", NULL, NULL, "well formed"},
    {"http://h:99999/", NULL, NULL, "well formed"},
    {"http://h:/", NULL, NULL, "well formed"},
    {"http://h /", NULL, NULL, "well formed"},
    {"http://h\\i/", NULL, NULL, "well formed"},
    {"http://u@h/", NULL, NULL, "user"},
    {"http://u:p@h/", NULL, NULL, "user"},
    {"http://h/?a", NULL, NULL, "query"},
    {"http://h?a", NULL, NULL, "query"},
    {"http://h/#a", NULL, NULL, "fragment"},
    {"http://h//", NULL, NULL, "several ways"},
    {"http://h/a//b", NULL, NULL, "several ways"},
    {"http://h/a/../b", NULL, NULL, "several ways"},
    {"http://h/..", NULL, NULL, "several ways"},
    {"http://h/%2e%2e/b", NULL, NULL, "several ways"},
    {"http://h/a%2fb", NULL, NULL, "several ways"},
    {"http://h/a%00", NULL, NULL, "several ways"},
    {"http://h/a%zz", NULL, NULL, "several ways"},
    {"http://h/a%", NULL, NULL, "several ways"},
    {"http://h/a%2541", NULL, NULL, "several ways"},
    {"http://h/a;b", NULL, NULL, "several ways"},
    /* cut off what mod_proxy uses */
    {"http://127.0.0.1:8123/base/threads/x", "/threads/x",
     "http://127.0.0.1:8123/base", NULL},
    {"http://127.0.0.1:8123/threads/x?y=/threads/x", "/threads/x",
     "http://127.0.0.1:8123", NULL},
    {"unix:/run/x.sock|http://h/base/threads/x", "/threads/x",
     "unix:/run/x.sock|http://h/base", NULL},
    {"http://h/threads/threads", "/threads", "http://h/threads", NULL},
    {"http://h/b/mcp/", "/mcp/", "http://h/b", NULL},
    {"http://h/b/mcp", "/mcp/", NULL, "does not end"},
    {"http://h/b/mcp/", "/mcp", NULL, "does not end"},
    {"http://h/b/", "/", "http://h/b", NULL},
    {"http://h", "/", NULL, "fewer segments"},
    {"http://h/x", "/threads/x", NULL, "fewer segments"},
    {"http://h/b/threads/x", "/threads/y", NULL, "does not end"},
    {"http://h/b/Threads/x", "/threads/x", NULL, "does not end"},
    {"http://h/b/threads/%78", "/threads/x", "http://h/b", NULL},
    {"http://h/b/threads/a%20b", "/threads/a b", "http://h/b", NULL},
    {"http://h/b/threads/a b", "/threads/a b", "http://h/b", NULL},
    {"http://h/b/threads/%C3%A4", "/threads/\xc3\xa4", "http://h/b", NULL},
    {"http://h/b/threads/\xc3\xa4", "/threads/\xc3\xa4", "http://h/b", NULL},
    {"http://h/b/threads/100%25", "/threads/100%", "http://h/b", NULL},
    {"http://h/b/threads/100%", "/threads/100%", "http://h/b", NULL},
    {"http://h/b/threads/100%", "/threads/100", NULL, "does not end"},
    {"http://h/b/threads%2Fx", "/threads/x", NULL, "does not end"},
    {"http://h/b%2Fthreads/x", "/threads/x", NULL, "does not end"},
    {"http://h/threads/x%2Fthreads/x", "/threads/x", NULL, "does not end"},
    {"http://h/b/threads/x%00y", "/threads/x", NULL, "does not end"},
    {"http://h/b/threads/x%2500", "/threads/x%00", NULL, "for a path"},
    {"http://h/b/threads//x", "/threads/x", NULL, "does not end"},
    {"http://h/b//threads/x", "/threads/x", NULL, "several ways"},
    {"http://h//threads/x", "/threads/x", NULL, "several ways"},
    {"http://h/b/../threads/x", "/threads/x", NULL, "several ways"},
    {"http://h/%2e%2e/threads/x", "/threads/x", NULL, "several ways"},
    {"http://h/b;c/threads/x", "/threads/x", NULL, "several ways"},
    {"http://h/b c/threads/x", "/threads/x", NULL, "well formed"},
    {"http://h/b/threads/./x", "/threads/x", NULL, "does not end"},
    {"http://h/b/threads/../x", "/threads/../x", NULL, "for a path"},
    {"http://h/b/threads/x", "threads/x", NULL, "for a path"},
    {"http://h/b/threads/x", "", NULL, "for a path"},
    {"http://u@h/threads/x", "/threads/x", NULL, "well formed"},
    {"http://h\\@i/threads/x", "/threads/x", NULL, "well formed"},
    {"http://h#@i/threads/x", "/threads/x", NULL, "well formed"},
    {"http:///threads/x", "/threads/x", NULL, "well formed"},
    {"http://?/threads/x", "/threads/x", NULL, "fewer segments"},
    {"http://h:0/threads/x", "/threads/x", NULL, "well formed"},
    {"HTTP://H:80/threads/x", "/threads/x", "http://h", NULL},
    {"balancer://pool/threads/x", "/threads/x", NULL, "AgentAuthBackend"},
    {"ws://h/threads/x", "/threads/x", NULL, "http or https"},
    {"fcgi://h/threads/x", "/threads/x", NULL, "http or https"},
    {"unix:/run/x.sock|fcgi://h/threads/x", "/threads/x", NULL,
     "http or https"},
    {"proxy:http://h/threads/x", "/threads/x", NULL, "http or https"},
};

static void address(void **state)
{
    const row_t *row = *state;
    aa_address_t found;
    const char *why;
    apr_status_t rv =
        row->plain ? aa_address_of(&found, &why, row->text, row->plain, p)
                   : aa_address_read(&found, &why, row->text, p);

    assert_int_equal(rv, row->name ? APR_SUCCESS : APR_EINVAL);
    if (row->name) {
        assert_null(why);
        assert_string_equal(aa_address_name(&found, p), row->name);
    }
    else {
        assert_null(found.base);
        assert_non_null(strstr(why, row->why));
    }
}

/* What is found is found again in its name. */
static void name_again(void **state)
{
    aa_address_t found, again;
    const char *why;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (!rows[i].name)
            continue;
        assert_int_equal(aa_address_read(&found, &why, rows[i].name, p),
                         APR_SUCCESS);
        assert_int_equal(
            aa_address_read(&again, &why, aa_address_name(&found, p), p),
            APR_SUCCESS);
        assert_string_equal(found.base, again.base);
        assert_string_equal(aa_address_name(&again, p), rows[i].name);
    }
}

static int row_begin(void **state)
{
    (void)state;
    return apr_pool_create(&p, pool);
}

static int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[LENGTH(rows) + 1];
    size_t n = 0;
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (; n < LENGTH(rows); n++)
        tests[n] = (struct CMUnitTest){apr_pstrcat(pool, rows[n].text,
                                                   rows[n].plain ? " for " : "",
                                                   rows[n].plain, NULL),
                                       address, row_begin, row_end, &rows[n]};
    tests[n++] =
        (struct CMUnitTest){"name_again", name_again, row_begin, row_end, NULL};
    failed = _cmocka_run_group_tests("address", tests, n, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
