/* Events: what happened, for operators and for courts. The kinds are the rows of event.def. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/limits.h"

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

#define EVENT(name, text, severity, sentence) EVENT_##name,
enum event_kind {
#include "core/event.def"
    EVENT_KINDS
};
#undef EVENT

struct event {
    int64_t id;           /* given by the store: rises with every event, without order gaps that a reader must fear */
    int64_t time_us;      /* when it happened, by the server's clock */
    enum event_kind kind;
    enum severity severity;
    char device[DEVICE_ID_MAX + 1]; /* "" when it is about no device */
    struct bytes detail;  /* a JSON object; borrowed */
};

const char *event_kind_text(enum event_kind kind);
const char *event_kind_sentence(enum event_kind kind);
enum severity event_kind_severity(enum event_kind kind);
MUST err event_kind_from(struct bytes text, enum event_kind *out); /* ERR_ABSENT: no such kind */
const char *severity_text(enum severity severity);                  /* "info", "warning", "error" */
MUST err severity_from(struct bytes text, enum severity *out);
