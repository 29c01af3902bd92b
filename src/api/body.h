/* The JSON body of a call. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/route.h"
#include "wire/json.h"

enum { BODY_MAX = 16384 }; /* bytes; more than any body of ours needs */

/* Parses the body and holds it against the table of members; what is wrong is refused by name. ERR_UNSUPPORTED (415):
 * the body does not say that it is JSON. Gives *root, which the members lend from; drop it with json_drop. */
MUST err body_read(struct visit *v, const struct json_member *members, size_t count, json_t **root);
