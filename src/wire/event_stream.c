/* The reader of Server-Sent Events. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/event_stream.h"

#include "base/text.h"

#include <string.h>

void event_stream_open(struct event_stream *s,
                       void (*heard)(struct event_stream *self, const struct stream_event *event))
{
    *s = (struct event_stream){.line = {.max = EVENT_STREAM_LINE_MAX},
                               .kind = {.max = EVENT_STREAM_LINE_MAX},
                               .data = {.max = EVENT_STREAM_DATA_MAX},
                               .heard = heard};
}

void event_stream_close(struct event_stream *s)
{
    buffer_drop(&s->line);
    buffer_drop(&s->kind);
    buffer_drop(&s->data);
}

void event_stream_restart(struct event_stream *s)
{
    buffer_clear(&s->line);
    buffer_clear(&s->kind);
    buffer_clear(&s->data);
    memcpy(s->next_id, s->last_id, sizeof s->next_id);
    s->skips_line_feed = false;
}

/* An empty line ends the event. One without data is none, but its id counts. */
static void end_event(struct event_stream *s)
{
    struct bytes data = buffer_view(&s->data);
    memcpy(s->last_id, s->next_id, sizeof s->last_id);
    if (data.len) {
        struct stream_event event = {buffer_view(&s->kind),
                                     bytes_first(data, data.len - 1)}; /* without the last feed */
        s->heard(s, &event);
    }
    buffer_clear(&s->kind);
    buffer_clear(&s->data);
}

static err take_field(struct event_stream *s, struct bytes name, struct bytes value)
{
    if (bytes_is(name, "data")) {
        put_bytes(&s->data, value);
        put_u8(&s->data, '\n');
        return buffer_finish(&s->data);
    }
    if (bytes_is(name, "event")) {
        buffer_clear(&s->kind);
        put_bytes(&s->kind, value);
        return buffer_finish(&s->kind);
    }
    size_t nul;
    if (bytes_is(name, "id") && !bytes_find(value, 0, &nul))
        return text_copy(value, s->next_id, sizeof s->next_id);
    return OK; /* comments, which keep the connection warm; "retry"; and what is not known */
}

static err end_line(struct event_stream *s)
{
    struct bytes line = buffer_view(&s->line);
    TRY(buffer_finish(&s->line));
    if (line.len) {
        struct bytes name = bytes_cut(&line, ':');
        TRY(take_field(s, name, bytes_starts(line, " ") ? bytes_from(line, 1) : line));
    } else {
        end_event(s);
    }
    buffer_clear(&s->line);
    return OK;
}

err event_stream_take(struct event_stream *s, struct bytes in)
{
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.at[i];
        bool second_half = c == '\n' && s->skips_line_feed;
        s->skips_line_feed = c == '\r';
        if (second_half)
            continue;
        if (c == '\n' || c == '\r')
            TRY(end_line(s));
        else
            put_u8(&s->line, c);
    }
    return buffer_finish(&s->line);
}
