/* Tables on a terminal: aligned columns; nothing that came over the network can move the cursor or change a colour. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum tint { PLAIN = 0, GOOD, CAREFUL, BAD, FAINT, TINTS };

struct cell {
    size_t at, len; /* in table.text */
    enum tint tint;
};

/* {.titles = T, .columns = N} is a ready, empty table. Owns its cells; drop it. */
struct table {
    const char *const *titles; /* borrowed; NULL: no head */
    size_t columns;
    struct cell *cells;
    size_t count, room;
    struct buffer text;
};
void table_drop(struct table *t);
void table_add(struct table *t, struct bytes text, enum tint tint); /* the next cell, row by row; "-" for nothing */
void table_text(struct table *t, const char *text);                 /* plain; NULL is nothing */
void table_print(struct table *t);                                  /* on standard output */

/* Appends text with control characters and what is no UTF-8 as "?": for everything that others wrote. */
void put_harmless(struct buffer *out, struct bytes text);
void print_harmless(const char *text, enum tint tint);
