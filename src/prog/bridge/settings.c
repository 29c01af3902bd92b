/* Reading the bridge's settings, and what one row alone cannot tell. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/bridge/settings.h"

#include "os/file.h"
#include "os/socket.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct fault unfit = {ERR_MALFORMED, "bridge: the settings do not go together"};

static const struct setting rows[] = {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence)                                         \
    SETTING_ROW(struct bridge_settings, member, TYPE, name, initial, min, max, unit, reload, sentence)
#include "prog/bridge/settings.def"
#undef SETTING
};

static const struct setting mapping_rows[] = {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence)                                         \
    SETTING_ROW(struct mapping, member, TYPE, name, initial, min, max, unit, reload, sentence)
#include "prog/bridge/mapping.def"
#undef SETTING
};

static const struct settings_table table = SETTINGS_TABLE(rows, struct bridge_settings);
static const struct settings_table mapping_table = SETTINGS_TABLE(mapping_rows, struct mapping);

const struct settings_table *bridge_settings_table(void)
{
    return &table;
}

const struct settings_table *bridge_mapping_table(void)
{
    return &mapping_table;
}

static err read_file(const char *path, struct bridge_plan *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    struct settings_list list = {.name = "mappings",
                                 .table = &mapping_table,
                                 .entries = out->mappings,
                                 .lines = out->lines,
                                 .max = MAPPINGS_MAX};
    err e = file_read(path, &text);
    if (e) {
        why_say(why, "%s: %s", path, e->text);
        return e;
    }
    TRY(settings_read_yaml_list(&table, &list, buffer_view(&text), path, &out->set, why));
    out->count = list.count;
    return OK;
}

static err check_mappings(const char *path, const struct bridge_plan *plan, char why[WHY_TEXT])
{
    const struct mappings all = {plan->mappings, plan->count};
    char what[WHY_TEXT];
    size_t wrong = 0;
    err e = mappings_check(&all, &wrong, what);
    if (!e && plan->set.remote_version == REMOTE_3_1_1)
        e = mappings_check_echo(&all, &wrong, what);
    if (e)
        why_say(why, "%s:%zu: mappings: %s", path, plan->lines[wrong], what);
    else if (!plan->count)
        why_say(why, "%s: mappings is missing: without a rule nothing is forwarded", path);
    return e ? e : plan->count ? OK : &unfit;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || address_is_loopback(host);
}

/* Each row is a claim that must not hold, and what to say when it does. */
static err check_remote(const struct bridge_settings *s, char why[WHY_TEXT])
{
    const struct {
        bool wrong;
        const char *sentence;
    } claims[] = {
        {!s->remote_host[0], "remote.host is missing: the broker to connect to"},
        {!s->remote_plain && !s->remote_ca[0],
         "remote.ca is missing: without it anybody could be the other broker (for a public cloud the system's roots "
         "do: /etc/ssl/certs/ca-certificates.crt)"},
        {s->remote_plain && !s->remote_insecure_plain && !is_loopback(s->remote_host),
         "remote.plain goes to another machine without encryption: use TLS, or say remote.insecure-plain: true"},
        {s->remote_plain && (s->remote_ca[0] || s->remote_certificate[0] || s->remote_key[0] || s->remote_alpn[0]),
         "remote.plain and remote.ca, certificate, key or alpn exclude each other"},
        {!s->remote_certificate[0] != !s->remote_key[0], "remote.certificate and remote.key belong together"},
        {s->remote_password_file[0] && !s->remote_user_name[0],
         "remote.password-file needs remote.user-name: MQTT 3.1.1 has no password without one"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        if (claims[i].wrong) {
            why_say(why, "%s", claims[i].sentence);
            return &unfit;
        }
    return OK;
}

err bridge_plan_read(const char *config, const char *folder, struct bridge_plan *out, char why[WHY_TEXT])
{
    const char *path = config ? config : BRIDGE_CONFIG;
    TRY(settings_defaults(&table, &out->set, why));
    TRY(read_file(path, out, why));
    TRY(settings_read_environment(&table, environ, &out->set, why));
    if (folder)
        TRY(settings_override(&table, "folder", folder, &out->set, why));
    TRY(check_remote(&out->set, why));
    return check_mappings(path, out, why);
}
