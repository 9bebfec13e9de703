/* SPDX-License-Identifier: Apache-2.0 */
/* Reads secrets: file:PATH, env:NAME, exec:COMMAND, or the text itself.
 *
 * No message here repeats a byte of a secret, or of a text that may be one. */
#include <stdlib.h>
#include <string.h>

#include "apr_file_info.h"
#include "apr_file_io.h"
#include "apr_strings.h"
#include "apr_thread_proc.h"
#include "httpd/config.h"
#include "model/limits.h"

#define EXEC_TIMEOUT apr_time_from_sec(30)

/* Files and commands end their line; the secret does not. */
static void chomp(char *text, apr_size_t *len)
{
    if (*len && text[*len - 1] == '\n')
        text[--*len] = '\0';
    if (*len && text[*len - 1] == '\r')
        text[--*len] = '\0';
}

/* Everything up to the end, at most AA_SECRET_MAX bytes. */
static const char *drain(char **text, apr_size_t *len, apr_file_t *file,
                         apr_pool_t *p)
{
    char *buf = apr_palloc(p, AA_SECRET_MAX + 2);
    apr_status_t rv;

    rv = apr_file_read_full(file, buf, AA_SECRET_MAX + 1, len);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv))
        return "cannot be read";
    if (*len > AA_SECRET_MAX)
        return apr_psprintf(p, "gives more than %d bytes", AA_SECRET_MAX);
    buf[*len] = '\0';
    chomp(buf, len);
    *text = buf;
    return NULL;
}

static const char *from_file(char **text, apr_size_t *len, const char *path,
                             apr_pool_t *p)
{
    const char *file = ap_server_root_relative(p, path), *why;
    apr_file_t *f;
    apr_finfo_t info;
    apr_status_t rv;
    char buf[120];

    if (!file || !*path)
        return "file: needs a path";
    rv = apr_file_open(&f, file, APR_READ | APR_BINARY, APR_OS_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return apr_psprintf(p, "file:%s: %s", file,
                            apr_strerror(rv, buf, sizeof(buf)));
    rv = apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_PROT, f);
    if (rv != APR_SUCCESS || info.filetype != APR_REG)
        why = "is not a file";
    else if (info.protection &
             (APR_FPROT_WREAD | APR_FPROT_WWRITE | APR_FPROT_GWRITE))
        why = "can be read by everybody or written by others; chmod 600";
    else
        why = drain(text, len, f, p);
    apr_file_close(f);
    return why ? apr_psprintf(p, "file:%s %s", file, why) : NULL;
}

static const char *from_env(char **text, apr_size_t *len, const char *name,
                            apr_pool_t *p)
{
    const char *value = getenv(name);

    if (!*name || !value)
        return apr_psprintf(p,
                            "env:%s is not set in the environment of the "
                            "server",
                            name);
    *len = strlen(value);
    if (*len > AA_SECRET_MAX)
        return apr_psprintf(p, "env:%s has more than %d bytes", name,
                            AA_SECRET_MAX);
    *text = apr_pstrdup(p, value);
    return NULL;
}

static const char *run(apr_proc_t *proc, char *const *argv, apr_pool_t *p)
{
    apr_procattr_t *attr;
    apr_status_t rv;
    char buf[120];

    if ((rv = apr_procattr_create(&attr, p)) != APR_SUCCESS ||
        (rv = apr_procattr_io_set(attr, APR_NO_PIPE, APR_FULL_BLOCK,
                                  APR_NO_PIPE)) != APR_SUCCESS ||
        (rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV)) != APR_SUCCESS ||
        (rv = apr_procattr_error_check_set(attr, 1)) != APR_SUCCESS ||
        (rv = apr_proc_create(proc, argv[0], (const char *const *)argv, NULL,
                              attr, p)) != APR_SUCCESS)
        return apr_psprintf(p, "cannot be run: %s",
                            apr_strerror(rv, buf, sizeof(buf)));
    apr_file_pipe_timeout_set(proc->out, EXEC_TIMEOUT);
    return NULL;
}

/* The command's arguments may be secret too, so that only its name is told.
 * What a command prints before it fails is no secret of anybody's. */
static const char *from_exec(char **text, apr_size_t *len, const char *command,
                             apr_pool_t *p)
{
    apr_exit_why_e exit_why = APR_PROC_EXIT;
    int code = 0;
    apr_proc_t proc;
    char **argv;
    const char *why;

    if (apr_tokenize_to_argv(command, &argv, p) != APR_SUCCESS || !argv[0])
        return "exec: needs a command";
    why = run(&proc, argv, p);
    if (!why) {
        why = drain(text, len, proc.out, p);
        if (why)
            apr_proc_kill(&proc, SIGKILL);
        apr_file_close(proc.out);
        apr_proc_wait(&proc, &code, &exit_why, APR_WAIT);
        if (!why && (exit_why != APR_PROC_EXIT || code))
            why = apr_psprintf(p, "ended with status %d", code);
    }
    return why ? apr_psprintf(p, "exec:%s %s", argv[0], why) : NULL;
}

const char *aa_secret_read(const char **secret, apr_size_t *len,
                           const char *spec, apr_pool_t *p)
{
    const char *why = NULL;
    char *text = NULL;

    *secret = NULL;
    *len = 0;
    if (!strncmp(spec, "file:", 5))
        why = from_file(&text, len, spec + 5, p);
    else if (!strncmp(spec, "env:", 4))
        why = from_env(&text, len, spec + 4, p);
    else if (!strncmp(spec, "exec:", 5))
        why = from_exec(&text, len, spec + 5, p);
    else if ((*len = strlen(spec)) > AA_SECRET_MAX)
        why = apr_psprintf(p, "has more than %d bytes", AA_SECRET_MAX);
    else
        text = apr_pstrdup(p, spec);
    if (!why && !*len)
        why = "is empty";
    if (!why)
        *secret = text;
    return why;
}
