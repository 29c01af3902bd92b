/* The reading side of the memory store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory_store.h"

#include "base/list.h"

#include <string.h>

static const struct fault unknown_device = {ERR_ABSENT, "store: there is no such device"};
static const struct fault unknown_token = {ERR_ABSENT, "store: there is no such enrolment token"};
static const struct fault unknown_operator = {ERR_ABSENT, "store: there is no such operator"};
static const struct fault unknown_session = {ERR_ABSENT, "store: there is no such session"};

struct memory_store *memory_enter(struct store_reader *port)
{
    struct memory_store *store = CONTAINER(port, struct memory_reader, port)->store;
    (void)pthread_rwlock_rdlock(&store->lock); /* fails on misuse only */
    return store;
}

void memory_leave(struct memory_store **store)
{
    (void)pthread_rwlock_unlock(&(*store)->lock);
}

static err device_is_known(const struct memory_store *store, struct bytes id)
{
    return shelf_find(&store->devices, id) ? OK : &unknown_device;
}

/* --- devices --- */

static err get_device(struct store_reader *port, struct bytes id, struct device *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    const struct row *row = shelf_find(&store->devices, id);
    if (!row)
        return &unknown_device;
    *out = ((const struct device_row *)row)->device;
    return OK;
}

static bool contains(struct bytes text, struct bytes part)
{
    for (; text.len >= part.len; text = bytes_from(text, 1)) {
        if (bytes_equal_nocase(bytes_first(text, part.len), part))
            return true;
        if (!text.len)
            break;
    }
    return false;
}

static bool device_matches(const struct device *d, const struct device_query *q)
{
    struct bytes id = bytes_of_text(d->id), group = bytes_of_text(d->group);
    if (q->search.len && !contains(id, q->search) && !contains(group, q->search))
        return false;
    if (q->group.len && !bytes_equal(group, q->group))
        return false;
    if (q->state.len && !bytes_is(q->state, device_state(d)))
        return false;
    return q->connected == CONNECTED_ANY || (q->connected == CONNECTED_YES) == (d->connected_us != 0);
}

static err list_devices(struct store_reader *port, const struct device_query *query, struct device_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    size_t given = 0;
    for (size_t i = shelf_from(&store->devices, query->after); i < store->devices.count && given < query->limit; i++) {
        const struct device *device = &((const struct device_row *)store->devices.rows[i])->device;
        if (bytes_is(query->after, device->id) || !device_matches(device, query))
            continue;
        given++;
        if (!rows->row(rows, device))
            break;
    }
    return OK;
}

static err count_devices(struct store_reader *port, const struct device_query *query, uint64_t *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    *out = 0;
    for (size_t i = 0; i < store->devices.count; i++)
        *out += device_matches(&((const struct device_row *)store->devices.rows[i])->device, query);
    return OK;
}

static err counts(struct store_reader *port, struct store_counts *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    *out = (struct store_counts){
        .devices = store->devices.count, .events = store->events.count, .samples = store->samples.count};
    for (size_t i = 0; i < store->devices.count; i++) {
        const struct device *device = &((const struct device_row *)store->devices.rows[i])->device;
        out->connected += device->connected_us != 0;
        out->active += device->last_seen_us != 0;
    }
    return OK;
}

static err documents(struct store_reader *port, struct bytes device, struct document_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    struct key prefix = {.len = 0};
    size_t from, to;
    TRY(device_is_known(store, device));
    key_text(&prefix, device);
    for (shelf_span(&store->documents, &prefix, &from, &to); from < to; from++) {
        const struct document_row *row = (const struct document_row *)store->documents.rows[from];
        if (!rows->row(rows, row->name, row->json, row->time_us))
            break;
    }
    return OK;
}

/* --- telemetry --- */

static const struct sample *sample_at(const struct memory_store *store, size_t at)
{
    return &((const struct sample_row *)store->samples.rows[at])->sample;
}

static err latest(struct store_reader *port, struct bytes device, struct sample_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    struct key prefix = {.len = 0};
    size_t from, to;
    TRY(device_is_known(store, device));
    key_text(&prefix, device);
    for (shelf_span(&store->samples, &prefix, &from, &to); from < to; from++) {
        const struct sample *sample = sample_at(store, from);
        bool is_last = from + 1 == to || !bytes_equal(sample_at(store, from + 1)->metric, sample->metric);
        if (is_last && !rows->row(rows, sample))
            break;
    }
    return OK;
}

static err series(struct store_reader *port, const struct series_query *query, struct sample_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    TRY(device_is_known(store, query->device));
    struct key first = key_of_sample(query->device, query->metric, query->from_us);
    struct key end = key_of_sample(query->device, query->metric, query->to_us);
    size_t given = 0;
    for (size_t i = shelf_from(&store->samples, key_view(&first)); i < store->samples.count; i++) {
        if (bytes_compare(store->samples.rows[i]->key, key_view(&end)) >= 0 || given++ == query->limit)
            break;
        if (!rows->row(rows, sample_at(store, i)))
            break;
    }
    return OK;
}

/* --- events --- */

static bool event_matches(const struct event *e, const struct event_query *q)
{
    return e->id > q->after_id && (!q->before_id || e->id < q->before_id) && e->severity >= q->at_least &&
           (!q->device.len || bytes_is(q->device, e->device)) && (!q->one_kind || e->kind == q->kind);
}

static err list_events(struct store_reader *port, const struct event_query *query, struct event_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    size_t given = 0, count = store->events.count;
    for (size_t i = 0; i < count && given < query->limit; i++) {
        size_t place = query->order == EVENTS_OLDEST_FIRST ? i : count - 1 - i;
        const struct event *event = &((const struct event_row *)store->events.rows[place])->event;
        if (!event_matches(event, query))
            continue;
        given++;
        if (!rows->row(rows, event))
            break;
    }
    return OK;
}

/* --- access --- */

static bool newer(const struct token *a, const struct token *b)
{
    return a->made_us != b->made_us ? a->made_us > b->made_us : strcmp(a->id, b->id) < 0;
}

/* The newest token behind `last` in the order of the listing; NULL: none. */
static const struct token *next_token(const struct memory_store *store, const struct token *last)
{
    const struct token *best = NULL;
    for (size_t i = 0; i < store->tokens.count; i++) {
        const struct token *t = &((const struct token_row *)store->tokens.rows[i])->token;
        if ((!last || newer(last, t)) && (!best || newer(t, best)))
            best = t;
    }
    return best;
}

static err list_tokens(struct store_reader *port, struct token_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    const struct token *token = next_token(store, NULL);
    for (size_t given = 0; token && given < PAGE_MAX && rows->row(rows, token); given++)
        token = next_token(store, token);
    return OK;
}

static err find_token(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct token *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    const struct row *row = shelf_find(&store->tokens, bytes_of(hash, TOKEN_HASH));
    if (!row)
        return &unknown_token;
    *out = ((const struct token_row *)row)->token;
    return OK;
}

static err get_operator(struct store_reader *port, struct bytes name, struct operator_account *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    const struct row *row = shelf_find(&store->operators, name);
    if (!row)
        return &unknown_operator;
    *out = ((const struct operator_row *)row)->account;
    return OK;
}

static err count_operators(struct store_reader *port, uint64_t *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    *out = store->operators.count;
    return OK;
}

static err find_session(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct session_record *out)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    const struct row *row = shelf_find(&store->sessions, bytes_of(hash, TOKEN_HASH));
    if (!row)
        return &unknown_session;
    *out = ((const struct session_row *)row)->session;
    return OK;
}

static err list_sessions(struct store_reader *port, int64_t now_us, struct session_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    for (size_t i = 0; i < store->sessions.count; i++) {
        const struct session_record *session = &((const struct session_row *)store->sessions.rows[i])->session;
        if (session->expires_us > now_us && !rows->row(rows, session))
            break;
    }
    return OK;
}

void memory_reader_fill(struct store_reader *port)
{
    *port = (struct store_reader){
        .get_device = get_device,
        .list_devices = list_devices,
        .count_devices = count_devices,
        .latest = latest,
        .series = series,
        .documents = documents,
        .list_events = list_events,
        .list_tokens = list_tokens,
        .find_token = find_token,
        .get_operator = get_operator,
        .count_operators = count_operators,
        .list_sessions = list_sessions,
        .find_session = find_session,
        .counts = counts,
    };
}
