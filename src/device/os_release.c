/* os-release(5). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/os_release.h"

static const struct fault no_key = {ERR_ABSENT, "os-release: no such key"};
static const struct fault bad_value = {ERR_MALFORMED, "os-release: a value is not written as a shell would read it"};
static const struct fault too_long = {ERR_TOO_LARGE, "os-release: a value is longer than its bound"};

/* "Variable assignment values must be enclosed in double or single quotes if they include ... characters outside of
 * A-Z, a-z, 0-9"; a backslash takes the special meaning off the next character, but not inside single quotes. */
static err unquote(struct bytes raw, char *out, size_t room)
{
    uint8_t quote = raw.len && (raw.at[0] == '"' || raw.at[0] == '\'') ? raw.at[0] : 0;
    size_t len = 0, i = quote ? 1 : 0;
    bool closed = !quote;
    for (; i < raw.len; i++) {
        uint8_t c = raw.at[i];
        if (quote && c == quote) {
            closed = true;
            i++;
            break;
        }
        if (c == '\\' && quote != '\'') {
            if (++i == raw.len)
                return &bad_value;
            c = raw.at[i];
        }
        if (c < 0x20 || c == 0x7F)
            return &bad_value;
        if (len + 1 >= room)
            return &too_long;
        out[len++] = (char)c;
    }
    if (!closed || i != raw.len)
        return &bad_value;
    out[len] = 0;
    return OK;
}

err os_release_value(struct bytes text, const char *key, char *out, size_t room)
{
    struct bytes found = {NULL, 0};
    bool any = false;
    out[0] = 0;
    while (text.len) {
        struct bytes value = bytes_trim(bytes_cut(&text, '\n'));
        bool assigns = value.len && value.at[0] != '#' && bytes_find(value, '=', &(size_t){0});
        struct bytes name = bytes_cut(&value, '=');
        if (assigns && bytes_is(name, key)) {
            found = value;
            any = true;
        }
    }
    if (!any)
        return &no_key;
    err e = unquote(found, out, room);
    if (e)
        out[0] = 0;
    return e;
}
