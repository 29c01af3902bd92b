/* Tables on a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/table.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELL_MAX = 4096, TABLE_MAX = 67108864, COLUMNS_MAX = 12, GAP = 2, C1_LEAD = 0xC2, C1_END = 0xA0 };

static const char *const colours[TINTS] = {
    [PLAIN] = "", [GOOD] = "\033[32m", [CAREFUL] = "\033[33m", [BAD] = "\033[31m", [FAINT] = "\033[2m",
};

static bool has_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && *no);
}

static bool starts_character(uint8_t c)
{
    return (c & 0xC0) != 0x80;
}

void put_harmless(struct buffer *out, struct bytes text)
{
    bool sound = utf8_valid(text);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool c1 = sound && c == C1_LEAD && text.at[i + 1] < C1_END; /* U+0080 to U+009F: control characters too */
        if (c1 || c < 0x20 || c == 0x7F || (c >= 0x80 && !sound))
            put_u8(out, '?');
        else
            put_u8(out, c);
        i += c1;
    }
}

void print_harmless(const char *text, enum tint tint)
{
    SCOPED(buffer_drop) struct buffer safe = {.max = TABLE_MAX};
    put_harmless(&safe, bytes_of_text(text));
    bool colour = tint != PLAIN && has_colour();
    printf("%s%s%s", colour ? colours[tint] : "", buffer_text(&safe), colour ? "\033[0m" : "");
}

void table_drop(struct table *t)
{
    mem_drop(t->cells);
    buffer_drop(&t->text);
}

static struct cell *new_cell(struct table *t)
{
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct cell *grown = mem_grow(t->cells, room, sizeof *grown);
        if (!grown)
            return NULL;
        t->cells = grown;
        t->room = room;
    }
    return &t->cells[t->count++];
}

void table_add(struct table *t, struct bytes text, enum tint tint)
{
    struct cell *cell = new_cell(t);
    if (!cell) {
        t->text.spoiled = true;
        return;
    }
    t->text.max = TABLE_MAX;
    size_t start = t->text.len;
    put_harmless(&t->text, text.len ? bytes_first(text, CELL_MAX) : BYTES("-"));
    *cell = (struct cell){start, t->text.len - start, tint};
}

void table_text(struct table *t, const char *text)
{
    table_add(t, bytes_of_text(text), PLAIN);
}

/* In characters; all count as one column wide. */
static size_t width_of(struct bytes text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += starts_character(text.at[i]);
    return width;
}

static void measure(const struct table *t, size_t widths[COLUMNS_MAX])
{
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = t->titles ? strlen(t->titles[c]) : 0;
    for (size_t i = 0; i < t->count; i++) {
        size_t width = width_of(bytes_of(t->text.at + t->cells[i].at, t->cells[i].len));
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
}

static void print_cell(struct bytes text, const char *colour, size_t pad)
{
    printf("%s", colour);
    fwrite(text.at, 1, text.len, stdout);
    printf("%s%*s", *colour ? "\033[0m" : "", (int)pad, "");
}

void table_print(struct table *t)
{
    size_t widths[COLUMNS_MAX] = {0};
    bool colour = has_colour();
    if (t->text.spoiled || t->columns > COLUMNS_MAX) {
        fputs("holdfast: the table is larger than memory allows; --json prints all\n", stderr);
        return;
    }
    measure(t, widths);
    for (size_t c = 0; t->titles && c < t->columns; c++)
        print_cell(bytes_of_text(t->titles[c]), colour ? colours[FAINT] : "",
                   c + 1 < t->columns ? widths[c] - strlen(t->titles[c]) + GAP : 0);
    for (size_t i = 0; i < t->count; i++) {
        size_t column = i % t->columns;
        struct bytes text = bytes_of(t->text.at + t->cells[i].at, t->cells[i].len);
        if (!column && (i || t->titles))
            putchar('\n');
        print_cell(text, colour ? colours[t->cells[i].tint] : "",
                   column + 1 < t->columns ? widths[column] - width_of(text) + GAP : 0);
    }
    if (t->titles || t->count)
        putchar('\n');
}
