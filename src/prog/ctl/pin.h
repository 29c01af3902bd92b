/* Trust on first use, by a hash that came another way: the server's own first words, a colleague, a printed page. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "prog/ctl/outcome.h"

/* Appends the server's root certificate (PEM) when the SHA-256 of its DER is `hex`. UNREACHED: it is another one.
 * USAGE: hex is no SHA-256. */
OUTCOME pin_fetch(const char *server, const char *hex, struct buffer *pem);
