/* Notices. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/notice.h"

#include "base/text.h"

static void put_detail(const struct notice *notice, struct buffer *out)
{
    const char *between = "{";
    for (size_t i = 0; i < NOTICE_FIELDS_MAX; i++) {
        const struct notice_field *field = &notice->fields[i];
        if (!field->name || !field->text.len)
            continue;
        put_text(out, between);
        put_json_text(out, bytes_of_text(field->name));
        put_u8(out, ':');
        put_json_text(out, bytes_first(field->text, NOTICE_TEXT_MAX));
        between = ",";
    }
    put_text(out, *between == '{' ? "{}" : "}");
}

bool notice_budget_take(struct notice_budget *b, int64_t now_ms)
{
    static const struct bucket_rate rate = {NOTICE_PER_S, NOTICE_BURST};
    bool may = bucket_take(&b->bucket, rate, now_ms);
    b->left_out += !may;
    return may;
}

void notice_record(struct recorder *recorder, const struct clock *clock, const struct notice *notice)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    struct event event = {.time_us = wall_us(clock), .kind = notice->kind};
    event.severity = event_kind_severity(notice->kind);
    put_detail(notice, &detail);
    if (buffer_finish(&detail)) {
        buffer_clear(&detail);
        put_text(&detail, "{}");
    }
    event.detail = buffer_view(&detail);
    if (notice->device && text_copy(bytes_of_text(notice->device), event.device, sizeof event.device))
        return;
    struct write *write = write_event(&event);
    if (write)
        IGNORE(recorder->record(recorder, write, NULL));
}
