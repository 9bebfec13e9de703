/* SPDX-License-Identifier: Apache-2.0 */
/* What the hooks of one request tell each other.
 *
 * It lives in the request's own config vector, so a subrequest or an internal
 * redirect begins with a fresh one and is decided anew. Notes, environment
 * and headers are outputs only: nothing is read back from them. */
#ifndef AA_CONTEXT_H
#define AA_CONTEXT_H

#include "httpd.h"
#include "util_filter.h"
#include "config.h"
#include "model/error.h"
#include "model/principal.h"
#include "model/reply.h"
#include "model/request.h"
#include "authn/authn.h"
#include "enforce/enforce.h"

/** What a request is to us, known before anyone is asked who they are. */
typedef enum aa_kind_e {
    AA_KIND_PLAIN = 0, /* authenticated and decided like any other */
    AA_KIND_ENDPOINT,  /* one of our own endpoints, by exact path */
    AA_KIND_PREFLIGHT, /* a CORS preflight that we answer */
    AA_KIND_OPEN       /* a route that needs no user */
} aa_kind_e;

typedef struct aa_stream_t aa_stream_t;

typedef struct aa_ctx_t {
    aa_request_t request; /* as seen below the wall */
    aa_kind_e kind;
    const void *place; /* the per-directory settings for which … */
    int place_enabled; /* … this was found out */
    /* who */
    aa_principal_t *principal;  /* a reference, or NULL */
    aa_credential_t credential; /* what proved it */
    /* what */
    aa_route_match_t match;       /* route NULL: no map here, or no row */
    int route_known;              /* the map was asked */
    aa_policy_verdict_t *verdict; /* NULL: no policy was asked */
    int decided;                  /* 1: fixups let this request pass */
    const char *decision_id;
    /* the body as it came, when it was read */
    const char *body;
    apr_size_t body_len;
    int body_taken; /* the connection was asked for it */
    int body_read;  /* it is there, and the policy sees it */
    /* the body that goes on, when ours replaces the connection's */
    const char *out_body;
    apr_size_t out_len;
    int out_replaces;
    /* what may leave towards the backend */
    const char *sent_url;  /* proxy URL that was decided, without query */
    const char *sent_args; /* its query, NULL: none */
    const char **told;     /* what notes and environment were given */
    apr_table_t *handed;   /* headers for the backend, NULL: none */
    aa_task_t *task;       /* with AgentAuthEnforce gateway; else NULL */
    aa_stream_t *stream;   /* what is watched, NULL: nothing */
    int expects_http;      /* mod_proxy has asked a backend that speaks it */
    /* what was refused */
    aa_error_t error;
    const char *challenge;            /* WWW-Authenticate, NULL: none */
    const apr_table_t *error_headers; /* of an HTTPException */
} aa_ctx_t;

/** The request's context, made at the first call. */
aa_ctx_t *aa_ctx(request_rec *r);
/** The same, NULL when there is none yet. */
aa_ctx_t *aa_ctx_peek(const request_rec *r);

/** 1 where this place is ours: AuthType AgentAuth. */
int aa_place_enabled(request_rec *r);
/** 1 when mod_proxy will answer the request as things stand. */
int aa_proxied(const request_rec *r);
/** 1 when @a r is, or continues, the ErrorDocument of one that failed. */
int aa_is_error_page(const request_rec *r);

/* override.c */
void aa_override_drop(apr_table_t *headers, apr_pool_t *p);

/* intake.c */
int aa_scrub_hook(request_rec *r);
void aa_scrub(apr_table_t *headers, apr_pool_t *p);
int aa_header_reads_as_ours(const char *name);
/** A backend may read '_', '.' and ' ' in a name as '-', as WSGI does; what it
 *  could mistake for a header of ours is one. Most begin with another letter.
 */
static inline int aa_header_is_ours(const char *name)
{
    return (name[0] | 0x20) == 'a' && aa_header_reads_as_ours(name);
}
void aa_intake(aa_ctx_t *ctx, request_rec *r);

/* answer.c: one way to refuse; logs a line and returns the status */
int aa_answer_refuse(request_rec *r, aa_ctx_t *ctx);
/** Refuse with a code of ours and a reason for the log. */
int aa_answer_code(request_rec *r, aa_code_e code, const char *fmt, ...)
    AA_PRINTF(3, 4);
int aa_answer_reply(request_rec *r, const aa_reply_t *reply);
void aa_answer_insert(request_rec *r);
apr_status_t aa_answer_filter(ap_filter_t *f, apr_bucket_brigade *bb);

/* identify.c: authentication hooks */
int aa_access_hook(request_rec *r);
int aa_force_hook(request_rec *r);
int aa_authn_hook(request_rec *r);
int aa_note_failure_hook(request_rec *r, const char *type);

/* require.c */
void aa_require_register(apr_pool_t *p);

/* origin.c: who may ask from a browser */
int aa_is_preflight(request_rec *r, const aa_dir_conf_t *place);
int aa_answer_preflight(request_rec *r);
void aa_cors_headers(request_rec *r);
int aa_origin_check(request_rec *r, aa_ctx_t *ctx);

/* decide.c */
int aa_decide_hook(request_rec *r);
void aa_route_look(request_rec *r, aa_ctx_t *ctx);
int aa_route_open(const aa_dir_conf_t *place, const aa_route_t *route);

/* body.c */
AA_CHECKED apr_status_t aa_body_read(request_rec *r, aa_ctx_t *ctx);
AA_CHECKED apr_status_t aa_body_drop(request_rec *r, aa_ctx_t *ctx);
void aa_body_forget(request_rec *r);
void aa_body_send(request_rec *r, aa_ctx_t *ctx, const char *body,
                  apr_size_t len);
void aa_body_insert(request_rec *r);
apr_status_t aa_body_filter(ap_filter_t *f, apr_bucket_brigade *bb,
                            ap_input_mode_t mode, apr_read_type_e block,
                            apr_off_t readbytes);

/* handoff.c: notes, environment, headers */
AA_CHECKED apr_status_t aa_handoff(request_rec *r, aa_ctx_t *ctx);
/** Say it again to a handler inside: another module may have spoken since. */
void aa_handoff_again(request_rec *r, const aa_ctx_t *ctx);
void aa_handoff_insert(request_rec *r);
void aa_handoff_register(void);
int aa_handoff_register_late(apr_pool_t *p); /* OK or a status */
apr_status_t aa_handoff_filter(ap_filter_t *f, apr_bucket_brigade *bb);

/* gateway.c: the decision is made true here */
int aa_gateway(request_rec *r, aa_ctx_t *ctx);
int aa_gateway_answer(request_rec *r, aa_ctx_t *ctx);
void aa_gateway_insert(request_rec *r);
apr_status_t aa_gateway_filter(ap_filter_t *f, apr_bucket_brigade *bb);
void aa_gateway_register(void);

/* streams.c: long answers end with their credential and their client */
apr_status_t aa_streams_init(apr_pool_t *p); /* in each child */
/** Watch this request until its pool is cleared. */
void aa_stream_watch(request_rec *r, aa_ctx_t *ctx);
void aa_streams_look(apr_time_t now);
void aa_streams_register(void);

/* guard.c: what mod_proxy sends is what was decided */
/** The URL that mod_proxy will ask, as it has it by now; NULL when it will
 *  not answer. */
const char *aa_proxy_target(request_rec *r);
AA_CHECKED apr_status_t aa_guard_note(request_rec *r, aa_ctx_t *ctx);
int aa_guard_register(apr_pool_t *p); /* in pre_config; OK or a status */

/**
 * proxy_hook.c: answer one of mod_proxy's hooks, REALLY_FIRST. Only its
 * `fixups` and `create_req` are optional hooks; the others are functions of
 * mod_proxy.so, which may be loaded after us. So this is for the pre_config
 * hook: by then all modules are there, and httpd sorts its hooks once more
 * after it.
 * @param name   "pre_request", "scheme_handler", …
 * @param answer of the type that mod_proxy.h declares for it
 * @return OK, also without mod_proxy; HTTP_INTERNAL_SERVER_ERROR: logged
 */
int aa_proxy_hook(const char *name, void (*answer)(void), apr_pool_t *p);

/* endpoints.c */
int aa_endpoint_is(request_rec *r);
int aa_endpoint_below(request_rec *r);
int aa_endpoint_handler(request_rec *r);

/* decisions.c */
int aa_decision_open(server_rec *main, apr_pool_t *p);
int aa_decision_log(request_rec *r);
const char *aa_decision_id(apr_pool_t *p);
apr_status_t aa_decision_seed(void);

/* runtime.c */
int aa_runtime_post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                           server_rec *s);
void aa_runtime_child_init(apr_pool_t *p, server_rec *s);

/* status.c */
void aa_status_register(void);

#endif
