/* The memory store's own state, which its files share: memory.c, memory_writes.c, memory_reads.c, and the same for
 * clients: memory_clients.c and memory_client_reads.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"
#include "store/shelf.h"

#include <pthread.h>

struct device_row {
    struct row row; /* id */
    struct device device;
};
struct sample_row {
    struct row row; /* id NUL metric NUL time: see key_of_sample */
    struct sample sample;
};
struct document_row {
    struct row row; /* id NUL name */
    struct bytes name, json;
    int64_t time_us;
};
struct event_row {
    struct row row; /* event id in network order */
    struct event event;
};
struct token_row {
    struct row row; /* hash of the secret */
    struct token token;
};
struct setup_row {
    struct row row; /* empty: there is one */
    uint8_t hash[TOKEN_HASH];
    int64_t expires_us;
};
struct operator_row {
    struct row row; /* name */
    struct operator_account account;
};
struct session_row {
    struct row row; /* hash of the secret */
    struct session_record session;
};

struct client_row {
    struct row row; /* number */
    struct client_record client; /* without the will */
    struct bytes will; /* as in store/kept_message.h, as are the others; empty: none */
};
struct watch_row {
    struct row row; /* session, filter */
    uint64_t session;
    struct client_watch watch;
};
struct delivery_row {
    struct row row; /* session, number */
    struct client_delivery delivery;
    struct bytes message; /* empty when it was released */
};
struct received_row {
    struct row row; /* session, packet identifier */
    uint64_t session;
    uint16_t packet_id;
};
struct retained_row {
    struct row row; /* topic */
    struct bytes message;
};

struct memory_store {
    struct store_writer writer;
    pthread_rwlock_t lock; /* held by the writer from begin to the batch's end */
    struct shelf devices, samples, documents, events, tokens, setups, operators, sessions;
    struct shelf clients, watches, deliveries, received, retained;
    struct journal journal;
    int64_t last_event, last_event_begin;
};

/* A key that is built up of parts. The longest is a subscription's, "$share/{name}/" included. */
struct key {
    uint8_t at[8 + 2 * TOPIC_MAX];
    size_t len;
};
static inline struct bytes key_view(const struct key *k)
{
    return bytes_of(k->at, k->len);
}

/* Text and the NUL that ends it, so that no text of a key is a prefix of another. Cut off at the key's bound. */
void key_text(struct key *k, struct bytes text);
void key_number(struct key *k, int64_t number); /* so that keys are ordered as numbers are, negative ones too */
void key_unsigned(struct key *k, uint64_t number);
struct key key_of_sample(struct bytes device, struct bytes metric, int64_t time_us);

/* The rows of a shelf whose keys begin with prefix: *from to *to, the latter not among them. */
void shelf_span(const struct shelf *s, const struct key *prefix, size_t *from, size_t *to);

/* Takes the rows out whose keys begin with prefix. */
MUST err memory_remove_all(struct memory_store *store, struct shelf *shelf, const struct key *prefix);
/* The sessions of the device's clients, and all they left. */
MUST err memory_drop_clients_of(struct memory_store *store, const char *device);

/* One per kind of write. The refusals come before the first change, as in the SQLite store. */
typedef err memory_apply(struct memory_store *store, const struct write *write, struct write_result *result);
memory_apply memory_samples, memory_event, memory_document, memory_presence, memory_enrolment, memory_renewal,
    memory_device_delete, memory_token, memory_token_delete, memory_setup, memory_operator, memory_session,
    memory_session_delete, memory_expire, memory_client, memory_client_delete, memory_client_watch, memory_client_unwatch,
    memory_deliveries, memory_released, memory_delivered, memory_received, memory_received_delete, memory_retained;

/* Takes over from memory_reads.c: the functions of a reader. */
struct memory_reader {
    struct store_reader port;
    struct memory_store *store;
};
void memory_reader_fill(struct store_reader *port); /* all but `close`, and what the next one fills */
void memory_client_reader_fill(struct store_reader *port);

/* Each function of the port enters, and leaves with its scope: SCOPED(memory_leave). */
struct memory_store *memory_enter(struct store_reader *port);
void memory_leave(struct memory_store **store);
