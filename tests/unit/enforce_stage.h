/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of enforcement: a backend in memory that writes down what it is
 * asked, and requests as a client makes them, up to what becomes of them. */
#ifndef ENFORCE_STAGE_H
#define ENFORCE_STAGE_H

#include "enforce/steps.h"
#include "stage.h"

/** A backend that keeps objects by their path and authorises nothing. */
typedef struct fake_t {
    aa_backend_t backend;
    json_t *objects; /* "/threads/x": object, in the order they were made */
    json_t *asked;   /* "GET /threads/x", … since the last request */
    json_t *bodies;  /* text or null, one for each of them */
    json_t *says;    /* "GET /threads/x": {"rv", "status", "type", "body"} */
    int made;        /* ids given so far */
    int deaf;        /* searches do not look at metadata */
    int stubborn;    /* searches do not look at limit and offset */
} fake_t;

/** One test: a map, a policy, a user, a backend, and its last request. */
typedef struct enforce_t {
    stage_t *stage;
    apr_pool_t *p;
    const aa_routes_t *routes;
    aa_policy_t *policy;
    aa_objects_t *objects;
    aa_runs_t *runs;
    fake_t fake;
    aa_webhook_e webhook;
    const char *user;
    json_t *filters;      /* "threads:read" or "*": what its decision filters */
    const char *location; /* Content-Location of the backend's answer */
    apr_time_t now;
    aa_policy_verdict_t verdict;
    aa_route_match_t match;
    aa_task_t task;
    apr_status_t rv;
} enforce_t;

#define MINE "{\"owner\":\"alice\"}"
#define THEIRS "{\"owner\":\"bob\"}"
/* UUIDs that differ in one digit. */
#define ONE "11111111-2222-4333-8444-aaaaaaaaaaa1"
#define TWO "11111111-2222-4333-8444-aaaaaaaaaaa2"

/* cmocka set-up and tear-down; *state is an enforce_t on the map "langgraph",
 * user alice, a policy that allows all, no filter. */
int enforce_open(void **state);
int enforce_close(void **state);

#define WITH_BACKEND(f)                                                        \
    cmocka_unit_test_setup_teardown(f, enforce_open, enforce_close)

/** Another built-in map, or the text of one (it begins with "route"). */
void on_map(enforce_t *t, const char *map);
/** Another policy, as Lua. */
void on_policy(enforce_t *t, const char *lua);
/** What decisions filter by from now on; event "*": all; NULL: by nothing. */
void by_filter(enforce_t *t, const char *event, const char *filter);
void by_json(enforce_t *t, const char *event, json_t *filter);

/** Put an object there, past the gateway. */
void has(enforce_t *t, const char *path, const char *fmt, ...);
/** A thread with this metadata. */
void has_thread(enforce_t *t, const char *id, const char *metadata);
/** What the backend says to a question from now on; status 0: as it is. */
void says(enforce_t *t, const char *question, int status, const char *type,
          const char *body);
/** … that it fails with. */
void fails(enforce_t *t, const char *question, apr_status_t rv);
const json_t *there(enforce_t *t, const char *path);

/** A request, up to where its locks are held: "go", "404 text" when it was
 *  answered, "AGA0702" when it was refused. @param body NULL: none */
const char *begins(enforce_t *t, const char *method, const char *target,
                   const char *body);
/** The same, to its end. */
const char *asks(enforce_t *t, const char *method, const char *target,
                 const char *body);
/** The body that goes on, or the answer's. */
const char *body_of(enforce_t *t);
/** What the backend was asked since, joined by ", ". */
const char *asked(enforce_t *t);
/** The body of question @a i. */
const char *body_asked(enforce_t *t, int i);
/** A header of the answer. */
const char *header_of(enforce_t *t, const char *name);
/** 1 when nobody holds the object. */
int is_free(enforce_t *t, const char *path);
json_t *parsed(enforce_t *t, const char *text);
/** Fails unless both texts are the same JSON. */
void same_json(enforce_t *t, const char *is, const char *shall);

/** asks() and what has to come of it. */
#define comes(t, method, target, body, shall)                                  \
    assert_string_equal(asks(t, method, target, body), shall)

#endif
