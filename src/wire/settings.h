/* Settings: one table per program is the parser, the check, the reference page and the sample file. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "wire/why.h"

/* A program writes its rows once, in its settings.def:
 *
 *     SETTING(mqtt_port, PORT, "mqtt.port", "8883", 1, 65535, "", RESTART, "The port that devices connect to.")
 *     SETTING(log_level, CHOICE, "log.level", "info", 0, 0, "error warn info debug", RELOAD, "What is logged.")
 *     SETTING(data_path, PATH, "data", "/var/lib/holdfast", 1, 200, "", RESTART, "The folder of all data.")
 *
 * that is SETTING(member, TYPE, "name", "default", min, max, "unit", RELOAD or RESTART, "Sentence."), and includes it
 * twice: once for the struct and once for the table. Rows of one group ("mqtt.") stand together.
 *
 *     struct server_settings {
 *     #define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) SETTING_FIELD_##TYPE(member, max)
 *     #include "prog/server/settings.def"
 *     #undef SETTING
 *     };
 *
 *     static const struct setting rows[] = {
 *     #define SETTING(member, TYPE, name, initial, min, max, unit, reload, sentence) \
 *         SETTING_ROW(struct server_settings, member, TYPE, name, initial, min, max, unit, reload, sentence)
 *     #include "prog/server/settings.def"
 *     #undef SETTING
 *     };
 *     static const struct settings_table table = SETTINGS_TABLE(rows, struct server_settings);
 *
 * TYPE      member         min and max                   in the file
 * TEXT      char[max + 1]  length in bytes               any text without control characters
 * PATH      char[max + 1]  length in bytes               as TEXT
 * ADDRESS   char[max + 1]  length in bytes (max >= 45)   an IPv4 or IPv6 address; "" when min is 0
 * LIST      char[max + 1]  length of all, blanks too     a sequence, or texts with blanks or commas between them; kept
 *                                                        with one blank between: bytes_cut(&rest, ' ') walks it
 * PORT      uint16_t       the number                    8883
 * COUNT     uint64_t       the number                    10000
 * SECONDS   uint64_t       the number of seconds         30, 30s, 15m, 24h, 7d
 * BYTES     uint64_t       the number of bytes           65536, 64KiB, 16MiB, 2GiB, 64kB, 16MB, 2GB
 * FLAG      bool           (0, 0)                        true or false (also yes, no, on, off)
 * CHOICE    unsigned       (0, 0)                        one word of `unit`; the member is its place there, from 0
 */
enum setting_type {
    SETTING_TEXT,
    SETTING_PATH,
    SETTING_ADDRESS,
    SETTING_LIST,
    SETTING_PORT,
    SETTING_COUNT,
    SETTING_SECONDS,
    SETTING_BYTES,
    SETTING_FLAG,
    SETTING_CHOICE,
};

enum setting_reload { SETTING_RESTART = 0, SETTING_RELOAD };

struct setting {
    const char *name; /* "mqtt.port": the path in the file, and HOLDFAST_MQTT_PORT in the environment */
    enum setting_type type;
    size_t offset;
    uint64_t min, max;
    const char *initial; /* the default, as it would stand in the file */
    const char *unit;    /* for people ("connections"); for CHOICE the words */
    enum setting_reload reload;
    const char *sentence;
};

#define SETTING_FIELD_TEXT(member, max)    char member[(max) + 1];
#define SETTING_FIELD_PATH(member, max)    char member[(max) + 1];
#define SETTING_FIELD_ADDRESS(member, max) char member[(max) + 1];
#define SETTING_FIELD_LIST(member, max)    char member[(max) + 1];
#define SETTING_FIELD_PORT(member, max)    uint16_t member;
#define SETTING_FIELD_COUNT(member, max)   uint64_t member;
#define SETTING_FIELD_SECONDS(member, max) uint64_t member;
#define SETTING_FIELD_BYTES(member, max)   uint64_t member;
#define SETTING_FIELD_FLAG(member, max)    bool member;
#define SETTING_FIELD_CHOICE(member, max)  unsigned member;

#define SETTING_ROW(type, member, TYPE, name, initial, min, max, unit, reload, sentence)                               \
    {name, SETTING_##TYPE, offsetof(type, member), min, max, initial, unit, SETTING_##reload, sentence},

struct settings_table {
    const struct setting *rows;
    size_t count;
    size_t size; /* of the struct that the offsets are in */
};

#define SETTINGS_TABLE(rows, type)                                                                                     \
    {                                                                                                                  \
        rows, sizeof(rows) / sizeof((rows)[0]), sizeof(type)                                                           \
    }

enum { SETTINGS_FILE_MAX = 262144, SETTINGS_ROWS_MAX = 256, SETTINGS_VARIABLE_TEXT = 80 };

/* `into` is the program's struct, of table->size bytes. It is changed when, and only when, the whole call succeeds. All
 * fail with ERR_MALFORMED and a sentence that names the setting, what was given and what is allowed. */

/* Fills in every default; a fault is a mistake in the table. */
MUST err settings_defaults(const struct settings_table *table, void *into, char why[WHY_TEXT]);
/* Reads a YAML file over what `into` holds. Maps nest, and flatten with dots. `file` is its name for the sentence,
 * which begins with "<file>:<line>: ". Unknown and duplicate settings, wrong types and values out of bounds are
 * refused. */
MUST err settings_read_yaml(const struct settings_table *table, struct bytes text, const char *file, void *into,
                            char why[WHY_TEXT]);
/* Settings of which a file may have many: a list of maps under one name, each read through a table of its own.
 *
 *     mappings:
 *       - direction: out
 *         filter: telemetry/#
 *
 * Reading fills entries from the first on, each with the table's defaults for what its map leaves out. */
struct settings_list {
    const char *name;                   /* "mappings"; no dots */
    const struct settings_table *table; /* of one entry */
    void *entries;                      /* `max` of the table's size */
    size_t *lines;                      /* `max`: where each entry begins in the file */
    size_t max, count;
};
/* As settings_read_yaml, with one list. After an error `list` holds nothing of use. */
MUST err settings_read_yaml_list(const struct settings_table *table, struct settings_list *list, struct bytes text,
                                 const char *file, void *into, char why[WHY_TEXT]);
/* One setting by its name, from a flag. ERR_ABSENT: no such setting. */
MUST err settings_override(const struct settings_table *table, const char *name, const char *text, void *into,
                           char why[WHY_TEXT]);
/* Every variable of `environment` (as environ) that is a setting's: HOLDFAST_MQTT_PORT for mqtt.port. Others are left
 * alone, for other programs have variables with this prefix too. */
MUST err settings_read_environment(const struct settings_table *table, char *const *environment, void *into,
                                   char why[WHY_TEXT]);
void settings_variable(const struct setting *row, char out[SETTINGS_VARIABLE_TEXT]); /* "HOLDFAST_MQTT_PORT" */

/* The name of the first setting that differs and takes effect at a restart only; NULL: `now` may replace `before`. */
const char *settings_needs_restart(const struct settings_table *table, const void *before, const void *now);

void settings_put_reference(const struct settings_table *table, struct buffer *out); /* Markdown, a section per group */
void settings_put_list_reference(const struct settings_list *list, struct buffer *out); /* a section; no variables */
void settings_put_yaml(const struct settings_table *table, struct buffer *out); /* a file of defaults, explained */
