/* Reasons that are safe to show. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/why.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the character at the start of text; 0 when it is none, or a control character. */
static size_t character(struct bytes text)
{
    if (text.at[0] < 0x20 || text.at[0] == 0x7F)
        return 0;
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (utf8_valid(bytes_first(text, len)))
            /* U+0080 to U+009F are control characters too. */
            return len == 2 && text.at[0] == 0xC2 && text.at[1] < 0xA0 ? 0 : len;
    return 0;
}

void why_say(char why[WHY_TEXT], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int written = vsnprintf(why, WHY_TEXT, format, args);
    va_end(args);
    size_t len = written < 0 ? 0 : strlen(why);
    size_t out = 0;
    for (struct bytes left = bytes_of(why, len); left.len;) {
        size_t size = character(left);
        if (size)
            memmove(why + out, left.at, size);
        else
            why[out] = '?';
        out += size ? size : 1;
        left = bytes_from(left, size ? size : 1);
    }
    why[out] = 0;
}
