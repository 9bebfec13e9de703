/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print: complaints on stderr, results on stdout. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "cli/command.h"

static void complain(const char *fmt, va_list ap)
{
    fputs("agentauth: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int aa_cli_usage(const aa_cli_t *cli, const char *fmt, ...)
{
    va_list ap;

    (void)cli;
    va_start(ap, fmt);
    complain(fmt, ap);
    va_end(ap);
    return AA_EXIT_USAGE;
}

int aa_cli_fail(const aa_cli_t *cli, const char *fmt, ...)
{
    va_list ap;

    (void)cli;
    va_start(ap, fmt);
    complain(fmt, ap);
    va_end(ap);
    return AA_EXIT_FAILURE;
}

int aa_cli_refused(const aa_cli_t *cli, apr_status_t rv, const aa_error_t *err)
{
    char text[256];
    const char *reason = err->reason;

    if (!reason)
        reason = apr_strerror(rv, text, sizeof(text));
    if (err->code)
        return aa_cli_fail(cli, "%s (agentauth explain %s)", reason,
                           aa_codes[err->code].number);
    return aa_cli_fail(cli, "%s", reason);
}

int aa_cli_json(const aa_cli_t *cli, json_t *value)
{
    const char *text = aa_json_dump(aa_json_own(value, cli->pool), cli->pool);

    if (!text)
        return aa_cli_fail(cli, "out of memory");
    puts(text);
    return AA_EXIT_FINE;
}

const char *aa_cli_time(const aa_cli_t *cli, apr_time_t time)
{
    apr_time_exp_t at;

    if (!time || apr_time_exp_gmt(&at, time) != APR_SUCCESS)
        return NULL;
    return apr_psprintf(cli->pool, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        at.tm_year + 1900, at.tm_mon + 1, at.tm_mday,
                        at.tm_hour, at.tm_min, at.tm_sec);
}

json_t *aa_cli_time_json(const aa_cli_t *cli, apr_time_t time)
{
    const char *text = aa_cli_time(cli, time);

    return text ? json_string(text) : json_null();
}

json_t *aa_cli_strings_json(const char *const *list)
{
    json_t *array;

    if (!list)
        return json_null();
    array = json_array();
    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

void aa_cli_text_add(json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new(object, name, json_string(text));
}

const char *aa_cli_strings(const aa_cli_t *cli, const char *const *list,
                           const char *none)
{
    const char *joined = "";

    if (!list)
        return none;
    for (const char *const *at = list; *at; at++)
        joined =
            apr_pstrcat(cli->pool, joined, at == list ? "" : ",", *at, NULL);
    return *joined ? joined : "-";
}
