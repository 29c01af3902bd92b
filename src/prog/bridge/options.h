/* The bridge's command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/why.h"

#include <stdbool.h>
#include <stdio.h>

enum command { COMMAND_HELP = 0, COMMAND_VERSION, COMMAND_REFERENCE, COMMAND_RUN, COMMAND_CHECK, COMMAND_STATUS };

/* What the process ends with. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,       /* the disk, the system */
    EXIT_USAGE = 2,        /* the command line, the settings, a file that they name */
    EXIT_NOT_ENROLLED = 3, /* the folder holds no identity */
    EXIT_NOT_RUNNING = 4,  /* status: no bridge runs in this folder */
};

/* Texts are borrowed from argv; NULL: not given. */
struct options {
    enum command command;
    const char *config, *folder;
    bool json;
};

/* ERR_MALFORMED: why says what is wrong with the command line. */
MUST err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT]);
void options_print_help(FILE *to);
