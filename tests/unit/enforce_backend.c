/* SPDX-License-Identifier: Apache-2.0 */
/* A backend in memory: objects by their path, pages of a search, and on
 * command any other answer. */
#include <stdlib.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce_backend.h"

/** One question under way. */
typedef struct question_t {
    fake_t *fake;
    aa_backend_answer_t *answer;
    const char *target;
    json_t *body;
    apr_pool_t *p;
} question_t;

static void answers(question_t *q, int status, const json_t *json)
{
    const char *text =
        json ? aa_splice_dump(json, q->p).text : "{\"message\":\"no\"}";

    q->answer->status = status;
    q->answer->content_type = "application/json";
    q->answer->body = text;
    q->answer->len = strlen(text);
    q->answer->headers = apr_table_make(q->p, 1);
}

/* ------------------------------------------------------------ one object */

/* "/threads" names its objects by "thread_id", "/items" by "id". */
static const char *id_name(const char *path)
{
    return !strncmp(path, "/threads", 8)       ? "thread_id"
           : !strncmp(path, "/assistants", 11) ? "assistant_id"
                                               : "id";
}

static json_t *made(question_t *q, const char **path)
{
    json_t *object = aa_json_own(json_deep_copy(q->body), q->p);
    const char *name = id_name(q->target);
    const char *id = json_string_value(json_object_get(object, name));

    id = id ? apr_pstrdup(q->p, id) : NULL;
    if (!id)
        id = apr_psprintf(q->p, "made-%d", ++q->fake->made);
    json_object_set_new(object, name, json_string(id));
    json_object_del(object, "if_exists");
    *path = apr_pstrcat(q->p, q->target, "/", id, NULL);
    return object;
}

static void create(question_t *q)
{
    const char *path, *word;
    json_t *object = made(q, &path), *was;

    was = json_object_get(q->fake->objects, path);
    word = json_string_value(json_object_get(q->body, "if_exists"));
    if (was && word && !strcmp(word, "do_nothing"))
        answers(q, 200, was);
    else if (was)
        answers(q, 409, NULL);
    else {
        json_object_set(q->fake->objects, path, object);
        answers(q, 200, object);
    }
}

/* A run for each element. */
static void batch(question_t *q)
{
    json_t *runs = aa_json_own(json_array(), q->p);

    for (size_t i = 0; i < json_array_size(q->body); i++)
        json_array_append_new(
            runs, json_pack("{s:o}", "run_id",
                            json_sprintf("made-%d", ++q->fake->made)));
    answers(q, 200, runs);
}

static void copy(question_t *q)
{
    const char *path = apr_pstrmemdup(q->p, q->target, strlen(q->target) - 5);
    json_t *was = json_object_get(q->fake->objects, path);

    if (!was) {
        answers(q, 404, NULL);
        return;
    }
    q->body = aa_json_own(json_deep_copy(was), q->p);
    q->target = "/threads";
    json_object_del(q->body, "thread_id");
    create(q);
}

static void patch(question_t *q, json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_t *change = json_object_get(q->body, "metadata");

    if (json_is_object(metadata) && json_is_object(change))
        json_object_update(metadata, change);
    answers(q, 200, object);
}

static void one_object(question_t *q, const char *method)
{
    json_t *object = json_object_get(q->fake->objects, q->target);

    if (!object)
        answers(q, 404, NULL);
    else if (!strcmp(method, "GET"))
        answers(q, 200, object);
    else if (!strcmp(method, "PATCH"))
        patch(q, object);
    else {
        json_object_del(q->fake->objects, q->target);
        answers(q, 204, json_null());
    }
}

/* -------------------------------------------------------------- searches */

static int below(const char *path, const char *collection)
{
    size_t n = strlen(collection);

    return !strncmp(path, collection, n) && path[n] == '/' &&
           !strchr(path + n + 1, '/');
}

static json_t *selected(json_t *object, const json_t *fields)
{
    json_t *out = json_object(), *field;
    size_t i;

    if (!json_is_array(fields)) {
        json_decref(out);
        return json_incref(object);
    }
    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(field);

        if (json_object_get(object, name))
            json_object_set(out, name, json_object_get(object, name));
    }
    return out;
}

static int found(const question_t *q, const json_t *object)
{
    const json_t *wanted = json_object_get(q->body, "metadata");

    return !json_is_object(wanted) || q->fake->deaf ||
           aa_member_has(json_object_get(object, "metadata"), wanted);
}

static void search(question_t *q, const char *collection, long limit,
                   long offset)
{
    json_t *list = aa_json_own(json_array(), q->p), *object;
    const char *path;

    if (q->fake->stubborn) {
        limit = 1000000;
        offset = 0;
    }
    json_object_foreach(q->fake->objects, path, object)
    {
        if (!below(path, collection) || !found(q, object) || offset-- > 0)
            continue;
        if (json_array_size(list) < (size_t)limit)
            json_array_append_new(
                list, selected(object, json_object_get(q->body, "select")));
    }
    answers(q, 200, list);
}

static long number_in(const json_t *body, const char *name, long otherwise)
{
    const json_t *value = json_object_get(body, name);

    return value ? (long)json_integer_value(value) : otherwise;
}

static long number_of(const char *query, const char *name, long otherwise)
{
    const char *at = strstr(query, name);

    return at ? atol(at + strlen(name)) : otherwise;
}

/* ---------------------------------------------------------------- the door */

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

static void by_itself(question_t *q, const char *method)
{
    const char *mark = strchr(q->target, '?');
    const char *path = apr_pstrmemdup(q->p, q->target, strcspn(q->target, "?"));

    if (mark && strstr(mark, "limit="))
        search(q, path, number_of(mark, "limit=", 10),
               number_of(mark, "offset=", 0));
    else if (ends_with(path, "/search"))
        search(q, apr_pstrmemdup(q->p, path, strlen(path) - 7),
               number_in(q->body, "limit", 10),
               number_in(q->body, "offset", 0));
    else if (ends_with(path, "/copy"))
        copy(q);
    else if (json_is_array(q->body))
        batch(q);
    else if (!strcmp(method, "POST"))
        create(q);
    else
        one_object(q, method);
}

static apr_status_t as_told(question_t *q, const json_t *told)
{
    int rv = (int)json_integer_value(json_object_get(told, "rv"));

    if (rv)
        return rv;
    answers(q, (int)json_integer_value(json_object_get(told, "status")), NULL);
    q->answer->content_type = json_string_value(json_object_get(told, "type"));
    q->answer->body = json_string_value(json_object_get(told, "body"));
    q->answer->len = strlen(q->answer->body);
    return APR_SUCCESS;
}

static apr_status_t ask(const aa_backend_t *backend,
                        aa_backend_answer_t *answer, const char **why,
                        const char *method, const char *target,
                        const char *body, apr_size_t len, apr_pool_t *p)
{
    fake_t *fake = backend->baton;
    question_t q = {fake, answer, target, NULL, p};
    const char *line = apr_pstrcat(p, method, " ", target, NULL);
    const json_t *told = json_object_get(fake->says, line);

    memset(answer, 0, sizeof(*answer));
    *why = "as the test says";
    json_array_append_new(fake->asked, json_string(line));
    json_array_append_new(fake->bodies,
                          body ? json_stringn(body, len) : json_null());
    q.body =
        aa_json_own(len ? json_loadb(body, len, 0, NULL) : json_object(), p);
    if (!told)
        told = json_object_get(fake->says, "*");
    if (told)
        return as_told(&q, told);
    by_itself(&q, method);
    return APR_SUCCESS;
}

void fake_open(fake_t *fake, apr_pool_t *p)
{
    fake->backend.name = "http://127.0.0.1:8123";
    fake->backend.ask = ask;
    fake->backend.baton = fake;
    fake->objects = aa_json_own(json_object(), p);
    fake->asked = aa_json_own(json_array(), p);
    fake->bodies = aa_json_own(json_array(), p);
    fake->says = aa_json_own(json_object(), p);
}
