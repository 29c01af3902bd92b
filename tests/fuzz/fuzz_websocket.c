/* fuzz: wire */
/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, whole and byte by byte: both readings must agree. */
#include "wire/websocket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(int claim)
{
    if (!claim)
        abort();
}

static void read_all(struct bytes in, size_t step, struct buffer *data, struct buffer *events)
{
    struct websocket w = {0};
    while (in.len) {
        size_t used, before = data->len;
        err e = websocket_feed(&w, bytes_first(in, step), &used, data);
        hold(used <= in.len && used <= step && (used || w.event));
        hold(data->len - before <= used);
        hold(w.control.len <= WEBSOCKET_CONTROL_MAX);
        in = bytes_from(in, used);
        if (w.event) {
            put_u16(events, (uint16_t)w.event);
            put_u16(events, (uint16_t)w.peer_code);
            put_bytes(events, w.control);
        }
        if (e)
            put_u16(events, (uint16_t)w.fail_code);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(buffer_drop) struct buffer whole = {.max = SIZE_MAX / 4};
    SCOPED(buffer_drop) struct buffer pieces = {.max = SIZE_MAX / 4};
    SCOPED(buffer_drop) struct buffer whole_events = {.max = SIZE_MAX / 4};
    SCOPED(buffer_drop) struct buffer pieces_events = {.max = SIZE_MAX / 4};
    read_all(bytes_of(data, size), SIZE_MAX, &whole, &whole_events);
    read_all(bytes_of(data, size), 1, &pieces, &pieces_events);
    hold(bytes_equal(buffer_view(&whole), buffer_view(&pieces)));
    hold(bytes_equal(buffer_view(&whole_events), buffer_view(&pieces_events)));
    return 0;
}
