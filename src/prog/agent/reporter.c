/* Writing what the agent says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/agent/reporter.h"

#include "base/text.h"

#include <stdio.h>

enum { MESSAGE_MAX = 8192 };

static void keep(struct reporter *r, const char *leaf, struct bytes payload)
{
    char topic[128];
    int len = snprintf(topic, sizeof topic, "devices/%s/%s", r->device, leaf);
    err e = spool_append(r->spool, bytes_of(topic, (size_t)len), payload);
    if (e && !r->failing)
        log_line(r->log, LOG_ERROR, "message not kept", "topic=%s why=\"%s\"", topic, e->text);
    r->failing = e != OK;
}

void report_measures(struct reporter *r, const struct measures *measures)
{
    SCOPED(buffer_drop) struct buffer b = {.max = MESSAGE_MAX};
    measures_put_json(&b, measures, wall_us(r->clock));
    if (!buffer_finish(&b))
        keep(r, "telemetry", buffer_view(&b));
}

void report_document(struct reporter *r, struct bytes payload)
{
    if (payload.len)
        keep(r, "twin/reported", payload);
}

void report_event(struct reporter *r, const struct report *report)
{
    SCOPED(buffer_drop) struct buffer b = {.max = MESSAGE_MAX};
    char time[TIME_TEXT];
    time_text(wall_us(r->clock), time);
    put_text(&b, "{\"kind\":");
    put_json_text(&b, bytes_of_text(report->kind));
    put_format(&b, ",\"severity\":\"%s\",\"detail\":{\"time\":\"%s\"", severity_text(report->severity), time);
    if (report->detail.len)
        put_u8(&b, ',');
    put_bytes(&b, report->detail);
    put_text(&b, "}}");
    if (!buffer_finish(&b))
        keep(r, "events", buffer_view(&b));
    log_line(r->log, report->severity == SEVERITY_INFO ? LOG_INFO : LOG_WARN, "event", "kind=%s detail={%.*s}",
             report->kind, (int)report->detail.len, report->detail.len ? (const char *)report->detail.at : "");
}
