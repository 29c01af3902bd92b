/* The tail: messages of a topic filter, for one who looks on. GET /api/v1/tail as a stream (WHATWG HTML, 9.2): an event
 * "message" for each, and "skipped" with the number of those that were left out. It begins now and has no past. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bucket.h"
#include "core/call.h"
#include "core/message.h"
#include "core/topic.h"

#define API_TAIL_PATH "/api/v1/tail"

enum {
    TAIL_PER_S = 500,         /* messages a second: more than anybody reads, and little work for the loop */
    TAIL_PAYLOAD_MAX = 16384, /* bytes of a payload that are shown */
    TAIL_PIECE_MAX = 8 * TAIL_PAYLOAD_MAX + 8 * TOPIC_MAX + 8 * 65536, /* bytes of one event, whatever is escaped */
};

struct api_tail {
    char filter[TOPIC_MAX + 1];
    struct bucket rate;
};

/* Reads the call's filter. On a fault `answer` is a problem document already. No I/O. Whether the caller may watch it,
 * the flow says. */
MUST err api_tail_open(const struct call *call, struct api_tail *out, struct answer *answer);
/* Appends the message; false: there were too many in this second, and it is left out. No I/O. */
struct tail_moment {
    int64_t wall_us, monotonic_ms;
};
bool api_tail_message(struct api_tail *tail, const struct message *message, struct tail_moment now, struct buffer *out);
/* Appends that so many were left out. */
void api_tail_skipped(uint64_t messages, struct buffer *out);
