/* SPDX-License-Identifier: Apache-2.0 */
/* One Lua state that holds a loaded policy, and the limits it runs under. */
#ifndef AA_VM_H
#define AA_VM_H

#include "agentpolicy.h"
#include "memo.h"

#define AA_VM_SPAN_MAX 65536    /* elements or repetitions of one C call */
#define AA_VM_CPU_MAX 1000000   /* microseconds of CPU time of a handler */
#define AA_VM_PERIOD 1000       /* instructions between two looks */
#define AA_VM_HANDLERS_MAX 1024 /* registrations of one policy */
#define AA_VM_USERS_MAX 64      /* decoded users that a state keeps */
#define AA_VM_MESSAGE_MAX 1024  /* bytes of a line for the log */

typedef struct lua_State lua_State;

/** What states are made from; the same for all states of a generation. */
typedef struct aa_vm_conf_t {
    const char *name;   /* base name of the file, for messages */
    const char *dir;    /* what comes before it, slash included */
    const char *source; /* the file's text */
    apr_size_t len;
    const aa_routes_t *routes; /* vocabulary; NULL: every word is known */
    int budget;                /* instructions of a handler */
    apr_size_t memory;         /* bytes of the state */
    void (*log)(void *baton, aa_policy_log_e about, const char *line);
    void *baton;
    struct aa_testfile_t *testfile; /* what a test file says; NULL: a policy */
} aa_vm_conf_t;

/** Base name and directory of a file, as messages need them: those of Lua begin
 *  with the name alone, the directory is put before it when they leave. */
void aa_vm_name(aa_vm_conf_t *conf, const char *file, apr_pool_t *p);

/** A handler as it was registered. */
typedef struct aa_vm_handler_t {
    char *label; /* "threads:create", "threads", "*:create", "*" */
    apr_uint32_t hash;
    int line; /* where its function begins */
    int told; /* that it changes what a route does not let it */
} aa_vm_handler_t;

/** A user whose table the state keeps. */
typedef struct aa_vm_user_t {
    apr_uint64_t serial; /* 0: the place is free */
    int anonymous;       /* is_authenticated is false */
} aa_vm_user_t;

#define AA_VM_STEP 16 /* bytes by which the sizes of small blocks differ */
#define AA_VM_KEPT 8  /* sizes of blocks that are kept for the next decision */

/** Why a state is of no more use. */
typedef enum aa_spent_e {
    AA_SPENT_NOT = 0,
    AA_SPENT_INSTRUCTIONS,
    AA_SPENT_TIME,
    AA_SPENT_MEMORY
} aa_spent_e;

/** Used by one thread at a time. Its members are for the files that run Lua:
 *  vm.c, sandbox.c and event.c. */
typedef struct aa_vm_t {
    lua_State *L;
    const aa_vm_conf_t *conf;
    struct aa_vm_t *next; /* in the list of idle states */
    /* limits */
    apr_size_t used;        /* bytes */
    apr_size_t base;        /* bytes once the policy was loaded */
    int refused;            /* the allocator said no, Lua may try again */
    void *kept[AA_VM_KEPT]; /* free small blocks, a list for each size */
    long left;              /* instructions */
    apr_time_t deadline;    /* of CPU time; 0: not looked at yet */
    aa_spent_e spent;
    char spent_at[80]; /* "policy.lua:12: "; empty: not known */
    /* the policy */
    int loading;
    aa_vm_handler_t *handlers;
    int nhandlers;
    int authenticates;
    /* the request */
    int asserted;            /* an assert failed, with a message kept */
    char assert_at[80];      /* "policy.lua:12:" */
    apr_uint64_t ctx_serial; /* whose user is in ctx; 0: nobody's */
    aa_vm_user_t users[AA_VM_USERS_MAX];
    aa_memo_t filters;
} aa_vm_t;

/**
 * Make a state, load the policy, freeze what it made global.
 * @param why on failure what is wrong, from malloc; the caller frees it
 * @return NULL on failure
 */
aa_vm_t *aa_vm_open(char **why, const aa_vm_conf_t *conf);

void aa_vm_close(aa_vm_t *vm);

/** 1 when the state may serve another request: no limit was hit, and it has
 *  not grown much. */
int aa_vm_is_reusable(const aa_vm_t *vm);

/** The handler for an event, the most specific alone; -1: none. */
int aa_vm_find(const aa_vm_t *vm, const char *resource, const char *action);

/* ------------------------------------------- for the files that run Lua */

#define AA_VM_ERROR_MEMORY "not enough memory"

/** The state's own record. */
aa_vm_t *aa_vm_of(lua_State *L);

/** A handler begins: full budget, clock not started. */
void aa_vm_arm(aa_vm_t *vm);

/** What we do ourselves is not the handler's to pay. */
void aa_vm_disarm(aa_vm_t *vm);

/** Pay for work in C; raises when the budget is used up. */
void aa_vm_charge(lua_State *L, apr_size_t instructions);

/** The same without raising: the next instruction will. */
void aa_vm_charge_later(aa_vm_t *vm, apr_size_t instructions);

/** Note that a limit was hit: from now on every instruction raises. */
void aa_vm_spend(aa_vm_t *vm, aa_spent_e why);

/** Where and what was spent, for the log. */
void aa_vm_explain(char *out, apr_size_t size, const aa_vm_t *vm);

/** Add a handler that sits on the top of the stack; pops it. */
void aa_vm_register(lua_State *L, const char *label);

#endif
