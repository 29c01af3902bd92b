/* What handlers record. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/record.h"

#include "base/text.h"

static const struct fault no_memory = {ERR_MEMORY, "api: no memory"};

err record_plain(struct api *api, const struct write *w)
{
    struct write_result result = {0};
    struct write *copy = write_plain(w);
    if (!copy)
        return &no_memory;
    TRY(api->recorder->record(api->recorder, copy, &result));
    return result.failed;
}

void record_act(struct visit *v, enum event_kind kind, const char *device, const char *members)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    put_format(&detail, "{\"operator\":\"%s\"%s%s}", v->call->who.id, members ? "," : "", members ? members : "");
    struct event event = {.time_us = wall_us(v->api->clock), .kind = kind, .severity = event_kind_severity(kind)};
    if (buffer_finish(&detail) || text_copy(bytes_of_text(device), event.device, sizeof event.device))
        return;
    event.detail = buffer_view(&detail);
    struct write *w = write_event(&event);
    if (w)
        IGNORE(v->api->recorder->record(v->api->recorder, w, NULL));
}
