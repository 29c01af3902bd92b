/* Clients' sessions: pages of them, one with its subscriptions, and the end of one. A client identifier may be any
 * UTF-8 text (MQTT 5.0, 3.1.3.1), "/", ".." and control characters included, which no path survives on its way through
 * browsers and proxies: so a session is named by query parameters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/record.h"
#include "api/render.h"

#include "base/list.h"
#include "base/text.h"

#include <inttypes.h>

enum { SEARCH_MAX = 64, SHOWN = 80, PRINCIPAL_KINDS = PRINCIPAL_ANONYMOUS + 1 };

static const struct whole_range page_range = {1, API_PAGE_MAX, 100};

static const char *const kind_texts[PRINCIPAL_KINDS] = {
    [PRINCIPAL_NOBODY] = "nobody",
    [PRINCIPAL_DEVICE] = "device",
    [PRINCIPAL_OPERATOR] = "operator",
    [PRINCIPAL_ANONYMOUS] = "anonymous",
};

static bool kind_from(struct bytes text, enum principal_kind *out)
{
    for (unsigned kind = PRINCIPAL_DEVICE; kind < PRINCIPAL_KINDS; kind++)
        if (bytes_is(text, kind_texts[kind])) {
            *out = (enum principal_kind)kind;
            return true;
        }
    return false;
}

static bool has_id(enum principal_kind kind)
{
    return kind == PRINCIPAL_DEVICE || kind == PRINCIPAL_OPERATOR;
}

/* ---- one session as JSON */

static const char *version_text(uint8_t version)
{
    return version == 5 ? "5.0" : "3.1.1";
}

static void put_name(struct buffer *out, const struct session_name *name)
{
    put_format(out, "\"principal\":{\"kind\":\"%s\",\"id\":\"%s\"},\"client\":", kind_texts[name->who.kind],
               name->who.id);
    put_json_text(out, name->client_id);
}

static void put_queue(struct buffer *out, const struct session_view *s)
{
    put_format(out, ",\"subscriptions\":%zu,\"queued\":%zu,\"queued_bytes\":%zu,\"under_way\":%zu", s->subscriptions,
               s->queued, s->queued_bytes, s->under_way);
    put_format(out, ",\"dropped\":%" PRIu64 ",\"messages_in\":%" PRIu64 ",\"messages_out\":%" PRIu64, s->dropped,
               s->messages_in, s->messages_out);
}

/* The members of the object, without its braces. */
static void put_session(struct buffer *out, const struct session_view *s)
{
    put_name(out, &(struct session_name){s->who, s->client_id});
    put_format(out, ",\"connected\":%s,\"since\":", s->connected ? "true" : "false");
    render_time_or_null(out, s->since_us);
    put_text(out, ",\"peer\":");
    render_text_or_null(out, bytes_of_text(s->peer));
    put_text(out, ",\"transport\":");
    render_text_or_null(out, bytes_of_text(s->transport));
    put_format(out, ",\"version\":\"%s\",\"keep_alive_s\":%u,\"expiry_s\":", version_text(s->version),
               (unsigned)s->keep_alive_s);
    if (s->expiry_s == CLIENT_EXPIRY_NEVER)
        put_text(out, "null");
    else
        put_format(out, "%" PRIu32, s->expiry_s);
    put_queue(out, s);
}

/* ---- pages: the cursor is "kind:principal:client id in base64url" */

static void put_cursor(struct buffer *out, const struct session_name *name)
{
    put_format(out, "\"%s:%s:", kind_texts[name->who.kind], name->who.id);
    put_base64url(out, name->client_id);
    put_text(out, "\"");
}

static err read_cursor(struct visit *v, struct buffer *client_id, struct session_name *out)
{
    struct bytes rest = visit_text(v, "after"), kind = bytes_cut(&rest, ':'), id = bytes_cut(&rest, ':');
    if (!kind_from(kind, &out->who.kind) || text_copy(id, out->who.id, sizeof out->who.id) ||
        base64url_decode(rest, client_id))
        return visit_refuse(v, &visit_bad_request, "Parameter 'after' must be the 'next' of the page before.");
    out->client_id = buffer_view(client_id);
    return OK;
}

struct session_list {
    struct session_rows_view rows;
    struct buffer *out;
    size_t limit, shown;
    bool more; /* there is a row behind the page */
    struct buffer *cursor;
};

static bool list_row(struct session_rows_view *rows, const struct session_view *session)
{
    struct session_list *list = (struct session_list *)rows;
    list->more = list->shown == list->limit;
    if (list->more)
        return false;
    put_text(list->out, list->shown++ ? ",{" : "{");
    put_session(list->out, session);
    put_text(list->out, "}");
    buffer_clear(list->cursor);
    put_cursor(list->cursor, &(struct session_name){session->who, session->client_id});
    return !list->out->spoiled;
}

static err read_connected(struct visit *v, enum connected_wish *out)
{
    struct bytes text = visit_text(v, "connected");
    *out = bytes_is(text, "true") ? SESSIONS_CONNECTED : bytes_is(text, "false") ? SESSIONS_AWAY : SESSIONS_ALL;
    if (text.len && *out == SESSIONS_ALL)
        return visit_refuse(v, &visit_bad_request, "Parameter 'connected' must be true or false.");
    return OK;
}

static err read_query(struct visit *v, struct session_query *query)
{
    int64_t limit;
    query->search = visit_text(v, "search");
    if (query->search.len > SEARCH_MAX)
        return visit_refuse(v, &visit_bad_request, "Parameter 'search' must be at most %d bytes.", SEARCH_MAX);
    TRY(read_connected(v, &query->connected));
    TRY(visit_whole(v, "limit", page_range, &limit));
    query->limit = (size_t)limit + 1; /* one more than is shown says whether there is a next page */
    return OK;
}

err sessions_list(struct visit *v)
{
    SCOPED(buffer_drop) struct buffer after_client = {.max = CLIENT_ID_MAX};
    SCOPED(buffer_drop) struct buffer cursor = {.max = 2 * CLIENT_ID_MAX};
    struct session_query query = {.connected = SESSIONS_ALL};
    struct session_name after = {.who.kind = PRINCIPAL_NOBODY};
    struct buffer *out = &v->answer->body;
    uint64_t total;
    TRY(read_query(v, &query));
    if (visit_text(v, "after").len) {
        TRY(read_cursor(v, &after_client, &after));
        query.after = &after;
    }
    struct session_list list = {.rows = {list_row}, .out = out, .limit = query.limit - 1, .cursor = &cursor};
    put_text(out, "{\"sessions\":[");
    TRY(v->api->board->list(v->api->board, &query, &list.rows, &total));
    put_format(out, "],\"total\":%" PRIu64 ",\"next\":%s}", total, list.more ? buffer_text(&cursor) : "null");
    return OK;
}

/* ---- one of them */

static err read_name(struct visit *v, struct session_name *out)
{
    struct bytes id;
    *out = (struct session_name){.client_id = visit_text(v, "client")};
    if (!kind_from(visit_text(v, "kind"), &out->who.kind))
        return visit_refuse(v, &visit_bad_request, "Parameter 'kind' must be device, operator or anonymous.");
    TRY(visit_id(v, "principal", &id));
    if (has_id(out->who.kind) != (id.len > 0))
        return visit_refuse(v, &visit_bad_request,
                            id.len ? "Parameter 'principal' must be left out: the anonymous have no id."
                                   : "Parameter 'principal' must be the id of the device or the operator's name.");
    if (!out->client_id.len)
        return visit_refuse(v, &visit_bad_request, "Parameter 'client' must be the client identifier of the session.");
    return id.len ? text_copy(id, out->who.id, sizeof out->who.id) : OK;
}

static err no_such(struct visit *v, const struct session_name *name, err fault)
{
    struct bytes client = bytes_first(name->client_id, SHOWN);
    return visit_refuse(v, fault, "There is no session with the client identifier '%.*s' of %s %s.", (int)client.len,
                        (const char *)client.at, kind_texts[name->who.kind], name->who.id);
}

/* What a loop says of one session, put down for the thread that asked. */
struct shown_session {
    struct session_rows_view row;
    struct watch_rows_view watches;
    struct buffer *out;
    size_t watch_count;
};

static bool page_row(struct session_rows_view *self, const struct session_view *session)
{
    struct shown_session *page = CONTAINER(self, struct shown_session, row);
    put_session(page->out, session);
    put_text(page->out, ",\"watches\":[");
    return true;
}

static bool page_watch(struct watch_rows_view *self, const struct client_watch *watch)
{
    struct shown_session *page = CONTAINER(self, struct shown_session, watches);
    put_text(page->out, page->watch_count++ ? ",{\"filter\":" : "{\"filter\":");
    put_json_text(page->out, watch->filter);
    put_format(page->out, ",\"qos\":%u,\"no_local\":%s,\"as_published\":%s,\"subscription_id\":", (unsigned)watch->qos,
               watch->flags & CLIENT_WATCH_NO_LOCAL ? "true" : "false",
               watch->flags & CLIENT_WATCH_AS_PUBLISHED ? "true" : "false");
    if (watch->subscription_id)
        put_format(page->out, "%" PRIu32 "}", watch->subscription_id);
    else
        put_text(page->out, "null}");
    return page->watch_count < PAGE_MAX && !page->out->spoiled;
}

err session_of_client_show(struct visit *v)
{
    struct session_name name;
    TRY(read_name(v, &name));
    struct shown_session page = {.row = {page_row}, .watches = {page_watch}, .out = &v->answer->body};
    put_text(page.out, "{");
    err e = v->api->board->show(v->api->board, &name, &page.row, &page.watches);
    if (err_is(e, ERR_ABSENT))
        return no_such(v, &name, e);
    TRY(e);
    put_text(page.out, "]}");
    return OK;
}

static err read_how(struct visit *v, enum kick_how *out)
{
    struct bytes state = visit_text(v, "state");
    *out = bytes_is(state, "true") ? KICK_SESSION : KICK_CONNECTION;
    if (state.len && *out == KICK_CONNECTION && !bytes_is(state, "false"))
        return visit_refuse(v, &visit_bad_request, "Parameter 'state' must be true or false.");
    return OK;
}

err session_of_client_delete(struct visit *v)
{
    SCOPED(buffer_drop) struct buffer members = {.max = DETAIL_MAX};
    struct session_name name;
    enum kick_how how;
    TRY(read_name(v, &name));
    TRY(read_how(v, &how));
    err e = v->api->board->kick(v->api->board, &name, how);
    if (err_is(e, ERR_ABSENT))
        return no_such(v, &name, e);
    TRY(e);
    put_name(&members, &name);
    put_format(&members, ",\"state\":%s", how == KICK_SESSION ? "true" : "false");
    record_act(v, EVENT_SESSION_KICKED, name.who.kind == PRINCIPAL_DEVICE ? name.who.id : "", buffer_text(&members));
    v->answer->status = 204;
    return OK;
}
