/* Reading the agent's settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/agent/settings.h"

#include "os/file.h"

#include <unistd.h>

static const struct setting rows[] = {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence)                                         \
    SETTING_ROW(struct agent_settings, member, TYPE, name, initial, min, max, unit, reload, sentence)
#include "prog/agent/settings.def"
#undef SETTING
};

static const struct settings_table table = SETTINGS_TABLE(rows, struct agent_settings);

const struct settings_table *agent_settings_table(void)
{
    return &table;
}

static err read_config(const char *config, struct agent_settings *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    const char *path = config ? config : AGENT_CONFIG;
    err e = file_read(path, &text);
    if (!config && err_is(e, ERR_ABSENT))
        return OK;
    if (e) {
        why_say(why, "%s: %s", path, e->text);
        return e;
    }
    return settings_read_yaml(&table, buffer_view(&text), path, out, why);
}

err agent_settings_read(const char *config, const struct agent_flag *flags, size_t flag_count,
                        struct agent_settings *out, char why[WHY_TEXT])
{
    TRY(settings_defaults(&table, out, why));
    TRY(read_config(config, out, why));
    TRY(settings_read_environment(&table, environ, out, why));
    for (size_t i = 0; i < flag_count; i++)
        if (flags[i].text)
            TRY(settings_override(&table, flags[i].name, flags[i].text, out, why));
    return OK;
}
