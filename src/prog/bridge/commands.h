/* The commands of the bridge's program. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/bridge/options.h"
#include "prog/bridge/settings.h"

/* Each borrows what it is given, says on stderr what went wrong, and answers what the process is to end with. */
enum exit_code command_run(const struct bridge_plan *plan);
enum exit_code command_check(const struct bridge_plan *plan);
enum exit_code command_status(const struct options *options, const struct bridge_plan *plan);

/* Holds the folder for this process: ERR_EXISTS when another bridge or agent runs in it. */
MUST err folder_lock(const char *folder, int *fd_out);
