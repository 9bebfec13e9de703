/* SPDX-License-Identifier: Apache-2.0 */
/* A policy from a string, a request from a line: what the policy tests share.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "agentpolicy.h"
#include "apr_general.h"
#include "apr_strings.h"
#include "route.h"

/* What a test works with; in *state. */
typedef struct world_t {
    apr_pool_t *p;
    const aa_routes_t *routes; /* map langgraph */
    char dir[64];
    char log[65536]; /* lines of the policy, "E " or "I " in front */
    int nlog;
    int nfiles;
    const char *user; /* JSON of the user; NULL: alice */
    apr_uint64_t serial;
    int budget;
    apr_size_t memory;
    int allow_unmatched;
    const char *query;
} world_t;

int world_setup(void **state);
int world_teardown(void **state);

/* Write a file into the world's directory; its path. */
const char *world_file(world_t *w, const char *name, const char *text);

/* Rename a new text over a policy file. */
void world_replace(const char *file, const char *text);

/* The policy; fails the test when it does not load. */
aa_policy_t *world_policy(world_t *w, const char *text);
aa_policy_t *world_policy_file(world_t *w, const char *file, int interval_ms);

/* Why the policy does not load; fails the test when it does. */
const char *world_error(world_t *w, const char *text);

/* Decide "POST /threads" with a body, or NULL. */
aa_policy_verdict_t world_ask(world_t *w, aa_policy_t *policy,
                              const char *request, const char *body);

/* The same for a row that no map has. */
aa_policy_verdict_t world_ask_row(world_t *w, aa_policy_t *policy,
                                  const aa_route_match_t *match,
                                  const char *body);

/* Load, ask once, and give back the verdict. */
aa_policy_verdict_t world_try(world_t *w, const char *policy,
                              const char *request, const char *body);

/* "allow", "filter {...}", "deny CAUSE": short, for tables. */
const char *world_say(world_t *w, const aa_policy_verdict_t *v);

/* Compact JSON with sorted keys; "" for NULL. */
const char *world_json(world_t *w, const json_t *json);

#define assert_contains(text, part)                                            \
    do {                                                                       \
        const char *text_ = (text);                                            \
        if (!text_ || !strstr(text_, (part)))                                  \
            fail_msg("\"%s\" does not contain \"%s\"",                         \
                     text_ ? text_ : "(null)", (part));                        \
    } while (0)

#endif
