/* SPDX-License-Identifier: Apache-2.0 */
/* Inside cli/: how the policy commands open maps and policies. */
#ifndef AA_POLICY_COMMAND_H
#define AA_POLICY_COMMAND_H

#include "agentpolicy.h"
#include "cli/command.h"

/** The words of --routes; an exit status, what is not fine is explained. */
int aa_cli_routes_open(const aa_routes_t **routes, const aa_cli_t *cli);
/** A policy; likewise. */
int aa_cli_policy_open(aa_policy_t **policy, const aa_routes_t *routes,
                       const char *file, const aa_cli_t *cli);
/** --unmatched into allow_unmatched; likewise. */
int aa_cli_unmatched(int *allow, const aa_cli_t *cli);
/** A file as messages name it. */
const char *aa_cli_absolute(const char *file, const aa_cli_t *cli);

/* ask.c */

/** One request. */
typedef struct aa_question_t {
    const char *method, *path, *query; /* the path with the map's prefix */
    const char *body;                  /* NULL: none */
    const json_t *user;         /* as aa_cli_user made it; NULL: nobody yet */
    int authenticate;           /* ask the policy's handler who it is, first */
    const apr_table_t *headers; /* shown to that handler; or NULL */
    apr_time_t now;
    int allow_unmatched;
} aa_question_t;

/** What httpd would do with it. */
typedef struct aa_answer_t {
    aa_policy_effect_e effect;
    int status;         /* of a denial, as the client gets it */
    const char *route;  /* NULL: the map has none */
    const char *access; /* why no handler was asked; NULL: verdict has it */
    const json_t *user; /* who it was; NULL: nobody */
    const char *body;   /* what goes on to the backend; NULL: none */
    apr_size_t body_len;
    aa_policy_verdict_t verdict;
} aa_answer_t;

/**
 * Complete a user in the way of a request: through a principal.
 * @return what is wrong with @a given, a constant; NULL: nothing
 */
const char *aa_cli_user(const json_t **user, json_t *given, apr_pool_t *p);

/** Authenticate if asked to, find the row, let the policy decide. */
void aa_cli_ask(aa_answer_t *answer, const aa_routes_t *routes,
                aa_policy_t *policy, const aa_question_t *question,
                apr_pool_t *p);

/* compare.c */

/** Where an answer is not what was expected. */
typedef struct aa_difference_t {
    const char *expected, *got; /* of the first thing that differs, as text */
    const char *reason; /* of a denial, as httpd would log it; or NULL */
} aa_difference_t;

/** 1 when they differ. */
int aa_cli_differs(aa_difference_t *difference, const aa_expect_t *expect,
                   const aa_answer_t *answer, apr_pool_t *p);

/** By aa_access_e. */
extern const char *const aa_access_words[];
/** By aa_policy_effect_e. */
extern const char *const aa_effect_words[];
/** By aa_policy_cause_e. */
extern const char *const aa_cause_words[];

#endif
