/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and removes the state directories of tests. */
#include <ftw.h>
#include <stdlib.h>

#include "stage.h"
#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"

const char *const stage_prefixes[] = {PREFIX, "old-", NULL};

int stage_open(void **state)
{
    char dir[] = "/tmp/agentauth-test-XXXXXX";
    stage_t *stage;
    apr_pool_t *p;
    aa_error_t err = {0};

    if (apr_initialize() != APR_SUCCESS || aa_crypto_init() != APR_SUCCESS ||
        apr_pool_create(&p, NULL) != APR_SUCCESS || !mkdtemp(dir))
        return -1;
    stage = apr_pcalloc(p, sizeof(*stage));
    stage->pool = p;
    stage->dir = apr_pstrdup(p, dir);
    if (chmod(dir, 0711) != 0)
        return -1;
    aa_state_paths(&stage->state, apr_pstrcat(p, dir, "/state", NULL), p);
    if (aa_state_create(&stage->state, geteuid(), getegid(), &err, p) !=
            APR_SUCCESS ||
        aa_accounts_open(&stage->accounts, &stage->state, NULL, 1, &err, p) !=
            APR_SUCCESS) {
        print_message("stage: %s\n", err.reason);
        return -1;
    }
    *state = stage;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int stage_close(void **state)
{
    stage_t *stage = *state;

    nftw(stage->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    apr_pool_destroy(stage->pool);
    return 0;
}

void stage_user(stage_t *stage, const char *name, const char *const *perms)
{
    aa_user_t user = {REALM, name, perms, T0, 0};
    aa_error_t err = {0};

    if (aa_user_create(&stage->accounts, &user, &err, stage->pool) !=
        APR_SUCCESS)
        fail_msg("user %s: %s", name, err.reason);
}

const char *stage_key(stage_t *stage, aa_key_t *key, const char *owner)
{
    aa_key_t own = {0};
    aa_error_t err = {0};
    const char *text;

    key = key ? key : &own;
    key->realm = REALM;
    key->owner = owner;
    if (aa_key_create(&text, &stage->accounts, key, PREFIX, T0, &err,
                      stage->pool) != APR_SUCCESS)
        fail_msg("key of %s: %s", owner, err.reason);
    return text;
}

int stage_child(int (*fn)(stage_t *stage), stage_t *stage, uid_t uid)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (geteuid() == 0 && uid && setuid(uid) != 0)
            _exit(99);
        _exit(fn(stage));
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static apr_status_t number_take(void *baton, const aa_value_t *columns, int n)
{
    (void)n;
    *(apr_int64_t *)baton = columns[0].i;
    return APR_SUCCESS;
}

apr_int64_t stage_number(stage_t *stage, const char *sql)
{
    apr_int64_t number = -1;
    aa_error_t err = {0};

    if (aa_store_read(stage->accounts.store, sql, NULL, 0, number_take, &number,
                      &err, stage->pool) != APR_SUCCESS)
        fail_msg("%s: %s", sql, err.reason);
    return number;
}

static apr_status_t sql_run(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    return aa_tx_run(tx, baton, NULL, 0, NULL, NULL, NULL, p);
}

apr_status_t stage_sql(stage_t *stage, const char *sql, aa_error_t *err)
{
    return aa_store_write(stage->accounts.store, AA_DURABLE, sql_run,
                          (void *)sql, err, stage->pool);
}

/* --------------------------------------------------------------------- keys */

apr_status_t stage_key_verify(stage_t *stage, aa_principal_t **principal,
                              const char *text, apr_time_t now, aa_error_t *err)
{
    memset(err, 0, sizeof(*err));
    return aa_key_verify(principal, &stage->accounts, REALM, text,
                         stage_prefixes, now, err, stage->pool);
}

aa_code_e stage_key_verdict(stage_t *stage, const char *text, apr_time_t now)
{
    aa_principal_t *principal;
    aa_error_t err;
    apr_status_t rv = stage_key_verify(stage, &principal, text, now, &err);

    assert_int_equal(rv == APR_SUCCESS, principal != NULL);
    assert_int_equal(rv == AA_EREFUSED, err.code != AA_E_NONE);
    aa_principal_unref(principal);
    return err.code;
}
