/* The server process: composed in compose.c, run here. Started by the launcher with its descriptors at fixed places. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/server/settings.h"

enum server_descriptor {
    SERVER_KEEPER = 3,   /* the channel to the keeper */
    SERVER_LAUNCHER = 4, /* a channel: one message, the start-up text, once the doors are open */
    SERVER_PORTS = 5,    /* the first of the listening sockets, each at its place in enum port */
};

/* Runs until SIGTERM or SIGINT; the exit status. 0: stopped in order. */
int server_run(const struct server_settings *settings);
