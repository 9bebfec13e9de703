/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: the command agentauth, run as people and scripts run it. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <jansson.h>
#include "stage.h"

/** What a run left. */
typedef struct ran_t {
    int status;
    const char *out, *err;
} ran_t;

/* @a uid: who runs it, when the test is root's. */
ran_t program_run_as(stage_t *stage, uid_t uid, const char *const *words);

#define RUN(stage, ...)                                                        \
    program_run_as(stage, 0,                                                   \
                   (const char *const[]){"agentauth", __VA_ARGS__, NULL})
#define RUN_AS(stage, uid, ...)                                                \
    program_run_as(stage, uid,                                                 \
                   (const char *const[]){"agentauth", __VA_ARGS__, NULL})

/* What it printed, which is fine and one JSON text. */
json_t *program_json(stage_t *stage, ran_t ran);

/* A file in the directory of the test; its path. */
const char *program_file(stage_t *stage, const char *name, const char *text);

#endif
