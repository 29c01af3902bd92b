/* Streams: GET /api/v1/events/stream and GET /api/v1/tail, as the door's endless answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"
#include "door/lobby.h"

/* Events are published on every loop under $holdfast/events/<severity>/<kind>/<device, or "-">, as the JSON of GET
 * /events. */
#define EVENT_TOPIC "$holdfast/events/"

struct api_streams {
    struct streams streams; /* hand this to the doors */
    const struct clock *clock;
};
void api_streams_open(struct api_streams *streams, const struct clock *clock); /* borrows the clock */
/* On a query thread: the answer's body becomes what the stream has missed so far. */
void event_stream_backlog(struct stream *stream, struct api *api, struct answer *answer);
/* The message of an event, for its topic above; NULL: no memory. */
struct message *event_message(const struct event *event);
