/* The inbox: a sorted array. Identifiers mostly rise, so mostly the last one is added. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/inbox.h"

#include "base/memory.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "inbox: no memory for a packet identifier"};

enum {
    ROOM_FIRST = 8,
    ROOM_KEPT = 32, /* up to here the array stays while it is empty, until the inbox rests */
};

void inbox_close(struct inbox *i)
{
    mem_drop(i->entries);
    *i = (struct inbox){.count = 0};
}

void inbox_rest(struct inbox *i)
{
    if (!i->count)
        inbox_close(i);
}

/* The first entry with this identifier or a higher one. */
static uint32_t place_of(const struct inbox *i, uint16_t packet_id)
{
    uint32_t low = 0, high = i->count;
    if (high && i->entries[high - 1].packet_id < packet_id)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (i->entries[middle].packet_id < packet_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct inbox *i, uint32_t place, uint16_t packet_id)
{
    return place < i->count && i->entries[place].packet_id == packet_id;
}

enum inbox_state inbox_find(const struct inbox *i, uint16_t packet_id)
{
    uint32_t place = place_of(i, packet_id);
    return stands_at(i, place, packet_id) ? (enum inbox_state)i->entries[place].state : INBOX_ABSENT;
}

bool inbox_asked(const struct inbox *i, uint16_t packet_id)
{
    uint32_t place = place_of(i, packet_id);
    return stands_at(i, place, packet_id) && i->entries[place].asked;
}

void inbox_detach(struct inbox *i)
{
    for (uint32_t place = 0; place < i->count; place++) {
        i->entries[place].asked = false;
        i->entries[place].carried = true;
    }
    i->carried = i->count;
    inbox_rest(i);
}

static err make_room(struct inbox *i)
{
    if (i->count < i->room)
        return OK;
    uint32_t room = i->room ? i->room * 2 : ROOM_FIRST;
    struct inbox_entry *entries = mem_grow(i->entries, room, sizeof *entries);
    if (!entries)
        return &no_memory;
    i->entries = entries;
    i->room = room;
    return OK;
}

err inbox_put(struct inbox *i, uint16_t packet_id, enum inbox_state state)
{
    uint32_t place = place_of(i, packet_id);
    if (!stands_at(i, place, packet_id)) {
        TRY(make_room(i));
        struct inbox_entry *at = &i->entries[place];
        memmove(at + 1, at, (i->count - place) * sizeof *at);
        *at = (struct inbox_entry){.packet_id = packet_id};
        i->count++;
    }
    i->entries[place].state = (uint8_t)state;
    i->entries[place].asked = state != INBOX_RECEIVED;
    return OK;
}

void inbox_remove(struct inbox *i, uint16_t packet_id)
{
    uint32_t place = place_of(i, packet_id);
    if (!stands_at(i, place, packet_id))
        return;
    struct inbox_entry *at = &i->entries[place];
    i->count--;
    i->carried -= at->carried;
    memmove(at, at + 1, (i->count - place) * sizeof *at);
    if (i->room > ROOM_KEPT)
        inbox_rest(i);
}
