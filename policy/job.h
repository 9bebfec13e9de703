/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a protected call: what event.c, failure.c and who.c share. */
#ifndef AA_JOB_H
#define AA_JOB_H

#include "event.h"
#include "value.h"

/** How far a call came: who is to blame when it fails. */
typedef enum aa_phase_e {
    AA_PHASE_PREPARE, /* ours: values are decoded */
    AA_PHASE_HANDLER, /* the policy's */
    AA_PHASE_RESULT   /* ours: what it left is read */
} aa_phase_e;

/** One protected call. */
typedef struct aa_job_t {
    aa_vm_t *vm;
    aa_policy_verdict_t *verdict;
    apr_pool_t *p;
    aa_phase_e phase;
    aa_reader_t reader;
    /* an event */
    const aa_scene_t *scene;
    int handler;
    aa_outcome_t *outcome;
    aa_memo_key_t *filter; /* as it was returned */
    int is_normal;         /* outcome->filter is in its normal form */
    int elsewhere;         /* members were changed that may not be */
    /* authenticate */
    const aa_policy_who_t *who;
    const json_t *query;
    json_t *result; /* what the handler returned; NULL: nil */
} aa_job_t;

/** Places on the stack of a state between calls. */
#define AA_SLOT_EVENT 1
#define AA_SLOT_AUTHENTICATE 2

/** What an authenticate handler is run by; a C function for a state. */
int aa_job_authenticate(lua_State *L);

/**
 * Call the closure at @a slot with the job. When it fails the verdict says
 * why, and what a limit ended is never taken for a success.
 * @return 1 when it ran to its end
 */
int aa_job_run(aa_job_t *job, int slot);

/** Deny because of what the handler returned. */
void aa_job_refuse(aa_job_t *job, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
