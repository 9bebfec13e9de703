/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: runs the text of a route map. */
#ifndef AA_MAP_H
#define AA_MAP_H

#include "agentpolicy.h"

#define AA_MAP_BUDGET 10000000             /* Lua instructions a map */
#define AA_MAP_MEMORY (16 * 1024 * 1024)   /* bytes of its Lua state */
#define AA_MAP_JSON_MAX (32 * 1024 * 1024) /* bytes its rows may become */
#define AA_MAP_DEPTH_MAX 16                /* nesting of a row */

/**
 * Run a map in a bare Lua state: no library, no other global than
 * `route path query body literal gateway`, bounded in instructions and memory.
 *
 * Each call of `route` appends {"line": n, "row": …} to @a rows. Tables become
 * arrays (keys 1 to n alone) or objects (numbers as decimal text). A source
 * becomes {"$from": "path"|"query"|"body", "$key": …, "$split": …,
 * "$except": …}, all but the first optional; literal(v) becomes {"$from":
 * "literal", "$value": v}.
 *
 * @param rows an array, filled as far as the map ran
 * @param why  on failure "FILE:LINE: …"
 * @param file what messages call the map
 * @param gateway the value of `gateway` in it, a boolean
 */
apr_status_t aa_map_run(json_t *rows, const char **why, const char *file,
                        const char *text, apr_size_t len, int gateway,
                        apr_pool_t *p);

#endif
