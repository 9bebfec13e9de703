/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: whose it is, and secrets that are made exactly once. */
#include <fcntl.h>

#include "apr_strings.h"
#include "base/effective.h"
#include "base/private.h"
#include "model/limits.h"
#include "stage.h"

#define OTHER_UID 65534

static aa_state_t another(stage_t *stage, const char *name)
{
    aa_state_t state;

    aa_state_paths(&state,
                   apr_pstrcat(stage->pool, stage->dir, "/", name, NULL),
                   stage->pool);
    return state;
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static uid_t owner_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_uid;
}

static void state_is_made(void **state)
{
    stage_t *stage = *state;
    aa_state_t made = another(stage, "a/b/state");
    mode_t before = umask(077);
    aa_error_t err;

    assert_int_equal(aa_state_check(&made, NULL, NULL, &err, stage->pool),
                     APR_ENOENT);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(
            aa_state_create(&made, geteuid(), getegid(), &err, stage->pool),
            APR_SUCCESS);
    umask(before);
    assert_int_equal(mode_of(made.dir), 0700);
    assert_int_equal(mode_of(made.secrets), 0700);
    assert_int_equal(mode_of(made.jwks), 0700);
    /* those above let the server's user pass */
    assert_int_equal(
        mode_of(apr_pstrcat(stage->pool, stage->dir, "/a/b", NULL)), 0755);
    assert_int_equal(aa_state_check(&made, NULL, NULL, &err, stage->pool),
                     APR_SUCCESS);
}

static void state_is_not_everybodys(void **state)
{
    static const struct {
        mode_t mode;
        apr_status_t rv;
    } rows[] = {{0700, APR_SUCCESS}, {0750, APR_SUCCESS}, {0701, AA_EREFUSED},
                {0704, AA_EREFUSED}, {0755, AA_EREFUSED}, {0702, AA_EREFUSED}};
    stage_t *stage = *state;
    aa_state_t file = another(stage, "file");
    aa_error_t err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("%o\n", rows[i].mode);
        assert_int_equal(chmod(stage->state.dir, rows[i].mode), 0);
        assert_int_equal(
            aa_state_check(&stage->state, NULL, NULL, &err, stage->pool),
            rows[i].rv);
        assert_int_equal(aa_state_create(&stage->state, geteuid(), getegid(),
                                         &err, stage->pool),
                         rows[i].rv);
    }
    assert_int_equal(err.code, AA_E_STATE_DIR);
    close(open(file.dir, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(aa_state_check(&file, NULL, NULL, &err, stage->pool),
                     AA_EREFUSED);
}

/* The command made it as root before the first start of httpd. */
static void state_is_handed_over(void **state)
{
    stage_t *stage = *state;
    const aa_state_t *of = &stage->state;
    const char *const all[] = {of->dir,    of->secrets,
                               of->pepper, of->jwks,
                               of->epoch,  strchr(of->store_url, ':') + 1};
    aa_error_t err;

    if (geteuid() != 0) { /* nothing to give away */
        assert_int_equal(
            aa_state_create(of, OTHER_UID, OTHER_UID, &err, stage->pool),
            AA_EREFUSED);
        return;
    }
    assert_int_equal(
        aa_state_create(of, OTHER_UID, OTHER_UID, &err, stage->pool),
        APR_SUCCESS);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        assert_int_equal(owner_of(all[i]), OTHER_UID);
    print_message("what root makes later is the owner's, too\n");
    assert_int_equal(
        aa_private_make(apr_pstrcat(stage->pool, of->secrets, "/new", NULL),
                        "x", 1, stage->pool),
        APR_SUCCESS);
    assert_int_equal(
        owner_of(apr_pstrcat(stage->pool, of->secrets, "/new", NULL)),
        OTHER_UID);
    print_message("but it is not taken from one and given to another\n");
    assert_int_equal(
        aa_state_create(of, OTHER_UID - 1, OTHER_UID, &err, stage->pool),
        AA_EREFUSED);
    assert_non_null(strstr(err.reason, "chown -R"));
    assert_int_equal(owner_of(of->dir), OTHER_UID);
}

static void secret_is_made_once(void **state)
{
    stage_t *stage = *state;
    const char *path =
        apr_pstrcat(stage->pool, stage->state.secrets, "/s", NULL);
    unsigned char first[16], again[16], none[16] = {0};
    aa_error_t err;

    assert_int_equal(aa_state_secret(first, 16, path, 0, &err, stage->pool),
                     AA_EREFUSED);
    assert_int_equal(err.code, AA_E_STATE_DIR);
    assert_non_null(strstr(err.reason, "restore it"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(aa_state_secret(first, 16, path, 1, &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(mode_of(path), 0600);
    for (int create = 0; create < 2; create++) {
        assert_int_equal(
            aa_state_secret(again, 16, path, create, &err, stage->pool),
            APR_SUCCESS);
        assert_memory_equal(first, again, 16);
    }
    assert_memory_not_equal(first, none, 16);
}

static void secret_is_refused(void **state)
{
    stage_t *stage = *state;
    const char *path =
        apr_pstrcat(stage->pool, stage->state.secrets, "/s", NULL);
    unsigned char secret[16];
    aa_error_t err;

    for (int create = 0; create < 2; create++) {
        print_message("too short, too long, create=%d\n", create);
        for (int size = 15; size <= 17; size += 2) {
            assert_int_equal(aa_private_make(path, "0123456789abcdefg",
                                             (apr_size_t)size, stage->pool),
                             APR_SUCCESS);
            assert_int_equal(
                aa_state_secret(secret, 16, path, create, &err, stage->pool),
                AA_EREFUSED);
            unlink(path);
        }
        print_message("open to others, create=%d\n", create);
        assert_int_equal(
            aa_private_make(path, "0123456789abcdef", 16, stage->pool),
            APR_SUCCESS);
        assert_int_equal(chmod(path, 0640), 0);
        assert_int_equal(
            aa_state_secret(secret, 16, path, create, &err, stage->pool),
            AA_EREFUSED);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(
            aa_state_secret(secret, 16, path, create, &err, stage->pool),
            APR_SUCCESS);
        print_message("a link, create=%d\n", create);
        assert_int_equal(
            rename(path, apr_pstrcat(stage->pool, path, "2", NULL)), 0);
        assert_int_equal(symlink("s2", path), 0);
        assert_int_equal(
            aa_state_secret(secret, 16, path, create, &err, stage->pool),
            AA_EREFUSED);
        unlink(path);
    }
}

/* The pepper belongs to the store: without it every key in there is worth
 * nothing, and a new one must not hide that. */
static void pepper_belongs_to_the_store(void **state)
{
    stage_t *stage = *state;
    aa_accounts_t again;
    aa_error_t err;
    const char *aside = apr_pstrcat(stage->pool, stage->dir, "/pepper", NULL);

    unlink(stage->state.pepper);
    assert_int_equal(
        aa_accounts_open(&again, &stage->state, NULL, 0, &err, stage->pool),
        AA_EREFUSED);
    print_message("no rows: a new one may be made\n");
    assert_int_equal(
        aa_accounts_open(&again, &stage->state, NULL, 1, &err, stage->pool),
        APR_SUCCESS);
    assert_int_equal(again.pepper_len, AA_PEPPER_LEN);
    stage_user(stage, "alice", NULL);
    assert_int_equal(rename(stage->state.pepper, aside), 0);
    assert_int_equal(
        aa_accounts_open(&again, &stage->state, NULL, 1, &err, stage->pool),
        AA_EREFUSED);
    print_message("%s\n", err.reason);
    assert_non_null(strstr(err.reason, "restore it"));
    assert_int_equal(access(stage->state.pepper, F_OK), -1);
    assert_int_equal(rename(aside, stage->state.pepper), 0);
    assert_int_equal(
        aa_accounts_open(&again, &stage->state, NULL, 1, &err, stage->pool),
        APR_SUCCESS);
}

static void private_make_is_exclusive(void **state)
{
    stage_t *stage = *state;
    const char *path = apr_pstrcat(stage->pool, stage->dir, "/p", NULL), *why;
    char *data;
    apr_size_t len;

    assert_int_equal(aa_private_make(path, "one", 3, stage->pool), APR_SUCCESS);
    assert_true(
        APR_STATUS_IS_EEXIST(aa_private_make(path, "two", 3, stage->pool)));
    assert_int_equal(aa_private_read(&data, &len, &why, path, 10, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(data, "one");
    assert_int_equal(aa_private_replace(path, "three", 5, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(aa_private_read(&data, &len, &why, path, 10, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(data, "three");
    assert_int_equal(aa_private_read(&data, &len, &why, path, 4, stage->pool),
                     APR_ENOSPC);
}

static void effective_round_trip(void **state)
{
    static const char *const two[] = {"sk-", "old-", NULL};
    static const char *const one[] = {"k-", NULL};
    const aa_effective_realm_t realms[] = {{"a.example", two},
                                           {"b\"\\.example", one}};
    const aa_effective_t written = {"sqlite:/x.db", 33, 34, realms, 2};
    stage_t *stage = *state;
    const char *file = stage->state.effective;
    aa_effective_t read;
    aa_error_t err;

    assert_int_equal(aa_effective_read(&read, file, &err, stage->pool),
                     APR_ENOENT);
    assert_int_equal(aa_effective_write(file, &written, &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(mode_of(file), 0600);
    assert_int_equal(aa_effective_read(&read, file, &err, stage->pool),
                     APR_SUCCESS);
    assert_string_equal(read.store_url, "sqlite:/x.db");
    assert_int_equal(read.uid, 33);
    assert_int_equal(read.gid, 34);
    assert_int_equal(read.nrealms, 2);
    assert_string_equal(read.realms[0].key_prefixes[1], "old-");
    assert_null(read.realms[0].key_prefixes[2]);
    assert_string_equal(read.realms[1].name, "b\"\\.example");
}

static const struct {
    const char *name, *text;
    apr_status_t rv;
} effective_rows[] = {
    {"whole",
     "{\"version\":1,\"store\":\"s\",\"uid\":1,\"gid\":1,\"realms\":[]}",
     APR_SUCCESS},
    {"empty", "", AA_EREFUSED},
    {"cut", "{", AA_EREFUSED},
    {"a list", "[]", AA_EREFUSED},
    {"another version",
     "{\"version\":2,\"store\":\"s\",\"uid\":1,\"gid\":1,\"realms\":[]}",
     AA_EREFUSED},
    {"no store", "{\"version\":1,\"uid\":1,\"gid\":1,\"realms\":[]}",
     AA_EREFUSED},
    {"no uid", "{\"version\":1,\"store\":\"s\",\"gid\":1,\"realms\":[]}",
     AA_EREFUSED},
    {"a realm without a name",
     "{\"version\":1,\"store\":\"s\",\"uid\":1,\"gid\":1,\"realms\":[{}]}",
     AA_EREFUSED},
    {"a realm without prefixes",
     "{\"version\":1,\"store\":\"s\",\"uid\":1,\"gid\":1,\"realms\":"
     "[{\"name\":\"a\",\"key_prefixes\":[]}]}",
     AA_EREFUSED},
};

static void effective_broken(void **state)
{
    stage_t *stage = *state;
    const char *file = stage->state.effective;
    aa_effective_t read;
    aa_error_t err;

    for (size_t i = 0; i < sizeof(effective_rows) / sizeof(*effective_rows);
         i++) {
        const char *text = effective_rows[i].text;

        print_message("%s\n", effective_rows[i].name);
        assert_int_equal(
            aa_private_replace(file, text, strlen(text), stage->pool),
            APR_SUCCESS);
        assert_int_equal(aa_effective_read(&read, file, &err, stage->pool),
                         effective_rows[i].rv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(state_is_made),
        WITH_STAGE(state_is_not_everybodys),
        WITH_STAGE(state_is_handed_over),
        WITH_STAGE(secret_is_made_once),
        WITH_STAGE(secret_is_refused),
        WITH_STAGE(pepper_belongs_to_the_store),
        WITH_STAGE(private_make_is_exclusive),
        WITH_STAGE(effective_round_trip),
        WITH_STAGE(effective_broken),
    };

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
