/* Asking for a password. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/memory.h"
#include "prog/ctl/outcome.h"

/* On the terminal, without echo. LOCAL: there is no terminal. Ctrl-C ends the program, with the echo back on. */
OUTCOME secret_ask(const char *question, struct secret *out);
/* The first line of standard input, or all of it when there is one line only. */
OUTCOME secret_from_input(struct secret *out);
