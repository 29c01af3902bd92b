/* The agent's settings as a struct, from defaults, file, environment and flags, in this order. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/settings.h"

struct agent_settings {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) SETTING_FIELD_##TYPE(member, max)
#include "prog/agent/settings.def"
#undef SETTING
};

#define AGENT_CONFIG "/etc/holdfast/agent.yaml"

/* One setting from a flag; a NULL text is none. */
struct agent_flag {
    const char *name, *text;
};

/* `config` NULL: AGENT_CONFIG when it is there. On an error why is a sentence about what to change. */
MUST err agent_settings_read(const char *config, const struct agent_flag *flags, size_t flag_count,
                             struct agent_settings *out, char why[WHY_TEXT]);
const struct settings_table *agent_settings_table(void); /* a constant */
