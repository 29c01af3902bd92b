/* Fakes of the ports that the API stands on: a small store of known contents, and recorders of what was done. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { PORT_SESSIONS = 4, PORT_DEVICES = 5, PORT_EVENTS = 30, PORT_SAMPLES = 20, NOW_S = 1767225600 /* 2026-01-01T00:00:00Z */ };
#define NOW_US (NOW_S * 1000000LL)

/* Everything that a test may look at afterwards, or break beforehand. The first member, so that a cast finds it. */
struct ports {
    struct store_reader reader;
    struct recorder recorder;
    struct herald herald;
    struct board board;
    struct health_source health;
    struct clock clock;
    struct dice dice;
    struct api_facts facts;
    struct api api;
    err store_fails; /* what every read and write says; OK: they work */
    enum health_store store_state;
    struct operator_account account; /* name "": none */
    uint8_t setup_hash[TOKEN_HASH];  /* the set-up secret that is alive */
    struct session_record session;   /* operator_name "": none */
    enum write_kind written[16];
    enum event_kind events[16];
    size_t write_count, event_count;
    char event_detail[DETAIL_MAX]; /* of the last one */
    char gone[DEVICE_ID_MAX + 1];
    unsigned sessions_made, sessions_ended;
    char kicked[CLIENT_ID_MAX + 1];
    enum kick_how kicked_how;
    struct drain_order drain;
    err board_fails; /* what the board says; OK: it works */
};

#define PORTS(member, self) ((struct ports *)((char *)(self)-offsetof(struct ports, member)))

static const struct fault port_absent = {ERR_ABSENT, "test: no such thing"};
static const struct fault port_refused = {ERR_REFUSED, "test: refused"};
static const struct fault port_broken = {ERR_IO, "test: the store is broken"};

static inline struct device port_device(size_t i)
{
    struct device d = {.enrolled_us = NOW_US - 86400000000LL,
                       .last_seen_us = i ? NOW_US - 5000000 : 0,
                       .connected_us = i > 2 ? NOW_US - 60000000 : 0,
                       .certificate_expires_us = NOW_US + 3600000000LL,
                       .certificate_serial = "0a1b2c"};
    snprintf(d.id, sizeof d.id, "pump-%zu", i + 1);
    snprintf(d.group, sizeof d.group, i < 3 ? "north" : "south");
    memset(d.key_fingerprint, 'a', FINGERPRINT_TEXT - 1);
    return d;
}

static inline err port_get_device(struct store_reader *self, struct bytes id, struct device *out)
{
    for (size_t i = 0; i < PORT_DEVICES; i++) {
        *out = port_device(i);
        if (bytes_is(id, out->id))
            return PORTS(reader, self)->store_fails;
    }
    return PORTS(reader, self)->store_fails ? PORTS(reader, self)->store_fails : &port_absent;
}

static inline bool port_fits(const struct device_query *q, const struct device *d)
{
    struct bytes id = bytes_of_text(d->id);
    return (!q->group.len || bytes_is(q->group, d->group)) && (!q->state.len || bytes_is(q->state, device_state(d))) &&
           (q->connected == CONNECTED_ANY || (q->connected == CONNECTED_YES) == (d->connected_us != 0)) &&
           (!q->search.len || memmem(id.at, id.len, q->search.at, q->search.len));
}

static inline err port_list_devices(struct store_reader *self, const struct device_query *q, struct device_rows *rows)
{
    size_t given = 0;
    for (size_t i = 0; i < PORT_DEVICES && given < q->limit; i++) {
        struct device d = port_device(i);
        if (!port_fits(q, &d) || (q->after.len && bytes_compare(bytes_of_text(d.id), q->after) <= 0))
            continue;
        given++;
        if (!rows->row(rows, &d))
            break;
    }
    return PORTS(reader, self)->store_fails;
}

static inline err port_count_devices(struct store_reader *self, const struct device_query *q, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < PORT_DEVICES; i++) {
        struct device d = port_device(i);
        *out += port_fits(q, &d);
    }
    return PORTS(reader, self)->store_fails;
}

static inline struct sample port_sample(size_t i)
{
    static const enum sample_kind kinds[] = {SAMPLE_NUMBER, SAMPLE_INTEGER, SAMPLE_TRUTH, SAMPLE_TEXT};
    struct sample s = {
        .metric = BYTES("cpu.load"), .time_us = NOW_US - 1000000 + (int64_t)i * 300, .kind = kinds[i % 4]};
    switch (s.kind) {
    case SAMPLE_NUMBER:
        s.value.number = 0.1;
        s.unit = BYTES("°C");
        break;
    case SAMPLE_INTEGER:
        s.value.integer = INT64_MIN;
        break;
    case SAMPLE_TRUTH:
        s.value.truth = true;
        break;
    case SAMPLE_TEXT:
        s.value.text = BYTES("a \"b\"\n");
        break;
    }
    return s;
}

static inline err port_latest(struct store_reader *self, struct bytes device, struct sample_rows *rows)
{
    for (size_t i = 0; i < 4; i++) {
        struct sample s = port_sample(i);
        if (!rows->row(rows, &s))
            break;
    }
    return PORTS(reader, self)->store_fails;
}

static inline err port_series(struct store_reader *self, const struct series_query *q, struct sample_rows *rows)
{
    size_t given = 0;
    for (size_t i = 0; i < PORT_SAMPLES && given < q->limit; i++) {
        struct sample s = port_sample(i);
        if (s.time_us < q->from_us || s.time_us >= q->to_us || !bytes_equal(s.metric, q->metric))
            continue;
        given++;
        if (!rows->row(rows, &s))
            break;
    }
    return PORTS(reader, self)->store_fails;
}

static inline err port_documents(struct store_reader *self, struct bytes device, struct document_rows *rows)
{
    if (rows->row(rows, BYTES("agent"), BYTES("{\"version\":\"0.1.0\"}"), NOW_US))
        (void)rows->row(rows, BYTES("inventory"), BYTES("{\"os\":{\"name\":\"Debian\"}}"), NOW_US);
    return PORTS(reader, self)->store_fails;
}

static inline struct event port_event(int64_t id)
{
    struct event e = {
        .id = id, .time_us = NOW_US - 1000000 * (PORT_EVENTS - id), .detail = BYTES("{\"reason\":\"why\"}")};
    e.kind = id % 3 ? EVENT_DEVICE_CONNECTED : EVENT_PAYLOAD_REFUSED;
    e.severity = event_kind_severity(e.kind);
    if (id % 2)
        snprintf(e.device, sizeof e.device, "pump-1");
    return e;
}

static inline bool port_event_fits(const struct event_query *q, const struct event *e)
{
    return (!q->device.len || bytes_is(q->device, e->device)) && (!q->one_kind || q->kind == e->kind) &&
           e->severity >= q->at_least && e->id > q->after_id && (!q->before_id || e->id < q->before_id);
}

static inline err port_list_events(struct store_reader *self, const struct event_query *q, struct event_rows *rows)
{
    size_t given = 0;
    for (int64_t i = 1; i <= PORT_EVENTS && given < q->limit; i++) {
        struct event e = port_event(q->order == EVENTS_OLDEST_FIRST ? i : PORT_EVENTS + 1 - i);
        if (!port_event_fits(q, &e))
            continue;
        given++;
        if (!rows->row(rows, &e))
            break;
    }
    return PORTS(reader, self)->store_fails;
}

static inline err port_list_tokens(struct store_reader *self, struct token_rows *rows)
{
    struct token t = {.id = "0123456789abcdef",
                      .group = "north",
                      .uses_left = 2,
                      .uses_total = 3,
                      .made_us = NOW_US,
                      .expires_us = NOW_US + 60000000,
                      .made_by = "ada"};
    if (rows->row(rows, &t))
        (void)rows->row(rows, &t);
    return PORTS(reader, self)->store_fails;
}

static inline err port_find_token(struct store_reader *self, const uint8_t hash[TOKEN_HASH], struct token *out)
{
    return &port_absent;
}

static inline err port_get_operator(struct store_reader *self, struct bytes name, struct operator_account *out)
{
    *out = PORTS(reader, self)->account;
    return *out->name && bytes_is(name, out->name) ? OK : &port_absent;
}

static inline err port_count_operators(struct store_reader *self, uint64_t *out)
{
    *out = *PORTS(reader, self)->account.name ? 1 : 0;
    return OK;
}

static inline err port_find_session(struct store_reader *self, const uint8_t hash[TOKEN_HASH],
                                    struct session_record *out)
{
    *out = PORTS(reader, self)->session;
    return *out->operator_name && !memcmp(out->hash, hash, TOKEN_HASH) ? PORTS(reader, self)->store_fails
                                                                       : &port_absent;
}

static inline err port_counts(struct store_reader *self, struct store_counts *out)
{
    *out = (struct store_counts){
        .devices = PORT_DEVICES, .connected = 2, .active = 4, .events = PORT_EVENTS, .samples = 99};
    return PORTS(reader, self)->store_fails;
}

static inline err port_apply(struct ports *p, const struct write *w)
{
    struct device d;
    switch (w->kind) {
    case WRITE_DEVICE_DELETE:
        return port_get_device(&p->reader, bytes_of_text(w->as.device), &d);
    case WRITE_TOKEN_DELETE:
        return strcmp(w->as.token_id, "0123456789abcdef") ? &port_absent : OK;
    case WRITE_OPERATOR:
        if (memcmp(w->as.operator.setup_hash, p->setup_hash, TOKEN_HASH))
            return &port_refused;
        memset(p->setup_hash, 0, TOKEN_HASH);
        p->account = w->as.operator.account;
        return OK;
    case WRITE_SESSION:
        p->session = w->as.session;
        return OK;
    case WRITE_SESSION_DELETE:
        p->session.operator_name[0] = 0;
        return OK;
    case WRITE_EVENT:
        if (p->event_count < 16)
            p->events[p->event_count++] = w->as.event.kind;
        return text_copy(w->as.event.detail, p->event_detail, sizeof p->event_detail);
    case WRITE_SAMPLES:
    case WRITE_DOCUMENT:
    case WRITE_PRESENCE:
    case WRITE_ENROLMENT:
    case WRITE_RENEWAL:
    case WRITE_TOKEN:
    case WRITE_SETUP:
    case WRITE_EXPIRE:
    case WRITE_CLIENT:
    case WRITE_CLIENT_DELETE:
    case WRITE_CLIENT_WATCH:
    case WRITE_CLIENT_UNWATCH:
    case WRITE_DELIVERIES:
    case WRITE_RELEASED:
    case WRITE_DELIVERED:
    case WRITE_RECEIVED:
    case WRITE_RECEIVED_DELETE:
    case WRITE_RETAINED:
    case WRITE_KINDS:
        break;
    }
    return OK;
}

static inline err port_record(struct recorder *self, struct write *w, struct write_result *result)
{
    struct ports *p = PORTS(recorder, self);
    err e = p->store_fails ? p->store_fails : port_apply(p, w);
    if (!e && p->write_count < 16)
        p->written[p->write_count++] = w->kind;
    if (result)
        *result = (struct write_result){.failed = e};
    write_drop(w);
    return e;
}

static inline void port_session_made(struct herald *self, const struct session_record *session)
{
    PORTS(herald, self)->sessions_made++;
}

static inline void port_session_ended(struct herald *self, const uint8_t hash[TOKEN_HASH])
{
    PORTS(herald, self)->sessions_ended++;
}

static inline void port_device_gone(struct herald *self, const char *device_id)
{
    snprintf(PORTS(herald, self)->gone, sizeof PORTS(herald, self)->gone, "%s", device_id);
}

static inline struct session_view port_session(size_t i)
{
    static const struct session_view sessions[PORT_SESSIONS] = {
        {.who = {PRINCIPAL_ANONYMOUS, ""}, .client_id = BYTES_ROW("a/../b\x01\"?"), .peer = "", .transport = "",
         .version = 4, .since_us = NOW_US, .expiry_s = CLIENT_EXPIRY_NEVER},
        {.who = {PRINCIPAL_OPERATOR, "ada"}, .client_id = BYTES_ROW("console"), .peer = "192.0.2.9:1234",
         .transport = "websocket", .version = 5, .connected = true, .since_us = NOW_US},
        {.who = {PRINCIPAL_DEVICE, "pump-1"}, .client_id = BYTES_ROW("pump-1"), .peer = "192.0.2.7:41234",
         .transport = "tls", .version = 5, .connected = true, .since_us = NOW_US, .expiry_s = 3600, .keep_alive_s = 60,
         .subscriptions = 2, .queued = 3, .queued_bytes = 400, .under_way = 1, .dropped = 5, .messages_in = 6,
         .messages_out = 7},
        {.who = {PRINCIPAL_DEVICE, "pump-2"}, .client_id = BYTES_ROW("pump-2"), .peer = "", .transport = "",
         .version = 4, .since_us = NOW_US, .expiry_s = 60},
    };
    return sessions[i];
}

static inline err port_list_sessions(struct board *self, const struct session_query *q, struct session_rows_view *rows,
                                     uint64_t *total)
{
    size_t given = 0;
    bool wants_more = true;
    *total = 0;
    for (size_t i = 0; i < PORT_SESSIONS; i++) {
        struct session_view s = port_session(i);
        struct session_name name = {s.who, s.client_id};
        if (!session_is_wanted(q, &s))
            continue;
        (*total)++;
        if (wants_more && given < q->limit && (!q->after || session_name_order(&name, q->after) > 0)) {
            given++;
            wants_more = rows->row(rows, &s);
        }
    }
    return PORTS(board, self)->board_fails;
}

static inline err port_find_client(const struct session_name *name, struct session_view *out)
{
    for (size_t i = 0; i < PORT_SESSIONS; i++) {
        *out = port_session(i);
        struct session_name found = {out->who, out->client_id};
        if (!session_name_order(name, &found))
            return OK;
    }
    return &port_absent;
}

static inline err port_show_session(struct board *self, const struct session_name *name, struct session_rows_view *row,
                                    struct watch_rows_view *watches)
{
    struct session_view found;
    TRY(port_find_client(name, &found));
    (void)row->row(row, &found);
    if (watches->row(watches, &(struct client_watch){.filter = BYTES("devices/+/\"x\""), .qos = 1}))
        (void)watches->row(watches, &(struct client_watch){.filter = BYTES("$share/a/#"),
                                                           .subscription_id = 7,
                                                           .qos = 2,
                                                           .flags = CLIENT_WATCH_NO_LOCAL | CLIENT_WATCH_AS_PUBLISHED});
    return PORTS(board, self)->board_fails;
}

static inline err port_kick(struct board *self, const struct session_name *name, enum kick_how how)
{
    struct ports *p = PORTS(board, self);
    struct session_view found;
    TRY(port_find_client(name, &found));
    p->kicked_how = how;
    return text_copy(name->client_id, p->kicked, sizeof p->kicked);
}

static inline err port_drain(struct board *self, const struct drain_order *order)
{
    struct ports *p = PORTS(board, self);
    if (!p->board_fails)
        p->drain = *order;
    return p->board_fails;
}

static inline void port_draining(struct board *self, struct drain_order *out)
{
    *out = PORTS(board, self)->drain;
}

static inline enum health_store port_store(struct health_source *self)
{
    return PORTS(health, self)->store_state;
}

static inline void port_tell(struct health_source *self, struct metric_rows *rows)
{
    static const struct metric open = {"connections", "", "Connections that are open.", METRIC_GAUGE};
    static const struct metric in[] = {{"messages_in", "qos=\"0\"", "Messages that came.", METRIC_COUNTER},
                                       {"messages_in", "qos=\"1\"", "Messages that came.", METRIC_COUNTER}};
    static const struct metric took = {"acknowledgement_seconds", "", "How long it took.", METRIC_COUNTER};
    struct latency_sum sum = {.buckets = {[0] = 3, [4] = 2, [LATENCY_BUCKETS - 1] = 1}, .count = 6, .sum_us = 12000345};
    rows->number(rows, &open, 7);
    rows->number(rows, &in[0], 20);
    rows->number(rows, &in[1], 3);
    rows->latency(rows, &took, &sum);
}

static inline int64_t port_wall_us(const struct clock *self)
{
    return NOW_US;
}

static inline int64_t port_monotonic_ms(const struct clock *self)
{
    return 1000;
}

static inline void port_fill(const struct dice *self, uint8_t *out, size_t len)
{
    memset(out, 0x42, len);
}

static inline void ports_open(struct ports *p)
{
    *p = (struct ports){
        .reader = {.get_device = port_get_device,
                   .list_devices = port_list_devices,
                   .count_devices = port_count_devices,
                   .latest = port_latest,
                   .series = port_series,
                   .documents = port_documents,
                   .list_events = port_list_events,
                   .list_tokens = port_list_tokens,
                   .find_token = port_find_token,
                   .get_operator = port_get_operator,
                   .count_operators = port_count_operators,
                   .find_session = port_find_session,
                   .counts = port_counts},
        .recorder = {.record = port_record},
        .herald = {port_session_made, port_session_ended, port_device_gone},
        .board = {port_list_sessions, port_show_session, port_kick, port_drain, port_draining},
        .drain.per_s = 100,
        .health = {port_store, port_tell},
        .clock = {port_wall_us, port_monotonic_ms},
        .dice = {port_fill},
        .facts = {.public_url = "https://hold.example:8443",
                  .version = "0.1.0",
                  .started_us = NOW_US - 9000000,
                  .root_pem = BYTES("-----BEGIN CERTIFICATE-----\n"),
                  .root_sha256 = "ab12",
                  .mqtt_address = "hold.example:8883",
                  .device_lifetime_s = 86400},
        .store_state = HEALTH_STORE_OK,
    };
    p->api = (struct api){.reader = &p->reader,
                          .recorder = &p->recorder,
                          .herald = &p->herald,
                          .board = &p->board,
                          .clock = &p->clock,
                          .dice = &p->dice,
                          .health = &p->health,
                          .facts = &p->facts};
}
