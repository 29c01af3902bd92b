/* Events: pages of what happened, newest first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event_filter.h"
#include "api/handlers.h"
#include "api/render.h"

static const struct whole_range page_range = {1, API_PAGE_MAX, 100};
static const struct whole_range id_range = {0, INT64_MAX, 0};

struct event_page {
    struct event_rows rows;
    struct buffer *out;
    size_t limit, shown;
    bool more;
    int64_t last_id;
};

static bool event_page_row(struct event_rows *rows, const struct event *event)
{
    struct event_page *page = (struct event_page *)rows;
    page->more = page->shown == page->limit;
    if (page->more)
        return false;
    put_text(page->out, page->shown++ ? "," : "");
    api_render_event(page->out, event);
    page->last_id = event->id;
    return !page->out->spoiled;
}

static err read_query(struct visit *v, struct event_query *query)
{
    struct event_filter filter;
    int64_t limit;
    TRY(event_filter_read(v, &filter));
    TRY(visit_whole(v, "before", id_range, &query->before_id));
    TRY(visit_whole(v, "after", id_range, &query->after_id));
    TRY(visit_whole(v, "limit", page_range, &limit));
    query->device = filter.device;
    query->one_kind = filter.one_kind;
    query->kind = filter.kind;
    query->at_least = filter.at_least;
    query->limit = (size_t)limit + 1; /* one more than is shown says whether there is a next page */
    return OK;
}

err events_list(struct visit *v)
{
    struct event_query query = {.order = EVENTS_NEWEST_FIRST};
    TRY(read_query(v, &query));
    struct buffer *out = &v->answer->body;
    struct event_page page = {.rows = {event_page_row}, .out = out, .limit = query.limit - 1};
    put_text(out, "{\"events\":[");
    TRY(v->api->reader->list_events(v->api->reader, &query, &page.rows));
    put_text(out, "],\"next\":");
    if (page.more)
        put_format(out, "%lld}", (long long)page.last_id);
    else
        put_text(out, "null}");
    return OK;
}
