/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a decision true for a backend that knows nothing of decisions.
 *
 * A row of the route map says how (aa_rule_t): objects are asked for first,
 * the body is rewritten, lists are fetched and filtered here. Nothing of httpd
 * is known here, and the backend is asked through aa_backend_t only. */
#ifndef AA_ENFORCE_H
#define AA_ENFORCE_H

#include "agentpolicy.h"
#include "enforce/backend.h"
#include "model/error.h"
#include "model/reply.h"
#include "share/objects.h"
#include "share/runs.h"

/** What becomes of a webhook that is not let through. */
typedef enum aa_webhook_e {
    AA_WEBHOOK_UNSET = 0, /* as DROP */
    AA_WEBHOOK_DROP,      /* the run goes on without it */
    AA_WEBHOOK_REFUSE     /* 403 */
} aa_webhook_e;

/** One request under enforcement; everything is borrowed for its life. */
typedef struct aa_task_t {
    /* what it is done with */
    aa_objects_t *objects;
    aa_runs_t *runs;
    const aa_backend_t *backend;
    aa_webhook_e webhook;
    const char *const
        *webhook_origins; /* normal, NULL-terminated; NULL: none */
    int webhook_any;      /* any origin that does not lead back */
    /* what was decided */
    const aa_route_match_t *match;
    const aa_policy_verdict_t *verdict;
    const json_t *user; /* the whole user object */
    const char *identity;
    const char *realm;
    int opened;       /* the row was opened by AgentAuthOpenRoutes */
    const char *path; /* plain, below the map's prefix */
    const char *method;
    apr_time_t now;
    /* in: as the policy left them; out: as they go on */
    const char *query; /* NULL: none */
    const char *body;  /* NULL: none, or passed on unread */
    apr_size_t body_len;
    /* out */
    aa_reply_t *reply;   /* the whole answer: the backend is not asked
                            again; NULL: the request goes on to it */
    const char *reason;  /* for the log, with a reply; NULL: nothing */
    const char *dropped; /* why a webhook was cut, for the log; NULL */
    aa_error_t error;    /* of a refusal */
    /* inside */
    const aa_rule_t *rule;
    json_t *json;          /* the body, parsed */
    const json_t *answer;  /* what {answer.…} is read from */
    aa_hold_t *hold;       /* locks, held until the response's head */
    aa_object_key_t *keys; /* objects that this request may change */
    int nkeys;
    apr_pool_t *p;
} aa_task_t;

/**
 * Do all that must be done before the backend sees the request.
 * @return APR_SUCCESS: look at `reply`; AA_EREFUSED: look at `error`. After
 *         success aa_enforce_end must be called once.
 */
AA_CHECKED apr_status_t aa_enforce(aa_task_t *task);

/**
 * The head of the backend's answer is there, or never will be: what was
 * written is told, locks are released.
 * @param location Content-Location of the answer, NULL: none
 */
void aa_enforce_end(aa_task_t *task, const char *location);

/** Request headers of which @a name is one must not reach the backend. */
int aa_enforce_drops(const aa_rule_t *rule, const char *name);

#endif
