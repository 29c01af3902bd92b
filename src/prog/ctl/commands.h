/* What the commands do. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/ctl/command.h"

OUTCOME run_sign_in(const struct invocation *with);
OUTCOME run_sign_out(const struct invocation *with);
OUTCOME run_devices(const struct invocation *with);
OUTCOME run_device_show(const struct invocation *with);
OUTCOME run_device_delete(const struct invocation *with);
OUTCOME run_telemetry(const struct invocation *with);
OUTCOME run_events(const struct invocation *with);
OUTCOME run_sessions_list(const struct invocation *with);
OUTCOME run_sessions_show(const struct invocation *with);
OUTCOME run_sessions_kick(const struct invocation *with);
OUTCOME run_tail(const struct invocation *with);
OUTCOME run_drain(const struct invocation *with);
OUTCOME run_drain_on(const struct invocation *with);
OUTCOME run_drain_off(const struct invocation *with);
OUTCOME run_token_create(const struct invocation *with);
OUTCOME run_token_list(const struct invocation *with);
OUTCOME run_token_delete(const struct invocation *with);
OUTCOME run_health(const struct invocation *with);
