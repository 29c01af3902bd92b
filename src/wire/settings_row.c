/* One row of a settings table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/settings_row.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

static const struct fault not_allowed = {ERR_MALFORMED, "settings: a value that its setting does not allow"};

/* ---- Numbers, with the units that people write */

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit no_units[] = {{NULL, 0}};
static const struct unit time_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit size_units[] = {
    {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776},
    {"kB", 1000},  {"MB", 1000000},  {"GB", 1000000000},  {"TB", 1000000000000},
    {"B", 1},      {NULL, 0},
};

static err read_number(struct bytes text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    uint64_t number, factor = 1;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    struct bytes suffix = bytes_trim(bytes_from(text, digits));
    if (suffix.len) {
        while (units->suffix && !bytes_is(suffix, units->suffix))
            units++;
        factor = units->factor;
    }
    TRY(text_to_u64(bytes_first(text, digits), &number));
    return factor && !__builtin_mul_overflow(number, factor, out) ? OK : &not_allowed;
}

static err set_number(const struct setting *row, struct bytes text, void *at, const struct unit *units)
{
    uint64_t number;
    TRY(read_number(text, units, &number));
    if (number < row->min || number > row->max)
        return &not_allowed;
    if (row->type == SETTING_PORT) {
        uint16_t port = (uint16_t)number;
        if (number > UINT16_MAX)
            return &not_allowed;
        memcpy(at, &port, sizeof port);
    } else {
        memcpy(at, &number, sizeof number);
    }
    return OK;
}

/* ---- Texts */

static err check_text(const struct setting *row, struct bytes text)
{
    if (text.len < row->min || text.len > row->max || !utf8_valid(text))
        return &not_allowed;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] == 0x7F)
            return &not_allowed;
    return OK;
}

static err set_text(const struct setting *row, struct bytes text, void *at)
{
    TRY(check_text(row, text));
    return text_copy(text, at, row->max + 1);
}

static err set_address(const struct setting *row, struct bytes text, void *at)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (text.len || row->min) {
        TRY(text_copy(text, copy, sizeof copy));
        if (inet_pton(AF_INET, copy, &parsed) != 1 && inet_pton(AF_INET6, copy, &parsed) != 1)
            return &not_allowed;
    }
    return set_text(row, text, at);
}

static bool is_between(uint8_t c)
{
    return c == ' ' || c == ',' || c == '\t' || c == '\n';
}

/* Entries with exactly one blank between them. */
static err set_list(const struct setting *row, struct bytes text, void *at)
{
    SCOPED(buffer_drop) struct buffer list = {.max = row->max};
    while (text.len) {
        size_t len = 0;
        while (len < text.len && !is_between(text.at[len]))
            len++;
        if (len && list.len)
            put_u8(&list, ' ');
        put_bytes(&list, bytes_first(text, len));
        text = bytes_from(text, len + 1);
    }
    TRY(buffer_finish(&list));
    return set_text(row, buffer_view(&list), at);
}

/* ---- Words */

static err set_flag(struct bytes text, void *at)
{
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 3; i++)
            if (bytes_equal_nocase(text, bytes_of_text(words[value][i]))) {
                bool flag = value;
                memcpy(at, &flag, sizeof flag);
                return OK;
            }
    return &not_allowed;
}

static err set_choice(const struct setting *row, struct bytes text, void *at)
{
    struct bytes words = bytes_of_text(row->unit);
    for (unsigned place = 0; words.len; place++)
        if (bytes_equal(bytes_cut(&words, ' '), text)) {
            memcpy(at, &place, sizeof place);
            return OK;
        }
    return &not_allowed;
}

/* ---- Any row */

static err set(const struct setting *row, struct bytes text, void *at)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        return set_text(row, text, at);
    case SETTING_ADDRESS:
        return set_address(row, text, at);
    case SETTING_LIST:
        return set_list(row, text, at);
    case SETTING_PORT:
    case SETTING_COUNT:
        return set_number(row, text, at, no_units);
    case SETTING_SECONDS:
        return set_number(row, text, at, time_units);
    case SETTING_BYTES:
        return set_number(row, text, at, size_units);
    case SETTING_FLAG:
        return set_flag(text, at);
    case SETTING_CHOICE:
        return set_choice(row, text, at);
    }
    return &not_allowed;
}

err setting_set(const struct setting *row, struct bytes text, void *into, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer allowed = {.max = WHY_TEXT};
    if (!set(row, text, (uint8_t *)into + row->offset))
        return OK;
    setting_put_allowed(row, &allowed);
    why_say(why, "%s: \"%.*s\" is not %s", row->name, (int)(text.len < 64 ? text.len : 64), (const char *)text.at,
            buffer_text(&allowed));
    return &not_allowed;
}

static size_t value_size(const struct setting *row)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_ADDRESS:
    case SETTING_LIST:
        return row->max + 1;
    case SETTING_PORT:
        return sizeof(uint16_t);
    case SETTING_COUNT:
    case SETTING_SECONDS:
    case SETTING_BYTES:
        return sizeof(uint64_t);
    case SETTING_FLAG:
        return sizeof(bool);
    case SETTING_CHOICE:
        return sizeof(unsigned);
    }
    return 0;
}

static bool is_text(const struct setting *row)
{
    return row->type <= SETTING_LIST;
}

bool setting_differs(const struct setting *row, const void *a, const void *b)
{
    const uint8_t *left = (const uint8_t *)a + row->offset, *right = (const uint8_t *)b + row->offset;
    /* What stands behind a text's NUL is not part of it. */
    return is_text(row) ? strcmp((const char *)left, (const char *)right) != 0
                        : memcmp(left, right, value_size(row)) != 0;
}

static void put_bounds(const struct setting *row, const char *word, const char *unit, struct buffer *out)
{
    const char *blank = *unit ? " " : "";
    if (row->max >= INT64_MAX)
        put_format(out, " of at least %" PRIu64 "%s%s", row->min, blank, unit);
    else
        put_format(out, " %s %" PRIu64 " to %" PRIu64 "%s%s", word, row->min, row->max, blank, unit);
}

static void put_words(const struct setting *row, struct buffer *out)
{
    struct bytes words = bytes_of_text(row->unit);
    for (bool first = true; words.len; first = false) {
        struct bytes word = bytes_cut(&words, ' ');
        put_text(out, first ? "" : words.len ? ", " : " or ");
        put_bytes(out, word);
    }
}

void setting_put_allowed(const struct setting *row, struct buffer *out)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        put_text(out, row->type == SETTING_PATH ? "a path" : "a text");
        put_bounds(row, "of", "bytes", out);
        return;
    case SETTING_ADDRESS:
        put_text(out, row->min ? "an IPv4 or IPv6 address" : "an IPv4 or IPv6 address, or empty");
        return;
    case SETTING_LIST:
        put_text(out, "a list");
        put_bounds(row, "of", "bytes in all", out);
        return;
    case SETTING_PORT:
        put_text(out, "a port");
        put_bounds(row, "from", "", out);
        return;
    case SETTING_COUNT:
        put_text(out, "a number");
        put_bounds(row, "from", row->unit, out);
        return;
    case SETTING_SECONDS:
        put_text(out, "a time");
        put_bounds(row, "from", "seconds (30s, 15m, 24h, 7d)", out);
        return;
    case SETTING_BYTES:
        put_text(out, "a size");
        put_bounds(row, "from", "bytes (64KiB, 16MiB, 2GiB)", out);
        return;
    case SETTING_FLAG:
        put_text(out, "true or false");
        return;
    case SETTING_CHOICE:
        put_words(row, out);
        return;
    }
}
