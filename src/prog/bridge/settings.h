/* The bridge's settings as a struct, from defaults, file, environment and flags, in this order, with its mappings. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/mapping.h"
#include "wire/settings.h"

enum remote_version { REMOTE_AUTO = 0, REMOTE_5, REMOTE_3_1_1 };
enum queue_full { QUEUE_REFUSE = 0, QUEUE_DROP_OLDEST };

struct bridge_settings {
#define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) SETTING_FIELD_##TYPE(member, max)
#include "prog/bridge/settings.def"
#undef SETTING
};

#define BRIDGE_CONFIG "/etc/holdfast/holdfast-bridge.yaml"

/* Large: taken with MEM_NEW. */
struct bridge_plan {
    struct bridge_settings set;
    struct mapping mappings[MAPPINGS_MAX];
    size_t lines[MAPPINGS_MAX]; /* of the file */
    size_t count;
};

/* `config` NULL: BRIDGE_CONFIG. `folder` NULL: the file's. What is filled in has been checked as a whole, but for the
 * files that it names. On an error why is a sentence about what to change. */
MUST err bridge_plan_read(const char *config, const char *folder, struct bridge_plan *out, char why[WHY_TEXT]);

const struct settings_table *bridge_settings_table(void); /* constants */
const struct settings_table *bridge_mapping_table(void);
