/* Event streams: GET /api/v1/events/stream, as the door's endless answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"
#include "door/lobby.h"

/* Events are published on every loop under $holdfast/events/<severity>/<kind>/<device, or "-">, as the JSON of GET /events. */
#define EVENT_TOPIC "$holdfast/events/"

void event_streams_open(struct streams *streams);
/* On a query thread: the answer's body becomes what the stream has missed so far. */
void event_stream_backlog(struct stream *stream, struct api *api, struct answer *answer);
/* The message of an event, for its topic above; NULL: no memory. */
struct message *event_message(const struct event *event);
