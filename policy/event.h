/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one handler on one event: what it is shown, what comes of it. */
#ifndef AA_EVENT_H
#define AA_EVENT_H

#include "route.h"
#include "vm.h"

/** One event of a request; everything is borrowed for the call. */
typedef struct aa_scene_t {
    const char *resource, *action;
    const aa_member_t *members; /* of value */
    int nmembers;
    const json_t *whole; /* value itself, instead of members; or NULL */
    const aa_route_match_t *match;
    const json_t *query; /* object of named parameters; NULL: none */
    const json_t *body;  /* the body or its element; NULL: none */
    const aa_policy_input_t *input;
    const aa_policy_user_t *user;
} aa_scene_t;

/** A member of the body that a handler changed. */
typedef struct aa_change_t {
    const char *path;
    json_t *is; /* NULL: removed */
} aa_change_t;

/** What a handler decided, when it did not deny. */
typedef struct aa_outcome_t {
    aa_policy_effect_e effect;
    json_t *filter;              /* normal form, or NULL */
    const char *filter_text;     /* it as JSON; NULL: not known */
    json_t *set;                 /* or NULL */
    apr_array_header_t *changes; /* aa_change_t; NULL: none */
} aa_outcome_t;

/** [-1, +3, e] What is kept in a state for every event; the table of handlers
 *  is on the top of the stack. */
void aa_event_open(lua_State *L);

/**
 * Run a handler.
 * @param verdict cause, status, detail, headers, reason and handler are set
 *                when the outcome is AA_POLICY_DENY
 */
void aa_event_run(aa_outcome_t *outcome, aa_policy_verdict_t *verdict,
                  aa_vm_t *vm, int handler, const aa_scene_t *scene,
                  apr_pool_t *p);

/** Run the authenticate handler; as aa_policy_authenticate. */
apr_status_t aa_event_authenticate(json_t **user, aa_policy_verdict_t *verdict,
                                   aa_vm_t *vm, const aa_policy_who_t *who,
                                   const json_t *query, apr_pool_t *p);

/** Deny in @a verdict. */
void aa_event_deny(aa_policy_verdict_t *verdict, aa_policy_cause_e cause,
                   const char *reason);

/** Clean a message of Lua and put the file in front: its directory when the
 *  message begins with the policy's name, else both. */
void aa_event_locate(char *out, apr_size_t size, const aa_vm_conf_t *conf,
                     const char *text, apr_size_t len);

#endif
