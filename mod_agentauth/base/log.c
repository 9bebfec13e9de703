/* SPDX-License-Identifier: Apache-2.0 */
/* Formats a log line, makes it harmless, hands it to the sink. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define LINE_MAX_BYTES 2048

static void to_stderr(aa_log_level_e level, aa_code_e code, apr_status_t rv,
                      const char *line)
{
    (void)level;
    (void)rv;
    if (code)
        fprintf(stderr, "%s: ", aa_codes[code].number);
    fprintf(stderr, "%s\n", line);
}

static aa_log_sink_fn *sink = to_stderr;

void aa_log_to(aa_log_sink_fn *to)
{
    sink = to ? to : to_stderr;
}

/* A line of ours must stay one line, whatever a token or a peer put in it. */
static void escape(char *out, apr_size_t size, const char *in)
{
    apr_size_t n = 0;

    for (; *in && n + 5 < size; in++) {
        unsigned char c = (unsigned char)*in;

        if (c >= 0x20 && c != 0x7f)
            out[n++] = (char)c;
        else
            n += (apr_size_t)snprintf(out + n, size - n, "\\x%02x", c);
    }
    out[n] = '\0';
}

void aa_log(aa_log_level_e level, aa_code_e code, apr_status_t rv,
            const char *fmt, ...)
{
    char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    escape(line, sizeof(line), raw);
    sink(level, code, rv, line);
}
