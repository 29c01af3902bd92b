/* The settings of holdfastd: one table (settings.def) makes the struct, the parser, --check and the reference page. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/settings.h"

struct server_settings {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) SETTING_FIELD_##TYPE(member, max)
#include "prog/server/settings.def"
#undef SETTING
};

const struct settings_table *server_settings_table(void); /* a constant */
/* What no single row can say. ERR_REFUSED and a sentence in `why`: the settings contradict each other. */
MUST err server_settings_check(const struct server_settings *settings, char why[WHY_TEXT]);
