/* SPDX-License-Identifier: Apache-2.0 */
/* Words of directives: showing, taking, listing and refusing them. */
#include <stdarg.h>
#include <string.h>

#include "apr_strings.h"
#include "httpd/directives.h"
#include "base/spelling.h"

#define SHOWN_MAX 100 /* bytes of a value that a message repeats */

const char *aa_directive_shown(const char *value, apr_pool_t *p)
{
    size_t len = strlen(value);
    const char *text =
        len > SHOWN_MAX
            ? apr_pstrcat(p, apr_pstrmemdup(p, value, SHOWN_MAX), "...", NULL)
            : value;

    return apr_pstrcat(p, "'", ap_escape_logitem(p, text), "'", NULL);
}

const char *aa_directive_bad(cmd_parms *cmd, aa_code_e code, const char *fmt,
                             ...)
{
    const char *text;
    va_list ap;

    va_start(ap, fmt);
    text = apr_pvsprintf(cmd->pool, fmt, ap);
    va_end(ap);
    return apr_psprintf(cmd->pool, "%s: %s (%s)", cmd->cmd->name, text,
                        aa_codes[code].number);
}

const char *aa_directive_pick(int *value, cmd_parms *cmd, const char *arg,
                              const aa_word_t *words)
{
    aa_spelling_t spelling = {arg, NULL, 0};
    const char *all = "";

    for (const aa_word_t *w = words; w->word; w++) {
        if (w->value != AA_WORD_LATER) {
            all = apr_pstrcat(cmd->pool, all, " ", w->word, NULL);
            aa_spelling_offer(&spelling, w->word);
        }
    }
    for (const aa_word_t *w = words; w->word; w++) {
        if (ap_cstr_casecmp(w->word, arg))
            continue;
        if (w->value == AA_WORD_LATER)
            return aa_directive_bad(cmd, AA_E_CONF_NOT_YET,
                                    "'%s' is not available in this version; "
                                    "allowed:%s",
                                    w->word, all);
        *value = w->value;
        return NULL;
    }
    return aa_directive_bad(cmd, AA_E_CONF_VALUE, "%s is not one of%s%s",
                            aa_directive_shown(arg, cmd->pool), all,
                            aa_spelling_hint(&spelling, cmd->pool));
}

int aa_list_len(const char *const *list)
{
    int n = 0;

    while (list && list[n])
        n++;
    return n;
}

const char *const *aa_list_with(const char *const *list, const char *word,
                                apr_pool_t *p)
{
    int n = aa_list_len(list);
    const char **with = apr_pcalloc(p, ((size_t)n + 2) * sizeof(*with));

    if (n)
        memcpy(with, list, (size_t)n * sizeof(*with));
    with[n] = word;
    return with;
}

int aa_text_plain(const char *text, apr_size_t max, int spaces)
{
    apr_size_t len = strlen(text);

    if (!len || len > max || *text == ' ' || text[len - 1] == ' ')
        return 0;
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\' ||
            (*text == ' ' && !spaces))
            return 0;
    return 1;
}
