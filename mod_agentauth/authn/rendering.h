/* SPDX-License-Identifier: Apache-2.0 */
/* A principal as text for the backend, made once for each list of claims. */
#ifndef AA_RENDERING_H
#define AA_RENDERING_H

#include "model/error.h"
#include "model/principal.h"

/**
 * The text for a list of claims, NULL-terminated, whose address identifies
 * it: configuration lists live as long as the process. Kept with the
 * principal while there is room, else made in @a p.
 * @return NULL when out of memory
 */
const aa_rendering_t *aa_principal_render(aa_principal_t *principal,
                                          const char *const *claims,
                                          apr_pool_t *p);

#endif
