/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: one row of a route map, checked and compiled. */
#ifndef AA_ROW_H
#define AA_ROW_H

#include "route.h"

#define AA_ROW_NAME_MAX 512    /* bytes of a path in a map */
#define AA_ROW_SEGMENTS_MAX 16 /* segments of a path in a map */
#define AA_ROW_MEMBERS_MAX 64  /* members of one table of a value */

/**
 * Compile what aa_map_run made of one row.
 * @param route filled; points into @a row, which must live as long
 * @param gateway its rule will be used, so that it must fit the row
 * @param why   on APR_EINVAL "METHOD /path: what is wrong; did you mean …?"
 */
apr_status_t aa_row_compile(aa_route_t *route, const char **why,
                            const json_t *row, int gateway, apr_pool_t *p);

#endif
