/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as people write them: 300ms 30s 10min 10m 8h 30d 1h30m. */
#ifndef AA_DURATION_H
#define AA_DURATION_H

#include "apr_time.h"
#include "model/error.h"

/**
 * @param out microseconds, more than 0 and at most 100 years
 * @return APR_SUCCESS; APR_EINVAL for anything else, a bare number included
 */
AA_CHECKED apr_status_t aa_duration_parse(apr_interval_time_t *out,
                                          const char *text);

#endif
