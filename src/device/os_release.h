/* os-release(5): which operating system this is. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* The value of key with its quotes and escapes taken off; the last assignment wins, as in a shell. Copies it into out,
 * room bytes with the NUL. ERR_ABSENT: no such key. ERR_MALFORMED: a quote that does not close, a control character.
 * ERR_TOO_LARGE: no room. out is "" on an error. */
MUST err os_release_value(struct bytes text, const char *key, char *out, size_t room);
