/* The store port: what is kept, and how it is asked for. Filled by store/sqlite.h and store/memory.h; one conformance
 * suite (tests/store) runs against every filler. No SQL, no cursors, no clock: times are handed in.
 *
 * One thread writes: begin, apply..., commit. Readers are opened apart, each used by one thread at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/write.h"

/* The writing side. Faults of apply: ERR_REFUSED, ERR_ABSENT, ERR_EXISTS, ERR_EXPIRED are that write's own result and
 * leave the batch whole; ERR_FULL, ERR_IO and ERR_MEMORY spoil the batch, which must be rolled back. A commit that
 * returns OK has reached the disk. */
struct store_writer {
    err (*begin)(struct store_writer *self) MUST;
    err (*apply)(struct store_writer *self, const struct write *w, struct write_result *result) MUST;
    err (*commit)(struct store_writer *self) MUST;
    void (*rollback)(struct store_writer *self);
    void (*close)(struct store_writer *self);
};

/* Listings call `row` for each row, in order; its answer false ends the listing early. Rows are lent for the call. The
 * `self` of a row function is embedded in whatever the caller collects into. */
struct device_rows {
    bool (*row)(struct device_rows *self, const struct device *device);
};
struct event_rows {
    bool (*row)(struct event_rows *self, const struct event *event);
};
struct sample_rows {
    bool (*row)(struct sample_rows *self, const struct sample *sample);
};
struct token_rows {
    bool (*row)(struct token_rows *self, const struct token *token);
};
struct session_rows {
    bool (*row)(struct session_rows *self, const struct session_record *session);
};
struct document_rows {
    bool (*row)(struct document_rows *self, struct bytes name, struct bytes json, int64_t time_us);
};

struct client_rows {
    bool (*row)(struct client_rows *self, const struct client_record *client);
};
struct client_watch_rows {
    bool (*row)(struct client_watch_rows *self, uint64_t session, const struct client_watch *watch);
};
/* `message` is lent with its holder: whoever keeps it shares it. NULL for a delivery that was released. Deliveries of one
 * message lent one behind the other may be of the same struct. */
struct delivery_rows {
    bool (*row)(struct delivery_rows *self, const struct client_delivery *delivery, struct message *message);
};
struct received_rows {
    bool (*row)(struct received_rows *self, uint64_t session, uint16_t packet_id);
};
struct retained_rows {
    bool (*row)(struct retained_rows *self, struct message *message); /* lent as above */
};

enum connected_filter { CONNECTED_ANY = 0, CONNECTED_YES, CONNECTED_NO };

/* Devices in the order of their ids. Empty views mean "any". */
struct device_query {
    struct bytes search; /* part of the id or the group, ASCII case does not matter */
    struct bytes group;
    struct bytes state; /* as device_state() says it */
    enum connected_filter connected;
    struct bytes after; /* ids behind this one */
    size_t limit;       /* 1 to PAGE_MAX */
};

/* Events, newest first unless `oldest_first`. */
enum event_order { EVENTS_NEWEST_FIRST = 0, EVENTS_OLDEST_FIRST };
struct event_query {
    struct bytes device;
    bool one_kind;
    enum event_kind kind; /* when one_kind */
    enum severity at_least;
    int64_t after_id;  /* ids above this one; 0: all */
    int64_t before_id; /* ids below this one; 0: all */
    enum event_order order;
    size_t limit; /* 1 to PAGE_MAX */
};

/* Samples of one metric with from_us <= time < to_us, oldest first. */
struct series_query {
    struct bytes device, metric;
    int64_t from_us, to_us;
    size_t limit; /* 1 to POINTS_MAX + 1 */
};

struct store_counts {
    uint64_t devices, connected, active, events, samples; /* samples: rows kept; may be an estimate above 1,000,000 */
};

/* The reading side. ERR_ABSENT: no such thing. ERR_IO: the store failed. */
struct store_reader {
    err (*get_device)(struct store_reader *self, struct bytes id, struct device *out) MUST;
    err (*list_devices)(struct store_reader *self, const struct device_query *query, struct device_rows *rows) MUST;
    err (*count_devices)(struct store_reader *self, const struct device_query *query, uint64_t *out) MUST; /* after, limit: ignored */
    err (*latest)(struct store_reader *self, struct bytes device, struct sample_rows *rows) MUST; /* by metric name */
    err (*series)(struct store_reader *self, const struct series_query *query, struct sample_rows *rows) MUST;
    err (*documents)(struct store_reader *self, struct bytes device, struct document_rows *rows) MUST;
    err (*list_events)(struct store_reader *self, const struct event_query *query, struct event_rows *rows) MUST;
    err (*list_tokens)(struct store_reader *self, struct token_rows *rows) MUST; /* newest first, at most PAGE_MAX */
    err (*find_token)(struct store_reader *self, const uint8_t hash[TOKEN_HASH], struct token *out) MUST;
    err (*get_operator)(struct store_reader *self, struct bytes name, struct operator_account *out) MUST;
    err (*count_operators)(struct store_reader *self, uint64_t *out) MUST;
    err (*list_sessions)(struct store_reader *self, int64_t now_us, struct session_rows *rows) MUST; /* alive at now_us */
    err (*find_session)(struct store_reader *self, const uint8_t hash[TOKEN_HASH], struct session_record *out) MUST;
    /* The sessions of clients and what they left, whole, for the start. Deliveries by session and number, rising. What
     * stands in no known session is not told. */
    err (*list_clients)(struct store_reader *self, struct client_rows *rows) MUST;
    err (*list_client_watches)(struct store_reader *self, struct client_watch_rows *rows) MUST;
    err (*list_deliveries)(struct store_reader *self, struct delivery_rows *rows) MUST;
    err (*list_received)(struct store_reader *self, struct received_rows *rows) MUST;
    err (*list_retained)(struct store_reader *self, struct retained_rows *rows) MUST;
    err (*counts)(struct store_reader *self, struct store_counts *out) MUST;
    void (*close)(struct store_reader *self);
};

