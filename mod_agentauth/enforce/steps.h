/* SPDX-License-Identifier: Apache-2.0 */
/* Inside enforce/: the steps of one task, and what they share. */
#ifndef AA_STEPS_H
#define AA_STEPS_H

#include "enforce/enforce.h"
#include "splice.h"

/** A target: as it is sent, and as one spelling for all. */
typedef struct aa_filled_t {
    const char *target;    /* percent-encoded */
    const char *canonical; /* UUIDs in one form; for keys only */
} aa_filled_t;

/* Every step returns APR_SUCCESS (then `reply` says whether it is the last
 * one) or AA_EREFUSED with task->error. */

/* asking.c: objects that must match before */
AA_CHECKED apr_status_t aa_step_ask(aa_task_t *task);

/** Make an object that is missing, under its exclusive lock.
 *  @param element what the templates of @a ask read */
AA_CHECKED apr_status_t aa_step_create(aa_task_t *task, const aa_ask_t *ask,
                                       const json_t *element);

/* rewrite.c: the body and the query that go on */
AA_CHECKED apr_status_t aa_step_rewrite(aa_task_t *task);
/** What is created must satisfy the filter that will look for it. */
AA_CHECKED apr_status_t aa_step_created(aa_task_t *task);

/* list.c: lists and counts that are filtered here */
AA_CHECKED apr_status_t aa_step_list(aa_task_t *task);

/* produce.c: answers that are fetched and looked at here */
AA_CHECKED apr_status_t aa_step_object(aa_task_t *task);
AA_CHECKED apr_status_t aa_step_batch(aa_task_t *task);
AA_CHECKED apr_status_t aa_step_copy(aa_task_t *task);

/* enforce.c */

/** Refuse with a code; always AA_EREFUSED. */
apr_status_t aa_task_refuse(aa_task_t *task, aa_code_e code, const char *fmt,
                            ...) AA_PRINTF(3, 4);
/** The one answer for objects that are missing and for those of others.
 *  @param ask whose it is; NULL: the rule's */
apr_status_t aa_task_hide(aa_task_t *task, const aa_ask_t *ask,
                          const char *reason);
/** An answer of ours. */
apr_status_t aa_task_reply(aa_task_t *task, int status, const char *type,
                           const char *body, apr_size_t len);
/** Header fields of the backend's answer that an answer of ours takes over. */
apr_table_t *aa_task_headers(const aa_backend_answer_t *answer, apr_pool_t *p);
/** The backend's own answer, copied into @a p. */
void aa_task_pass(aa_task_t *task, const aa_backend_answer_t *answer,
                  apr_pool_t *p);
/** The request's path and query as the backend is asked for them.
 *  @param query raw; NULL: none */
aa_filled_t aa_task_target(const aa_task_t *task, const char *query);
/** The filters of the row's decisions in conjunction; NULL: all; false, which
 *  matches nothing: no such event was decided.
 *  @param events "threads:read", … NULL: every one */
json_t *aa_task_filter(const aa_task_t *task, const char *const *events);
/** What the rule's events put into an object: what handlers set in @a member,
 *  and the filter's equality over it. A new object. */
json_t *aa_task_stamp(const aa_task_t *task, const char *member);
/** 1 when one of these was decided. @param events as above */
int aa_task_decided(const aa_task_t *task, const char *const *events);
/** What a filter is matched against in @a object; borrowed, NULL: nothing.
 *  @param match as in the rule */
const json_t *aa_task_view(const aa_task_t *task, const char *const *match,
                           const json_t *object);
/** 1 when the body is an array whose elements the rule is about. */
int aa_task_each(const aa_task_t *task);

/**
 * Ask the backend; whatever cannot be read is refused: 502, or 504.
 * @return APR_SUCCESS with a status of 200 to 299 or 400 to 499
 */
AA_CHECKED apr_status_t aa_task_query(aa_backend_answer_t *answer,
                                      aa_task_t *task, const char *method,
                                      const char *target, const char *body,
                                      apr_size_t len);
/** The answer's body as strict JSON; 502 when it is none. */
AA_CHECKED apr_status_t aa_task_json(json_t **json, aa_task_t *task,
                                     const aa_backend_answer_t *answer);

/** Who calls, as runs and deleted ids remember it. */
AA_CHECKED apr_status_t aa_task_who(unsigned char who[32],
                                    const aa_task_t *task);
/** The run is this user's from now on, for rows that ask for that. */
void aa_task_remember_run(const aa_task_t *task, const char *id);
/** "/threads/x" as key of what is learnt and locked. */
AA_CHECKED apr_status_t aa_task_key(aa_object_key_t *key, aa_task_t *task,
                                    const char *canonical);

/* known.c: what is known of an object */

/** An object as one question looks at it: what is known is of that alone. */
typedef struct aa_side_t {
    aa_object_key_t key;
    const char *target;   /* by which the backend is asked for it */
    const char *template; /* what that was made from, "/threads/{thread_id}" */
    const json_t *same;   /* of the question; NULL: none */
} aa_side_t;

/** What an answer of the backend says of it. */
json_t *aa_known_of(const aa_task_t *task, const aa_side_t *side,
                    const json_t *object);
/** @param filter NULL: all */
int aa_known_matches(const json_t *known, const json_t *filter);
/** @param version what it was before the backend was asked */
void aa_known_keep(const aa_task_t *task, const aa_side_t *side,
                   apr_uint64_t version, const json_t *known,
                   const json_t *object);
/** NULL: nothing is known. */
json_t *aa_known_recall(const aa_task_t *task, const aa_side_t *side);

/* template.c: as agentpolicy.h says it of rules */

/**
 * Fill a template that is a path.
 * @param element what {body.…} is read from; NULL: no body
 * @param why     on APR_EINVAL, for the log
 * @return APR_SUCCESS; APR_ENOENT when a member is absent or null;
 *         APR_EINVAL when it is no usable text
 */
AA_CHECKED apr_status_t aa_template_fill(aa_filled_t *filled, const char **why,
                                         const char *template, aa_task_t *task,
                                         const json_t *element);
/** The same for a text that is no target: values as they are. */
AA_CHECKED apr_status_t aa_template_text(const char **text,
                                         const char *template, aa_task_t *task,
                                         const json_t *element);
/** The same for the texts of an object; *out is new and may be changed, what
 *  is in it is shared. */
AA_CHECKED apr_status_t aa_template_json(json_t **out, const json_t *template,
                                         aa_task_t *task,
                                         const json_t *element);
/** @a text with all but unreserved characters percent-encoded
 *  (RFC 3986 s2.3). */
const char *aa_percent_encode(const char *text, apr_pool_t *p);
/** The one spelling of a UUID; any other text as it is. */
const char *aa_one_spelling(const char *text, apr_pool_t *p);

/* member.c: members of JSON objects by path "a.b" */

/** Borrowed; NULL when absent. */
json_t *aa_member_at(const json_t *object, const char *path);
/** Set it in @a object, which is changed; objects on the way are made.
 *  @param value NULL: it is removed */
void aa_member_set(json_t *object, const char *path, json_t *value);
/** 1 when two values are the same JSON, types and all. */
int aa_member_same(const json_t *a, const json_t *b);
/** 1 when @a object has all members of @a pairs, with the same values. */
int aa_member_has(const json_t *object, const json_t *pairs);

/* edit.c: changes of a body, in its text and in what was parsed of it */

/** One JSON object under change. */
typedef struct aa_edit_t {
    aa_task_t *task;
    aa_span_t text;
    json_t *json;
    apr_pool_t *scratch[2]; /* large texts are in one or the other; NULL */
    int turn;
} aa_edit_t;

/** @param path  "." is the object itself, then @a value is an object
 *  @param value NULL: the member is cut out */
AA_CHECKED apr_status_t aa_edit_set(aa_edit_t *edit, const char *path,
                                    json_t *value);
/** The object at @a path, as a copy that may be changed; {} when it is absent
 *  or null. Refused when it is anything else. */
AA_CHECKED apr_status_t aa_edit_object(json_t **object, aa_edit_t *edit,
                                       const char *path);
/** Run @a change on the body, or on each of its elements. */
AA_CHECKED apr_status_t aa_edit_body(aa_task_t *task,
                                     apr_status_t (*change)(aa_edit_t *));

/* query.c: the query under change, decoded */

/** ["a","b"] as a query says it, "a.b"; NULL: it has no such reading. */
const char *aa_list_text(const json_t *list, apr_pool_t *p);

/** @a parameters of the task's query, once each or as list; owned by its pool
 */
AA_CHECKED apr_status_t aa_query_read(json_t **parameters, aa_task_t *task);
/** Write them as the task's query; lists as repeated parameters. */
const char *aa_query_write(const json_t *parameters, apr_pool_t *p);

/* equality.c */

/**
 * The part of a filter that is plain equality with a string, number or
 * boolean.
 * @param pairs  an object, owned by the task's pool
 * @param rest   1 when there is more in the filter than that
 * @param clash  1 when two parts contradict one another: nothing can match
 */
void aa_filter_pairs(json_t **pairs, int *rest, int *clash,
                     const json_t *filter, apr_pool_t *p);
/** 1 when the filter speaks of a top-level key anywhere. */
int aa_filter_names(const json_t *filter, const char *key);

/* webhook.c */

/** Why the backend must not call @a url; NULL: it may. Resolves names with
 *  webhook_any only. */
const char *aa_webhook_why_not(const char *url, const aa_task_t *task);

#endif
