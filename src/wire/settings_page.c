/* The settings table for people: a reference page and a file of defaults. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/settings_row.h"

#include <string.h>

/* "mqtt" of "mqtt.port"; empty for a name without a dot. */
static struct bytes group_of(const struct setting *row)
{
    size_t dot;
    struct bytes name = bytes_of_text(row->name);
    return bytes_find(name, '.', &dot) ? bytes_first(name, dot) : bytes_first(name, 0);
}

static bool begins_group(const struct settings_table *table, size_t i)
{
    return i == 0 || !bytes_equal(group_of(&table->rows[i]), group_of(&table->rows[i - 1]));
}

static void put_default(const struct setting *row, struct buffer *out)
{
    if (*row->initial)
        put_format(out, "`%s`", row->initial);
    else
        put_text(out, "empty");
}

/* A "|" would end the cell of a Markdown table. */
static void put_cell(struct buffer *out, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '|')
            put_u8(out, '\\');
        put_u8(out, text.at[i]);
    }
}

/* The cells that every table has: default, allowed. */
static void put_values(const struct setting *row, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer allowed = {.max = 1024};
    setting_put_allowed(row, &allowed);
    put_default(row, out);
    put_text(out, " | ");
    put_cell(out, buffer_view(&allowed));
    put_text(out, " | ");
}

static void put_reference_row(const struct setting *row, struct buffer *out)
{
    char variable[SETTINGS_VARIABLE_TEXT];
    settings_variable(row, variable);
    put_format(out, "| `%s`<br>`%s` | ", row->name, variable);
    put_values(row, out);
    put_format(out, "%s | ", row->reload == SETTING_RELOAD ? "reload" : "restart");
    put_cell(out, bytes_of_text(row->sentence));
    put_text(out, " |\n");
}

void settings_put_list_reference(const struct settings_list *list, struct buffer *out)
{
    put_format(out, "## Each entry of `%s`\n\n| name | default | allowed | meaning |\n|---|---|---|---|\n", list->name);
    for (size_t i = 0; i < list->table->count; i++) {
        put_format(out, "| `%s` | ", list->table->rows[i].name);
        put_values(&list->table->rows[i], out);
        put_cell(out, bytes_of_text(list->table->rows[i].sentence));
        put_text(out, " |\n");
    }
}

void settings_put_reference(const struct settings_table *table, struct buffer *out)
{
    for (size_t i = 0; i < table->count; i++) {
        struct bytes group = group_of(&table->rows[i]);
        if (begins_group(table, i)) {
            put_text(out, i ? "\n## " : "## ");
            if (group.len)
                put_bytes(out, group);
            else
                put_text(out, "General");
            put_text(out, "\n\n| setting, variable | default | allowed | takes effect at | meaning |\n"
                          "|---|---|---|---|---|\n");
        }
        put_reference_row(&table->rows[i], out);
    }
}

/* A plain scalar where YAML reads it as it stands, else single quotes (YAML 1.2, 7.3.2). */
static void put_scalar(const char *text, struct buffer *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    if (*text && *text != '-' && strspn(text, plain) == strlen(text)) {
        put_text(out, text);
        return;
    }
    put_u8(out, '\'');
    for (const char *c = text; *c; c++) {
        if (*c == '\'')
            put_u8(out, '\'');
        put_u8(out, (uint8_t)*c);
    }
    put_u8(out, '\'');
}

void settings_put_yaml(const struct settings_table *table, struct buffer *out)
{
    put_text(out, "# Every setting with its default. A line that is taken out means the same.\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *row = &table->rows[i];
        struct bytes group = group_of(row);
        SCOPED(buffer_drop) struct buffer allowed = {.max = 1024};
        const char *indent = group.len ? "  " : "";
        setting_put_allowed(row, &allowed);
        if (begins_group(table, i))
            put_text(out, "\n");
        if (begins_group(table, i) && group.len) {
            put_bytes(out, group);
            put_text(out, ":\n");
        }
        put_format(out, "%s# %s Allowed: %s.\n", indent, row->sentence, buffer_text(&allowed));
        put_format(out, "%s%s: ", indent, row->name + (group.len ? group.len + 1 : 0));
        put_scalar(row->initial, out);
        put_text(out, "\n");
    }
}
