/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines from below the wall: the sink is given from above. */
#ifndef AA_LOG_H
#define AA_LOG_H

#include "apr_errno.h"
#include "model/error.h"

typedef enum aa_log_level_e {
    AA_LOG_ERROR,
    AA_LOG_WARNING,
    AA_LOG_NOTICE,
    AA_LOG_INFO,
    AA_LOG_DEBUG
} aa_log_level_e;

/** Receives one line, without its newline; must be thread-safe. */
typedef void aa_log_sink_fn(aa_log_level_e level, aa_code_e code,
                            apr_status_t rv, const char *line);

/** Set the process's sink; until then lines go to stderr. */
void aa_log_to(aa_log_sink_fn *sink);

/** Write a line; bytes below 0x20 and 0x7f come out as \xNN. No secrets. */
void aa_log(aa_log_level_e level, aa_code_e code, apr_status_t rv,
            const char *fmt, ...) AA_PRINTF(4, 5);

#endif
