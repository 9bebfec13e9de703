/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the backend for the objects of a request, before it may touch them.
 *
 * Locks first: from here to the head of the backend's answer nobody else
 * deletes an object and makes another of its name. What was learnt is kept for
 * the next request, under the version that was read before asking. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

/** One object to ask for. */
typedef struct question_t {
    const aa_ask_t *ask;
    const json_t *element; /* what {body.…} was read from */
    aa_filled_t filled;
    aa_side_t side;
    int creates;        /* it is made when it is missing */
    const json_t *fact; /* what it is matched by; NULL: it is missing */
    int fits;           /* it is there and matches */
} question_t;

/** All of one request. */
typedef struct questions_t {
    aa_task_t *task;
    question_t *list;
    int n;
} questions_t;

/* ---------------------------------------------------------- which objects */

static int creates(const aa_ask_t *ask, const json_t *element)
{
    const json_t *word;

    if (!ask->create)
        return 0;
    if (!ask->create->when_member)
        return 1;
    word = aa_member_at(element, ask->create->when_member);
    return json_is_string(word) &&
           !strcmp(json_string_value(word), ask->create->when_is);
}

static apr_status_t add(questions_t *all, const aa_ask_t *ask,
                        const json_t *element)
{
    aa_task_t *task = all->task;
    question_t *q = &all->list[all->n];
    const char *why;
    apr_status_t rv;

    if (all->n == AA_OBJECT_KEYS_MAX)
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "more than %d objects",
                              AA_OBJECT_KEYS_MAX);
    rv = aa_template_fill(&q->filled, &why, ask->path, task, element);
    if (rv == APR_ENOENT && ask->optional)
        return APR_SUCCESS;
    if (rv != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "%s: %s", ask->path,
                              why ? why : "the body does not name it");
    q->ask = ask;
    q->element = element;
    q->creates = creates(ask, element);
    q->side.target = q->filled.target;
    q->side.template = ask->path;
    q->side.same = ask->same;
    all->n++;
    return aa_task_key(&q->side.key, task, q->filled.canonical);
}

/* The members of the body that a template names. */
static void take_named(json_t *to, const json_t *body, const char *template,
                       apr_pool_t *p)
{
    while (template && (template = strstr(template, "{body."))) {
        const char *name =
            apr_pstrmemdup(p, template + 6, strcspn(template + 6, ".}"));
        json_t *value = json_object_get(body, name);

        if (value)
            json_object_set(to, name, value);
        template += 6;
    }
}

/* {"thread_ids":["a","b"]}: what is read of the body, with one of them in its
 * place. A body may be large, and this is done for each. */
static json_t *with_one(const char *member, const aa_ask_t *ask,
                        const json_t *body, json_t *one, apr_pool_t *p)
{
    json_t *to = aa_json_own(json_object(), p), *template;
    const char *key;

    take_named(to, body, ask->path, p);
    json_object_foreach((json_t *)ask->same, key, template)
        take_named(to, body, json_string_value(template), p);
    json_object_set(to, member, one);
    return to;
}

/* "/threads/{body.thread_id}/runs/{body.run_ids}": the last one is the list. */
static const char *last_of_body(const char *path)
{
    const char *last = NULL;

    for (; (path = strstr(path, "{body.")); path++)
        last = path;
    return last;
}

/* The list that is gone through. @param member of the body; NULL: all of it */
static const json_t *list_of(const char **member, const aa_task_t *task,
                             const aa_ask_t *ask)
{
    const char *at = last_of_body(ask->path);

    *member = NULL;
    if (task->rule->each || !at)
        return task->json;
    at += 6;
    *member = apr_pstrmemdup(task->p, at, strcspn(at, "}"));
    return json_object_get(task->json, *member);
}

static apr_status_t add_each(questions_t *all, const aa_ask_t *ask)
{
    const json_t *body = all->task->json;
    const char *member;
    const json_t *list = list_of(&member, all->task, ask);
    apr_status_t rv = APR_SUCCESS;
    json_t *one;
    size_t i;

    if (ask->optional && (!list || json_is_null(list)))
        return APR_SUCCESS;
    /* Else nothing would be asked, and the request would go on. */
    if (!json_is_array(list))
        return aa_task_refuse(all->task, AA_E_ENFORCE_BODY, "%s: it is no list",
                              ask->path);
    json_array_foreach((json_t *)list, i, one)
    {
        if (member)
            one = with_one(member, ask, body, one, all->task->p);
        if ((rv = add(all, ask, one)) != APR_SUCCESS)
            break;
    }
    return rv;
}

/* How many objects the row can ask for at most. */
static apr_size_t room(const aa_task_t *task)
{
    const json_t *list = task->json, *value;
    const char *key;
    apr_size_t most = json_array_size(list);

    if (json_is_object(list))
        json_object_foreach((json_t *)list, key,
                            value) if (json_array_size(value) > most) most =
            json_array_size(value);
    most = (most + 1) * (apr_size_t)task->rule->nasks;
    return most < AA_OBJECT_KEYS_MAX ? most : AA_OBJECT_KEYS_MAX;
}

static apr_status_t collect(questions_t *all)
{
    aa_task_t *task = all->task;
    const aa_rule_t *rule = task->rule;
    apr_size_t most = room(task);
    apr_status_t rv = APR_SUCCESS;

    all->list = apr_pcalloc(task->p, most * sizeof(*all->list));
    for (int i = 0; i < rule->nasks && rv == APR_SUCCESS; i++) {
        const aa_ask_t *ask = &rule->asks[i];

        rv = ask->each ? add_each(all, ask) : add(all, ask, task->json);
    }
    return rv;
}

/* ------------------------------------------------------------------- locks */

static int changes(const question_t *q)
{
    return q->creates || q->ask->hold == AA_HOLD_EXCLUSIVE;
}

static apr_status_t hold(questions_t *all)
{
    aa_task_t *task = all->task;
    aa_object_key_t *keys = apr_pcalloc(task->p, all->n * sizeof(*keys));
    aa_lock_e *locks = apr_pcalloc(task->p, all->n * sizeof(*locks));

    task->keys = apr_pcalloc(task->p, all->n * sizeof(*keys));
    for (int i = 0; i < all->n; i++) {
        keys[i] = all->list[i].side.key;
        locks[i] = changes(&all->list[i]) ? AA_LOCK_EXCLUSIVE : AA_LOCK_SHARED;
        if (changes(&all->list[i]))
            task->keys[task->nkeys++] = keys[i];
    }
    if (task->nkeys > AA_OBJECT_CHANGES_MAX) {
        task->nkeys = 0;
        return aa_task_refuse(task, AA_E_ENFORCE_BODY,
                              "more than %d objects are changed",
                              AA_OBJECT_CHANGES_MAX);
    }
    if (aa_object_hold(&task->hold, task->objects, keys, locks, all->n,
                       AA_ENFORCE_HOLD_WAIT, task->p) == APR_SUCCESS)
        return APR_SUCCESS;
    task->nkeys = 0;
    return aa_task_refuse(task, AA_E_BUSY, "others hold the object");
}

/* ------------------------------------------------------------- deleted ones */

/* 1 when it would be made, and its id was somebody else's. */
static int barred(const question_t *q, const aa_task_t *task)
{
    unsigned char who[32];

    if (!q->creates && (q->ask->absent == AA_ABSENT_HIDDEN || !changes(q)))
        return 0;
    return aa_task_who(who, task) != APR_SUCCESS ||
           aa_object_barred(task->objects, &q->side.key, who);
}

/* Before the backend hears of it: who asks meanwhile waits for the lock. */
static apr_status_t retire(const questions_t *all)
{
    aa_task_t *task = all->task;
    unsigned char who[32];

    for (int i = 0; i < all->n; i++)
        if (all->list[i].ask->retires &&
            (aa_task_who(who, task) != APR_SUCCESS ||
             aa_object_retire(task->objects, &all->list[i].side.key, who) !=
                 APR_SUCCESS))
            return aa_task_refuse(task, AA_E_INTERNAL, "SHA-256 failed");
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- matching */

/* A run is of the thread that it was asked for under. */
static int belongs(const question_t *q, aa_task_t *task)
{
    json_t *same = (json_t *)q->ask->same, *template;
    const json_t *known = json_object_get(q->fact, "same");
    const char *key;

    json_object_foreach(same, key, template)
    {
        const char *is = json_string_value(json_object_get(known, key));
        const char *shall;

        if (!is ||
            aa_template_text(&shall, json_string_value(template), task,
                             q->element) != APR_SUCCESS ||
            strcmp(aa_one_spelling(is, task->p),
                   aa_one_spelling(shall, task->p)))
            return 0;
    }
    return 1;
}

static int matches(const question_t *q, aa_task_t *task)
{
    const json_t *exempt = q->ask->exempt;

    if (!belongs(q, task))
        return 0;
    if ((q->ask->events && !q->ask->events[0]) ||
        (exempt && aa_member_has(json_object_get(q->fact, "view"), exempt)))
        return 1;
    return aa_known_matches(q->fact, aa_task_filter(task, q->ask->events));
}

/* ------------------------------------------------------------------- facts */

static apr_status_t ask_backend(question_t *q, aa_task_t *task)
{
    apr_uint64_t version = aa_object_version(task->objects, &q->side.key);
    aa_backend_answer_t answer;
    json_t *object;
    apr_status_t rv =
        aa_task_query(&answer, task, "GET", q->filled.target, NULL, 0);

    q->fact = NULL;
    if (rv != APR_SUCCESS || answer.status == 404)
        return rv;
    if (answer.status >= 300) { /* no such name can be: in its own words */
        aa_task_pass(task, &answer, task->p);
        return APR_SUCCESS;
    }
    if ((rv = aa_task_json(&object, task, &answer)) != APR_SUCCESS)
        return rv;
    if (json_is_null(object)) /* how some stores say that there is nothing */
        return APR_SUCCESS;
    if (!json_is_object(object))
        return aa_task_refuse(task, AA_E_BACKEND, "GET %s: no JSON object",
                              q->filled.target);
    q->fact = aa_known_of(task, &q->side, object);
    q->fits = matches(q, task);
    aa_known_keep(task, &q->side, version, q->fact, object);
    return APR_SUCCESS;
}

static void look_up(question_t *q, aa_task_t *task)
{
    q->fact = aa_known_recall(task, &q->side);
    q->fits = q->fact && matches(q, task);
}

/* One asks, those who wanted to know the same meanwhile look again. What is
 * known lets through only: who is refused costs a question, as who asks for a
 * missing object does. */
static apr_status_t learn(question_t *q, aa_task_t *task)
{
    aa_hold_t *flight;
    apr_status_t rv;

    look_up(q, task);
    if (q->fits)
        return APR_SUCCESS;
    rv = aa_object_flight(&flight, task->objects, &q->side.key,
                          AA_BACKEND_TIMEOUT, task->p);
    if (rv != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_BUSY, "others ask for %s already",
                              q->filled.target);
    look_up(q, task);
    if (!q->fits) {
        /* What cannot be kept must not be asked for one after the other. */
        if (aa_object_waited(flight))
            aa_object_release(flight);
        rv = ask_backend(q, task);
    }
    aa_object_release(flight);
    return rv;
}

/* ---------------------------------------------------------------- judging */

/* An object that is not there: what is sent stands for it. */
static int sent_matches(const question_t *q, const aa_task_t *task)
{
    json_t *filter = aa_task_filter(task, q->ask->events);

    return !filter ||
           aa_filter_match(filter,
                           aa_task_view(task, task->rule->match, q->element));
}

static int may_be_absent(const question_t *q, const aa_task_t *task)
{
    switch (q->ask->absent) {
    case AA_ABSENT_FINE:
        return 1;
    case AA_ABSENT_MATCHING:
        return sent_matches(q, task);
    default:
        return 0;
    }
}

static apr_status_t judge(question_t *q, aa_task_t *task)
{
    const char *what = NULL;

    if (q->fact ? q->fits
                : (q->creates || may_be_absent(q, task)) && !barred(q, task))
        return APR_SUCCESS;
    what = q->fact ? " does not match" : " is missing, or was another's";
    return aa_task_hide(task, q->ask,
                        apr_pstrcat(task->p, q->filled.target, what, NULL));
}

/* Nothing could come out of it that changes what is done. */
static int needless(const question_t *q, const aa_task_t *task)
{
    const aa_ask_t *ask = q->ask;

    return !q->creates && !ask->same && ask->absent == AA_ABSENT_FINE &&
           !aa_task_filter(task, ask->events) && !barred(q, task);
}

static apr_status_t settle(question_t *q, aa_task_t *task)
{
    apr_status_t rv;

    if (needless(q, task))
        return APR_SUCCESS;
    rv = learn(q, task);
    if (rv == APR_SUCCESS && !task->reply)
        rv = judge(q, task);
    if (rv == APR_SUCCESS && !task->reply && !q->fact && q->creates)
        rv = aa_step_create(task, q->ask, q->element);
    return rv;
}

apr_status_t aa_step_ask(aa_task_t *task)
{
    questions_t all = {.task = task};
    apr_status_t rv;

    if (!task->rule->nasks)
        return APR_SUCCESS;
    rv = collect(&all);
    if (rv == APR_SUCCESS && all.n)
        rv = hold(&all);
    for (int i = 0; i < all.n && rv == APR_SUCCESS && !task->reply; i++)
        rv = settle(&all.list[i], task);
    if (rv == APR_SUCCESS && !task->reply)
        rv = retire(&all);
    /* Who asks from now on learns of the object as it will be. */
    for (int i = 0; i < task->nkeys; i++)
        aa_object_bump(task->objects, &task->keys[i]);
    return rv;
}
