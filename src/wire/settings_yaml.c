/* Settings out of a YAML file. libyaml says the events; maps nest, and their keys join with dots. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "wire/settings_row.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

static const struct fault bad_file = {ERR_MALFORMED, "settings: the file is not acceptable"};
static const struct fault no_memory = {ERR_MEMORY, "settings: no memory"};

enum { NEST_MAX = 8, NAME_MAX_TEXT = 128, LIST_ROOM = 4096 };

/* Where the reader stands. `name` is the path of keys so far; `depth` says how many maps are open. */
struct walk {
    const struct settings_table *table;
    uint8_t *into;
    const char *file;
    char *why;
    bool seen[SETTINGS_ROWS_MAX];
    char name[NAME_MAX_TEXT];
    size_t name_len[NEST_MAX + 1]; /* of the name before each open map's own key */
    size_t depth;
    bool at_value;              /* a key was read, its value comes next */
    const struct setting *list; /* an open sequence; its entries gather below */
    struct buffer entries;
    struct settings_list *maps; /* the list of maps that the file may have; NULL: none */
    bool in_maps, in_entry, maps_seen;
    struct outside *outside; /* in_entry: what the walk goes back to */
};

/* What a map of the list puts aside while it is read. Lists of maps do not nest, so one is enough. */
struct outside {
    const struct settings_table *table;
    uint8_t *into;
    bool seen[SETTINGS_ROWS_MAX];
    size_t depth;
};

static err refuse(const struct walk *w, const yaml_event_t *event, const char *what)
{
    const char *list = w->in_maps ? w->maps->name : "", *name = w->in_maps && !w->in_entry ? "" : w->name;
    why_say(w->why, "%s:%zu: %s%s%s%s%s", w->file, event->start_mark.line + 1, list, *list && *name ? "." : "", name,
            *list || *name ? ": " : "", what);
    return &bad_file;
}

/* ---- Keys */

/* How many single-letter changes lead from one name to the other, counted up to a few: enough to guess a slip. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_TEXT + 1], width = strlen(b);
    if (width > NAME_MAX_TEXT)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t change = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            size_t skip = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
            row[j] = change < skip ? change : skip;
        }
    }
    return row[width];
}

static err refuse_unknown(const struct walk *w, const yaml_event_t *event)
{
    const char *nearest = NULL;
    size_t least = 4;
    for (size_t i = 0; i < w->table->count; i++) {
        size_t d = distance(w->name, w->table->rows[i].name);
        if (d < least) {
            least = d;
            nearest = w->table->rows[i].name;
        }
    }
    char what[NAME_MAX_TEXT + 64];
    snprintf(what, sizeof what, "there is no such setting%s%s%s", nearest ? "; did you mean " : "",
             nearest ? nearest : "", nearest ? "?" : "");
    return refuse(w, event, what);
}

/* True when a setting's name begins with "<name>.": a map may stand there. */
static bool is_group(const struct walk *w)
{
    size_t len = strlen(w->name);
    for (size_t i = 0; i < w->table->count; i++)
        if (strncmp(w->table->rows[i].name, w->name, len) == 0 && w->table->rows[i].name[len] == '.')
            return true;
    return false;
}

static err take_key(struct walk *w, const yaml_event_t *event)
{
    struct bytes key = bytes_of(event->data.scalar.value, event->data.scalar.length);
    size_t base = w->name_len[w->depth], nul;
    bool dot = base > 0;
    if (!key.len || bytes_find(key, 0, &nul) || key.len > NAME_MAX_TEXT - 2 - base)
        return refuse(w, event, "a key that is empty or too long");
    if (dot)
        w->name[base] = '.';
    memcpy(w->name + base + dot, key.at, key.len);
    w->name[base + dot + key.len] = 0;
    w->at_value = true;
    return OK;
}

/* The value of the key is complete: back to the name that its siblings share. */
static void end_value(struct walk *w)
{
    w->name[w->name_len[w->depth]] = 0;
    w->at_value = false;
}

/* ---- Values */

static err find_row(struct walk *w, const yaml_event_t *event, const struct setting **out)
{
    const struct setting *row = settings_find(w->table, bytes_of_text(w->name));
    if (!row)
        return is_group(w) ? refuse(w, event, "settings are expected below this name, not a value")
                           : refuse_unknown(w, event);
    size_t place = (size_t)(row - w->table->rows);
    if (w->seen[place])
        return refuse(w, event, "is set twice");
    w->seen[place] = true;
    *out = row;
    return OK;
}

static err store(struct walk *w, const yaml_event_t *event, const struct setting *row, struct bytes text)
{
    char why[WHY_TEXT];
    if (setting_set(row, text, w->into, why)) {
        why_say(w->why, "%s:%zu: %s", w->file, event->start_mark.line + 1, why);
        return &bad_file;
    }
    return OK;
}

static err take_entry(struct walk *w, const yaml_event_t *event)
{
    struct bytes entry = bytes_of(event->data.scalar.value, event->data.scalar.length);
    for (size_t i = 0; i < entry.len; i++)
        if (strchr(" ,\t\n", entry.at[i]))
            return refuse(w, event, "an entry of the list has a blank or a comma inside");
    put_bytes(&w->entries, entry);
    put_u8(&w->entries, ' ');
    return buffer_finish(&w->entries) ? refuse(w, event, "the list is too long") : OK;
}

/* ---- The list of maps */

static err enter_map(struct walk *w, const yaml_event_t *event)
{
    struct settings_list *maps = w->maps;
    if (maps->count == maps->max)
        return refuse(w, event, "the list has too many entries");
    uint8_t *entry = (uint8_t *)maps->entries + maps->count * maps->table->size;
    TRY(settings_defaults(maps->table, entry, w->why));
    maps->lines[maps->count++] = event->start_mark.line + 1;
    *w->outside = (struct outside){.table = w->table, .into = w->into, .depth = w->depth};
    memcpy(w->outside->seen, w->seen, sizeof w->seen);
    memset(w->seen, 0, sizeof w->seen);
    w->table = maps->table;
    w->into = entry;
    w->depth = 1;
    w->name[0] = 0;
    w->name_len[1] = 0;
    w->at_value = false;
    w->in_entry = true;
    return OK;
}

static void leave_map(struct walk *w)
{
    memcpy(w->seen, w->outside->seen, sizeof w->seen);
    w->table = w->outside->table;
    w->into = w->outside->into;
    w->depth = w->outside->depth;
    w->in_entry = false;
}

/* True when the list of maps begins here. */
static bool begins_maps(const struct walk *w)
{
    return w->maps && !w->in_entry && w->depth == 1 && strcmp(w->name, w->maps->name) == 0;
}

static err enter_maps(struct walk *w, const yaml_event_t *event)
{
    if (w->maps_seen)
        return refuse(w, event, "is set twice");
    w->in_maps = w->maps_seen = true;
    return OK;
}

static err take_scalar(struct walk *w, const yaml_event_t *event)
{
    const struct setting *row;
    struct bytes text = bytes_of(event->data.scalar.value, event->data.scalar.length);
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return refuse(w, event, "anchors and tags are not taken");
    if (w->list)
        return take_entry(w, event);
    if (!w->depth) {
        /* A file of comments, or none at all, is one empty value to YAML. */
        return text.len ? refuse(w, event, "the file must be a map of settings") : OK;
    }
    if (w->in_maps && !w->in_entry)
        return refuse(w, event, "an entry of the list must be a map");
    if (!w->at_value)
        return take_key(w, event);
    if (begins_maps(w))
        return refuse(w, event, "a list of maps is expected, not a value");
    TRY(find_row(w, event, &row));
    TRY(store(w, event, row, text));
    end_value(w);
    return OK;
}

static err take_map_start(struct walk *w, const yaml_event_t *event)
{
    if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
        return refuse(w, event, "anchors and tags are not taken");
    if (w->in_maps && !w->in_entry)
        return enter_map(w, event);
    if (begins_maps(w))
        return refuse(w, event, "a list of maps is expected, not a map");
    if (w->list || (w->depth && !w->at_value) || w->depth == NEST_MAX)
        return refuse(w, event, "a map is not allowed here");
    if (w->depth && !is_group(w))
        return settings_find(w->table, bytes_of_text(w->name)) ? refuse(w, event, "a value is expected, not a map")
                                                               : refuse_unknown(w, event);
    w->depth++;
    w->name_len[w->depth] = strlen(w->name);
    w->at_value = false;
    return OK;
}

static err take_map_end(struct walk *w, const yaml_event_t *event)
{
    (void)event;
    if (w->in_entry && w->depth == 1) {
        leave_map(w);
        return OK;
    }
    w->depth--;
    end_value(w);
    return OK;
}

static err take_list_start(struct walk *w, const yaml_event_t *event)
{
    const struct setting *row;
    if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
        return refuse(w, event, "anchors and tags are not taken");
    if (w->list || !w->at_value || (w->in_maps && !w->in_entry))
        return refuse(w, event, "a list is not allowed here");
    if (begins_maps(w))
        return enter_maps(w, event);
    TRY(find_row(w, event, &row));
    if (row->type != SETTING_LIST)
        return refuse(w, event, "one value is expected, not a list");
    w->list = row;
    buffer_clear(&w->entries);
    return OK;
}

static err take_list_end(struct walk *w, const yaml_event_t *event)
{
    const struct setting *row = w->list;
    if (!row) {
        w->in_maps = false;
        end_value(w);
        return OK;
    }
    w->list = NULL;
    TRY(store(w, event, row, buffer_view(&w->entries)));
    end_value(w);
    return OK;
}

static err take_event(struct walk *w, const yaml_event_t *event, size_t *documents)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(w, event);
    case YAML_MAPPING_START_EVENT:
        return take_map_start(w, event);
    case YAML_MAPPING_END_EVENT:
        return take_map_end(w, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_list_start(w, event);
    case YAML_SEQUENCE_END_EVENT:
        return take_list_end(w, event);
    case YAML_ALIAS_EVENT:
        return refuse(w, event, "aliases are not taken");
    case YAML_DOCUMENT_START_EVENT:
        return ++*documents > 1 ? refuse(w, event, "the file holds a second document") : OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return OK;
    }
    return OK;
}

/* ---- The file */

static err refuse_syntax(const struct walk *w, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        why_say(w->why, "%s: no memory", w->file);
        return &no_memory;
    }
    why_say(w->why, "%s:%zu: %s%s%s", w->file, parser->problem_mark.line + 1,
            parser->problem ? parser->problem : "not YAML", parser->context ? " " : "",
            parser->context ? parser->context : "");
    return &bad_file;
}

static err walk_file(struct walk *w, yaml_parser_t *parser)
{
    size_t documents = 0;
    for (bool ended = false; !ended;) {
        SCOPED(yaml_event_delete) yaml_event_t event;
        memset(&event, 0, sizeof event);
        if (!yaml_parser_parse(parser, &event))
            return refuse_syntax(w, parser);
        TRY(take_event(w, &event, &documents));
        ended = event.type == YAML_STREAM_END_EVENT;
    }
    return OK;
}

static err read_yaml(struct walk *w, struct bytes text, void *into)
{
    const struct settings_table *table = w->table;
    SCOPED(settings_copy_drop) uint8_t *copy = settings_copy(table, into);
    SCOPED(yaml_parser_delete) yaml_parser_t parser;
    memset(&parser, 0, sizeof parser);
    if (text.len > SETTINGS_FILE_MAX || table->count > SETTINGS_ROWS_MAX) {
        why_say(w->why, "%s: larger than %d bytes", w->file, SETTINGS_FILE_MAX);
        return &bad_file;
    }
    if (!copy || !yaml_parser_initialize(&parser)) {
        why_say(w->why, "%s: no memory", w->file);
        return &no_memory;
    }
    w->into = copy;
    yaml_parser_set_input_string(&parser, text.len ? text.at : (const uint8_t *)"", text.len);
    err e = walk_file(w, &parser);
    buffer_drop(&w->entries);
    if (!e)
        memcpy(into, copy, table->size);
    return e;
}

err settings_read_yaml(const struct settings_table *table, struct bytes text, const char *file, void *into,
                       char why[WHY_TEXT])
{
    struct walk w = {.table = table, .file = file, .why = why, .entries = {.max = LIST_ROOM}};
    return read_yaml(&w, text, into);
}

err settings_read_yaml_list(const struct settings_table *table, struct settings_list *list, struct bytes text,
                            const char *file, void *into, char why[WHY_TEXT])
{
    struct outside outside;
    struct walk w = {
        .table = table, .file = file, .why = why, .entries = {.max = LIST_ROOM}, .maps = list, .outside = &outside};
    list->count = 0;
    return read_yaml(&w, text, into);
}
