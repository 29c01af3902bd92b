/* The request target. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_target.h"

#include <string.h>

static const struct fault bad_form = {ERR_MALFORMED, "http: the target is neither a path nor an http(s) address"};
static const struct fault bad_byte = {ERR_MALFORMED, "http: the target holds a byte that must be encoded"};
static const struct fault bad_percent = {ERR_MALFORMED, "http: the target has a % without two hexadecimal digits"};
static const struct fault bad_control = {ERR_MALFORMED, "http: the path decodes to a control character"};
static const struct fault dot_segment = {ERR_MALFORMED, "http: the path has a segment that is . or .."};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one character off the front, decoded. -1: a bad percent-encoding. */
static int take_character(struct bytes *text)
{
    uint8_t c = text->at[0];
    *text = bytes_from(*text, 1);
    if (c != '%')
        return c;
    if (text->len < 2 || hex_value(text->at[0]) < 0 || hex_value(text->at[1]) < 0)
        return -1;
    int value = hex_value(text->at[0]) << 4 | hex_value(text->at[1]);
    *text = bytes_from(*text, 2);
    return value;
}

static err check_bytes(struct bytes target)
{
    for (size_t i = 0; i < target.len; i++)
        if (target.at[i] <= 0x20 || target.at[i] >= 0x7F || strchr("#<>\"\\^`", target.at[i]))
            return &bad_byte;
    return OK;
}

static err check_query(struct bytes query)
{
    while (query.len)
        if (take_character(&query) < 0)
            return &bad_percent;
    return OK;
}

/* "%2e" is a dot too: whoever decodes later must find nothing to climb with. */
static err check_segment(struct bytes segment)
{
    size_t dots = 0, others = 0;
    while (segment.len) {
        int c = take_character(&segment);
        if (c < 0)
            return &bad_percent;
        if (c < 0x20 || c == 0x7F)
            return &bad_control;
        dots += c == '.';
        others += c != '.';
    }
    return !others && (dots == 1 || dots == 2) ? &dot_segment : OK;
}

static err check_path(struct bytes path)
{
    while (path.len)
        TRY(check_segment(bytes_cut(&path, '/')));
    return OK;
}

bool http_host_is_valid(struct bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.at[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && (!c || !strchr("-._~:[]", c)))
            return false;
    }
    return host.len > 0;
}

/* Cuts "https://host" off the front; the path of an address without one is "/" (RFC 9112, 3.2.1). */
static err take_authority(struct bytes *target, struct bytes *host)
{
    size_t skip = bytes_equal_nocase(bytes_first(*target, 7), BYTES("http://"))    ? 7
                  : bytes_equal_nocase(bytes_first(*target, 8), BYTES("https://")) ? 8
                                                                                   : 0;
    struct bytes rest = bytes_from(*target, skip);
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    *host = bytes_first(rest, end);
    *target = bytes_from(rest, end);
    return skip && http_host_is_valid(*host) ? OK : &bad_form;
}

err http_target_split(struct bytes target, struct http_target *out)
{
    struct http_target split = {0};
    TRY(check_bytes(target));
    if (!bytes_starts(target, "/"))
        TRY(take_authority(&target, &split.host));
    split.path = bytes_cut(&target, '?');
    split.query = target;
    if (!split.path.len)
        split.path = BYTES("/");
    TRY(check_path(split.path));
    TRY(check_query(split.query));
    *out = split;
    return OK;
}
