/* The operators' log: one line each on stderr, key=value, no payloads and no secrets. A line is one write(2), so lines
 * of several threads and processes never mix:
 * time=2026-01-31T08:15:00.123Z level=info program=holdfastd event="device enrolled" device=pump-1 group=default */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "base/clock.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where lines go and which are kept. A value: copy it, borrow it. {0} logs errors only, without a time. */
struct log {
    const struct clock *clock;
    const char *program; /* "holdfastd", "keeper" */
    enum log_level level;
};

/* `what` is a short fixed phrase; the format gives key=value pairs, e.g. log_line(log, LOG_INFO, "device enrolled",
 * "device=%s group=%s", id, group). Control characters in the result are escaped. At most 1,000 bytes are written. */
void log_line(const struct log *log, enum log_level level, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
MUST err log_level_from(struct bytes text, enum log_level *out); /* error, warn, info, debug */
