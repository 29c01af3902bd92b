/* The launcher: binds the ports, starts the keeper and the server, restarts them when they fail, and stops them. It is the
 * only part that may be root, and parses nothing that comes from a network. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/server/settings.h"

struct launch {
    const struct server_settings *settings; /* borrowed */
    const char *const *arguments;           /* of this program: the server process is started with the same ones */
};

int launcher_run(const struct launch *launch); /* until SIGTERM or SIGINT; the exit status */
