/* A program's settings as a program would declare them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/settings.h"

struct sample_settings {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) SETTING_FIELD_##TYPE(member, max)
#include "settings_sample.def"
#undef SETTING
};

static const struct setting sample_rows[] = {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence)                                         \
    SETTING_ROW(struct sample_settings, member, TYPE, name, initial, min, max, unit, reload, sentence)
#include "settings_sample.def"
#undef SETTING
};

static const struct settings_table sample_table = SETTINGS_TABLE(sample_rows, struct sample_settings);
