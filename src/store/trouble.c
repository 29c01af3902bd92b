/* The states of a store that may fail, and the events that must not be lost meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/trouble.h"

#include "base/text.h"

static void add_note(struct trouble *t, struct note note)
{
    if (t->count < TROUBLE_NOTES_MAX)
        t->notes[t->count++] = note;
}

bool trouble_failed(struct trouble *t, struct moment now, err why, size_t writes)
{
    enum clerk_state state = why->kind == ERR_FULL ? CLERK_FULL : CLERK_FAILED;
    t->last_ms = now.monotonic_ms;
    t->refused += writes;
    t->why = why;
    if (state == t->state)
        return false;
    t->state = state;
    t->since_us = now.wall_us;
    add_note(t, (struct note){state == CLERK_FULL ? EVENT_STORE_FULL : EVENT_STORE_FAILED, now.wall_us, why, 0});
    return true;
}

size_t trouble_notes(const struct trouble *t, struct moment now, struct note out[TROUBLE_NOTES_MAX + 1])
{
    size_t count = 0;
    for (; count < t->count; count++)
        out[count] = t->notes[count];
    if (t->state != CLERK_OK && now.monotonic_ms - t->last_ms >= TROUBLE_QUIET_MS)
        out[count++] = (struct note){EVENT_STORE_RECOVERED, now.wall_us, OK, t->refused};
    return count;
}

bool trouble_passed(struct trouble *t, const struct note *notes, size_t count)
{
    bool recovered = count && notes[count - 1].kind == EVENT_STORE_RECOVERED;
    t->count = 0;
    if (recovered)
        *t = (struct trouble){.since_us = notes[count - 1].time_us};
    return recovered;
}

err note_event(const struct note *note, struct buffer *detail, struct event *out)
{
    buffer_clear(detail);
    if (note->why) {
        put_text(detail, "{\"why\":");
        put_json_text(detail, bytes_of_text(note->why->text));
        put_text(detail, "}");
    } else {
        put_format(detail, "{\"refused\":%llu}", (unsigned long long)note->refused);
    }
    *out = (struct event){.time_us = note->time_us,
                          .kind = note->kind,
                          .severity = event_kind_severity(note->kind),
                          .detail = buffer_view(detail)};
    return buffer_finish(detail);
}
