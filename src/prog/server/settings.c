/* The table of holdfastd's settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/settings.h"

#include "os/socket.h"

static const struct fault plain_anywhere = {ERR_REFUSED, "settings: plain MQTT beyond the loopback"};

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

err server_settings_check(const struct server_settings *s, char why[WHY_TEXT])
{
    bool plain = s->mqtt_plain || s->mqtt_plain_websocket;
    if (plain && !s->mqtt_insecure_plain_anywhere && !address_is_loopback(s->mqtt_plain_address)) {
        why_say(why,
                "mqtt.plain-address: \"%s\" is reached by other machines, and plain MQTT proves and hides nothing; "
                "mqtt.insecure-plain-anywhere allows it all the same",
                s->mqtt_plain_address);
        return &plain_anywhere;
    }
    return OK;
}
