/* SPDX-License-Identifier: Apache-2.0 */
/* One Lua state that holds a loaded policy, and the limits it runs under.
 *
 * Three limits. Instructions are counted by a hook; when they are used up it
 * re-arms itself at 1, so that a pcall in the policy cannot swallow the end.
 * Memory is capped in the allocator, which also charges for big pieces, since
 * one instruction can copy megabytes. CPU time catches what is slow without
 * allocating, such as comparing two long strings. */
#include "vm.h"
#include "value.h"
#include "sandbox.h"
#include "event.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

/* What an emergency collection costs, in instructions. */
#define COLLECTION_COST 20000
/* Bytes of an allocation that cost one instruction. */
#define BYTES_AN_INSTRUCTION 64
/* Share of its memory by which a state may have grown to be used again. */
#define REUSE_SHARE 8
/* Handlers for which room is made at once. */
#define HANDLERS_STEP 32
#define HASH_BEGIN 2166136261u
/* Bytes of a file's name in messages of Lua. */
#define NAME_MAX_SHOWN 56

static const char handlers_key;

/* ------------------------------------------------------------------ limits */

aa_vm_t *aa_vm_of(lua_State *L)
{
    return *(aa_vm_t **)lua_getextraspace(L);
}

static apr_time_t cpu_now(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts))
        return 0;
    return apr_time_from_sec(ts.tv_sec) + ts.tv_nsec / 1000;
}

/* The first look starts the clock: a short handler never pays for it. */
static int is_late(aa_vm_t *vm)
{
    apr_time_t now = cpu_now();

    if (!vm->deadline)
        vm->deadline = now + AA_VM_CPU_MAX;
    return now > vm->deadline;
}

static const char *spent_text(const aa_vm_t *vm)
{
    switch (vm->spent) {
    case AA_SPENT_MEMORY:
        return AA_VM_ERROR_MEMORY;
    case AA_SPENT_TIME:
        return "used up its CPU time";
    default:
        return "used up its instructions";
    }
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    aa_vm_t *vm = aa_vm_of(L);

    if (!vm->spent) {
        vm->left -= AA_VM_PERIOD;
        if (vm->left <= 0)
            aa_vm_spend(vm, AA_SPENT_INSTRUCTIONS);
        else if (is_late(vm))
            aa_vm_spend(vm, AA_SPENT_TIME);
    }
    if (!vm->spent)
        return;
    if (!vm->spent_at[0] && lua_getinfo(L, "Sl", ar))
        snprintf(vm->spent_at, sizeof(vm->spent_at), "%s:%d: ", ar->short_src,
                 ar->currentline);
    lua_pushstring(L, spent_text(vm));
    lua_error(L);
}

/* lua_sethook may be called at any time, so also from inside the allocator. */
void aa_vm_spend(aa_vm_t *vm, aa_spent_e why)
{
    if (vm->spent)
        return;
    vm->spent = why;
    if (vm->L)
        lua_sethook(vm->L, on_count, LUA_MASKCOUNT, 1);
}

void aa_vm_arm(aa_vm_t *vm)
{
    vm->left = vm->conf->budget;
    vm->deadline = 0;
}

void aa_vm_disarm(aa_vm_t *vm)
{
    vm->left = LONG_MAX;
}

void aa_vm_charge_later(aa_vm_t *vm, apr_size_t instructions)
{
    if (vm->left > 0 && instructions < (apr_size_t)vm->left)
        vm->left -= (long)instructions;
    else
        aa_vm_spend(vm, AA_SPENT_INSTRUCTIONS);
}

void aa_vm_charge(lua_State *L, apr_size_t instructions)
{
    aa_vm_t *vm = aa_vm_of(L);

    aa_vm_charge_later(vm, instructions);
    if (vm->spent) {
        lua_pushstring(L, spent_text(vm));
        lua_error(L);
    }
}

/* Lua answers the first refusal with a full collection and asks again; only
 * the second one means that the policy has too much alive. */
static void *refuse(aa_vm_t *vm)
{
    if (vm->refused)
        aa_vm_spend(vm, AA_SPENT_MEMORY);
    else
        aa_vm_charge_later(vm, COLLECTION_COST);
    vm->refused = 1;
    return NULL;
}

/* Which list a block of this size belongs to; AA_VM_KEPT: none. */
static size_t list_of(size_t size)
{
    return size <= AA_VM_KEPT * AA_VM_STEP ? (size - 1) / AA_VM_STEP
                                           : AA_VM_KEPT;
}

/* Each decision takes and drops blocks of the same few sizes; a list of them
 * is quicker than the whole process's heap. */
static void *block_new(aa_vm_t *vm, size_t size)
{
    size_t i = list_of(size);
    void *block;

    if (i == AA_VM_KEPT)
        return malloc(size);
    if (!vm->kept[i])
        return malloc((i + 1) * AA_VM_STEP);
    block = vm->kept[i];
    memcpy(&vm->kept[i], block, sizeof(void *));
    return block;
}

static void block_free(aa_vm_t *vm, void *block, size_t size)
{
    size_t i = size ? list_of(size) : AA_VM_KEPT;

    if (i == AA_VM_KEPT || !block) {
        free(block);
        return;
    }
    memcpy(block, &vm->kept[i], sizeof(void *));
    vm->kept[i] = block;
}

static void *block_resize(aa_vm_t *vm, void *was, size_t old, size_t size)
{
    void *is;

    if (!was)
        return block_new(vm, size);
    if (list_of(old) == list_of(size))
        return list_of(size) == AA_VM_KEPT ? realloc(was, size) : was;
    is = block_new(vm, size);
    if (!is)
        return NULL;
    memcpy(is, was, old < size ? old : size);
    block_free(vm, was, old);
    return is;
}

static void blocks_free(aa_vm_t *vm)
{
    for (int i = 0; i < AA_VM_KEPT; i++)
        for (void *block = vm->kept[i], *next; block; block = next) {
            memcpy(&next, block, sizeof(void *));
            free(block);
        }
}

static void *allocate(void *baton, void *was, size_t old, size_t size)
{
    aa_vm_t *vm = baton;
    void *is;

    if (!was)
        old = 0; /* says what kind of object it is for */
    if (!size) {
        block_free(vm, was, old);
        vm->used -= old;
        return NULL;
    }
    if (size > old) {
        if (size - old > vm->conf->memory - vm->used)
            return refuse(vm);
        if (size >= 1024)
            aa_vm_charge_later(vm, size / BYTES_AN_INSTRUCTION);
    }
    is = block_resize(vm, was, old, size);
    if (!is)
        return size > old ? refuse(vm) : was;
    if (size > old)
        vm->refused = 0;
    vm->used += size - old;
    return is;
}

/* ---------------------------------------------------------------- handlers */

/* FNV-1a, so that a look-up needs no string of "resource:action". */
static apr_uint32_t hash_more(apr_uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static int label_is(const char *label, const char *resource, const char *action)
{
    size_t n = strlen(resource);

    if (strncmp(label, resource, n))
        return 0;
    if (!action)
        return !label[n];
    return label[n] == ':' && !strcmp(label + n + 1, action);
}

static int find(const aa_vm_t *vm, const char *resource, const char *action)
{
    apr_uint32_t hash = hash_more(HASH_BEGIN, resource);

    if (action)
        hash = hash_more(hash_more(hash, ":"), action);
    for (int i = 0; i < vm->nhandlers; i++)
        if (vm->handlers[i].hash == hash &&
            label_is(vm->handlers[i].label, resource, action))
            return i;
    return -1;
}

int aa_vm_find(const aa_vm_t *vm, const char *resource, const char *action)
{
    int i = find(vm, resource, action);

    if (i < 0)
        i = find(vm, resource, NULL);
    if (i < 0)
        i = find(vm, "*", action);
    if (i < 0)
        i = find(vm, "*", NULL);
    return i;
}

/* Room for the next handler; NULL when out of memory. */
static aa_vm_handler_t *one_more(aa_vm_t *vm)
{
    int n = vm->nhandlers;
    void *grown;

    if (n % HANDLERS_STEP == 0) {
        grown = realloc(vm->handlers,
                        sizeof(*vm->handlers) * (size_t)(n + HANDLERS_STEP));
        if (!grown)
            return NULL;
        vm->handlers = grown;
    }
    return &vm->handlers[vm->nhandlers++];
}

void aa_vm_register(lua_State *L, const char *label)
{
    aa_vm_t *vm = aa_vm_of(L);
    aa_vm_handler_t *h;
    lua_Debug where;
    char *copy;

    if (vm->nhandlers == AA_VM_HANDLERS_MAX)
        luaL_error(L, "more than %d handlers", AA_VM_HANDLERS_MAX);
    copy = strdup(label);
    if (!copy || !(h = one_more(vm))) {
        free(copy);
        luaL_error(L, AA_VM_ERROR_MEMORY);
        return;
    }
    h->label = copy;
    h->hash = hash_more(HASH_BEGIN, label);
    h->told = 0;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &where);
    h->line = where.linedefined;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &handlers_key);
    lua_insert(L, -2);
    lua_rawseti(L, -2, vm->nhandlers);
    lua_pop(L, 1);
}

/* --------------------------------------------------------- open and close */

void aa_vm_name(aa_vm_conf_t *conf, const char *file, apr_pool_t *p)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;

    if (strlen(name) > NAME_MAX_SHOWN)
        name += strlen(name) - NAME_MAX_SHOWN;
    conf->name = name;
    conf->dir = apr_pstrmemdup(p, file, (apr_size_t)(name - file));
}

/* [-0, +0] Everything that may raise while a state is made. */
static int load(lua_State *L)
{
    aa_vm_t *vm = aa_vm_of(L);

    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &handlers_key);
    aa_value_open(L);
    aa_sandbox_open(L);
    vm->loading = 1;
    aa_vm_arm(vm);
    aa_sandbox_run(L, vm->conf);
    vm->loading = 0;
    vm->base = vm->used;
    /* What a request needs each time stays where it is found at once. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &handlers_key);
    aa_event_open(L);
    return lua_gettop(L);
}

void aa_vm_explain(char *out, apr_size_t size, const aa_vm_t *vm)
{
    char text[2 * sizeof(vm->spent_at)];

    snprintf(text, sizeof(text), "%s%s%s", vm->spent_at,
             vm->spent_at[0] ? "" : vm->conf->name,
             vm->spent_at[0] ? "" : ": ");
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
             spent_text(vm));
    aa_event_locate(out, size, vm->conf, text, strlen(text));
}

static char *explain(const aa_vm_t *vm)
{
    const char *text = "error object is not a string";
    size_t len = strlen(text), size = strlen(vm->conf->dir) + AA_VM_MESSAGE_MAX;
    char *why = malloc(size);

    if (!why)
        return NULL;
    if (lua_type(vm->L, -1) == LUA_TSTRING)
        text = lua_tolstring(vm->L, -1, &len);
    if (vm->spent)
        aa_vm_explain(why, size, vm);
    else
        aa_event_locate(why, size, vm->conf, text, len);
    return why;
}

aa_vm_t *aa_vm_open(char **why, const aa_vm_conf_t *conf)
{
    aa_vm_t *vm = calloc(1, sizeof(*vm));

    *why = NULL;
    if (!vm)
        return NULL;
    vm->conf = conf;
    aa_vm_arm(vm);
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L)
        goto failed;
    *(aa_vm_t **)lua_getextraspace(vm->L) = vm;
    /* A decision leaves some hundred bytes of garbage: collect seldom. */
    lua_gc(vm->L, LUA_GCINC, 800, 0, 0);
    lua_sethook(vm->L, on_count, LUA_MASKCOUNT, AA_VM_PERIOD);
    lua_pushcfunction(vm->L, load);
    if (lua_pcall(vm->L, 0, LUA_MULTRET, 0) == LUA_OK && !vm->spent)
        return vm;
    *why = explain(vm);

failed:
    aa_vm_close(vm);
    return NULL;
}

void aa_vm_close(aa_vm_t *vm)
{
    if (vm->L)
        lua_close(vm->L);
    blocks_free(vm);
    for (int i = 0; i < vm->nhandlers; i++)
        free(vm->handlers[i].label);
    free(vm->handlers);
    aa_memo_clear(&vm->filters);
    free(vm);
}

int aa_vm_is_reusable(const aa_vm_t *vm)
{
    return !vm->spent && vm->used < vm->base + vm->conf->memory / REUSE_SHARE;
}
