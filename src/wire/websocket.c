/* The server's side of WebSocket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/websocket.h"

#include "base/text.h"
#include "wire/http_fields.h"

#include <string.h>

static const struct fault not_websocket = {ERR_ABSENT, "websocket: not an upgrade to WebSocket"};
static const struct fault bad_version = {ERR_UNSUPPORTED, "websocket: a version other than 13"};
static const struct fault bad_key = {ERR_MALFORMED, "websocket: Sec-WebSocket-Key is not 16 bytes in base64"};
static const struct fault bad_request = {ERR_MALFORMED,
                                         "websocket: the upgrade is not a GET of HTTP/1.1 without a body"};
static const struct fault no_protocol = {ERR_REFUSED, "websocket: none of the offered protocols is spoken here"};

enum { KEY_BYTES = 16 };

/* ---- The handshake */

static bool key_is_valid(struct bytes key)
{
    SCOPED(buffer_drop) struct buffer decoded = {.max = KEY_BYTES};
    return key.len == 24 && !base64_decode(key, &decoded) && decoded.len == KEY_BYTES;
}

/* Protocol names are compared exactly (RFC 6455, 4.1). The header may be sent in several lines. */
static bool offers(const struct http_request *request, const char *protocol)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct bytes list = request->headers[i].value;
        if (!bytes_is(request->headers[i].name, "sec-websocket-protocol"))
            continue;
        while (list.len)
            if (bytes_is(bytes_trim(bytes_cut(&list, ',')), protocol))
                return true;
    }
    return false;
}

err websocket_offer(const struct http_request *request, const char *const *protocols, struct websocket_offer *out)
{
    struct bytes key = http_request_header(request, "sec-websocket-key");
    if (!request->upgrade || !http_list_has(http_request_header(request, "upgrade"), "websocket"))
        return &not_websocket;
    if (request->method != HTTP_METHOD_GET || request->minor != 1 || request->body.len)
        return &bad_request;
    if (!bytes_is(http_request_header(request, "sec-websocket-version"), "13"))
        return &bad_version;
    if (!key_is_valid(key))
        return &bad_key;
    while (*protocols && !offers(request, *protocols))
        protocols++;
    if (!*protocols)
        return &no_protocol;
    *out = (struct websocket_offer){key, *protocols, http_request_header(request, "origin")};
    return OK;
}

void websocket_put_accept_text(struct buffer *out, struct bytes key)
{
    put_bytes(out, key);
    put_text(out, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455, 1.3 */
}

void websocket_put_upgrade(struct buffer *out, const struct websocket_offer *offer,
                           const uint8_t digest[WEBSOCKET_DIGEST], struct bytes lines)
{
    put_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: ");
    put_base64(out, bytes_of(digest, WEBSOCKET_DIGEST));
    put_format(out, "\r\nSec-WebSocket-Protocol: %s\r\n", offer->protocol);
    put_bytes(out, lines);
    put_text(out, "\r\n");
}

/* ---- Frames in. The head is (RFC 6455, 5.2): FIN RSV1-3 opcode | MASK length | 0, 2 or 8 bytes of length | mask. */

enum {
    FIN = 0x80,
    RSV = 0x70,
    OPCODE = 0x0F,
    MASK = 0x80,
    LENGTH = 0x7F,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    CONTROL = 8
};

static const struct breach {
    struct fault fault;
    enum websocket_code code;
} reserved_bits = {{ERR_MALFORMED, "websocket: a reserved bit is set"}, WEBSOCKET_PROTOCOL_ERROR},
  unmasked = {{ERR_MALFORMED, "websocket: a client's frame without a mask"}, WEBSOCKET_PROTOCOL_ERROR},
  bad_opcode = {{ERR_MALFORMED, "websocket: an unknown kind of frame"}, WEBSOCKET_PROTOCOL_ERROR},
  bad_control = {{ERR_MALFORMED, "websocket: a control frame in fragments or over 125 bytes"},
                 WEBSOCKET_PROTOCOL_ERROR},
  bad_order = {{ERR_MALFORMED, "websocket: a fragment out of order"}, WEBSOCKET_PROTOCOL_ERROR},
  bad_length = {{ERR_MALFORMED, "websocket: a length that is not in its shortest form"}, WEBSOCKET_PROTOCOL_ERROR},
  bad_close = {{ERR_MALFORMED, "websocket: a malformed close frame"}, WEBSOCKET_PROTOCOL_ERROR},
  bad_text = {{ERR_MALFORMED, "websocket: a close reason that is not UTF-8"}, WEBSOCKET_BAD_TEXT},
  text_frame = {{ERR_REFUSED, "websocket: a text frame where bytes are spoken"}, WEBSOCKET_UNACCEPTABLE},
  too_big = {{ERR_TOO_LARGE, "websocket: more data than there is room for"}, WEBSOCKET_TOO_BIG};

static enum websocket_opcode opcode_of(const struct websocket *w)
{
    return (enum websocket_opcode)(w->head[0] & OPCODE);
}

static bool is_control(const struct websocket *w)
{
    return w->head[0] & CONTROL;
}

static size_t head_size(const struct websocket *w)
{
    if (w->head_len < 2)
        return 2;
    uint8_t length = w->head[1] & LENGTH;
    return 2 + (length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0) + 4;
}

static const struct breach *judge_opcode(const struct websocket *w)
{
    switch (opcode_of(w)) {
    case WEBSOCKET_CONTINUATION:
        return w->in_message ? NULL : &bad_order;
    case WEBSOCKET_BINARY:
        return w->in_message ? &bad_order : NULL;
    case WEBSOCKET_TEXT:
        return &text_frame;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return (w->head[0] & FIN) && (w->head[1] & LENGTH) <= WEBSOCKET_CONTROL_MAX ? NULL : &bad_control;
    }
    return &bad_opcode;
}

/* The first two bytes tell enough to refuse a frame before the rest of it comes. */
static const struct breach *judge_head(const struct websocket *w)
{
    if (w->head[0] & RSV)
        return &reserved_bits;
    if (!(w->head[1] & MASK))
        return &unmasked;
    return judge_opcode(w);
}

static const struct breach *begin_payload(struct websocket *w)
{
    uint8_t length = w->head[1] & LENGTH;
    struct reader r = reader_over(bytes_of(w->head + 2, 8));
    w->left = length == LENGTH_16 ? read_u16(&r) : length == LENGTH_64 ? read_u64(&r) : length;
    if ((length == LENGTH_16 && w->left < LENGTH_16) ||
        (length == LENGTH_64 && (w->left <= UINT16_MAX || w->left > INT64_MAX)))
        return &bad_length;
    w->at = 0;
    w->control_len = 0;
    w->in_payload = true;
    if (!is_control(w))
        w->in_message = !(w->head[0] & FIN);
    return NULL;
}

static const struct breach *take_head(struct websocket *w, struct bytes *in)
{
    while (w->head_len < head_size(w)) {
        if (!in->len)
            return NULL;
        w->head[w->head_len++] = in->at[0];
        *in = bytes_from(*in, 1);
        const struct breach *breach = w->head_len == 2 ? judge_head(w) : NULL;
        if (breach)
            return breach;
    }
    return begin_payload(w);
}

static void unmask(struct websocket *w, struct bytes in, uint8_t *out)
{
    const uint8_t *mask = w->head + head_size(w) - 4;
    for (size_t i = 0; i < in.len; i++)
        out[i] = in.at[i] ^ mask[(w->at + i) % 4];
    w->at += in.len;
    w->left -= in.len;
}

static const struct breach *take_payload(struct websocket *w, struct bytes *in, struct buffer *data)
{
    struct bytes part = bytes_first(*in, w->left < in->len ? (size_t)w->left : in->len);
    *in = bytes_from(*in, part.len);
    if (!part.len)
        return NULL;
    if (is_control(w)) {
        unmask(w, part, w->control_bytes + w->control_len);
        w->control_len += (uint8_t)part.len;
        return NULL;
    }
    uint8_t *room = buffer_reserve(data, part.len);
    if (!room)
        return &too_big;
    unmask(w, part, room);
    buffer_filled(data, part.len);
    return NULL;
}

/* RFC 6455, 7.4: codes that may travel in a close frame. */
static bool code_may_travel(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static const struct breach *end_close(struct websocket *w)
{
    struct reader r = reader_over(w->control);
    w->event = WEBSOCKET_CLOSED;
    w->closed = true;
    w->peer_code = WEBSOCKET_NO_CODE;
    if (!w->control.len)
        return NULL;
    uint16_t code = read_u16(&r);
    if (r.spoiled || !code_may_travel(code))
        return &bad_close;
    w->peer_code = (enum websocket_code)code;
    return utf8_valid(r.left) ? NULL : &bad_text;
}

static const struct breach *end_frame(struct websocket *w)
{
    w->in_payload = false;
    w->head_len = 0;
    if (!is_control(w))
        return NULL;
    w->control = bytes_of(w->control_bytes, w->control_len);
    if (opcode_of(w) == WEBSOCKET_CLOSE)
        return end_close(w);
    w->event = opcode_of(w) == WEBSOCKET_PING ? WEBSOCKET_PINGED : WEBSOCKET_PONGED;
    return NULL;
}

static const struct breach *take(struct websocket *w, struct bytes *in, struct buffer *data)
{
    const struct breach *breach = NULL;
    if (!w->in_payload)
        breach = take_head(w, in);
    if (!breach && w->in_payload)
        breach = take_payload(w, in, data);
    if (!breach && w->in_payload && !w->left)
        breach = end_frame(w);
    return breach;
}

err websocket_feed(struct websocket *w, struct bytes in, size_t *used, struct buffer *data)
{
    struct bytes left = in;
    const struct breach *breach = NULL;
    w->event = WEBSOCKET_NOTHING;
    w->control = (struct bytes){NULL, 0};
    while (left.len && !w->closed && !breach && !w->event)
        breach = take(w, &left, data);
    *used = w->closed || breach ? in.len : in.len - left.len;
    if (!breach)
        return OK;
    w->closed = true;
    w->event = WEBSOCKET_NOTHING;
    w->fail_code = breach->code;
    return &breach->fault;
}

/* ---- Frames out */

/* RFC 6455, 5.2: the length in as few bytes as it needs. */
size_t websocket_head(enum websocket_opcode opcode, size_t payload_len, uint8_t out[WEBSOCKET_HEAD_MAX])
{
    size_t len_bytes = payload_len < LENGTH_16 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)(FIN | opcode);
    out[1] = len_bytes == 0 ? (uint8_t)payload_len : len_bytes == 2 ? LENGTH_16 : LENGTH_64;
    for (size_t i = 0; i < len_bytes; i++)
        out[2 + i] = (uint8_t)((uint64_t)payload_len >> (8 * (len_bytes - 1 - i)));
    return 2 + len_bytes;
}

void websocket_put_frame(struct buffer *out, enum websocket_opcode opcode, struct bytes payload)
{
    if (opcode & CONTROL)
        payload = bytes_first(payload, WEBSOCKET_CONTROL_MAX);
    uint8_t head[WEBSOCKET_HEAD_MAX];
    put_bytes(out, bytes_of(head, websocket_head(opcode, payload.len, head)));
    put_bytes(out, payload);
}

void websocket_put_close(struct buffer *out, enum websocket_code code, const char *reason)
{
    SCOPED(buffer_drop) struct buffer payload = {.max = WEBSOCKET_CONTROL_MAX};
    if (code == WEBSOCKET_NO_CODE) {
        websocket_put_frame(out, WEBSOCKET_CLOSE, (struct bytes){NULL, 0});
        return;
    }
    put_u16(&payload, (uint16_t)code);
    put_bytes(&payload, bytes_first(bytes_of_text(reason), WEBSOCKET_CONTROL_MAX - 2));
    websocket_put_frame(out, WEBSOCKET_CLOSE, buffer_view(&payload));
}
