/* SPDX-License-Identifier: Apache-2.0 */
/* Users and API keys: format and rules. */
#include "apr_strings.h"
#include "authn/cache.h"
#include "base/crypto.h"
#include "model/limits.h"
#include "stage.h"
#include "store/driver.h"

static const char *const abc[] = {"a", "b", "c", NULL};

/* ------------------------------------------------------------------- format */

static void key_format(void **state)
{
    stage_t *stage = *state;
    const char *text;
    aa_key_t key = {0};
    char crc[6];

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, &key, "alice");
    assert_int_equal(strlen(text), strlen(PREFIX) + 10 + 32 + 6);
    assert_memory_equal(text, PREFIX, strlen(PREFIX));
    assert_int_equal(strspn(text + strlen(PREFIX),
                            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz"),
                     48);
    assert_int_equal(strlen(key.id), 10);
    assert_memory_equal(text + strlen(PREFIX), key.id, 10);
    aa_base62_crc(crc, aa_crc32(text, strlen(text) - 6));
    assert_memory_equal(crc, text + strlen(text) - 6, 6);
    assert_int_equal(key.created, T0);
    /* the secret is nowhere in the store, only its MAC is */
    assert_int_equal(
        stage_number(stage,
                     "SELECT count(*) FROM api_keys WHERE length(mac) = 32"),
        1);
}

/* The published check value of CRC-32 for "123456789" is cbf43926; base62
 * by long division. */
static void key_checksum_vectors(void **state)
{
    char out[7] = "";

    (void)state;
    assert_int_equal(aa_crc32("123456789", 9), 0xcbf43926);
    aa_base62_crc(out, 0xcbf43926);
    assert_string_equal(out, "3jZRME");
    aa_base62_crc(out, 0);
    assert_string_equal(out, "000000");
    aa_base62_crc(out, 61);
    assert_string_equal(out, "00000z");
    aa_base62_crc(out, 0xffffffff);
    assert_string_equal(out, "4gfFC3");
}

static const struct {
    const char *name;
    int at;  /* byte that is changed, from the end when negative; 99: none */
    char to; /* what to; 0: cut there */
    const char *tail;
} broken_rows[] = {
    {"last byte of the checksum", -1, '!', ""},
    {"cut by one", -1, 0, ""},
    {"cut to its prefix", 13, 0, ""},
    {"one longer", 99, 0, "0"},
    {"comma", 99, 0, ","},
    {"space inside", 20, ' ', ""},
    {"secret changed", 30, '*', ""},
    {"id changed", 15, '*', ""},
    {"high byte", 30, '\xc3', ""},
};

static void key_broken(void **state)
{
    stage_t *stage = *state;
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    for (size_t i = 0; i < sizeof(broken_rows) / sizeof(*broken_rows); i++) {
        char *bad = apr_pstrcat(stage->pool, text, broken_rows[i].tail, NULL);
        int at = broken_rows[i].at;

        print_message("%s\n", broken_rows[i].name);
        if (at < 0)
            at += (int)strlen(bad);
        if (broken_rows[i].at != 99)
            bad[at] = broken_rows[i].to;
        assert_int_equal(stage_key_verdict(stage, bad, T0), AA_E_KEY_CHECKSUM);
    }
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_NONE);
}

/* Every single letter counts, whatever it is changed to. */
static void key_each_letter_counts(void **state)
{
    stage_t *stage = *state;
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    for (size_t i = 0; i < strlen(text); i++) {
        char *bad = apr_pstrdup(stage->pool, text);

        bad[i] = bad[i] == 'x' ? 'y' : 'x';
        assert_int_equal(stage_key_verdict(stage, bad, T0), AA_E_KEY_CHECKSUM);
    }
}

static void key_checksum_comes_before_the_store(void **state)
{
    stage_t *stage = *state;
    aa_store_t *store = stage->accounts.store;
    aa_principal_t *principal;
    aa_error_t err;

    stage->accounts.store = NULL; /* whoever looks, crashes */
    assert_int_equal(
        stage_key_verify(stage, &principal, PREFIX "nonsense", T0, &err),
        AA_EREFUSED);
    assert_int_equal(err.code, AA_E_KEY_CHECKSUM);
    stage->accounts.store = store;
}

/* A well-formed key with this id and secret, which nobody issued. */
static const char *forge(stage_t *stage, const char *id, const char *secret)
{
    char crc[7] = "";
    const char *body = apr_pstrcat(stage->pool, PREFIX, id, secret, NULL);

    aa_base62_crc(crc, aa_crc32(body, strlen(body)));
    return apr_pstrcat(stage->pool, body, crc, NULL);
}

static void key_prefixes(void **state)
{
    stage_t *stage = *state;
    const char *const longer[] = {"sk-", "sk-agentauth-", NULL};
    const char *const none[] = {NULL};
    aa_principal_t *principal;
    aa_key_t key = {0};
    aa_error_t err;
    const char *text, *old;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    key.realm = REALM;
    key.owner = "alice";
    assert_int_equal(aa_key_create(&old, &stage->accounts, &key, "old-", T0,
                                   &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, old, T0), AA_E_NONE);
    assert_int_equal(aa_key_verify(&principal, &stage->accounts, REALM, text,
                                   longer, T0, &err, stage->pool),
                     APR_SUCCESS);
    aa_principal_unref(principal);
    assert_int_equal(aa_key_verify(&principal, &stage->accounts, REALM, old,
                                   longer, T0, &err, stage->pool),
                     AA_EREFUSED);
    assert_true(aa_key_shaped(text, stage_prefixes));
    assert_true(aa_key_shaped("old-x", stage_prefixes));
    assert_false(aa_key_shaped("new-x", stage_prefixes));
    assert_false(aa_key_shaped("", stage_prefixes));
    assert_false(aa_key_shaped(text, none));
    key.name = NULL;
    for (const char *const *bad =
             (const char *const[]){"", "a,b-", "a b", "\xc3\xa4-", NULL};
         *bad; bad++)
        assert_int_equal(aa_key_create(&text, &stage->accounts, &key, *bad, T0,
                                       &err, stage->pool),
                         APR_EINVAL);
}

/* ------------------------------------------------------------- one answer */

static void key_one_answer(void **state)
{
    stage_t *stage = *state;
    aa_key_t key = {0}, brief = {0};
    aa_principal_t *principal;
    aa_error_t err;
    const char *text, *short_lived, *other_secret;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, &key, "alice");
    brief.expires = T0 + 90 * SECOND;
    short_lived = stage_key(stage, &brief, "alice");
    other_secret = forge(stage, key.id, "0123456789abcdefghijABCDEFGHIJxy");

    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_NONE);
    print_message("unknown id\n");
    assert_int_equal(
        stage_key_verdict(
            stage,
            forge(stage, "AAAAAAAAAA", "0123456789abcdefghijABCDEFGHIJxy"), T0),
        AA_E_KEY_UNKNOWN);
    print_message("wrong secret\n");
    assert_int_equal(stage_key_verdict(stage, other_secret, T0),
                     AA_E_KEY_UNKNOWN);
    print_message("another realm\n");
    assert_int_equal(aa_key_verify(&principal, &stage->accounts, "other", text,
                                   stage_prefixes, T0, &err, stage->pool),
                     AA_EREFUSED);
    assert_int_equal(err.code, AA_E_KEY_UNKNOWN);
    print_message("expired\n");
    assert_int_equal(
        stage_key_verdict(stage, short_lived, T0 + 90 * SECOND - 1), AA_E_NONE);
    assert_int_equal(stage_key_verdict(stage, short_lived, T0 + 90 * SECOND),
                     AA_E_KEY_UNKNOWN);
    print_message("disabled\n");
    assert_int_equal(
        aa_user_disable(&stage->accounts, REALM, "alice", 1, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_KEY_UNKNOWN);
    assert_int_equal(
        aa_user_disable(&stage->accounts, REALM, "alice", 0, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_NONE);
    print_message("revoked\n");
    assert_int_equal(
        aa_key_revoke(&stage->accounts, REALM, key.id, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_KEY_UNKNOWN);
    assert_int_equal(stage_key_verdict(stage, short_lived, T0), AA_E_NONE);
    print_message("user deleted, name given again\n");
    assert_int_equal(
        aa_user_delete(&stage->accounts, REALM, "alice", &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, short_lived, T0),
                     AA_E_KEY_UNKNOWN);
    stage_user(stage, "alice", NULL);
    assert_int_equal(stage_key_verdict(stage, short_lived, T0),
                     AA_E_KEY_UNKNOWN);
}

static void key_of_another_pepper(void **state)
{
    stage_t *stage = *state;
    static const unsigned char other[AA_PEPPER_LEN] = "another";
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    stage->accounts.pepper = other;
    assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_KEY_UNKNOWN);
}

static void key_damaged_record(void **state)
{
    stage_t *stage = *state;
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    for (const char *const *sql =
             (const char *const[]){
                 "UPDATE api_keys SET permissions = '{}'",
                 "UPDATE api_keys SET permissions = '[1]'",
                 "UPDATE api_keys SET permissions = NULL, mac = x'00'",
                 "UPDATE users SET permissions = 'x'", NULL};
         *sql; sql++) {
        print_message("%s\n", *sql);
        assert_int_equal(stage_sql(stage, *sql, NULL), APR_SUCCESS);
        assert_int_equal(stage_key_verdict(stage, text, T0), AA_E_STORE);
    }
}

/* ------------------------------------------------------------ permissions */

static const struct {
    const char *name;
    const char *key[4];
    int has_list;
    const char *got; /* joined */
} permission_rows[] = {
    {"no list: its owner's", {NULL}, 0, "a b c"},
    {"empty list: none", {NULL}, 1, ""},
    {"a part", {"b", NULL}, 1, "b"},
    {"more than its owner has", {"b", "x", NULL}, 1, "b"},
    {"exact: no prefix, no case", {"A", "a:b", NULL}, 1, ""},
};

static void key_permissions(void **state)
{
    stage_t *stage = *state;

    stage_user(stage, "alice", abc);
    for (size_t i = 0; i < sizeof(permission_rows) / sizeof(*permission_rows);
         i++) {
        aa_key_t key = {0};
        aa_principal_t *principal;
        aa_error_t err;
        const char *text, *got = "";

        print_message("%s\n", permission_rows[i].name);
        if (permission_rows[i].has_list)
            key.permissions = permission_rows[i].key;
        text = stage_key(stage, &key, "alice");
        assert_int_equal(stage_key_verify(stage, &principal, text, T0, &err),
                         APR_SUCCESS);
        for (const char *const *at = principal->permissions; *at; at++)
            got = apr_pstrcat(stage->pool, got, *got ? " " : "", *at, NULL);
        assert_string_equal(got, permission_rows[i].got);
        assert_int_equal(
            json_array_size(json_object_get(principal->user, "permissions")),
            *got ? (strlen(got) + 1) / 2 : 0);
        aa_principal_unref(principal);
    }
}

static void key_principal(void **state)
{
    stage_t *stage = *state;
    aa_key_t key = {.expires = T0 + 30 * SECOND};
    aa_principal_t *principal;
    aa_error_t err;
    const char *text;

    stage_user(stage, "alice", abc);
    text = stage_key(stage, &key, "alice");
    assert_int_equal(stage_key_verify(stage, &principal, text, T0, &err),
                     APR_SUCCESS);
    assert_int_equal(principal->method, AA_METHOD_APIKEY);
    assert_string_equal(principal->identity, "alice");
    assert_string_equal(principal->credential_id, key.id);
    assert_int_equal(principal->expires, T0 + 30 * SECOND);
    assert_int_equal(principal->stale, T0 + 30 * SECOND);
    assert_true(principal->has_epoch);
    assert_int_equal(principal->epoch_slot,
                     aa_epoch_slot(stage->accounts.epoch, REALM, "alice"));
    assert_string_equal(
        json_string_value(json_object_get(principal->user, "display_name")),
        "alice");
    aa_principal_unref(principal);
    text = stage_key(stage, NULL, "alice");
    assert_int_equal(stage_key_verify(stage, &principal, text, T0, &err),
                     APR_SUCCESS);
    assert_int_equal(principal->stale, T0 + 60 * SECOND);
    aa_principal_unref(principal);
}

/* --------------------------------------------------------------- last used */

static void key_last_used(void **state)
{
    static const struct {
        const char *name;
        apr_interval_time_t at, mark;
    } rows[] = {
        {"first use", 0, 0},
        {"within the minute", 59 * SECOND, 0},
        {"after it", 60 * SECOND, 60 * SECOND},
        {"clock set back", 10 * SECOND, 60 * SECOND},
    };
    stage_t *stage = *state;
    const char *text;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, NULL, "alice");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%s\n", rows[i].name);
        assert_int_equal(stage_key_verdict(stage, text, T0 + rows[i].at),
                         AA_E_NONE);
        assert_int_equal(stage_number(stage, "SELECT last_used FROM api_keys"),
                         T0 + rows[i].mark);
    }
}

static apr_status_t verify_inside(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    stage_t *stage = ((void **)baton)[0];
    const char *text = ((void **)baton)[1];

    (void)tx;
    (void)p;
    *(aa_code_e *)((void **)baton)[2] = stage_key_verdict(stage, text, T0);
    return APR_SUCCESS;
}

/* The store is locked for writing all the while: the mark is not written, in
 * little time, and the request goes on. */
static void key_last_used_never_fails_a_request(void **state)
{
    stage_t *stage = *state;
    aa_code_e code = AA_E_COUNT;
    apr_time_t begun;
    void *baton[3] = {stage, NULL, &code};

    stage_user(stage, "alice", NULL);
    baton[1] = (void *)stage_key(stage, NULL, "alice");
    begun = apr_time_now();
    assert_int_equal(aa_store_write(stage->accounts.store, AA_DURABLE,
                                    verify_inside, baton, NULL, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(code, AA_E_NONE);
    assert_int_equal(stage_number(stage, "SELECT last_used FROM api_keys"), 0);
    assert_true(apr_time_now() - begun < SECOND);
}

/* ------------------------------------------------------ users and their rules
 */

static void user_rules(void **state)
{
    stage_t *stage = *state;
    char *longest = apr_pcalloc(stage->pool, AA_IDENTITY_MAX + 2);
    const char *const bad_permission[] = {"a\nb", NULL};
    const char *const no_permission[] = {"", NULL};
    aa_user_t user = {REALM, "alice", NULL, T0, 0};
    aa_error_t err;
    struct {
        const char *name, *value;
        const char *const *permissions;
        apr_status_t rv;
    } rows[] = {
        {"plain", "alice", NULL, APR_SUCCESS},
        {"again", "alice", NULL, APR_EEXIST},
        {"UTF-8", "zo\xc3\xab@example.org", NULL, APR_SUCCESS},
        {"empty", "", NULL, APR_EINVAL},
        {"control character", "a\tb", NULL, APR_EINVAL},
        {"DEL", "a\x7f", NULL, APR_EINVAL},
        {"bad UTF-8", "a\xff", NULL, APR_EINVAL},
        {"longest", longest, NULL, APR_SUCCESS},
        {"bad permission", "p", bad_permission, APR_EINVAL},
        {"empty permission", "p", no_permission, APR_EINVAL},
        {"quotes are data", "a'; DROP TABLE users; --", NULL, APR_SUCCESS},
    };

    memset(longest, 'x', AA_IDENTITY_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%s\n", rows[i].name);
        user.name = rows[i].value;
        user.permissions = rows[i].permissions;
        assert_int_equal(
            aa_user_create(&stage->accounts, &user, &err, stage->pool),
            rows[i].rv);
        if (rows[i].rv != APR_SUCCESS)
            assert_non_null(err.reason);
    }
    longest[AA_IDENTITY_MAX] = 'x';
    user.name = longest;
    user.permissions = NULL;
    assert_int_equal(aa_user_create(&stage->accounts, &user, &err, stage->pool),
                     APR_EINVAL);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 4);
}

static void user_unknown(void **state)
{
    stage_t *stage = *state;
    aa_accounts_t *accounts = &stage->accounts;
    aa_key_t key = {.realm = REALM, .owner = "nobody"};
    aa_error_t err;
    const char *text;

    assert_int_equal(
        aa_user_disable(accounts, REALM, "nobody", 1, &err, stage->pool),
        APR_ENOENT);
    assert_int_equal(
        aa_user_delete(accounts, REALM, "nobody", &err, stage->pool),
        APR_ENOENT);
    assert_int_equal(
        aa_key_create(&text, accounts, &key, PREFIX, T0, &err, stage->pool),
        APR_ENOENT);
    assert_null(text);
    assert_int_equal(
        aa_key_revoke(accounts, REALM, "AAAAAAAAAA", &err, stage->pool),
        APR_ENOENT);
}

static apr_status_t names_join(void *baton, const aa_user_t *user)
{
    stage_t *stage = baton;

    stage->dir =
        apr_pstrcat(stage->pool, stage->dir, " ", user->name,
                    user->disabled ? "-" : "+", user->permissions[0], NULL);
    return APR_SUCCESS;
}

static apr_status_t keys_join(void *baton, const aa_key_t *key)
{
    stage_t *stage = baton;

    stage->dir = apr_pstrcat(stage->pool, stage->dir, " ", key->owner, "/",
                             key->name, key->permissions ? "*" : "", NULL);
    return APR_SUCCESS;
}

static void users_and_keys_are_listed(void **state)
{
    stage_t *stage = *state, list = *stage;
    aa_user_t foreign = {"elsewhere", "eve", abc, T0, 1};
    aa_key_t key = {.name = "ci", .permissions = abc};
    aa_error_t err;

    stage_user(stage, "bob", abc);
    stage_user(stage, "alice", abc);
    assert_int_equal(
        aa_user_create(&stage->accounts, &foreign, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(
        aa_user_disable(&stage->accounts, REALM, "bob", 1, &err, stage->pool),
        APR_SUCCESS);
    list.dir = "";
    assert_int_equal(aa_user_each(&stage->accounts, REALM, names_join, &list,
                                  &err, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(list.dir, " alice+a bob-a");
    stage_key(stage, &key, "bob");
    stage_key(stage, NULL, "alice");
    list.dir = "";
    assert_int_equal(aa_key_each(&stage->accounts, REALM, keys_join, &list,
                                 &err, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(list.dir, " alice/ bob/ci*");
    assert_int_equal(
        aa_key_revoke(&stage->accounts, REALM, key.id, &err, stage->pool),
        APR_SUCCESS);
    list.dir = "";
    assert_int_equal(aa_key_each(&stage->accounts, REALM, keys_join, &list,
                                 &err, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(list.dir, " alice/");
}

/* ----------------------------------------------------------------- rotation */

static void key_rotation(void **state)
{
    stage_t *stage = *state;
    aa_key_t key = {.name = "ci", .permissions = abc}, next, last;
    aa_error_t err;
    const char *old, *new, *newest;

    key.expires = T0 + 1000 * SECOND;
    stage_user(stage, "alice", abc);
    old = stage_key(stage, &key, "alice");
    assert_int_equal(aa_key_rotate(&new, &next, &stage->accounts, REALM, key.id,
                                   PREFIX, 100 * SECOND, T0 + 10 * SECOND, &err,
                                   stage->pool),
                     APR_SUCCESS);
    assert_string_equal(next.owner, "alice");
    assert_string_equal(next.name, "ci");
    assert_string_equal(next.permissions[2], "c");
    assert_int_equal(next.expires, T0 + 1010 * SECOND);
    assert_string_not_equal(next.id, key.id);
    assert_int_equal(stage_key_verdict(stage, new, T0 + 1010 * SECOND - 1),
                     AA_E_NONE);
    assert_int_equal(stage_key_verdict(stage, old, T0 + 110 * SECOND - 1),
                     AA_E_NONE);
    assert_int_equal(stage_key_verdict(stage, old, T0 + 110 * SECOND),
                     AA_E_KEY_UNKNOWN);
    print_message("again: never later\n");
    assert_int_equal(aa_key_rotate(&newest, &last, &stage->accounts, REALM,
                                   key.id, PREFIX, 900 * SECOND,
                                   T0 + 20 * SECOND, &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, old, T0 + 110 * SECOND),
                     AA_E_KEY_UNKNOWN);
    print_message("at once\n");
    assert_int_equal(aa_key_rotate(&newest, &last, &stage->accounts, REALM,
                                   next.id, PREFIX, 0, T0 + 20 * SECOND, &err,
                                   stage->pool),
                     APR_SUCCESS);
    assert_int_equal(stage_key_verdict(stage, new, T0 + 20 * SECOND),
                     AA_E_KEY_UNKNOWN);
    assert_int_equal(stage_key_verdict(stage, newest, T0 + 20 * SECOND),
                     AA_E_NONE);
    print_message("what has ended has no successor\n");
    assert_int_equal(aa_key_rotate(&newest, &last, &stage->accounts, REALM,
                                   next.id, PREFIX, 0, T0 + 20 * SECOND, &err,
                                   stage->pool),
                     APR_ENOENT);
    assert_int_equal(aa_key_rotate(&newest, &last, &stage->accounts, "other",
                                   key.id, PREFIX, 0, T0, &err, stage->pool),
                     APR_ENOENT);
    assert_null(newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(key_format),
        WITH_STAGE(key_checksum_vectors),
        WITH_STAGE(key_broken),
        WITH_STAGE(key_each_letter_counts),
        WITH_STAGE(key_checksum_comes_before_the_store),
        WITH_STAGE(key_prefixes),
        WITH_STAGE(key_one_answer),
        WITH_STAGE(key_of_another_pepper),
        WITH_STAGE(key_damaged_record),
        WITH_STAGE(key_permissions),
        WITH_STAGE(key_principal),
        WITH_STAGE(key_last_used),
        WITH_STAGE(key_last_used_never_fails_a_request),
        WITH_STAGE(user_rules),
        WITH_STAGE(user_unknown),
        WITH_STAGE(users_and_keys_are_listed),
        WITH_STAGE(key_rotation),
    };

    return cmocka_run_group_tests_name("api_key", tests, NULL, NULL);
}
