/* The table of event kinds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event.h"

static const struct fault no_such_kind = {ERR_ABSENT, "event: there is no such kind"};
static const struct fault no_such_severity = {ERR_ABSENT, "event: a severity is info, warning or error"};

#define EVENT(name, text, severity, sentence) {text, SEVERITY_##severity, sentence},
static const struct {
    const char *text;
    enum severity severity;
    const char *sentence;
} kinds[EVENT_KINDS] = {
#include "core/event.def"
};
#undef EVENT

static const char *const severities[] = {"info", "warning", "error"};

const char *event_kind_text(enum event_kind kind)
{
    return kinds[kind].text;
}

const char *event_kind_sentence(enum event_kind kind)
{
    return kinds[kind].sentence;
}

enum severity event_kind_severity(enum event_kind kind)
{
    return kinds[kind].severity;
}

err event_kind_from(struct bytes text, enum event_kind *out)
{
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
        if (bytes_is(text, kinds[kind].text)) {
            *out = (enum event_kind)kind;
            return OK;
        }
    return &no_such_kind;
}

const char *severity_text(enum severity severity)
{
    return severities[severity];
}

err severity_from(struct bytes text, enum severity *out)
{
    for (unsigned severity = SEVERITY_INFO; severity <= SEVERITY_ERROR; severity++)
        if (bytes_is(text, severities[severity])) {
            *out = (enum severity)severity;
            return OK;
        }
    return &no_such_severity;
}
