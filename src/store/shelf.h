/* Shelves: rows in memory, ordered by key, with a journal that can undo a batch. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* The first member of whatever is kept. A row never changes: a change puts a new row in its place. */
struct row {
    struct bytes key; /* the row's own bytes */
};

struct shelf {
    struct row **rows; /* by key, as bytes_compare orders them */
    size_t count, room;
};

/* Gives a zeroed row of `size` bytes (its struct), a copy of the key behind it, and `extra` bytes behind that. */
struct row *row_make(size_t size, struct bytes key, size_t extra);
uint8_t *row_extra(struct row *row); /* where the extra bytes start */
struct bytes row_keep(uint8_t **at, struct bytes bytes); /* copies to *at, which moves behind; lends the copy */

size_t shelf_from(const struct shelf *s, struct bytes key); /* the place of the first row whose key is not below key */
struct row *shelf_find(const struct shelf *s, struct bytes key); /* lends until it is replaced; NULL: not there */
void shelf_drop(struct shelf *s);                                /* drops all rows */

/* What a batch changed, in order. {0} is an empty journal. */
struct journal {
    struct change *changes;
    size_t count, room;
};

/* Takes the row, and puts it in the place of the one with its key, if there is one. ERR_MEMORY: the row was dropped and
 * nothing changed. */
MUST err shelf_put(struct shelf *s, struct journal *j, struct row *row);
MUST err shelf_remove(struct shelf *s, struct journal *j, struct bytes key); /* a key that is there */
void journal_commit(struct journal *j); /* forgets what was before */
void journal_undo(struct journal *j);   /* puts everything back */
void journal_drop(struct journal *j);   /* an empty journal's memory */
