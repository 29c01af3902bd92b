/* The codec's own reader: a sticky reader that also remembers which rule of the standard was broken first. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/mqtt.h"

struct cursor {
    struct reader r;
    err wrong; /* the first broken rule */
};

/* Notes that a rule is broken. What was read behind a truncation is zero and proves nothing, so it is not blamed. */
void cursor_blame(struct cursor *c, err fault);
/* OK: no rule is broken, every read fitted, nothing is left. */
MUST err cursor_finish(const struct cursor *c);

uint32_t cursor_varint(struct cursor *c);     /* 1.5.5 */
struct bytes cursor_text(struct cursor *c);   /* 1.5.4: UTF-8 without U+0000 */
struct bytes cursor_binary(struct cursor *c); /* 1.5.6 */
struct bytes cursor_topic(struct cursor *c);  /* 4.7: a topic name; may be empty */
uint16_t cursor_packet_id(struct cursor *c);  /* 2.2.1: not 0 */

size_t varint_size(uint32_t value); /* 1 to 4 */
void put_varint(struct buffer *b, uint32_t value);
/* Two length bytes and the bytes; ERR_TOO_LARGE over MQTT_TEXT_MAX. */
MUST err put_field(struct buffer *b, struct bytes field);

/* The end of a write that began at `start`: e, or what the buffer has to say; then nothing is left of it in the buffer.
 */
MUST err settle_write(struct buffer *b, size_t start, err e);

/* A property block with its length, for `packet`: an mqtt_type, or MQTT_WILL for the properties of a will. */
enum { MQTT_WILL = 0 };
void cursor_properties(struct cursor *c, unsigned packet, struct mqtt_properties *out);
extern const struct mqtt_properties properties_absent; /* nothing present, all defaults */
/* What put_properties will write, its length field included. */
size_t properties_size(unsigned packet, const struct mqtt_properties *p);
/* ERR_MALFORMED or ERR_REFUSED: one that the reader would refuse. ERR_TOO_LARGE: a text, or all together. */
MUST err put_properties(struct buffer *b, unsigned packet, const struct mqtt_properties *p);

/* 2.4: whether this sender may put this reason into this packet. */
bool reason_fits(enum mqtt_reason reason, enum mqtt_type type, enum mqtt_sender sender);
/* 3.1.1 return codes of CONNACK. */
bool return_code_from(enum mqtt_reason reason, uint8_t *out);
bool return_code_to(uint8_t code, enum mqtt_reason *out);
