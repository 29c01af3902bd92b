/* The roll of devices. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/roll.h"

#include "base/list.h"
#include "base/memory.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "roll: no memory"};

struct entry {
    struct table_node place;
    size_t sessions;
    bool present;
    char id[];
};

void roll_open(struct roll *roll, size_t devices_max, uint64_t seed)
{
    table_open(&roll->entries, devices_max, seed);
}

static struct entry *find(const struct roll *roll, const char *id)
{
    struct table_node *found = table_find(&roll->entries, bytes_of_text(id));
    return found ? CONTAINER(found, struct entry, place) : NULL;
}

static void drop(struct roll *roll, struct entry *e)
{
    table_remove(&roll->entries, &e->place);
    mem_drop(e);
}

void roll_close(struct roll *roll)
{
    for (struct table_node *node = table_next(&roll->entries, NULL); node; node = table_next(&roll->entries, NULL))
        drop(roll, CONTAINER(node, struct entry, place));
    table_close(&roll->entries);
}

err roll_enter(struct roll *roll, const char *id)
{
    struct entry *e = find(roll, id);
    if (!e) {
        size_t len = strlen(id);
        e = mem_take(1, sizeof *e + len + 1);
        if (!e)
            return &no_memory;
        memcpy(e->id, id, len);
        err failed = table_add(&roll->entries, &e->place, bytes_of_text(e->id));
        if (failed) {
            mem_drop(e);
            return failed;
        }
    }
    e->sessions++;
    return OK;
}

size_t roll_sessions(const struct roll *roll, const char *id)
{
    const struct entry *e = find(roll, id);
    return e ? e->sessions : 0;
}

void roll_present(struct roll *roll, const char *id)
{
    struct entry *e = find(roll, id);
    if (e)
        e->present = true;
}

struct roll_left roll_leave(struct roll *roll, const char *id)
{
    struct entry *e = find(roll, id);
    if (!e)
        return (struct roll_left){0, false};
    struct roll_left left = {--e->sessions, !e->sessions && e->present};
    if (!left.sessions)
        drop(roll, e);
    return left;
}
