/* The agent's command line: one table of flags is the parser and the help. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/why.h"

#include <stdbool.h>
#include <stdio.h>

enum command { COMMAND_HELP = 0, COMMAND_VERSION, COMMAND_REFERENCE, COMMAND_ENROL, COMMAND_RUN, COMMAND_STATUS };

/* What the process ends with. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,       /* the network, the disk, the server */
    EXIT_USAGE = 2,        /* the command line, the settings */
    EXIT_NOT_ENROLLED = 3, /* this folder holds no identity */
    EXIT_REFUSED = 4,      /* the server, or what it showed, said no: trying again changes nothing */
};

/* Texts are borrowed from argv; NULL: not given. */
struct options {
    enum command command;
    const char *server, *ca, *ca_sha256, *id, *token_file;
    const char *folder, *config, *interval, *mqtt;
    bool token_stdin, new_key, json;
};

/* ERR_MALFORMED: why says what is wrong with the command line. */
MUST err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT]);
void options_print_help(FILE *to);
