/* Commands as data: one table drives parsing, --help and the advice when something is misspelled. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "prog/ctl/outcome.h"

enum { COMMAND_OPTIONS_MAX = 12, COMMAND_WORDS_MAX = 64 };

struct option {
    const char *name;  /* "--limit" */
    const char *value; /* "N", as the help shows it; NULL: the option stands alone */
    const char *help;
};

struct invocation;

struct command {
    const char *words;    /* "device show" */
    const char *argument; /* "ID": one must be given; NULL: none */
    const char *help;     /* a sentence */
    OUTCOME (*run)(const struct invocation *with);
    const struct option options[COMMAND_OPTIONS_MAX]; /* ends with {NULL} */
};

extern const struct command commands[];
extern const size_t command_count;

/* What the command line asks for. Borrows argv. */
struct invocation {
    const struct command *command;
    const char *argument;
    const char *values[COMMAND_OPTIONS_MAX]; /* by the option's place in its table; "" for one that stands alone */
    bool json, help;
};

/* Fills *out, or complains: USAGE. `help` without a command asks for the list of all. */
OUTCOME command_parse(int argc, char **argv, struct invocation *out);
const char *option_value(const struct invocation *with, const char *name); /* NULL: not given */
/* --help of one command, or of all for NULL, on standard output. */
void command_help(const struct command *command);
