/* Devices: the list, one of them, its end; and the fleet in five numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/record.h"
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum { SEARCH_MAX = 64 };

static const struct whole_range page_range = {1, API_PAGE_MAX, 100};

struct device_page {
    struct device_rows rows;
    struct buffer *out;
    size_t limit, shown;
    bool more; /* there is a row behind the page */
    char last[DEVICE_ID_MAX + 1];
};

static bool device_page_row(struct device_rows *rows, const struct device *device)
{
    struct device_page *page = (struct device_page *)rows;
    page->more = page->shown == page->limit;
    if (page->more)
        return false;
    put_text(page->out, page->shown++ ? "," : "");
    render_device(page->out, device);
    memcpy(page->last, device->id, sizeof page->last);
    return true;
}

static err read_connected(struct visit *v, enum connected_filter *out)
{
    struct bytes text = visit_text(v, "connected");
    *out = CONNECTED_ANY;
    if (bytes_is(text, "true"))
        *out = CONNECTED_YES;
    else if (bytes_is(text, "false"))
        *out = CONNECTED_NO;
    else if (text.len)
        return visit_refuse(v, &visit_bad_request, "Parameter 'connected' must be true or false.");
    return OK;
}

static err read_state(struct visit *v, struct bytes *out)
{
    *out = visit_text(v, "state");
    if (out->len && !bytes_is(*out, "enrolled") && !bytes_is(*out, "active"))
        return visit_refuse(v, &visit_bad_request, "Parameter 'state' must be enrolled or active.");
    return OK;
}

static err read_query(struct visit *v, struct device_query *query)
{
    int64_t limit;
    query->search = visit_text(v, "search");
    if (query->search.len > SEARCH_MAX)
        return visit_refuse(v, &visit_bad_request, "Parameter 'search' must be at most %d bytes.", SEARCH_MAX);
    TRY(visit_id(v, "group", &query->group));
    TRY(read_state(v, &query->state));
    TRY(read_connected(v, &query->connected));
    TRY(visit_id(v, "after", &query->after));
    TRY(visit_whole(v, "limit", page_range, &limit));
    query->limit = (size_t)limit + 1; /* one more than is shown says whether there is a next page */
    return OK;
}

err devices_list(struct visit *v)
{
    struct device_query query = {.connected = CONNECTED_ANY};
    uint64_t total;
    TRY(read_query(v, &query));
    struct buffer *out = &v->answer->body;
    struct device_page page = {.rows = {device_page_row}, .out = out, .limit = query.limit - 1};
    put_text(out, "{\"devices\":[");
    TRY(v->api->reader->list_devices(v->api->reader, &query, &page.rows));
    TRY(v->api->reader->count_devices(v->api->reader, &query, &total));
    put_format(out, "],\"total\":%" PRIu64 ",\"next\":", total);
    render_text_or_null(out, bytes_of_text(page.more ? page.last : ""));
    put_text(out, "}");
    return OK;
}

err visit_device(struct visit *v, struct device *out)
{
    err e = v->api->reader->get_device(v->api->reader, bytes_of_text(v->id), out);
    return err_is(e, ERR_ABSENT) ? visit_refuse(v, e, "There is no device '%s'.", v->id) : e;
}

err device_show(struct visit *v)
{
    struct device device;
    TRY(visit_device(v, &device));
    render_device(&v->answer->body, &device);
    return OK;
}

/* First the record, then the live sessions: a device that reconnects in between is refused by the record. */
err device_delete(struct visit *v)
{
    struct write w = {.kind = WRITE_DEVICE_DELETE, .now_us = wall_us(v->api->clock)};
    memcpy(w.as.device, v->id, sizeof w.as.device);
    err e = record_plain(v->api, &w);
    if (err_is(e, ERR_ABSENT))
        return visit_refuse(v, e, "There is no device '%s'.", v->id);
    TRY(e);
    v->api->herald->device_gone(v->api->herald, v->id);
    record_act(v, EVENT_DEVICE_DELETED, v->id, NULL);
    v->answer->status = 204;
    return OK;
}

err fleet_show(struct visit *v)
{
    struct store_counts counts;
    TRY(v->api->reader->counts(v->api->reader, &counts));
    put_format(&v->answer->body,
               "{\"devices\":%" PRIu64 ",\"connected\":%" PRIu64 ",\"active\":%" PRIu64 ",\"events\":%" PRIu64
               ",\"samples\":%" PRIu64 "}",
               counts.devices, counts.connected, counts.active, counts.events, counts.samples);
    return OK;
}
