/* SPDX-License-Identifier: Apache-2.0 */
/* Public API of libagentpolicy: route maps, Lua policies, decisions, filters.
 *
 * Needs APR, jansson and Lua, nothing of httpd, no network, no cryptography.
 * Every function is safe to call from several threads unless it says so. */
#ifndef AGENTPOLICY_H
#define AGENTPOLICY_H

#include <jansson.h>
#include "apr_errno.h"
#include "apr_pools.h"
#include "apr_tables.h"
#include "apr_time.h"

#define AA_POLICY_FILE_MAX (1024 * 1024)   /* bytes of a policy or map */
#define AA_POLICY_BUDGET 1000000           /* Lua instructions a handler */
#define AA_POLICY_MEMORY (8 * 1024 * 1024) /* bytes a Lua state */
#define AA_POLICY_DEPTH_MAX 512            /* nesting of values */
#define AA_POLICY_VALUES_MAX (256 * 1024)  /* values of a request body */
#define AA_POLICY_STATES_MAX 64            /* idle Lua states a policy */
#define AA_POLICY_DETAIL_MAX 1024          /* bytes of a client's detail */
#define AA_POLICY_EVENTS_MAX 1000          /* events of one request */
#define AA_FILTER_KEYS_MAX 32              /* keys in a filter, all levels */
#define AA_FILTER_BYTES_MAX 4096           /* bytes of its normal form */
#define AA_ROUTES_ROWS_MAX 4096            /* rows of one map */
#define AA_ROUTE_PARAMS_MAX 8              /* parameters in one path */
#define AA_RULE_ASKS_MAX 8                 /* objects a rule asks for */
#define AA_RULE_TEXTS_MAX 32               /* texts in one list of a rule */
#define AA_RULE_PAGE_MAX 10000             /* most that a page may hold */
#define AA_TESTS_MAX 4096                  /* cases of one test file */
#define AA_TESTS_MEMORY (4 * 1024 * 1024)  /* of their values, roughly */

/* ------------------------------------------------------------------ filters
 *
 * { key: scalar | {"$eq": scalar} | {"$contains": scalar or list} , … } with
 * $and and $or (lists of filters) at the top. Keys are ANDed. Normal form:
 * equality as shorthand, members in the author's order. */

/**
 * Check a filter and bring it to its normal form.
 * @param normal a new reference that is released with @a p
 * @param why    on APR_EINVAL what is wrong, a constant or in @a p
 * Refused: an empty filter, empty strings, lists and tables, unknown operators,
 * two operators in one key, numbers beyond +-2^53 or not finite, null inside
 * $contains, more than AA_FILTER_KEYS_MAX keys, AA_FILTER_BYTES_MAX bytes.
 */
apr_status_t aa_filter_normalise(json_t **normal, const char **why,
                                 const json_t *filter, apr_pool_t *p);

/** 1 when @a metadata (an object, or NULL for none) satisfies a filter in
 *  normal form. Type-strict: 1 is not "1" and not true; a missing key never
 *  matches; $contains looks into arrays only. */
int aa_filter_match(const json_t *normal, const json_t *metadata);

/** Both must hold: {"$and":[a,b]}, flattened, equal parts once. NULL means
 *  "all". The result is released with @a p. */
json_t *aa_filter_and(json_t *a, json_t *b, apr_pool_t *p);

/* -------------------------------------------------------------------- rules
 *
 * What the gateway does before a backend that authorises nothing, so that the
 * decision holds. Only data: mod_agentauth/enforce/ carries it out.
 *
 * A template is a text with {name} for a parameter of the path, {body.a.b} for
 * a member of the body (of the element, with `each`) and {query.x} for a
 * parameter of the query, each as it goes to the backend, after the policy's
 * changes. In a path each value is escaped as one segment or one value of the
 * query; in the query a list becomes its texts joined by '.'. What is empty,
 * and a list with no text, an empty text or a '.' in one, has no reading:
 * refuse. In JSON a text that is one {…} alone is the value itself, absent
 * when that is; else the text is filled in. "{{" and "}}" are the braces
 * themselves. Members are named as "a.b".
 *
 * Missing is an object for which the backend answers 404, or 200 and null. */

typedef enum aa_hold_e {
    AA_HOLD_SHARED,   /* use: others may, too */
    AA_HOLD_EXCLUSIVE /* create, patch, delete */
} aa_hold_e;

/** An object that is made when it is missing. */
typedef struct aa_create_t {
    const char *when_member, *when_is; /* only when this member of the body is
                                          this text; NULL: always */
    const char *path;                  /* template: POST here */
    const json_t *body; /* an object without lists, its texts are templates;
                           the equality keys of the rule's `events` go into
                           `stamp` */
    const char *stamp;  /* member of it that is metadata; NULL: itself */
    const char *then_member, *then_is; /* afterwards this member of the
                                          client's body becomes this text;
                                          NULL: untouched */
} aa_create_t;

/** What may be when the object is missing and nothing is made. */
typedef enum aa_absent_e {
    AA_ABSENT_HIDDEN,  /* answered as a foreign one */
    AA_ABSENT_FINE,    /* the request goes on */
    AA_ABSENT_MATCHING /* it goes on when the client's body, seen through
                          `match`, satisfies the filters; else as foreign */
} aa_absent_e;

/** An object that the backend is asked for before, with GET. */
typedef struct aa_ask_t {
    const char *path;          /* template, may have a query */
    const char *const *events; /* whose filters it must satisfy, as
                                  "threads:read"; NULL: all of the row; an
                                  empty list: it only has to be there */
    aa_hold_e hold;
    int retires; /* it is deleted: nobody else may make another of its id, since
                    the backend may keep what streamed under it */
    int optional; /* skipped when a {body.…} or {query.…} of the path is absent
                     or null */
    int each;     /* asked for each element of the body when the rule has
                     `each`, else for each text of the last {body.…} of its
                     path; what is no list there is refused */
    aa_absent_e absent;
    const aa_create_t *create; /* NULL: nothing is made */
    const json_t *exempt; /* {"created_by":"system"}: an object that has all of
                             these in its metadata passes; NULL: none */
    const json_t *same;   /* {"thread_id":"{thread_id}"}: members of the answer
                             that must equal these texts, which are templates;
                             NULL: none */
    int status;           /* its own answer for a foreign or missing object, as
                             `hidden_…` of the rule; 0: the rule's */
    const char *type, *body;
} aa_ask_t;

typedef enum aa_check_e {
    AA_CHECK_NONE,
    AA_CHECK_OBJECT, /* the answer must match */
    AA_CHECK_LIST,   /* each of its elements must */
    AA_CHECK_COUNT   /* it is the number of those that match */
} aa_check_e;

/** How a list or a count is paged through. */
typedef struct aa_page_t {
    const char *limit, *offset; /* members of the body, or parameters of the
                                   query; NULL: the answer is not paged */
    int in_query;
    long limit_default, limit_max;
    const char *items;  /* the member that is the list; NULL: the answer is */
    const char *select; /* member of the body that lists the wanted fields and
                           must be widened by those of `match`; NULL: none */
    const char *search; /* with AA_CHECK_COUNT: template of the path that is
                           paged through instead, by POST */
    const char *total, *next; /* headers that tell how many there are and where
                                 the next page begins: written anew or cut;
                                 NULL: none */
} aa_page_t;

/** The rule of one row. Lists end with NULL; NULL is the empty list. */
typedef struct aa_rule_t {
    const char *refuse; /* why it cannot be made true, and then there is nothing
                           else; NULL: it can */
    const aa_ask_t *asks; /* in this order */
    int nasks;
    const char *const *events; /* whose filters the check, `stamp`, `keep`,
                                  `restrict_to`, `sent`, `copies` and what is
                                  created use; NULL: all of the row. When none
                                  of them was decided, nothing satisfies them */
    aa_check_e check;
    aa_page_t page;
    const char *stamp;        /* object that the equality keys are put into; "."
                                 is the body itself, here and in the next two */
    const char *keep;         /* object whose keys that the filter speaks of the
                                 client cannot change */
    const char *restrict_to;  /* object that the equality keys are ANDed into:
                                 a search. What is more than equality is matched
                                 in its  answer */
    const char *configurable; /* object that says who calls:
                                 langgraph_auth_user, …_id and …_permissions are
                                 set in it */
    const char *webhook;      /* URL that the backend will call: vetted */
    const char *const *set_query;  /* parameters that become what a handler
                                      made of the member of the same name; a
                                      list is joined by '.' */
    const char *const *drop_query; /* parameters that are cut */
    const char *const *drop_body;  /* members that are cut, before the stamp */
    const char *const *drop_headers; /* request headers that are cut, in lower
                                        case; "x-*" is all that begin so */
    const char *const *match; /* where an object has what filters speak of,
                                 never NULL. {"metadata"}: in this member;
                                 {"."}: it is the object itself;
                                 {"value","key"}: in the first, overlaid by the
                                 others under their own names */
    const char *wrap;         /* an element that is no object is seen as an
                                 object with this one member; NULL: it matches
                                 nothing */
    int sent; /* the body, seen through `match`, must satisfy the filters, else
                 403, before anything is asked */
    int hidden_status;       /* the answer for a missing or foreign object; also
                                in place of the backend's own of this status, if
                                that is an error, so that no header tells them
                                apart */
    const char *hidden_type; /* NULL: no body */
    const char *hidden_body; /* a template, filled in as text */
    int each;           /* the body is an array: rewrites go to each element */
    int remembers_run;  /* the answer names runs without a thread: whose they
                           are is remembered */
    int asks_runs;      /* only who started the run {run_id} gets on */
    const char *copies; /* the answer is a new object made from another: PATCH
                           to this template, which may have {answer.x}, puts the
                           stamp into match[0] of it; NULL: it is none */
    int long_lived;     /* the answer streams, and ends when the credential
                           does */
} aa_rule_t;

/* ------------------------------------------------------------------- routes */

typedef enum aa_access_e {
    AA_ACCESS_POLICY, /* the events are decided by the policy */
    AA_ACCESS_USER,   /* any user, no event */
    AA_ACCESS_OPEN,   /* nobody is asked who they are */
    AA_ACCESS_REFUSE  /* refused unless opened by AgentAuthOpenRoutes */
} aa_access_e;

typedef enum aa_body_e {
    AA_BODY_NONE,  /* the row takes no body: one that is sent is dropped */
    AA_BODY_JSON,  /* read, parsed, shown to the policy */
    AA_BODY_STREAM /* passed on unread */
} aa_body_e;

typedef struct aa_routes_t aa_routes_t; /* a compiled map, immutable */
typedef struct aa_route_t aa_route_t;   /* one row, lives as long as its map */

typedef struct aa_route_param_t {
    const char *name;  /* "thread_id" */
    const char *value; /* decoded, NUL-terminated, in the pool of the match */
} aa_route_param_t;

typedef struct aa_route_match_t {
    const aa_route_t *route;
    aa_route_param_t params[AA_ROUTE_PARAMS_MAX];
    int nparams;
} aa_route_match_t;

/**
 * Compile a map.
 * @param name  "langgraph" or another built-in, or "none"
 * @param files absolute paths of additions, NULL-terminated, or NULL; a row
 *              of a later file replaces an earlier one of the same method and
 *              path
 * @param prefix "" or "/agent": where the map is mounted
 * @param gateway 1: for a place where the gateway enforces; maps read it as
 *               `gateway`
 * @param why   on failure file, line and hint
 */
apr_status_t aa_routes_open(const aa_routes_t **routes, const char **why,
                            const char *name, const char *const *files,
                            const char *prefix, int gateway, apr_pool_t *p);

/**
 * 1 when a decoded path has only one reading: valid UTF-8, begins with '/',
 * no control character, backslash, ';', '?', '#', empty or dot segment, nor an
 * escape (a '%' with two hex digits) that a later reader would decode again.
 * One '/' at the end is plain and makes another path than the one without.
 * @param why on 0 what is wrong, a constant; may be NULL
 */
int aa_path_plain(const char *path, const char **why);

/**
 * Find the row of a method and a plain path (prefix included). HEAD finds the
 * row of GET. Cost does not depend on the number of rows.
 * @return APR_SUCCESS, APR_ENOENT
 */
apr_status_t aa_routes_find(aa_route_match_t *match, const aa_routes_t *routes,
                            const char *method, const char *path,
                            apr_pool_t *p);

/** @a path without the map's prefix; NULL when it is not below it. */
const char *aa_routes_strip(const aa_routes_t *routes, const char *path);

/* what a row says */
const char *aa_route_name(const aa_route_t *route); /* "POST /threads/search" */
aa_access_e aa_route_access(const aa_route_t *route);
aa_body_e aa_route_body(const aa_route_t *route);
/** 1 when the values of its events need the body read. */
int aa_route_reads_body(const aa_route_t *route);
/** 1 when the row may only be a websocket upgrade. */
int aa_route_is_websocket(const aa_route_t *route);
/** 1 when in mode `headers` the backend itself does not authorise it, so that
 *  it is refused there unless opened. */
int aa_route_native_unchecked(const aa_route_t *route);
/** How the gateway makes the decision true; NULL: the row does not say. */
const aa_rule_t *aa_route_rule(const aa_route_t *route);
/** Query parameters that the row's values name, NULL-terminated. */
const char *const *aa_route_query_names(const aa_route_t *route);

/** Walk the rows in map order, for listings and checks. */
int aa_routes_count(const aa_routes_t *routes);
const aa_route_t *aa_routes_at(const aa_routes_t *routes, int i);
/** The row called "METHOD /path/{like}/this" in the map; NULL: none. For
 *  AgentAuthOpenRoutes. */
const aa_route_t *aa_routes_named(const aa_routes_t *routes, const char *name);

/* ------------------------------------------------------------------ policies
 */

typedef struct aa_policy_t aa_policy_t; /* one policy file under reload */

/** What a line is about; how loud it is, is the caller's choice. */
typedef enum aa_policy_log_e {
    AA_POLICY_LOG_BROKEN, /* the newest file is not in use, and why */
    AA_POLICY_LOG_RELOAD, /* another file is in use now */
    AA_POLICY_LOG_SAID,   /* auth.log(...) */
    AA_POLICY_LOG_DETAIL  /* a change that a handler may not make */
} aa_policy_log_e;

typedef struct aa_policy_conf_t {
    const char *file;             /* absolute */
    const aa_routes_t *routes;    /* its vocabulary of resources and actions */
    apr_interval_time_t interval; /* how often the file is looked at */
    int budget;                   /* Lua instructions; 0: default */
    apr_size_t memory;            /* bytes a state; 0: default */
    /** Receives auth.log(...) and reload news, may be NULL. Thread-safe. */
    void (*log)(void *baton, aa_policy_log_e about, const char *line);
    void *baton;
    /** SHA-256, given from above since nothing here knows cryptography;
     *  NULL: verdicts carry no policy_id. */
    void (*sha256)(unsigned char out[32], const void *data, apr_size_t len);
} aa_policy_conf_t;

/**
 * Load a policy. May be called before fork; each process then reloads for
 * itself.
 * @param why on failure file, line, message, hint
 * @return APR_SUCCESS; APR_EINVAL does not load; or why it cannot be read
 */
apr_status_t aa_policy_open(aa_policy_t **policy, const char **why,
                            const aa_policy_conf_t *conf, apr_pool_t *p);

/** Why the newest file is not in use; NULL when it is. In @a p. */
const char *aa_policy_stale(aa_policy_t *policy, apr_pool_t *p);

/** 1 when the policy in use has an authenticate handler. */
int aa_policy_authenticates(aa_policy_t *policy);

/** The user as handlers see it. */
typedef struct aa_policy_user_t {
    apr_uint64_t serial;  /* same number: same object, so that a state may
                             keep its decoded table; 0: do not keep */
    const json_t *object; /* identity, permissions, …; shared, read-only */
} aa_policy_user_t;

/** The request as handlers see it; all borrowed for the call. */
typedef struct aa_policy_input_t {
    const char *method;
    const char *path;  /* without the map's prefix */
    const char *query; /* raw, NULL: none */
    const char *body;  /* as received; NULL: none */
    apr_size_t body_len;
    apr_time_t now;
    int allow_unmatched; /* AgentAuthUnmatched allow */
} aa_policy_input_t;

typedef enum aa_policy_effect_e {
    AA_POLICY_DENY = 0, /* where every decision starts */
    AA_POLICY_ALLOW,
    AA_POLICY_FILTER
} aa_policy_effect_e;

/** Why a request is denied. */
typedef enum aa_policy_cause_e {
    AA_CAUSE_NONE = 0,
    AA_CAUSE_FALSE,     /* handler returned false */
    AA_CAUSE_EXCEPTION, /* HTTPException */
    AA_CAUSE_ASSERT,    /* assert failed */
    AA_CAUSE_UNMATCHED, /* no handler */
    AA_CAUSE_ANONYMOUS, /* user.is_authenticated is false */
    AA_CAUSE_LUA,       /* Lua error */
    AA_CAUSE_BUDGET,    /* instructions or memory */
    AA_CAUSE_RESULT,    /* returned no decision, or a bad filter */
    AA_CAUSE_QUERY,     /* duplicate or malformed named parameter */
    AA_CAUSE_BODY,      /* not one strict JSON text, or of a wrong shape */
    AA_CAUSE_OURS       /* out of memory, a mistake of ours */
} aa_policy_cause_e;

typedef struct aa_policy_decision_t {
    const char *resource, *action;
    aa_policy_effect_e effect;
    json_t *filter;          /* normal form, with AA_POLICY_FILTER; else NULL.
                                Shared with other requests: read-only */
    const char *filter_text; /* it as compact ASCII JSON, NULL: not known */
    json_t *set;             /* object of the mutable members that the handler
                                changed; of a member that is an object only the
                                keys that changed; NULL: none */
} aa_policy_decision_t;

/** The outcome for a whole request; all in the pool of the call. */
typedef struct aa_policy_verdict_t {
    aa_policy_effect_e effect; /* the strictest of all events */
    json_t *filter;            /* conjunction of the filters, NULL: all.
                                  Shared with other requests: read-only */
    const char *filter_text;   /* it as JSON, compact and ASCII; NULL: has to
                                  be written yet */
    aa_policy_decision_t *decisions;
    int ndecisions;
    const char *body; /* new body; NULL: forward the original bytes */
    apr_size_t body_len;
    /* when effect is AA_POLICY_DENY */
    aa_policy_cause_e cause;
    int status;            /* for HTTPException, 400 to 599; else 0 */
    const char *detail;    /* for the client: valid UTF-8, no control
                              characters, at most AA_POLICY_DETAIL_MAX */
    apr_table_t *headers;  /* of HTTPException, checked; NULL: none */
    const char *reason;    /* for the log: file:line: what; handler */
    const char *handler;   /* "threads:create", "*"; NULL: none */
    const char *policy_id; /* first 16 hex of the policy's SHA-256; NULL
                              without aa_policy_conf_t.sha256 */
} aa_policy_verdict_t;

/**
 * Run the policy for every event of a row. One denial denies.
 * A row with access user, open or refuse must not come here.
 * @return APR_SUCCESS: @a verdict is filled, whatever it says. There is no
 *         other return: what fails is a denial with a cause.
 */
apr_status_t aa_policy_decide(aa_policy_verdict_t *verdict, aa_policy_t *policy,
                              const aa_route_match_t *match,
                              const aa_policy_input_t *input,
                              const aa_policy_user_t *user, apr_pool_t *p);

/** What an authenticate handler is shown. */
typedef struct aa_policy_who_t {
    const char *method, *path, *query; /* as in aa_policy_input_t */
    const aa_route_match_t *match;     /* NULL: no row, no path_params */
    const apr_table_t *headers;        /* names are shown in lower case */
    const json_t *claims;              /* verified by a built-in method */
} aa_policy_who_t;

/**
 * Run the authenticate handler.
 * @param user    on APR_SUCCESS the user object (identity, permissions,
 *                display_name, is_authenticated, …), owned by @a p
 * @param verdict on APR_EINVAL cause, status, detail, headers, reason
 * @return APR_SUCCESS; APR_ENOENT when it returned nil; APR_EINVAL
 */
apr_status_t aa_policy_authenticate(json_t **user, aa_policy_verdict_t *verdict,
                                    aa_policy_t *policy,
                                    const aa_policy_who_t *who, apr_pool_t *p);

/* -------------------------------------------------------- tests of policies
 *
 * local test = require "agentauth.test"
 * test "name" { user = …, "GET", "/path?query", expect = … }
 *
 * A file NAME_test.lua is run once, in the sandbox of policies, and says its
 * cases; whoever reads them asks the policy. */

/** What is to come of a request; NULL where the author says nothing. */
typedef struct aa_expect_t {
    int has_effect; /* 0: only the members below count */
    aa_policy_effect_e effect;
    json_t *filter; /* normal form, with AA_POLICY_FILTER */
    int status;     /* with AA_POLICY_DENY: 400 to 599 */
    const char *detail;
    json_t *headers; /* object of texts: these and perhaps more */
    json_t *set;     /* object: what handlers changed, all events together */
    json_t *body;    /* what goes on to the backend */
    json_t *user;    /* object: these members and perhaps more; JSON null:
                        nobody was proved */
} aa_expect_t;

typedef struct aa_case_t {
    const char *name; /* unique in its file */
    int line;
    const char *method;
    const char *path;  /* plain, the map's prefix included */
    const char *query; /* NULL: none */
    json_t *user;      /* object with an identity; NULL: nobody yet */
    json_t *headers;   /* object of texts, for authenticate; NULL: none */
    const char *body;  /* as a client sends it; NULL: none */
    apr_time_t now;    /* 0: the time of the test */
    aa_expect_t expect;
} aa_case_t;

typedef struct aa_tests_t {
    const char *policy; /* as the file names it; NULL: it does not */
    const aa_case_t *cases;
    int ncases; /* at least 1 */
} aa_tests_t;

/**
 * Run a test file.
 * @param tests all in @a p
 * @param why   on failure file, line, message, hint
 * @return APR_SUCCESS, APR_EINVAL
 */
apr_status_t aa_tests_read(aa_tests_t *tests, const char **why,
                           const char *file, apr_pool_t *p);

#endif
