/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of enforcement: makes the backend that is in memory. */
#ifndef ENFORCE_BACKEND_H
#define ENFORCE_BACKEND_H

#include "enforce_stage.h"

void fake_open(fake_t *fake, apr_pool_t *p);

#endif
