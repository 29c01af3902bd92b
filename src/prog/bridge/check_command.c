/* holdfast-bridge check: the settings were read; now the files that they name, and what would be subscribed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/credentials.h"
#include "prog/bridge/commands.h"
#include "prog/bridge/remote_files.h"

#include <stdio.h>

static err print_filters(const struct mappings *all, enum mapping_side side, const char *text)
{
    SCOPED(buffer_drop) struct buffer texts = {.max = 1 << 18};
    struct mapping_filters filters;
    TRY(mappings_filters(all, side, &texts, &filters));
    for (size_t i = 0; i < filters.count; i++)
        printf("%s %.*s (QoS %u)\n", text, (int)filters.at[i].filter.len, (const char *)filters.at[i].filter.at,
               filters.at[i].qos);
    return OK;
}

enum exit_code command_check(const struct bridge_plan *plan)
{
    const struct mappings all = {plan->mappings, plan->count};
    struct remote_access access;
    SCOPED(credentials_drop) struct credentials c = {.id = ""};
    char why[WHY_TEXT] = "";
    size_t wrong;
    if (remote_access_read(&plan->set, &access, why)) {
        fprintf(stderr, "holdfast-bridge: %s\n", why);
        return EXIT_USAGE;
    }
    remote_access_drop(&access);
    err e = print_filters(&all, MAPPING_LOCAL, "from Holdfast:");
    if (!e)
        e = print_filters(&all, MAPPING_REMOTE, "from the other broker:");
    if (e) {
        fprintf(stderr, "holdfast-bridge: %s\n", e->text);
        return EXIT_USAGE;
    }
    if (mappings_check_echo(&all, &wrong, why))
        printf("note: the other broker must speak MQTT 5: line %zu: %s\n", plan->lines[wrong], why);
    if (credentials_load(plan->set.folder, &c, why))
        printf("note: not enrolled yet: %s\n", why);
    puts("the settings are acceptable");
    return EXIT_DONE;
}
