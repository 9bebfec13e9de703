/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a state directory of their own, with its accounts opened. */
#ifndef STAGE_H
#define STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "account/account.h"
#include "base/state.h"

typedef struct stage_t {
    apr_pool_t *pool;
    const char *dir; /* of the test, removed at the end; STATE is below it */
    aa_state_t state;
    aa_accounts_t accounts;
} stage_t;

/* A fixed hour of the clock: nothing here looks at the real one. */
#define T0 (1750000000LL * APR_USEC_PER_SEC)
#define SECOND APR_USEC_PER_SEC
#define REALM "r.example"
#define PREFIX "sk-agentauth-"

extern const char *const stage_prefixes[];

/* cmocka set-up and tear-down; *state is a stage_t. */
int stage_open(void **state);
int stage_close(void **state);

void stage_user(stage_t *stage, const char *name, const char *const *perms);
/* A key of REALM; its text, and its record in @a key when that is given. */
const char *stage_key(stage_t *stage, aa_key_t *key, const char *owner);

/* Run @a fn in a child, as this user when root; its exit status. */
int stage_child(int (*fn)(stage_t *stage), stage_t *stage, uid_t uid);

/* What sqlite holds: one integer by one statement. */
apr_int64_t stage_number(stage_t *stage, const char *sql);
/* A statement, run and committed without anything around it. */
apr_status_t stage_sql(stage_t *stage, const char *sql, aa_error_t *err);

/** A key as a request brings it, at the time @a now. */
apr_status_t stage_key_verify(stage_t *stage, aa_principal_t **principal,
                              const char *text, apr_time_t now,
                              aa_error_t *err);
/** AA_E_NONE: it is good. */
aa_code_e stage_key_verdict(stage_t *stage, const char *text, apr_time_t now);

#define WITH_STAGE(f)                                                          \
    cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

#endif
