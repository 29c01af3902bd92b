/* The operators' log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/log.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const struct fault no_level = {ERR_MALFORMED, "log: a level is one of error, warn, info, debug"};

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

enum { LEVELS = sizeof level_names / sizeof *level_names, LINE_MAX_BYTES = 1000 };

err log_level_from(struct bytes text, enum log_level *out)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (bytes_is(text, level_names[i])) {
            *out = (enum log_level)i;
            return OK;
        }
    }
    return &no_level;
}

/* A line that is being written: text behind the bound is dropped, its line end always fits. */
struct line {
    char at[LINE_MAX_BYTES];
    size_t len;
};

static void line_add(struct line *line, struct bytes text)
{
    size_t left = LINE_MAX_BYTES - 1 - line->len;
    for (size_t i = 0; i < text.len && i < left; i++)
        line->at[line->len++] = (char)text.at[i];
}

static void line_pair(struct line *line, const char *key, const char *value)
{
    line_add(line, bytes_of_text(key));
    line_add(line, bytes_of_text(value));
}

static size_t sequence_length(uint8_t lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The length of the character that text starts with, when a terminal may see it as it is; 0 for a control character
 * (C0, DEL, and C1 in UTF-8) and for bytes that are no UTF-8. */
static size_t plain_length(struct bytes text)
{
    struct bytes one = bytes_first(text, sequence_length(text.at[0]));
    if (text.at[0] < 0x20 || text.at[0] == 0x7f || !utf8_valid(one))
        return 0;
    return one.len == 2 && one.at[0] == 0xc2 && one.at[1] < 0xa0 ? 0 : one.len;
}

/* What a device or a peer made us log may not forge a second line or command a terminal. */
static void line_add_escaped(struct line *line, struct bytes text)
{
    while (text.len) {
        size_t plain = plain_length(text);
        char code[5];
        snprintf(code, sizeof code, "\\x%02x", text.at[0]);
        struct bytes piece = plain ? bytes_first(text, plain) : bytes_of_text(code);
        if (piece.len > LINE_MAX_BYTES - 1 - line->len)
            return;
        line_add(line, piece);
        text = bytes_from(text, plain ? plain : 1);
    }
}

static void line_write(struct line *line)
{
    line->at[line->len++] = '\n';
    ssize_t done;
    do {
        done = write(STDERR_FILENO, line->at, line->len);
    } while (done < 0 && errno == EINTR);
}

void log_line(const struct log *log, enum log_level level, const char *what, const char *format, ...)
{
    if (level > log->level)
        return;
    struct line line = {.len = 0};
    char text[LINE_MAX_BYTES];
    if (log->clock) {
        time_text(wall_us(log->clock), text);
        line_pair(&line, "time=", text);
        line_add(&line, BYTES(" "));
    }
    line_pair(&line, "level=", level_names[level]);
    if (log->program)
        line_pair(&line, " program=", log->program);
    line_pair(&line, " event=\"", what);
    line_add(&line, BYTES("\""));
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        line_add(&line, BYTES(" "));
        line_add_escaped(&line, bytes_of_text(text));
    }
    line_write(&line);
}
