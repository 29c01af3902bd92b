/* Asking before something that cannot be undone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/ctl/outcome.h"

/* Prints the question, which names what is lost, and wants `name` typed again. USAGE, with a complaint: something else was
 * typed, or there is no terminal to ask on. */
OUTCOME confirm(const char *name, const char *question, ...) __attribute__((format(printf, 2, 3)));
