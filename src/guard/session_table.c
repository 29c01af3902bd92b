/* The table of signed-in operators. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/session_table.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"

static const struct fault no_memory = {ERR_MEMORY, "sessions: no memory"};

struct entry {
    struct table_node place;
    struct session_record record;
};

struct session_table {
    struct table entries;
};

err session_table_open(uint64_t seed, struct session_table **out)
{
    struct session_table *t = MEM_NEW(struct session_table);
    if (!t)
        return &no_memory;
    table_open(&t->entries, SESSIONS_MAX, seed);
    *out = t;
    return OK;
}

static void drop(struct session_table *t, struct entry *e)
{
    table_remove(&t->entries, &e->place);
    mem_wipe(e, sizeof *e);
    mem_drop(e);
}

void session_table_close(struct session_table *t)
{
    if (!t)
        return;
    for (struct table_node *node = table_next(&t->entries, NULL); node; node = table_next(&t->entries, NULL))
        drop(t, CONTAINER(node, struct entry, place));
    table_close(&t->entries);
    mem_drop(t);
}

/* Rare, and over at most SESSIONS_MAX: a walk is cheaper to read than an index. */
static struct entry *first_to_expire(const struct session_table *t)
{
    struct entry *first = NULL;
    for (struct table_node *node = table_next(&t->entries, NULL); node; node = table_next(&t->entries, node)) {
        struct entry *e = CONTAINER(node, struct entry, place);
        if (!first || e->record.expires_us < first->record.expires_us)
            first = e;
    }
    return first;
}

err session_table_add(struct session_table *t, const struct session_record *session)
{
    session_table_remove(t, session->hash);
    if (t->entries.count >= SESSIONS_MAX)
        drop(t, first_to_expire(t));
    struct entry *e = MEM_NEW(struct entry);
    if (!e)
        return &no_memory;
    e->record = *session;
    err failed = table_add(&t->entries, &e->place, bytes_of(e->record.hash, TOKEN_HASH));
    if (failed)
        mem_drop(e);
    return failed;
}

static struct entry *find(const struct session_table *t, const uint8_t hash[TOKEN_HASH])
{
    struct table_node *found = table_find(&t->entries, bytes_of(hash, TOKEN_HASH));
    return found ? CONTAINER(found, struct entry, place) : NULL;
}

void session_table_remove(struct session_table *t, const uint8_t hash[TOKEN_HASH])
{
    struct entry *e = find(t, hash);
    if (e)
        drop(t, e);
}

const struct session_record *session_table_find(struct session_table *t, const uint8_t hash[TOKEN_HASH], int64_t now_us)
{
    struct entry *e = find(t, hash);
    if (e && e->record.expires_us <= now_us) {
        drop(t, e);
        return NULL;
    }
    return e ? &e->record : NULL;
}
