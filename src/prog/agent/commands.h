/* The commands of the agent's program. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/agent/options.h"
#include "prog/agent/settings.h"

/* Each borrows what it is given, says on stderr what went wrong, and answers what the process is to end with. */
enum exit_code command_enrol(const struct options *options, const struct agent_settings *settings);
enum exit_code command_run(const struct options *options, const struct agent_settings *settings);
enum exit_code command_status(const struct options *options, const struct agent_settings *settings);

/* Holds the folder for this process: ERR_EXISTS when another agent runs in it. */
MUST err folder_lock(const char *folder, int *fd_out);

/* The state that the running agent leaves for command_status: a JSON object, replaced when the link changes. */
#define STATE_FILE "state.json"
enum { STATE_MAX = 4096 };
