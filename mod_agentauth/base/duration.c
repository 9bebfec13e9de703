/* SPDX-License-Identifier: Apache-2.0 */
/* Reads durations with units; httpd's own parser knows no bare "m". */
#include <string.h>

#include "base/duration.h"

#define CENTURY (36500LL * 24 * 3600 * APR_USEC_PER_SEC)

static const struct {
    const char *unit;
    apr_interval_time_t usec;
} units[] = {
    {"ms", 1000},
    {"min", 60LL * APR_USEC_PER_SEC},
    {"s", APR_USEC_PER_SEC},
    {"m", 60LL * APR_USEC_PER_SEC},
    {"h", 3600LL * APR_USEC_PER_SEC},
    {"d", 86400LL * APR_USEC_PER_SEC},
};

static apr_interval_time_t unit_read(const char **text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        size_t len = strlen(units[i].unit);

        if (!strncmp(*text, units[i].unit, len)) {
            *text += len;
            return units[i].usec;
        }
    }
    return 0;
}

apr_status_t aa_duration_parse(apr_interval_time_t *out, const char *text)
{
    apr_interval_time_t sum = 0;

    *out = 0;
    do {
        apr_interval_time_t n = 0, unit;
        const char *digits = text;

        for (; *text >= '0' && *text <= '9'; text++)
            if ((n = n * 10 + (*text - '0')) > CENTURY)
                return APR_EINVAL;
        if (text == digits || !(unit = unit_read(&text)) ||
            n > (CENTURY - sum) / unit)
            return APR_EINVAL;
        sum += n * unit;
    } while (*text);
    if (!sum)
        return APR_EINVAL;
    *out = sum;
    return APR_SUCCESS;
}
