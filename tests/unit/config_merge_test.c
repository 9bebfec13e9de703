/* SPDX-License-Identifier: Apache-2.0 */
/* Merging of places and virtual hosts: unset, above, below, both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_config.h"
#include "http_log.h"
#include "httpd/config.h"
#include "httpd/places.h"
#include "model/limits.h"

/* What config.c and places.c use of httpd; nothing here is called by a merge.
 */
module AP_MODULE_DECLARE_DATA agentauth_module;

void ap_log_error_(const char *file, int line, int index, int level,
                   apr_status_t rv, const server_rec *s, const char *fmt, ...)
{
    (void)file, (void)line, (void)index, (void)level, (void)rv, (void)s;
    (void)fmt;
}

static int set_up(void **state)
{
    apr_pool_t *p;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&p, NULL) != APR_SUCCESS)
        return -1;
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

/* -------------------------------------------------- numbers, place by place */

#define INT(member, set, other)                                                \
    {                                                                          \
#member, offsetof(aa_dir_conf_t, member),                              \
            sizeof(((aa_dir_conf_t *)0)->member), set, other                   \
    }

/* set: a value, and where there is one, the default; other: another one. */
static const struct {
    const char *name;
    size_t at, size;
    long long set, other;
} numbers[] = {
    INT(methods, AA_METHOD_BIT(AA_METHOD_APIKEY),
        AA_METHOD_BIT(AA_METHOD_BEARER)),
    INT(reload, AA_RELOAD_DEFAULT, 50000),
    INT(unmatched_allow, 0, 1),
    INT(enforce, AA_ENFORCE_NOTES, AA_ENFORCE_HEADERS),
    INT(pass, AA_PASS_HEADER, AA_PASS_ASSERTION),
    INT(forward_bearer, 0, 1),
    INT(optional, 0, 1),
    INT(open_access, 0, 1),
    INT(unauthorized, AA_UNAUTHORIZED_AUTO, AA_UNAUTHORIZED_401),
    INT(max_body, AA_BODY_MAX_DEFAULT, 1),
};

static long long number_get(const aa_dir_conf_t *conf, size_t at, size_t size)
{
    const char *from = (const char *)conf + at;
    int i;
    apr_int64_t big;

    if (size == sizeof(i)) {
        memcpy(&i, from, size);
        return i;
    }
    memcpy(&big, from, size);
    return big;
}

static void number_set(aa_dir_conf_t *conf, size_t at, size_t size,
                       long long value)
{
    char *to = (char *)conf + at;
    int i = (int)value;
    apr_int64_t big = value;

    memcpy(to, size == sizeof(i) ? (void *)&i : (void *)&big, size);
}

static void numbers_merge(void **state)
{
    apr_pool_t *p = *state;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        size_t at = numbers[i].at, size = numbers[i].size;
        aa_dir_conf_t *unset = aa_dir_conf_create(p, NULL);
        aa_dir_conf_t *above = aa_dir_conf_create(p, NULL);
        aa_dir_conf_t *below = aa_dir_conf_create(p, NULL);

        print_message("%s\n", numbers[i].name);
        number_set(above, at, size, numbers[i].other);
        number_set(below, at, size, numbers[i].set);
#define MERGED(a, b) number_get(aa_dir_conf_merge(p, a, b), at, size)
        assert_int_equal(MERGED(unset, unset), number_get(unset, at, size));
        assert_int_not_equal(MERGED(unset, unset), numbers[i].set);
        assert_int_equal(MERGED(above, unset), numbers[i].other);
        assert_int_equal(MERGED(unset, below), numbers[i].set);
        /* The default, written out, overrides. */
        assert_int_equal(MERGED(above, below), numbers[i].set);
        /* Through a level that says nothing. */
        assert_int_equal(MERGED(aa_dir_conf_merge(p, above, unset), unset),
                         numbers[i].other);
#undef MERGED
    }
}

/* ------------------------------------------------- pointers, place and host */

#define PLACE(member)                                                          \
    {                                                                          \
#member, offsetof(aa_dir_conf_t, member), 0                            \
    }
#define HOST(member)                                                           \
    {                                                                          \
#member, offsetof(aa_server_conf_t, member), 1                         \
    }

static const struct {
    const char *name;
    size_t at;
    int host;
} pointers[] = {
    PLACE(open_routes), PLACE(assertion_audience),
    PLACE(backend_url), PLACE(pass_claims),
    PLACE(origin),      PLACE(cors),
    PLACE(policy_file), PLACE(routes_name),
    HOST(realm),        HOST(path),
    HOST(key_prefixes), HOST(key_header),
    HOST(cookie_name),  HOST(issuers),
    HOST(decision_log),
};

static void *conf_make(apr_pool_t *p, int host)
{
    return host ? aa_server_conf_create(p, NULL) : aa_dir_conf_create(p, NULL);
}

static const void *merged(apr_pool_t *p, int host, void *above, void *below,
                          size_t at)
{
    const char *conf = host ? aa_server_conf_merge(p, above, below)
                            : aa_dir_conf_merge(p, above, below);
    const void *value;

    memcpy(&value, conf + at, sizeof(value));
    return value;
}

static void pointers_merge(void **state)
{
    apr_pool_t *p = *state;
    const void *one = "one", *two = "two";

    for (size_t i = 0; i < sizeof(pointers) / sizeof(*pointers); i++) {
        size_t at = pointers[i].at;
        int host = pointers[i].host;
        char *unset = conf_make(p, host), *above = conf_make(p, host);
        char *below = conf_make(p, host);

        print_message("%s\n", pointers[i].name);
        memcpy(above + at, &one, sizeof(one));
        memcpy(below + at, &two, sizeof(two));
        assert_null(merged(p, host, unset, unset, at));
        assert_ptr_equal(merged(p, host, above, unset, at), one);
        assert_ptr_equal(merged(p, host, unset, below, at), two);
        assert_ptr_equal(merged(p, host, above, below, at), two);
    }
}

static void open_access_of_a_host_merges(void **state)
{
    apr_pool_t *p = *state;
    aa_server_conf_t *on = aa_server_conf_create(p, NULL);
    aa_server_conf_t *off = aa_server_conf_create(p, NULL);
    aa_server_conf_t *unset = aa_server_conf_create(p, NULL), *got;

    on->open_access = 1;
    off->open_access = 0;
    got = aa_server_conf_merge(p, unset, unset);
    assert_int_equal(got->open_access, -1);
    got = aa_server_conf_merge(p, on, unset);
    assert_int_equal(got->open_access, 1);
    got = aa_server_conf_merge(p, on, off);
    assert_int_equal(got->open_access, 0);
}

/* A map that is named below takes over nothing of the one above. */
static void routes_merge_as_one(void **state)
{
    apr_pool_t *p = *state;
    const char *files[] = {"/more.lua", NULL};
    aa_dir_conf_t *above = aa_dir_conf_create(p, NULL);
    aa_dir_conf_t *below = aa_dir_conf_create(p, NULL), *got;

    above->routes_name = "langgraph";
    above->routes_files = files;
    above->routes_prefix = "/agent";
    got = aa_dir_conf_merge(p, above, below);
    assert_ptr_equal(got->routes_files, files);
    assert_string_equal(got->routes_prefix, "/agent");
    below->routes_name = "none";
    below->routes_prefix = "";
    got = aa_dir_conf_merge(p, above, below);
    assert_null(got->routes_files);
    assert_string_equal(got->routes_prefix, "");
}

static aa_dir_conf_t *policy_conf(apr_pool_t *p, const char *file,
                                  const char *routes)
{
    aa_dir_conf_t *conf = aa_dir_conf_create(p, NULL);

    if (file) {
        conf->policy_file = file;
        conf->policy_id = aa_places_policy_id(file);
    }
    if (routes) {
        conf->routes_name = routes;
        conf->routes_prefix = "";
        conf->routes_id = aa_places_routes_id(conf);
    }
    return conf;
}

/* Only pairs that were seen at start have a policy; any other says why. */
static void pairs_resolve(void **state)
{
    apr_pool_t *p;
    aa_dir_conf_t *a, *b, *none, *got;
    aa_pair_t *pair;

    assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
    a = policy_conf(p, "/a.lua", NULL);
    b = policy_conf(p, "/b.lua", NULL);
    none = policy_conf(p, NULL, "none");

    pair = aa_places_pair(a);
    pair->routes = (const aa_routes_t *)"map";
    pair->policy = (aa_policy_t *)"a";
    pair = aa_places_pair(b);
    pair->why = "broken";
    aa_places_seal();

    got = aa_dir_conf_merge(p, aa_dir_conf_create(p, NULL), a);
    assert_ptr_equal(got->policy, aa_places_pair(a)->policy);
    assert_non_null(got->routes);
    assert_null(got->policy_why);

    got = aa_dir_conf_merge(p, a, b);
    assert_null(got->policy);
    assert_null(got->routes);
    assert_string_equal(got->policy_why, "broken");

    got = aa_dir_conf_merge(p, a, none);
    assert_null(got->policy);
    assert_null(got->routes);
    assert_non_null(strstr(got->policy_why, "same section"));

    got = aa_dir_conf_merge(p, none, none);
    assert_null(got->policy_file);
    assert_null(got->policy);
    assert_null(got->policy_why);
    apr_pool_destroy(p);
}

static void effective_values(void **state)
{
    apr_pool_t *p = *state;
    aa_dir_conf_t *conf = aa_dir_conf_create(p, NULL);
    const char *open[] = {"/ok", "POST /x", NULL};

    assert_int_equal(aa_conf_enforce(conf, 0), AA_ENFORCE_NOTES);
    assert_int_equal(aa_conf_enforce(conf, 1), AA_ENFORCE_NOTES);
    conf->policy_file = "/a.lua";
    assert_int_equal(aa_conf_enforce(conf, 0), AA_ENFORCE_NOTES);
    assert_int_equal(aa_conf_enforce(conf, 1), AA_ENFORCE_UNSET);
    conf->enforce = AA_ENFORCE_HEADERS;
    assert_int_equal(aa_conf_enforce(conf, 1), AA_ENFORCE_HEADERS);
    assert_int_equal(aa_conf_pass(conf), AA_PASS_HEADER);
    assert_int_equal(aa_conf_max_body(conf), AA_BODY_MAX_DEFAULT);
    assert_string_equal(aa_conf_pass_claims(conf)[3], "permissions");
    assert_int_equal(aa_conf_opens(conf, "GET /ok"), 0);
    conf->open_routes = open;
    assert_int_equal(aa_conf_opens(conf, "GET /ok"), 1);
    assert_int_equal(aa_conf_opens(conf, "POST /ok"), 0);
    assert_int_equal(aa_conf_opens(conf, "POST /x"), 1);
    assert_int_equal(aa_conf_opens(conf, "GET /x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_merge),
        cmocka_unit_test(pointers_merge),
        cmocka_unit_test(open_access_of_a_host_merges),
        cmocka_unit_test(routes_merge_as_one),
        cmocka_unit_test(pairs_resolve),
        cmocka_unit_test(effective_values),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
