/* Bearer secrets: whoever shows one is let in. Enrolment tokens, sessions and the set-up link are such secrets: 160
 * random bits as 32 letters and digits (RFC 4648 base32 in lower case). Only their SHA-256 is ever kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "core/write.h"

enum { BEARER_TEXT = 32 }; /* bytes */

MUST err bearer_make(const struct dice *dice, struct secret *text, uint8_t hash[TOKEN_HASH]);
/* ERR_MALFORMED: not of the form above, so it cannot be one of ours. */
MUST err bearer_hash(struct bytes text, uint8_t hash[TOKEN_HASH]);
