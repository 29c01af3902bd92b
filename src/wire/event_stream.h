/* Server-Sent Events as a client reads them (WHATWG HTML, 9.2.6): bytes in, whole events out. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { EVENT_STREAM_LINE_MAX = 1048576, EVENT_STREAM_DATA_MAX = 1048576, EVENT_STREAM_ID_MAX = 64 };

/* Lent for the call. */
struct stream_event {
    struct bytes kind; /* the field "event"; empty: none was given */
    struct bytes data; /* its lines, with a line feed between them */
};

/* Owns its buffers; make it with event_stream_open, drop it with event_stream_close. */
struct event_stream {
    struct buffer line, kind, data;
    char last_id[EVENT_STREAM_ID_MAX]; /* of the last whole event: what Last-Event-ID says on the way back; "": none */
    char next_id[EVENT_STREAM_ID_MAX]; /* of the event that is being read */
    bool enough;                       /* set by `heard`: whoever feeds the stream need not go on */
    bool skips_line_feed;              /* the line ended with a carriage return: a line feed behind it ends no other */
    void (*heard)(struct event_stream *self, const struct stream_event *event);
};

void event_stream_open(struct event_stream *s,
                       void (*heard)(struct event_stream *self, const struct stream_event *event));
void event_stream_close(struct event_stream *s);
/* Forgets the line and the event that were cut off, keeps last_id: for a stream that begins anew. */
void event_stream_restart(struct event_stream *s);
/* Calls `heard` for each event that is whole. ERR_TOO_LARGE: a line, an event or an id over its bound; the stream is
 * of no more use until it is restarted. */
MUST err event_stream_take(struct event_stream *s, struct bytes in);
