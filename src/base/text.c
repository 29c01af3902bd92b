/* Text encodings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct fault not_a_number = {ERR_MALFORMED, "text: not a number, or out of its range"};
static const struct fault not_hex = {ERR_MALFORMED, "text: not pairs of hexadecimal digits"};
static const struct fault not_base64 = {ERR_MALFORMED, "text: not base64"};
static const struct fault not_percent = {ERR_MALFORMED, "text: a % without two hexadecimal digits behind it"};
static const struct fault no_room = {ERR_TOO_LARGE, "text: longer than its field"};
static const struct fault has_nul = {ERR_MALFORMED, "text: a NUL inside a text"};

err text_to_u64(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;
    if (!text.len)
        return &not_a_number;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.at[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return &not_a_number;
    }
    *out = value;
    return OK;
}

err text_to_i64(struct bytes text, int64_t *out)
{
    bool minus = text.len && text.at[0] == '-';
    uint64_t size;
    TRY(text_to_u64(minus ? bytes_from(text, 1) : text, &size));
    if (size > (uint64_t)INT64_MAX + minus)
        return &not_a_number;
    *out = minus ? (int64_t)(0 - size) : (int64_t)size;
    return OK;
}

err text_to_double(struct bytes text, double *out)
{
    char copy[64];
    char *end;
    if (text_copy(text, copy, sizeof copy))
        return &not_a_number; /* longer than any number that a double can tell from its neighbours */
    for (const char *c = copy; *c; c++)
        if (!strchr("0123456789+-.eE", *c))
            return &not_a_number;
    double value = strtod(copy, &end); /* the programs never leave the "C" locale */
    if (end == copy || *end || !isfinite(value))
        return &not_a_number;
    *out = value;
    return OK;
}

void put_hex(struct buffer *b, struct bytes bytes)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        put_u8(b, (uint8_t)digit[bytes.at[i] >> 4]);
        put_u8(b, (uint8_t)digit[bytes.at[i] & 15]);
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

err hex_decode(struct bytes text, struct buffer *out)
{
    if (text.len % 2)
        return &not_hex;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.at[i]), low = hex_digit(text.at[i + 1]);
        if (high < 0 || low < 0)
            return &not_hex;
        put_u8(out, (uint8_t)(high << 4 | low));
    }
    return buffer_finish(out);
}

static void put_base64_with(struct buffer *b, struct bytes bytes, const char *alphabet)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = (uint32_t)bytes.at[i] << 16 | (have > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0) |
                        (have > 2 ? bytes.at[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                put_u8(b, (uint8_t)alphabet[word >> (18 - 6 * k) & 63]);
            else if (alphabet[64])
                put_u8(b, (uint8_t)alphabet[64]);
        }
    }
}

/* The 65th character is the padding; the URL alphabet has none. */
static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
static const char for_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void put_base64(struct buffer *b, struct bytes bytes)
{
    put_base64_with(b, bytes, standard);
}

void put_base64url(struct buffer *b, struct bytes bytes)
{
    put_base64_with(b, bytes, for_url);
}

static err base64_decode_with(struct bytes text, struct buffer *out, const char *alphabet)
{
    uint32_t word = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *hit = text.at[i] ? memchr(alphabet, text.at[i], 64) : NULL;
        if (!hit)
            return &not_base64;
        word = word << 6 | (uint32_t)(hit - alphabet);
        if (++have == 4) {
            put_u8(out, (uint8_t)(word >> 16));
            put_u8(out, (uint8_t)(word >> 8));
            put_u8(out, (uint8_t)word);
            have = 0;
            word = 0;
        }
    }
    /* Left-over bits must be zero, so that no two texts decode to the same bytes. */
    if (have == 1 || (have == 2 && word & 15) || (have == 3 && word & 3))
        return &not_base64;
    if (have >= 2)
        put_u8(out, (uint8_t)(word >> (have == 2 ? 4 : 10)));
    if (have == 3)
        put_u8(out, (uint8_t)(word >> 2));
    return buffer_finish(out);
}

err base64_decode(struct bytes text, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer packed = {.max = text.len};
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.at[i]) || !text.at[i])
            put_u8(&packed, text.at[i]);
    TRY(buffer_finish(&packed));
    struct bytes view = buffer_view(&packed);
    if (view.len % 4)
        return &not_base64;
    for (int pad = 0; pad < 2 && view.len && view.at[view.len - 1] == '='; pad++)
        view.len--;
    return base64_decode_with(view, out, standard);
}

err base64url_decode(struct bytes text, struct buffer *out)
{
    return base64_decode_with(text, out, for_url);
}

err percent_decode(struct bytes text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '%') {
            put_u8(out, text.at[i]);
            continue;
        }
        int high = i + 1 < text.len ? hex_digit(text.at[i + 1]) : -1;
        int low = i + 2 < text.len ? hex_digit(text.at[i + 2]) : -1;
        if (high < 0 || low < 0)
            return &not_percent;
        put_u8(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return buffer_finish(out);
}

/* The length of the well-formed sequence at the start of text; 0 when there is none (RFC 3629, 4). */
static size_t utf8_sequence(struct bytes text)
{
    uint8_t first = text.at[0];
    size_t len = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (!len || len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text.at[i] & 0xC0) != 0x80)
            return 0;
    if ((first == 0xE0 && text.at[1] < 0xA0) || (first == 0xED && text.at[1] > 0x9F) ||
        (first == 0xF0 && text.at[1] < 0x90) || (first == 0xF4 && text.at[1] > 0x8F))
        return 0;
    return len;
}

bool utf8_valid(struct bytes text)
{
    while (text.len) {
        size_t len = utf8_sequence(text);
        if (!len)
            return false;
        text = bytes_from(text, len);
    }
    return true;
}

void put_json_text(struct buffer *b, struct bytes text)
{
    put_u8(b, '"');
    while (text.len) {
        uint8_t c = text.at[0];
        size_t len = utf8_sequence(text);
        if (!len)
            put_text(b, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\')
            put_format(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            put_format(b, "\\u%04x", c);
        else
            put_bytes(b, bytes_first(text, len));
        text = bytes_from(text, len ? len : 1);
    }
    put_u8(b, '"');
}

err text_copy(struct bytes text, char *out, size_t room)
{
    size_t nul;
    if (text.len >= room)
        return &no_room;
    if (bytes_find(text, 0, &nul))
        return &has_nul;
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return OK;
}
