/* The settings table: values in and out of a program's struct. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/settings.h"

#include "base/memory.h"
#include "base/text.h"
#include "wire/settings_row.h"

#include <inttypes.h>
#include <string.h>

static const struct fault bad_table = {ERR_MALFORMED, "settings: a default breaks its own row"};
static const struct fault bad_value = {ERR_MALFORMED, "settings: a value that its setting does not allow"};
static const struct fault no_such = {ERR_ABSENT, "settings: no such setting"};
static const struct fault no_memory = {ERR_MEMORY, "settings: no memory"};

const struct setting *settings_find(const struct settings_table *table, struct bytes name)
{
    for (size_t i = 0; i < table->count; i++)
        if (bytes_is(name, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

/* ---- The whole struct, or nothing of it */

uint8_t *settings_copy(const struct settings_table *table, const void *from)
{
    uint8_t *copy = mem_take(1, table->size);
    if (copy)
        memcpy(copy, from, table->size);
    return copy;
}

void settings_copy_drop(uint8_t **copy)
{
    mem_drop(*copy);
}

err settings_defaults(const struct settings_table *table, void *into, char why[WHY_TEXT])
{
    SCOPED(settings_copy_drop) uint8_t *copy = mem_take(1, table->size);
    if (!copy) {
        why_say(why, "%s", no_memory.text);
        return &no_memory;
    }
    for (size_t i = 0; i < table->count; i++)
        if (setting_set(&table->rows[i], bytes_of_text(table->rows[i].initial), copy, why))
            return &bad_table;
    memcpy(into, copy, table->size);
    return OK;
}

err settings_override(const struct settings_table *table, const char *name, const char *text, void *into,
                      char why[WHY_TEXT])
{
    const struct setting *row = settings_find(table, bytes_of_text(name));
    if (!row) {
        why_say(why, "%s is not a setting", name);
        return &no_such;
    }
    return setting_set(row, bytes_of_text(text), into, why) ? &bad_value : OK;
}

void settings_variable(const struct setting *row, char out[SETTINGS_VARIABLE_TEXT])
{
    static const char prefix[] = "HOLDFAST_";
    size_t len = sizeof prefix - 1;
    memcpy(out, prefix, len);
    for (const char *c = row->name; *c && len < SETTINGS_VARIABLE_TEXT - 1; c++) {
        bool lower = *c >= 'a' && *c <= 'z';
        out[len++] = lower ? (char)(*c - 'a' + 'A') : *c == '.' || *c == '-' ? '_' : *c;
    }
    out[len] = 0;
}

/* The value of the variable when `entry` is "NAME=value" with this row's name; NULL otherwise. */
static const char *value_for(const struct setting *row, const char *entry)
{
    char name[SETTINGS_VARIABLE_TEXT];
    settings_variable(row, name);
    size_t len = strlen(name);
    return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

err settings_read_environment(const struct settings_table *table, char *const *environment, void *into,
                              char why[WHY_TEXT])
{
    SCOPED(settings_copy_drop) uint8_t *copy = settings_copy(table, into);
    if (!copy) {
        why_say(why, "%s", no_memory.text);
        return &no_memory;
    }
    for (; *environment; environment++) {
        for (size_t i = 0; i < table->count; i++) {
            const char *value = value_for(&table->rows[i], *environment);
            if (value && setting_set(&table->rows[i], bytes_of_text(value), copy, why))
                return &bad_value;
        }
    }
    memcpy(into, copy, table->size);
    return OK;
}

const char *settings_needs_restart(const struct settings_table *table, const void *before, const void *now)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].reload == SETTING_RESTART && setting_differs(&table->rows[i], before, now))
            return table->rows[i].name;
    return NULL;
}
