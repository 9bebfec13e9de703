/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `agentauth` have in common. */
#ifndef AA_COMMAND_H
#define AA_COMMAND_H

#include <jansson.h>
#include "account/account.h"
#include "base/effective.h"
#include "base/state.h"

/** Exit statuses; scripts rely on them. */
enum {
    AA_EXIT_FINE = 0,
    AA_EXIT_FAILURE = 1,
    AA_EXIT_USAGE = 2,
    AA_EXIT_POLICY = 3, /* a policy or route map does not load */
    AA_EXIT_TESTS = 4,
    AA_EXIT_DENY = 5 /* the answer was deny, with --exit-code */
};

typedef struct aa_option_t {
    const char *name;  /* "--user" */
    const char *value; /* what follows, for the help; NULL: nothing does */
    int many;          /* may be given more than once */
    const char *help;
} aa_option_t;

typedef struct aa_cli_t aa_cli_t;

/** One row of the table in main.c. */
typedef struct aa_command_t {
    const char *noun, *verb; /* verb NULL: the noun alone */
    const char *words; /* "NAME", "FILE"; "FILE...": one or more; NULL: none */
    const aa_option_t *options; /* ends with an empty name; NULL: none */
    const char *help;
    int (*run)(aa_cli_t *cli);
} aa_command_t;

struct aa_cli_t {
    apr_pool_t *pool;
    const aa_command_t *command;
    const char *word;          /* the one after noun and verb; NULL: none */
    apr_array_header_t *words; /* const char *: it and what follows it */
    apr_table_t *options;      /* by name; flags have the value "" */
    int json;
    /* filled by aa_cli_open */
    aa_state_t state;
    aa_accounts_t accounts;
    aa_effective_t effective;
    int has_effective; /* 0: httpd was not started with this state yet */
    const char *realm;
    const char *prefix; /* of new keys */
};

extern const aa_option_t aa_global_options[];
/** Ends with a row without noun. */
extern const aa_command_t aa_commands[];

/* options.c */

/** Read the command line.
 *  @return AA_EXIT_FINE: cli->command is to be run, or, when it is NULL, all
 *          is said already; AA_EXIT_USAGE */
int aa_cli_parse(aa_cli_t *cli, int argc, const char *const *argv);
/** The value of an option, or NULL. */
const char *aa_cli_option(const aa_cli_t *cli, const char *name);
/** All values of an option, NULL-terminated; NULL when it was not given. */
const char *const *aa_cli_options(const aa_cli_t *cli, const char *name);

/* access.c */

/**
 * Open the state directory as its owner, and pick the realm.
 * @param make 1: the command may be the first ever, and makes what is missing
 * @return an exit status; all but AA_EXIT_FINE have been explained
 */
int aa_cli_open(aa_cli_t *cli, int make);

/* say.c */

/** "agentauth: …" on stderr; returns AA_EXIT_USAGE. */
int aa_cli_usage(const aa_cli_t *cli, const char *fmt, ...) AA_PRINTF(2, 3);
/** The same; returns AA_EXIT_FAILURE. */
int aa_cli_fail(const aa_cli_t *cli, const char *fmt, ...) AA_PRINTF(2, 3);
/** Why a call failed, with its code if there is one; AA_EXIT_FAILURE. */
int aa_cli_refused(const aa_cli_t *cli, apr_status_t rv, const aa_error_t *err);
/** One line of JSON on stdout; takes the reference. */
int aa_cli_json(const aa_cli_t *cli, json_t *value);
/** "2026-01-31T12:00:00Z"; NULL for 0. */
const char *aa_cli_time(const aa_cli_t *cli, apr_time_t time);
/** The same as JSON; null for 0. */
json_t *aa_cli_time_json(const aa_cli_t *cli, apr_time_t time);
/** A list as JSON; null for NULL. */
json_t *aa_cli_strings_json(const char *const *list);
/** Add a text; NULL is left out. */
void aa_cli_text_add(json_t *object, const char *name, const char *text);
/** Joined by a comma; @a none for NULL, "-" when it is empty. */
const char *aa_cli_strings(const aa_cli_t *cli, const char *const *list,
                           const char *none);

/* the commands, one file for each noun */
extern const aa_option_t aa_user_create_options[];
extern const aa_option_t aa_key_create_options[];
extern const aa_option_t aa_key_rotate_options[];
extern const aa_option_t aa_policy_options[];
extern const aa_option_t aa_policy_decide_options[];
extern const aa_option_t aa_policy_test_options[];
int aa_cli_user_create(aa_cli_t *cli);
int aa_cli_user_list(aa_cli_t *cli);
int aa_cli_user_disable(aa_cli_t *cli);
int aa_cli_user_enable(aa_cli_t *cli);
int aa_cli_user_delete(aa_cli_t *cli);
int aa_cli_key_create(aa_cli_t *cli);
int aa_cli_key_list(aa_cli_t *cli);
int aa_cli_key_revoke(aa_cli_t *cli);
int aa_cli_key_rotate(aa_cli_t *cli);
int aa_cli_policy_check(aa_cli_t *cli);
int aa_cli_policy_routes(aa_cli_t *cli);
int aa_cli_policy_decide(aa_cli_t *cli);
int aa_cli_policy_test(aa_cli_t *cli);
int aa_cli_explain(aa_cli_t *cli);

#endif
