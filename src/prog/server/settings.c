/* The table of holdfastd's settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/settings.h"

static const struct setting rows[] = {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence)                                         \
    SETTING_ROW(struct server_settings, member, TYPE, name, initial, min, max, unit, reload, sentence)
#include "prog/server/settings.def"
#undef SETTING
};

const struct settings_table *server_settings_table(void)
{
    static const struct settings_table table = SETTINGS_TABLE(rows, struct server_settings);
    return &table;
}
