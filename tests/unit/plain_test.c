/* SPDX-License-Identifier: Apache-2.0 */
/* Plain paths: the spellings that have one reading, and those that have two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agentpolicy.h"

static const struct {
    const char *path; /* decoded */
    int plain;
} rows[] = {
    {"/", 1},
    {"/a", 1},
    {"/a/", 1}, /* another path than /a */
    {"/a/b-c_d.e~f", 1},
    {"/threads/0195f3b2-6f2c-7000-8000-000000000000", 1},
    {"/A", 1},
    {"/a b", 1},
    {"/a+b,c:d@e=f&g", 1},
    {"/a|b:c", 1}, /* a subgraph's namespace */
    {"/.well-known/agent-card.json", 1},
    {"/...", 1},
    {"/..a", 1},
    {"/a..", 1},
    {"/100%", 1},
    {"/%zz", 1},
    {"/%4", 1},
    {"/a%4g", 1},
    {"/\xc3\xa9", 1},
    {"/\xe6\x97\xa5\xe6\x9c\xac", 1},
    {"/\xf0\x9f\x98\x80", 1},
    {"/\xf4\x8f\xbf\xbf", 1}, /* U+10FFFF */
    {"/\xed\x9f\xbf", 1},     /* before the surrogates */
    {"/\xc2\xa0", 1},         /* after C1 */
    {"", 0},
    {"a", 0},
    {"*", 0},
    {"http://h/a", 0},
    {"//", 0},
    {"//a", 0},
    {"/a//b", 0},
    {"/a//", 0},
    {"/.", 0},
    {"/..", 0},
    {"/./", 0},
    {"/a/.", 0},
    {"/a/./b", 0},
    {"/a/..", 0},
    {"/a/../b", 0},
    {"/a/../", 0},
    {"/a;x", 0},
    {"/a;", 0},
    {"/;", 0},
    {"/a\\b", 0},
    {"/\\..\\b", 0},
    {"/a?b", 0},
    {"/a#b", 0},
    {"/a\nb", 0},
    {"/a\rb", 0},
    {"/a\tb", 0},
    {"/a\x01", 0},
    {"/a\x1f", 0},
    {"/a\x7f", 0},
    {"/a\xc2\x80", 0},
    {"/a\xc2\x9f", 0},
    {"/%2F", 0},
    {"/%2f", 0},
    {"/a%2fb", 0},
    {"/%2e%2e/b", 0},
    {"/a%00", 0},
    {"/%41", 0},
    {"/%5c", 0},
    {"/%%41", 0},
    {"/\x80", 0},
    {"/\xbf", 0},
    {"/\xc0\xaf", 0}, /* '/' in two bytes */
    {"/\xc1\xbf", 0},
    {"/\xe0\x80\xaf", 0},
    {"/\xe0\x9f\xbf", 0},
    {"/\xf0\x80\x80\xaf", 0},
    {"/\xf0\x8f\xbf\xbf", 0},
    {"/\xed\xa0\x80", 0}, /* surrogate */
    {"/\xed\xbf\xbf", 0},
    {"/\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
    {"/\xf5\x80\x80\x80", 0},
    {"/\xff", 0},
    {"/\xc3", 0}, /* cut */
    {"/\xe6\x97", 0},
    {"/\xf0\x9f\x98", 0},
    {"/\xc3/", 0},
    {"/\xe6\x97/", 0},
};

static void spellings(void **state)
{
    const char *why;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%d: %s\n", (int)i, rows[i].path);
        why = NULL;
        assert_int_equal(aa_path_plain(rows[i].path, &why), rows[i].plain);
        if (rows[i].plain)
            assert_null(why);
        else
            assert_non_null(why);
        assert_int_equal(aa_path_plain(rows[i].path, NULL), rows[i].plain);
    }
    assert_int_equal(aa_path_plain(NULL, NULL), 0);
}

/* Every byte that is no letter of a path, alone in a segment. */
static void single_bytes(void **state)
{
    char path[] = "/aXb";
    int c;

    (void)state;
    for (c = 1; c < 256; c++) {
        path[2] = (char)c;
        assert_int_equal(aa_path_plain(path, NULL),
                         c >= 0x20 && c < 0x7f && !strchr("\\;?#", c));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(single_bytes),
    };

    return cmocka_run_group_tests_name("plain paths", tests, NULL, NULL);
}
