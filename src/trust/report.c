/* Reports. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/report.h"

#include "base/text.h"

static void put_detail(const struct report *report, struct buffer *out)
{
    const char *between = "{";
    for (size_t i = 0; i < REPORT_FIELDS_MAX; i++) {
        const struct report_field *field = &report->fields[i];
        if (!field->name || !field->text.len)
            continue;
        put_text(out, between);
        put_json_text(out, bytes_of_text(field->name));
        put_u8(out, ':');
        put_json_text(out, bytes_first(field->text, REPORT_TEXT_MAX));
        between = ",";
    }
    put_text(out, *between == '{' ? "{}" : "}");
}

void report_event(struct recorder *recorder, const struct clock *clock, const struct report *report)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    struct event event = {.time_us = wall_us(clock), .kind = report->kind};
    event.severity = event_kind_severity(report->kind);
    put_detail(report, &detail);
    if (buffer_finish(&detail)) {
        buffer_clear(&detail);
        put_text(&detail, "{}");
    }
    event.detail = buffer_view(&detail);
    if (report->device && text_copy(bytes_of_text(report->device), event.device, sizeof event.device))
        return;
    struct write *write = write_event(&event);
    if (write)
        IGNORE(recorder->record(recorder, write, NULL));
}
