/* Why a document was refused, in one sentence for whoever wrote the document. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

/* A decoder that can say more than its fault takes a `char why[WHY_TEXT]` and fills it when, and only when, it
 * fails. */
enum { WHY_TEXT = 256 };

/* Writes the sentence, cut to fit. What the peer sent may stand in it: bytes that are no UTF-8 and control
 * characters come out as "?", so that a reason can be logged, put into JSON and shown on a terminal. */
void why_say(char why[WHY_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
