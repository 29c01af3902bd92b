/* Ordered arrays of rows, and their undo journal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/shelf.h"

#include "base/memory.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};

struct change {
    struct shelf *shelf;
    struct row *now;    /* NULL: removed */
    struct row *before; /* NULL: there was none */
};

struct row *row_make(size_t size, struct bytes key, size_t extra)
{
    struct row *row = mem_take(1, size + key.len + extra);
    if (!row)
        return NULL;
    uint8_t *copy = (uint8_t *)row + size;
    if (key.len)
        memcpy(copy, key.at, key.len);
    row->key = bytes_of(copy, key.len);
    return row;
}

uint8_t *row_extra(struct row *row)
{
    size_t offset = (size_t)(row->key.at - (const uint8_t *)row) + row->key.len;
    return (uint8_t *)row + offset;
}

struct bytes row_keep(uint8_t **at, struct bytes bytes)
{
    struct bytes kept = bytes_of(*at, bytes.len);
    if (bytes.len)
        memcpy(*at, bytes.at, bytes.len);
    *at += bytes.len;
    return kept;
}

size_t shelf_from(const struct shelf *s, struct bytes key)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(s->rows[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct shelf *s, size_t at, struct bytes key)
{
    return at < s->count && bytes_equal(s->rows[at]->key, key);
}

struct row *shelf_find(const struct shelf *s, struct bytes key)
{
    size_t at = shelf_from(s, key);
    return stands_at(s, at, key) ? s->rows[at] : NULL;
}

void shelf_drop(struct shelf *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_drop(s->rows[i]);
    mem_drop(s->rows);
    *s = (struct shelf){0};
}

/* Room for one more; what grew and was not needed does no harm. */
static err make_room(struct shelf *s, struct journal *j)
{
    if (s->count == s->room) {
        struct row **rows = mem_grow(s->rows, s->room * 2 + 16, sizeof *rows);
        if (!rows)
            return &no_memory;
        s->rows = rows;
        s->room = s->room * 2 + 16;
    }
    if (j->count == j->room) {
        struct change *changes = mem_grow(j->changes, j->room * 2 + 16, sizeof *changes);
        if (!changes)
            return &no_memory;
        j->changes = changes;
        j->room = j->room * 2 + 16;
    }
    return OK;
}

static void insert(struct shelf *s, size_t at, struct row *row)
{
    memmove(s->rows + at + 1, s->rows + at, (s->count - at) * sizeof *s->rows);
    s->rows[at] = row;
    s->count++;
}

static void take_out(struct shelf *s, size_t at)
{
    s->count--;
    memmove(s->rows + at, s->rows + at + 1, (s->count - at) * sizeof *s->rows);
}

err shelf_put(struct shelf *s, struct journal *j, struct row *row)
{
    err e = make_room(s, j);
    if (e) {
        mem_drop(row);
        return e;
    }
    size_t at = shelf_from(s, row->key);
    struct row *before = stands_at(s, at, row->key) ? s->rows[at] : NULL;
    if (before)
        s->rows[at] = row;
    else
        insert(s, at, row);
    j->changes[j->count++] = (struct change){s, row, before};
    return OK;
}

err shelf_remove(struct shelf *s, struct journal *j, struct bytes key)
{
    TRY(make_room(s, j));
    size_t at = shelf_from(s, key);
    j->changes[j->count++] = (struct change){s, NULL, s->rows[at]};
    take_out(s, at);
    return OK;
}

void journal_commit(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        mem_drop(j->changes[i].before);
    j->count = 0;
}

/* make_room was never undone, so there is room for every row that comes back. */
static void undo(const struct change *c)
{
    size_t at = shelf_from(c->shelf, c->now ? c->now->key : c->before->key);
    if (!c->now)
        insert(c->shelf, at, c->before);
    else if (c->before)
        c->shelf->rows[at] = c->before;
    else
        take_out(c->shelf, at);
    mem_drop(c->now);
}

void journal_undo(struct journal *j)
{
    while (j->count)
        undo(&j->changes[--j->count]);
}

void journal_drop(struct journal *j)
{
    mem_drop(j->changes);
    *j = (struct journal){0};
}
