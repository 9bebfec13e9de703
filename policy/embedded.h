/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua files that are compiled in; scripts/embed makes their arrays. */
#ifndef AA_EMBEDDED_H
#define AA_EMBEDDED_H

#include <stddef.h>

/* Each ends with a NUL that its length does not count. */
extern const unsigned char aa_embedded_agentauth[]; /* lua/agentauth.lua */
extern const size_t aa_embedded_agentauth_len;
extern const unsigned char aa_embedded_langgraph[]; /* routes/langgraph.lua */
extern const size_t aa_embedded_langgraph_len;
extern const unsigned char aa_embedded_crud[]; /* routes/crud.lua */
extern const size_t aa_embedded_crud_len;

#endif
