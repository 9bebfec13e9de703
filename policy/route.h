/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: what a compiled row holds, for engine.c to run. */
#ifndef AA_ROUTE_H
#define AA_ROUTE_H

#include "agentpolicy.h"

/** Where a member of an event's `value` comes from. */
typedef enum aa_from_e {
    AA_FROM_PATH,    /* a path parameter */
    AA_FROM_QUERY,   /* a named query parameter, a string */
    AA_FROM_BODY,    /* a member of the body (of the element, with `each`) */
    AA_FROM_LITERAL, /* written in the map */
    AA_FROM_TABLE    /* a table of further members; absent when all are */
} aa_from_e;

/** One member of `value`; absent sources make absent members. */
typedef struct aa_member_t {
    const char *name; /* in value */
    aa_from_e from;
    const char *key; /* name in the source; in a body a path "a.b" */
    json_t *literal; /* with AA_FROM_LITERAL */
    struct aa_member_t *members; /* with AA_FROM_TABLE */
    int nmembers;
    int is_mutable; /* a handler may change it */
    char split;     /* with AA_FROM_QUERY and AA_FROM_PATH: the string
                       becomes a list of its parts between this character;
                       0: stays a string */
} aa_member_t;

/** One (event, value) of a row. */
typedef struct aa_event_t {
    const char *resource, *action;
    aa_member_t *members;
    int nmembers;
    /* The event happens only when the body has this member (a path "a.b"),
     * not null, and, with when_in, when it is one of these strings; with
     * when_query, when the query has this parameter, and it is none of these.
     */
    const char *when;           /* NULL: always */
    const char *const *when_in; /* NULL-terminated; NULL: any value */
    int when_query;             /* 1: `when` names a parameter of the query */
    int each;                   /* one event for each element of the body,
                                   which must be an array */
} aa_event_t;

struct aa_route_t {
    const char *name;          /* "POST /threads/{thread_id}/state" */
    const char *method, *path; /* of the map, without the prefix */
    aa_access_e access;
    aa_body_e body;
    aa_event_t *events;
    int nevents;
    int reads_body;
    int websocket;
    int native_unchecked;
    const aa_rule_t *rule;          /* NULL: none */
    const char *const *query_names; /* NULL-terminated */
    /* A body whose `when` selects no event at all is refused. */
    int events_optional; /* 1: no event is fine (any user) */
};

/** 1 when the map (or the vocabulary that every LangGraph policy may use) has
 *  this event; for load errors with the nearest name. `action` NULL: asks for
 *  the resource alone; `resource` NULL: for the action alone. */
int aa_routes_know(const aa_routes_t *routes, const char *resource,
                   const char *action);

/** The known resource or action nearest to @a word, or NULL. */
const char *aa_routes_nearest(const aa_routes_t *routes, const char *word,
                              int is_action);

/** 1 for map `none`: one row "* *" for every path, without events of its own;
 *  resource http, action = method in lower case, HEAD as get. */
int aa_routes_is_none(const aa_routes_t *routes);

#endif
