/* SPDX-License-Identifier: Apache-2.0 */
/* A request body as the events of a row see it and change it. */
#include "payload.h"
#include "value.h"

#include <string.h>

#include "apr_strings.h"

/* What the parser may be asked for: nesting takes stack, and a value of two
 * bytes takes a hundred times its text. Counted before it sees a byte; a comma
 * or bracket in a string is none.
 * @return NULL or what is wrong */
static const char *too_much(const char *text, apr_size_t len)
{
    int depth = 0, values = 0, in_string = 0;

    for (apr_size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else
                in_string = c != '"';
        }
        else if (c == '"') {
            in_string = 1;
        }
        else if (c == '[' || c == '{') {
            if (++depth > AA_POLICY_DEPTH_MAX)
                return "the body is nested too deep";
            values++;
        }
        else if (c == ']' || c == '}') {
            depth--;
        }
        else {
            values += c == ',';
        }
        if (values > AA_POLICY_VALUES_MAX)
            return "the body has too many values";
    }
    return NULL;
}

static apr_status_t parse(json_t **root, const char **why, aa_span_t text,
                          apr_pool_t *p)
{
    json_error_t error;

    if ((*why = too_much(text.text, text.len)))
        return APR_EINVAL;
    *root = aa_value_own(json_loadb(text.text, text.len,
                                    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                                    &error),
                         p);
    if (*root)
        return APR_SUCCESS;
    *why = apr_psprintf(p,
                        "the body is not one strict JSON text, see line "
                        "%d, column %d",
                        error.line, error.column);
    return APR_EINVAL;
}

static apr_status_t open_list(aa_body_t *body, const char **why, json_t *root,
                              apr_pool_t *p)
{
    int n = (int)json_array_size(root);
    aa_span_t *spans;

    if (!json_is_array(root)) {
        *why = "the body is no array";
        return APR_EINVAL;
    }
    if (json_array_size(root) > AA_POLICY_EVENTS_MAX) {
        *why = "the body has too many elements";
        return APR_EINVAL;
    }
    body->parts = apr_pcalloc(p, sizeof(*body->parts) * (apr_size_t)(n + 1));
    spans = apr_palloc(p, sizeof(*spans) * (apr_size_t)(n + 1));
    body->nparts = aa_splice_elements(spans, n, body->text);
    for (int i = 0; i < n; i++) {
        aa_part_t *part = &body->parts[i];

        part->root = json_array_get(root, (size_t)i);
        if (body->nparts != n || !json_is_object(part->root)) {
            *why = "the body's array contains what is no object";
            return APR_EINVAL;
        }
        part->text = part->origin = spans[i];
    }
    return APR_SUCCESS;
}

apr_status_t aa_body_open(aa_body_t *body, const char **why, const char *text,
                          apr_size_t len, int is_list, apr_pool_t *p)
{
    json_t *root = NULL;

    memset(body, 0, sizeof(*body));
    body->is_list = is_list;
    body->text.text = text ? text : "";
    body->text.len = text ? len : 0;
    if (!body->text.len)
        root = aa_value_own(json_object(), p);
    else if (parse(&root, why, body->text, p) != APR_SUCCESS)
        return APR_EINVAL;
    if (is_list)
        return open_list(body, why, root, p);
    if (!json_is_object(root)) {
        *why = "the body is no object";
        return APR_EINVAL;
    }
    body->parts = apr_pcalloc(p, sizeof(*body->parts));
    body->nparts = 1;
    body->parts->root = root;
    body->parts->text = body->parts->origin = body->text;
    return APR_SUCCESS;
}

/* The object that holds the last name of the path; made on the way when make
 * is set, else NULL. *last is that name. */
static json_t *holder(json_t *object, const char **last, const char *path,
                      int make, apr_pool_t *p)
{
    const char *dot;
    json_t *below;

    for (; (dot = strchr(path, '.')); path = dot + 1) {
        const char *key = apr_pstrmemdup(p, path, (apr_size_t)(dot - path));

        below = json_object_get(object, key);
        if (!json_is_object(below)) {
            if (!make)
                return NULL;
            json_object_set_new(object, key, json_object());
            below = json_object_get(object, key);
        }
        object = below;
    }
    *last = path;
    return object;
}

static apr_status_t change_one(aa_part_t *part, const aa_change_t *change,
                               apr_pool_t *p)
{
    const char *name = NULL;
    json_t *in = holder(part->root, &name, change->path, 0, p);
    json_t *was = in ? json_object_get(in, name) : NULL;
    aa_span_t text;
    apr_status_t rv;

    rv = aa_splice_member(&text, part->text, change->path, was, change->is, p);
    if (rv != APR_SUCCESS)
        return rv;
    if (text.len != part->text.len ||
        memcmp(text.text, part->text.text, text.len)) {
        part->text = text;
        part->is_changed = 1;
    }
    /* What later events see. */
    if (change->is) {
        in = holder(part->root, &name, change->path, 1, p);
        json_object_set(in, name, change->is);
    }
    else if (in) {
        json_object_del(in, name);
    }
    return APR_SUCCESS;
}

apr_status_t aa_body_change(aa_part_t *part, const apr_array_header_t *changes,
                            apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; changes && i < changes->nelts && rv == APR_SUCCESS; i++)
        rv = change_one(part, &APR_ARRAY_IDX(changes, i, aa_change_t), p);
    return rv;
}

aa_span_t aa_body_close(const aa_body_t *body, apr_pool_t *p)
{
    const char *from = body->text.text, *end = from + body->text.len;
    apr_size_t size = body->text.len + 1;
    aa_span_t whole = {NULL, 0};
    char *to = NULL;
    int changed = 0;

    for (int i = 0; i < body->nparts; i++) {
        changed |= body->parts[i].is_changed;
        size += body->parts[i].text.len;
    }
    if (!changed)
        return whole;
    whole.text = to = apr_palloc(p, size);
    for (int i = 0; i < body->nparts; i++) {
        const aa_part_t *part = &body->parts[i];

        memcpy(to, from, (apr_size_t)(part->origin.text - from));
        to += part->origin.text - from;
        memcpy(to, part->text.text, part->text.len);
        to += part->text.len;
        from = part->origin.text + part->origin.len;
    }
    memcpy(to, from, (apr_size_t)(end - from));
    to += end - from;
    *to = '\0';
    whole.len = (apr_size_t)(to - whole.text);
    return whole;
}
