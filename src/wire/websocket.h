/* The server's side of WebSocket (RFC 6455): the handshake's checks, frames in, frames out. It carries a stream of
 * bytes in binary frames, as MQTT does (MQTT 5, 6); where one message ends and the next begins is not told. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "wire/http.h"

enum { WEBSOCKET_CONTROL_MAX = 125, WEBSOCKET_DIGEST = 20 };

/* Close codes (RFC 6455, 7.4.1) that this side sends. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNACCEPTABLE = 1003, /* a text frame */
    WEBSOCKET_NO_CODE = 1005,      /* never sent: the peer's close named no code */
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_TRY_LATER = 1013,
};

/* What a good upgrade request asks for. Views are lent from the request. */
struct websocket_offer {
    struct bytes key;     /* Sec-WebSocket-Key, as it was sent */
    const char *protocol; /* the first of ours that the client offers */
    struct bytes origin;  /* empty: none, so not a browser. The caller judges it: http_origin_is */
};

/* Checks RFC 6455, 4.2.1. `protocols` are ours in order of preference, ended by NULL; one of them must be offered.
 * ERR_ABSENT: not an upgrade to WebSocket at all: answer as plain HTTP, 426. ERR_UNSUPPORTED: another version: answer
 * 426 with "Sec-WebSocket-Version: 13". ERR_MALFORMED, ERR_REFUSED (no protocol in common): answer 400. */
MUST err websocket_offer(const struct http_request *request, const char *const *protocols, struct websocket_offer *out);

/* The accept key is base64(SHA-1(text)): this room knows no hashes, so it says the text and takes the digest. */
void websocket_put_accept_text(struct buffer *out, struct bytes key);
/* Appends the whole 101 answer. `lines`: further header lines, each with its CRLF. */
void websocket_put_upgrade(struct buffer *out, const struct websocket_offer *offer,
                           const uint8_t digest[WEBSOCKET_DIGEST], struct bytes lines);

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xA,
};

enum websocket_event { WEBSOCKET_NOTHING = 0, WEBSOCKET_PINGED, WEBSOCKET_PONGED, WEBSOCKET_CLOSED };

/* The reader of one connection. All zero is ready. The fields above the line are for the caller to read. */
struct websocket {
    enum websocket_event event;    /* what the last feed stopped for */
    struct bytes control;          /* payload of that control frame; lent until the next feed */
    enum websocket_code peer_code; /* WEBSOCKET_CLOSED: what the peer said, or WEBSOCKET_NO_CODE */
    enum websocket_code fail_code; /* after a fault: the code to close with */
    /* ---- the reader's own */
    uint64_t left; /* payload bytes of the current frame still to come */
    uint64_t at;   /* payload bytes of the current frame seen so far: the place in the mask */
    uint8_t head[14];
    uint8_t head_len;
    uint8_t control_len;
    bool in_payload, in_message, closed;
    uint8_t control_bytes[WEBSOCKET_CONTROL_MAX];
};

/* Reads frames from `in`, appends the unmasked bytes of data frames to `data` and says how many bytes of `in` it used.
 * It stops behind each control frame with `event` set: answer a ping with the same payload, a close with
 * websocket_put_close, and feed the rest. After WEBSOCKET_CLOSED, and after a fault, every further byte is used and
 * ignored. Faults are final: ERR_MALFORMED (the standard is broken), ERR_REFUSED (a text frame), ERR_TOO_LARGE (`data`
 * is full). */
MUST err websocket_feed(struct websocket *w, struct bytes in, size_t *used, struct buffer *data);

/* What stands before the payload of a whole, unmasked frame; so many bytes of out. */
enum { WEBSOCKET_HEAD_MAX = 10 };
size_t websocket_head(enum websocket_opcode opcode, size_t payload_len, uint8_t out[WEBSOCKET_HEAD_MAX]);
/* Appends one whole, unmasked frame. A control frame's payload is cut to WEBSOCKET_CONTROL_MAX. */
void websocket_put_frame(struct buffer *out, enum websocket_opcode opcode, struct bytes payload);
void websocket_put_close(struct buffer *out, enum websocket_code code, const char *reason); /* NO_CODE: an empty one */
