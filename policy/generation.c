/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file under reload: generations of it, and their idle Lua states.
 *
 * A generation keeps the text it was compiled from, so that states made later
 * are the same although the file has changed. The newest is swapped in under
 * the mutex; an older one is freed by whoever returns its last state. */
#include "generation.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apr_strings.h"
#include "apr_thread_mutex.h"

#define WHY_MAX 2048
/* A file that was written this short a time before it was read may be written
 * again within the same tick of the file system's clock. */
#define SETTLED_AFTER 2 /* seconds */

/** What tells two versions of a file apart without reading them. */
typedef struct identity_t {
    struct timespec mtime, ctime;
    off_t size;
    ino_t inode;
    dev_t device;
    int error;   /* errno, when there is no file to be read */
    int settled; /* 0: equal times do not prove equal bytes */
} identity_t;

struct aa_generation_t {
    aa_vm_conf_t conf; /* source is from malloc and ours */
    identity_t identity;
    char id[17];
    int authenticates;
    int users; /* states that are out */
    int is_old;
    aa_vm_t *idle;
    int nidle;
};

struct aa_policy_t {
    aa_policy_conf_t conf;
    const char *name, *dir;
    apr_thread_mutex_t *mutex; /* guards what follows, generations too */
    aa_generation_t *current;
    identity_t refused; /* the version that does not load */
    char *stale;        /* why; NULL: the newest file is in use */
    apr_int64_t next;   /* when to look again, monotonic, atomic */
};

/* -------------------------------------------------------------- identities */

static apr_int64_t monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return apr_time_from_sec(ts.tv_sec) + ts.tv_nsec / 1000;
}

static identity_t identity_of(const struct stat *st)
{
    identity_t is = {.mtime = st->st_mtim,
                     .ctime = st->st_ctim,
                     .size = st->st_size,
                     .inode = st->st_ino,
                     .device = st->st_dev};
    time_t now = time(NULL);

    is.settled = now - st->st_mtim.tv_sec > SETTLED_AFTER &&
                 now - st->st_ctim.tv_sec > SETTLED_AFTER;
    return is;
}

static int same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int same_identity(const identity_t *a, const identity_t *b)
{
    return a->error == b->error && a->size == b->size && a->inode == b->inode &&
           a->device == b->device && same_time(a->mtime, b->mtime) &&
           same_time(a->ctime, b->ctime);
}

/* ----------------------------------------------------------------- reading */

static char *describe(const char *file, const char *what)
{
    char *why = malloc(WHY_MAX);

    if (why)
        snprintf(why, WHY_MAX, "%s: %s", file, what);
    return why;
}

/* All of an open file, from malloc; NULL when that fails. */
static char *read_all(int fd, apr_size_t size, apr_size_t *len)
{
    char *text = malloc(size + 1);
    ssize_t n = 0;

    *len = 0;
    while (text && *len < size) {
        n = read(fd, text + *len, size - *len);
        if (n == 0)
            break;
        if (n > 0)
            *len += (apr_size_t)n;
        else if (errno != EINTR)
            break;
    }
    if (text && n < 0) {
        free(text);
        text = NULL;
    }
    if (text)
        text[*len] = '\0';
    return text;
}

/* The file's text, from malloc. NULL: *why says so, is->error is set. */
static char *read_file(identity_t *is, apr_size_t *len, char **why,
                       const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    struct stat st;

    memset(is, 0, sizeof(*is));
    if (fd < 0 || fstat(fd, &st)) {
        is->error = errno;
        *why = describe(file, strerror(is->error));
    }
    else if (!S_ISREG(st.st_mode)) {
        *is = identity_of(&st);
        *why = describe(file, "not a regular file");
    }
    else if (st.st_size > AA_POLICY_FILE_MAX) {
        *is = identity_of(&st);
        *why = describe(file, "larger than 1 MiB");
    }
    else {
        *is = identity_of(&st);
        text = read_all(fd, (apr_size_t)st.st_size, len);
        if (!text)
            *why = describe(file, "cannot be read");
    }
    if (fd >= 0)
        close(fd);
    return text;
}

char *aa_generation_text(apr_size_t *len, char **why, const char *file)
{
    identity_t is;

    *why = NULL;
    return read_file(&is, len, why, file);
}

/* -------------------------------------------------------------- generations */

static void free_generation(aa_generation_t *g)
{
    for (aa_vm_t *vm = g->idle, *next; vm; vm = next) {
        next = vm->next;
        aa_vm_close(vm);
    }
    free((void *)(uintptr_t)g->conf.source);
    free(g);
}

static void set_id(aa_generation_t *g, const aa_policy_t *policy)
{
    unsigned char hash[32];

    if (!policy->conf.sha256)
        return;
    policy->conf.sha256(hash, g->conf.source, g->conf.len);
    for (int i = 0; i < 8; i++)
        snprintf(g->id + 2 * i, 3, "%02x", hash[i]);
}

/* Read and compile the file. The identity says what was looked at, also when
 * it does not load. A text that is the one in use (was) is no new one. */
static aa_generation_t *load(identity_t *is, char **why,
                             const aa_policy_t *policy,
                             const aa_generation_t *was)
{
    aa_generation_t *g = NULL;
    apr_size_t len = 0;
    aa_vm_t *vm;
    char *text = read_file(is, &len, why, policy->conf.file);

    if (!text)
        return NULL;
    if (was && was->conf.len == len && !memcmp(was->conf.source, text, len)) {
        free(text);
        return NULL;
    }
    g = calloc(1, sizeof(*g));
    if (!g) {
        free(text);
        *why = describe(policy->conf.file, "no memory");
        return NULL;
    }
    g->conf = (aa_vm_conf_t){.name = policy->name,
                             .dir = policy->dir,
                             .source = text,
                             .len = len,
                             .routes = policy->conf.routes,
                             .budget = policy->conf.budget,
                             .memory = policy->conf.memory,
                             .log = policy->conf.log,
                             .baton = policy->conf.baton};
    g->identity = *is;
    vm = aa_vm_open(why, &g->conf);
    if (!vm) {
        if (!*why)
            *why = describe(policy->conf.file, "no memory");
        free_generation(g);
        return NULL;
    }
    g->authenticates = vm->authenticates;
    g->idle = vm;
    g->nidle = 1;
    set_id(g, policy);
    return g;
}

/* ------------------------------------------------------------------ reload */

static void say(const aa_policy_t *policy, aa_policy_log_e about,
                const char *format, const char *what)
{
    char line[WHY_MAX + 64];

    if (!policy->conf.log)
        return;
    snprintf(line, sizeof(line), format, what);
    policy->conf.log(policy->conf.baton, about, line);
}

/* Make g the newest; the old one goes with its last user. */
static void swap_in(aa_policy_t *policy, aa_generation_t *g)
{
    aa_generation_t *old;
    char *stale;

    apr_thread_mutex_lock(policy->mutex);
    old = policy->current;
    policy->current = g;
    stale = policy->stale;
    policy->stale = NULL;
    old->is_old = 1;
    if (old->users)
        old = NULL;
    apr_thread_mutex_unlock(policy->mutex);
    free(stale);
    if (old)
        free_generation(old);
    say(policy, AA_POLICY_LOG_RELOAD, "policy %s was reloaded",
        policy->conf.file);
}

static void keep_old(aa_policy_t *policy, const identity_t *is, char *why)
{
    char *stale, *copy = strdup(why);

    apr_thread_mutex_lock(policy->mutex);
    stale = policy->stale;
    policy->stale = why;
    policy->refused = *is;
    apr_thread_mutex_unlock(policy->mutex);
    if (copy && (!stale || strcmp(stale, copy)))
        say(policy, AA_POLICY_LOG_BROKEN,
            "policy was not reloaded, the old one stays in use: %s", copy);
    free(stale);
    free(copy);
}

/* The text in use was seen again, perhaps after a broken one. */
static void set_fresh(aa_policy_t *policy, const identity_t *is)
{
    char *stale;

    apr_thread_mutex_lock(policy->mutex);
    policy->current->identity = *is;
    stale = policy->stale;
    policy->stale = NULL;
    apr_thread_mutex_unlock(policy->mutex);
    if (stale)
        say(policy, AA_POLICY_LOG_RELOAD, "policy %s is as before again",
            policy->conf.file);
    free(stale);
}

/* 1: nothing to do, from the file's times alone. */
static int is_known(aa_policy_t *policy)
{
    const identity_t *known;
    identity_t is = {0};
    struct stat st;
    int same;

    if (stat(policy->conf.file, &st))
        is.error = errno;
    else
        is = identity_of(&st);
    apr_thread_mutex_lock(policy->mutex);
    known = policy->stale ? &policy->refused : &policy->current->identity;
    same = same_identity(known, &is) && (known->settled || known->error);
    apr_thread_mutex_unlock(policy->mutex);
    return same;
}

/* Only the thread that holds the claim comes here, so that current changes
 * under nobody else's hands. */
static void look(aa_policy_t *policy)
{
    aa_generation_t *g;
    char *why = NULL;
    identity_t is;

    if (is_known(policy))
        return;
    g = load(&is, &why, policy, policy->current);
    if (g)
        swap_in(policy, g);
    else if (why)
        keep_old(policy, &is, why);
    else
        set_fresh(policy, &is);
}

/* One thread looks each time; the others go on with what there is. The claim
 * is the CAS from a time that is due to LOOKING and back. */
static void look_if_due(aa_policy_t *policy)
{
    const apr_int64_t looking = INT64_MAX;
    apr_int64_t now = monotonic();
    apr_int64_t next = __atomic_load_n(&policy->next, __ATOMIC_ACQUIRE);

    if (now < next ||
        !__atomic_compare_exchange_n(&policy->next, &next, looking, 0,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    look(policy);
    __atomic_store_n(&policy->next, monotonic() + policy->conf.interval,
                     __ATOMIC_RELEASE);
}

/* -------------------------------------------------------------------- lease */

apr_status_t aa_generation_take(aa_lease_t *lease, aa_policy_t *policy)
{
    aa_generation_t *g;
    char *why;

    look_if_due(policy);
    apr_thread_mutex_lock(policy->mutex);
    g = policy->current;
    g->users++;
    lease->vm = g->idle;
    if (lease->vm) {
        g->idle = lease->vm->next;
        g->nidle--;
    }
    apr_thread_mutex_unlock(policy->mutex);
    lease->generation = g;
    if (lease->vm)
        return APR_SUCCESS;
    lease->vm = aa_vm_open(&why, &g->conf);
    free(why);
    if (lease->vm)
        return APR_SUCCESS;
    aa_generation_return(policy, lease);
    return APR_ENOMEM;
}

void aa_generation_return(aa_policy_t *policy, aa_lease_t *lease)
{
    aa_generation_t *g = lease->generation;
    aa_vm_t *vm = lease->vm;
    int is_last;

    apr_thread_mutex_lock(policy->mutex);
    g->users--;
    if (vm && !g->is_old && g->nidle < AA_POLICY_STATES_MAX &&
        aa_vm_is_reusable(vm)) {
        vm->next = g->idle;
        g->idle = vm;
        g->nidle++;
        vm = NULL;
    }
    is_last = g->is_old && !g->users;
    apr_thread_mutex_unlock(policy->mutex);
    if (vm)
        aa_vm_close(vm);
    if (is_last)
        free_generation(g);
    lease->vm = NULL;
}

const char *aa_generation_id(const aa_generation_t *generation)
{
    return generation->id;
}

const aa_routes_t *aa_generation_routes(const aa_policy_t *policy)
{
    return policy->conf.routes;
}

/* --------------------------------------------------------------------- open */

static apr_status_t close_policy(void *baton)
{
    aa_policy_t *policy = baton;

    free_generation(policy->current);
    free(policy->stale);
    apr_thread_mutex_destroy(policy->mutex);
    return APR_SUCCESS;
}

apr_status_t aa_policy_open(aa_policy_t **ppolicy, const char **why,
                            const aa_policy_conf_t *conf, apr_pool_t *p)
{
    aa_policy_t *policy = apr_pcalloc(p, sizeof(*policy));
    aa_vm_conf_t name = {0};
    char *text = NULL;
    apr_status_t rv;
    identity_t is;

    *ppolicy = NULL;
    *why = "no memory";
    policy->conf = *conf;
    policy->conf.file = apr_pstrdup(p, conf->file);
    if (!policy->conf.budget)
        policy->conf.budget = AA_POLICY_BUDGET;
    if (!policy->conf.memory)
        policy->conf.memory = AA_POLICY_MEMORY;
    aa_vm_name(&name, policy->conf.file, p);
    policy->name = name.name;
    policy->dir = name.dir;
    rv = apr_thread_mutex_create(&policy->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return rv;
    policy->current = load(&is, &text, policy, NULL);
    if (!policy->current) {
        if (text)
            *why = apr_pstrdup(p, text);
        free(text);
        return is.error ? APR_FROM_OS_ERROR(is.error) : APR_EINVAL;
    }
    policy->next = monotonic() + policy->conf.interval;
    apr_pool_cleanup_register(p, policy, close_policy, apr_pool_cleanup_null);
    *why = NULL;
    *ppolicy = policy;
    return APR_SUCCESS;
}

const char *aa_policy_stale(aa_policy_t *policy, apr_pool_t *p)
{
    const char *why;

    look_if_due(policy);
    apr_thread_mutex_lock(policy->mutex);
    why = policy->stale ? apr_pstrdup(p, policy->stale) : NULL;
    apr_thread_mutex_unlock(policy->mutex);
    return why;
}

int aa_policy_authenticates(aa_policy_t *policy)
{
    int is;

    look_if_due(policy);
    apr_thread_mutex_lock(policy->mutex);
    is = policy->current->authenticates;
    apr_thread_mutex_unlock(policy->mutex);
    return is;
}
