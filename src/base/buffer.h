/* A growable byte buffer with a bound and a sticky error: writers write straight down and ask once at the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* Owns its bytes. {.max = N} is a ready, empty buffer that never holds more than N bytes. Drop it with buffer_drop. */
struct buffer {
    uint8_t *at;
    size_t len;
    size_t room;
    size_t max;
    bool spoiled; /* a write did not fit, or memory ran out; all later writes do nothing */
    bool starved; /* it was memory */
};

void buffer_drop(struct buffer *b);  /* frees the bytes; the buffer is empty and usable again. For SCOPED() */
void buffer_clear(struct buffer *b); /* empties and un-spoils it; keeps the room */
void buffer_wipe(struct buffer *b);  /* as buffer_drop, and zeroes the bytes first */

void put_u8(struct buffer *b, uint8_t value);
void put_u16(struct buffer *b, uint16_t value); /* network order, as the next two */
void put_u32(struct buffer *b, uint32_t value);
void put_u64(struct buffer *b, uint64_t value);
void put_bytes(struct buffer *b, struct bytes bytes);
void put_text(struct buffer *b, const char *text);
void put_format(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for len more bytes behind the end, for a read() into it; NULL and spoiled when they do not fit. Lends until the
 * next call; buffer_filled says how many of them were used. */
uint8_t *buffer_reserve(struct buffer *b, size_t len);
void buffer_filled(struct buffer *b, size_t len);

void buffer_consume(struct buffer *b, size_t len); /* drops the first len bytes (at most all) */
struct bytes buffer_view(const struct buffer *b);  /* lends until the next write */
const char *buffer_text(struct buffer *b);         /* lends, NUL-terminated (the NUL is not counted); "" when spoiled */
MUST err buffer_finish(const struct buffer *b);    /* OK: every write fitted. ERR_TOO_LARGE or ERR_MEMORY otherwise */
