/* The command line of holdfast-sim: one table of flags is the parser and the help. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/sim/plan.h"
#include "wire/why.h"

#include <stdbool.h>
#include <stdio.h>

enum command { COMMAND_HELP = 0, COMMAND_VERSION, COMMAND_ENROL, COMMAND_RUN, COMMAND_PLAN };

enum exit_code {
    EXIT_DONE = 0,
    EXIT_BAD =
        1, /* run: something was refused, lost or served that should not have been; enrol: not all have enrolled */
    EXIT_USAGE = 2,        /* the command line, this machine's limits */
    EXIT_NOT_ENROLLED = 3, /* the state folder holds too few identities */
};

/* Texts are borrowed from argv. */
struct options {
    enum command command;
    const char *server, *ca, *ca_sha256, *mqtt, *state, *prefix, *profile;
    uint64_t devices, sessions, first_session, seed, threads, sources, at_once, messages;
    double seconds, arrive_s, interval_s, storm_s, patience_s;
    bool json, mute, resume, leaf_only;
    struct mixture mixture; /* of profile */
};

/* ERR_MALFORMED: why says what is wrong. */
MUST err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT]);
void options_print_help(FILE *to);
