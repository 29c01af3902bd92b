/* Views of bytes and the sticky-error reader. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

static const struct fault truncated = {ERR_MALFORMED, "bytes: the input ends before its last field"};
static const struct fault trailing = {ERR_MALFORMED, "bytes: there is more input than the last field"};

struct bytes bytes_of(const void *at, size_t len)
{
    return (struct bytes){at, len};
}

struct bytes bytes_of_text(const char *text)
{
    return text ? bytes_of(text, strlen(text)) : (struct bytes){NULL, 0};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t differs = 0;
    for (size_t i = 0; i < a.len; i++)
        differs |= a.at[i] ^ b.at[i];
    return differs == 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool bytes_is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

bool bytes_starts(struct bytes a, const char *prefix)
{
    struct bytes p = bytes_of_text(prefix);
    return a.len >= p.len && bytes_equal(bytes_first(a, p.len), p);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t both = a.len < b.len ? a.len : b.len;
    int order = both ? memcmp(a.at, b.at, both) : 0;
    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct bytes bytes_from(struct bytes b, size_t skip)
{
    if (skip >= b.len)
        return (struct bytes){NULL, 0};
    return bytes_of(b.at + skip, b.len - skip);
}

struct bytes bytes_first(struct bytes b, size_t len)
{
    return bytes_of(b.at, len < b.len ? len : b.len);
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes bytes_trim(struct bytes b)
{
    while (b.len && blank(b.at[0]))
        b = bytes_from(b, 1);
    while (b.len && blank(b.at[b.len - 1]))
        b.len--;
    return b;
}

bool bytes_find(struct bytes b, uint8_t what, size_t *at)
{
    const uint8_t *hit = b.len ? memchr(b.at, what, b.len) : NULL;
    if (!hit)
        return false;
    *at = (size_t)(hit - b.at);
    return true;
}

struct bytes bytes_cut(struct bytes *rest, uint8_t sep)
{
    size_t at;
    struct bytes before = *rest;
    if (!bytes_find(*rest, sep, &at)) {
        *rest = (struct bytes){NULL, 0};
        return before;
    }
    before.len = at;
    /* An empty tail keeps its place, so that "a/" is two pieces and "a" is one. */
    *rest = bytes_of(rest->at + at + 1, rest->len - at - 1);
    return before;
}

struct reader reader_over(struct bytes in)
{
    return (struct reader){in, false};
}

struct bytes read_view(struct reader *r, size_t len)
{
    if (r->spoiled || len > r->left.len) {
        r->spoiled = true;
        return (struct bytes){NULL, 0};
    }
    struct bytes view = bytes_first(r->left, len);
    r->left = bytes_of(r->left.at + len, r->left.len - len);
    return view;
}

static uint64_t read_big_endian(struct reader *r, size_t len)
{
    struct bytes view = read_view(r, len);
    uint64_t value = 0;
    for (size_t i = 0; i < view.len; i++)
        value = value << 8 | view.at[i];
    return value;
}

uint8_t read_u8(struct reader *r)
{
    return (uint8_t)read_big_endian(r, 1);
}

uint16_t read_u16(struct reader *r)
{
    return (uint16_t)read_big_endian(r, 2);
}

uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_big_endian(r, 4);
}

uint64_t read_u64(struct reader *r)
{
    return read_big_endian(r, 8);
}

err reader_finish(const struct reader *r)
{
    if (r->spoiled)
        return &truncated;
    return r->left.len ? &trailing : OK;
}
