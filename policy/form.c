/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a route map, read word by word: nothing is guessed. */
#include <stdarg.h>

#include "apr_strings.h"

#include "form.h"
#include "word.h"

int aa_form_fail(aa_form_t *form, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    form->why = apr_pvsprintf(form->p, fmt, ap);
    va_end(ap);
    return 0;
}

const char *const *aa_form_terminated(apr_array_header_t *words)
{
    APR_ARRAY_PUSH(words, const char *) = NULL;
    words->nelts--;
    return (const char *const *)words->elts;
}

json_t *aa_form_item(const json_t *table, int n)
{
    char key[16];

    if (json_is_array(table))
        return json_array_get(table, (size_t)n - 1);
    apr_snprintf(key, sizeof(key), "%d", n);
    return json_object_get(table, key);
}

static int is_item(const json_t *table, const json_t *value, int n)
{
    int i;

    for (i = 1; i <= n; i++)
        if (aa_form_item(table, i) == value)
            return 1;
    return 0;
}

int aa_form_fields(aa_form_t *form, const json_t *table, const char *what,
                   const char *const *words, int n)
{
    json_t *source = (json_t *)table, *value;
    const char *key;

    if (json_is_array(table))
        return json_array_size(table) == (size_t)n
                   ? 1
                   : aa_form_fail(form, "%s begins with %d texts", what, n);
    if (!json_is_object(table))
        return aa_form_fail(form, "%s must be a table", what);
    json_object_foreach(source, key, value)
    {
        if (is_item(table, value, n))
            continue;
        if (aa_word_index(key, words) < 0)
            return aa_form_fail(form, "unknown word '%s' in %s%s", key, what,
                                aa_word_hint(key, words, form->p));
    }
    return 1;
}

int aa_form_flag(aa_form_t *form, int *flag, const json_t *table,
                 const char *name)
{
    const json_t *value = json_object_get(table, name);

    if (value && !json_is_boolean(value))
        return aa_form_fail(form, "%s must be true or false", name);
    *flag = json_is_true(value);
    return 1;
}

int aa_form_choice(aa_form_t *form, int *choice, const json_t *table,
                   const char *name, const char *const *words)
{
    const json_t *value = json_object_get(table, name);

    *choice = 0;
    if (!value)
        return 1;
    if (!json_is_string(value))
        return aa_form_fail(form, "%s must be a text", name);
    *choice = aa_word_index(json_string_value(value), words);
    if (*choice >= 0)
        return 1;
    return aa_form_fail(form, "%s '%s' is unknown%s", name,
                        json_string_value(value),
                        aa_word_hint(json_string_value(value), words, form->p));
}

int aa_form_texts(aa_form_t *form, apr_array_header_t *texts,
                  const json_t *list, const char *what)
{
    size_t i;

    if (list && !json_is_array(list) &&
        (!json_is_object(list) || json_object_size(list)))
        return aa_form_fail(form, "%s must be a list of texts", what);
    for (i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i)))
            return aa_form_fail(form, "%s must be a list of texts", what);
        APR_ARRAY_PUSH(texts, const char *) =
            json_string_value(json_array_get(list, i));
    }
    return 1;
}
