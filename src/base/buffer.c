/* The growable byte buffer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct fault does_not_fit = {ERR_TOO_LARGE, "buffer: what was written is larger than the buffer's bound"};
static const struct fault no_memory = {ERR_MEMORY, "buffer: no memory for what was written"};

enum { FIRST_ROOM = 64 };

void buffer_drop(struct buffer *b)
{
    mem_drop(b->at);
    *b = (struct buffer){.max = b->max};
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->spoiled = b->starved = false;
}

void buffer_wipe(struct buffer *b)
{
    if (b->at)
        mem_wipe(b->at, b->room + 1);
    buffer_drop(b);
}

/* One byte is taken beyond the room, so that a NUL stands behind a text that fills the buffer to its bound. */
static bool take_room(struct buffer *b, size_t room)
{
    uint8_t *grown = room < SIZE_MAX ? mem_grow(b->at, room + 1, 1) : NULL;
    if (!grown) {
        b->spoiled = b->starved = true;
        return false;
    }
    b->at = grown;
    b->room = room;
    return true;
}

static bool make_room(struct buffer *b, size_t more)
{
    if (b->spoiled || b->len > b->max || more > b->max - b->len) {
        b->spoiled = true;
        return false;
    }
    size_t need = b->len + more;
    if (b->at && need <= b->room)
        return true;
    size_t room = b->room ? b->room : FIRST_ROOM;
    if (room > b->max)
        room = b->max;
    while (room < need)
        room = room > b->max / 2 ? b->max : room * 2;
    return take_room(b, room);
}

uint8_t *buffer_reserve(struct buffer *b, size_t len)
{
    return make_room(b, len) ? b->at + b->len : NULL;
}

void buffer_filled(struct buffer *b, size_t len)
{
    b->len += len <= b->room - b->len ? len : b->room - b->len;
}

void put_bytes(struct buffer *b, struct bytes bytes)
{
    if (!bytes.len || !make_room(b, bytes.len))
        return;
    memcpy(b->at + b->len, bytes.at, bytes.len);
    b->len += bytes.len;
}

static void put_big_endian(struct buffer *b, uint64_t value, size_t len)
{
    uint8_t field[8];
    for (size_t i = 0; i < len; i++)
        field[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    put_bytes(b, bytes_of(field, len));
}

void put_u8(struct buffer *b, uint8_t value)
{
    put_big_endian(b, value, 1);
}

void put_u16(struct buffer *b, uint16_t value)
{
    put_big_endian(b, value, 2);
}

void put_u32(struct buffer *b, uint32_t value)
{
    put_big_endian(b, value, 4);
}

void put_u64(struct buffer *b, uint64_t value)
{
    put_big_endian(b, value, 8);
}

void put_text(struct buffer *b, const char *text)
{
    put_bytes(b, bytes_of_text(text));
}

void put_format(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *at = len < 0 ? NULL : buffer_reserve(b, (size_t)len);
    if (!at) {
        b->spoiled = true;
        return;
    }
    va_start(args, format);
    vsnprintf((char *)at, (size_t)len + 1, format, args); /* its NUL goes where buffer_text puts one */
    va_end(args);
    b->len += (size_t)len;
}

void buffer_consume(struct buffer *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}

struct bytes buffer_view(const struct buffer *b)
{
    return bytes_of(b->at, b->len);
}

const char *buffer_text(struct buffer *b)
{
    if (!make_room(b, 0))
        return "";
    b->at[b->len] = 0;
    return (const char *)b->at;
}

err buffer_finish(const struct buffer *b)
{
    if (b->starved)
        return &no_memory;
    return b->spoiled ? &does_not_fit : OK;
}
