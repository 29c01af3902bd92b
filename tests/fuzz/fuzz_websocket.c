/* fuzz: wire */
/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, whole and byte by byte: both readings must agree. And the other way round: the input as a stream of MQTT, cut
 * into frames and fragments wherever it says, with control frames between them, comes out as the same stream. */
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

/* A client's frame: masked, and with the length in the shortest form (RFC 6455, 5.2). */
static void put_masked(struct buffer *out, unsigned first, struct bytes payload)
{
    static const uint8_t mask[4] = {0x5A, 0x00, 0xFF, 0x13};
    put_u8(out, (uint8_t)first);
    if (payload.len < 126) {
        put_u8(out, (uint8_t)(0x80 | payload.len));
    } else {
        put_u8(out, 0x80 | 126);
        put_u16(out, (uint16_t)payload.len);
    }
    put_bytes(out, bytes_of(mask, sizeof mask));
    for (size_t i = 0; i < payload.len; i++)
        put_u8(out, payload.at[i] ^ mask[i % 4]);
}

/* Each byte that the stream begins with says how far the next fragment reaches, whether it is its message's last, and
 * whether a ping comes behind it. */
static size_t put_stream(struct bytes plan, struct bytes stream, struct buffer *out)
{
    bool begun = false;
    size_t pings = 0;
    for (size_t i = 0; stream.len; i++) {
        unsigned word = plan.at[i % plan.len];
        struct bytes piece = bytes_first(stream, word & 0x20 ? (word & 0x1F) * 37 + 1 : word & 0x1F);
        bool last = word & 0x40 || (piece.len == stream.len && piece.len);
        put_masked(out, (last ? 0x80u : 0) | (begun ? WEBSOCKET_CONTINUATION : WEBSOCKET_BINARY), piece);
        begun = !last;
        stream = bytes_from(stream, piece.len);
        if (word & 0x80) {
            put_masked(out, 0x80 | WEBSOCKET_PING, bytes_first(plan, WEBSOCKET_CONTROL_MAX));
            pings++;
        }
        if (i > 4096)
            break; /* fragments without a byte for ever */
    }
    return pings;
}

static void what_is_sent_is_heard(struct bytes in)
{
    SCOPED(buffer_drop) struct buffer sent = {.max = SIZE_MAX / 4};
    SCOPED(buffer_drop) struct buffer heard = {.max = SIZE_MAX / 4};
    struct bytes plan = bytes_first(in, in.len / 8 + 1), stream = bytes_from(in, plan.len);
    struct websocket w = {0};
    if (!in.len)
        return;
    size_t pings = put_stream(plan, stream, &sent), step = plan.at[0] % 61 + 1u, heard_pings = 0;
    for (struct bytes left = buffer_view(&sent); left.len;) {
        size_t used;
        hold(!websocket_feed(&w, bytes_first(left, step), &used, &heard));
        left = bytes_from(left, used);
        if (w.event) {
            hold(w.event == WEBSOCKET_PINGED && bytes_equal(w.control, bytes_first(plan, WEBSOCKET_CONTROL_MAX)));
            heard_pings++;
        }
    }
    hold(heard_pings == pings);
    hold(bytes_equal(buffer_view(&heard), bytes_first(stream, heard.len)));
    hold(heard.len == stream.len || sent.len > 4096);
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
    what_is_sent_is_heard(bytes_of(data, size));
    return 0;
}
