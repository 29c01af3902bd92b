/* Writes: everything that changes the store, as values. One is made by whoever wants it kept, travels to the store
 * thread, is applied there in a batch, and travels back with its result. It owns all its bytes in one allocation. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/client.h"
#include "core/device.h"
#include "core/event.h"
#include "core/sample.h"

enum { TOKEN_HASH = 32, TOKEN_ID_TEXT = 17, PASSWORD_HASH_MAX = 256 };

/* An enrolment token. Only the SHA-256 of the secret is kept. */
struct token {
    char id[TOKEN_ID_TEXT]; /* a public handle: 16 hex digits */
    uint8_t hash[TOKEN_HASH];
    char group[GROUP_MAX + 1];
    uint32_t uses_left, uses_total;
    int64_t made_us, expires_us;
    char made_by[OPERATOR_NAME_MAX + 1];
};

struct operator_account {
    char name[OPERATOR_NAME_MAX + 1];
    char password_hash[PASSWORD_HASH_MAX]; /* as crypto/password.h makes it, with its NUL */
    int64_t made_us;
};

/* A signed-in operator. Only the SHA-256 of the secret is kept. */
struct session_record {
    uint8_t hash[TOKEN_HASH];
    char operator_name[OPERATOR_NAME_MAX + 1];
    int64_t made_us, expires_us;
};

enum write_kind {
    WRITE_SAMPLES,         /* telemetry; also moves last_seen. A sample of the same device, metric and time replaces */
    WRITE_EVENT,           /* result.id: the event's id */
    WRITE_DOCUMENT,        /* one named reported document of a device, replacing the former one */
    WRITE_PRESENCE,        /* a session began (connected_us) or ended (0); also moves last_seen */
    WRITE_ENROLMENT,       /* spends one use of a token and registers the device, both or neither */
    WRITE_RENEWAL,         /* a new certificate of a device: serial, expiry, fingerprint. ERR_ABSENT also when the device
                              was deleted and enrolled anew meanwhile: enrolled_us says which enrolment is meant */
    WRITE_DEVICE_DELETE,   /* the device and all it left: telemetry, documents, the sessions of its clients; its events stay */
    WRITE_TOKEN,           /* a new enrolment token */
    WRITE_TOKEN_DELETE,
    WRITE_SETUP,           /* the one-time secret of the first account, replacing the former one */
    WRITE_OPERATOR,        /* the first account: only with the live one-time secret, which it spends */
    WRITE_SESSION,
    WRITE_SESSION_DELETE,
    /* The next ones, up to WRITE_RECEIVED_DELETE: what is said of a session or a delivery that is not there changes nothing
     * and is no fault, since it ended meanwhile. A message that is larger than limits.h allows is ERR_REFUSED. */
    WRITE_CLIENT,          /* a client's session, new or changed: its record, by number. Whoever else had the same owner and
                              client identifier goes with all it left, as by WRITE_CLIENT_DELETE */
    WRITE_CLIENT_DELETE,   /* a client's session and all it left: subscriptions, deliveries, received identifiers */
    WRITE_CLIENT_WATCH,    /* one subscription of a session, new or in place of the one with the same filter */
    WRITE_CLIENT_UNWATCH,
    WRITE_DELIVERIES,      /* one message for one or more sessions; kept once. A number that is there already stays as it is */
    WRITE_RELEASED,        /* QoS 2: the client has the message; it is forgotten, its delivery stays until it is done */
    WRITE_DELIVERED,       /* the delivery is over and forgotten */
    WRITE_RECEIVED,        /* QoS 2: a packet identifier that the client used and has not released (MQTT 5.0, 4.3.3) */
    WRITE_RECEIVED_DELETE,
    WRITE_RETAINED,        /* the retained message of a topic; an empty payload deletes it (MQTT 5.0, 3.3.1.3) */
    WRITE_EXPIRE,          /* drops sessions, tokens and set-up secrets, and retained messages, that ended before now_us */
    WRITE_KINDS
};

struct write {
    struct write *next; /* another one that is to be kept together with this one; owned by it. NULL: none */
    enum write_kind kind;
    int64_t now_us; /* the server's clock when the write was made */
    union {
        struct {
            char device[DEVICE_ID_MAX + 1];
            struct samples samples;
        } samples;
        struct event event;
        struct {
            char device[DEVICE_ID_MAX + 1];
            char name[METRIC_MAX + 1];
            struct bytes json;
        } document;
        struct {
            char device[DEVICE_ID_MAX + 1];
            int64_t connected_us;
        } presence;
        struct {
            uint8_t token_hash[TOKEN_HASH];
            struct device device; /* its group is filled by the store from the token */
        } enrolment;
        struct device renewal;
        char device[DEVICE_ID_MAX + 1]; /* WRITE_DEVICE_DELETE */
        struct token token;
        char token_id[TOKEN_ID_TEXT]; /* WRITE_TOKEN_DELETE */
        struct {
            uint8_t hash[TOKEN_HASH];
            int64_t expires_us;
        } setup;
        struct {
            uint8_t setup_hash[TOKEN_HASH];
            struct operator_account account;
        } operator;
        struct session_record session;
        uint8_t session_hash[TOKEN_HASH]; /* WRITE_SESSION_DELETE */
        struct client_record client;      /* the will's message is shared */
        uint64_t client_number;           /* WRITE_CLIENT_DELETE */
        struct {
            uint64_t session;
            struct client_watch watch; /* WRITE_CLIENT_UNWATCH: its filter only */
        } watch;
        struct {
            struct message *message; /* shared */
            const struct client_delivery *at;
            size_t count;
        } deliveries;
        struct {
            uint64_t session, number; /* WRITE_RELEASED, WRITE_DELIVERED */
        } delivery;
        struct {
            uint64_t session;
            uint16_t packet_id;
        } received;
        struct message *retained; /* shared */
    } as;
};

/* Of an errand's writes: of the first that failed, else of the last one that has such a result. */
struct write_result {
    err failed; /* OK: committed and durable */
    int64_t id; /* WRITE_EVENT */
    char group[GROUP_MAX + 1]; /* WRITE_ENROLMENT: the group the token put the device into */
};

/* Makers of the writes that carry bytes: they copy everything they are given. NULL: no memory. The caller owns the
 * write until it is handed to a recorder; write_drop ends one that never was. */
struct write *write_samples(const char *device, struct samples samples, int64_t now_us);
struct write *write_event(const struct event *event);
struct write *write_document(const char *device, struct bytes name, struct bytes json, int64_t now_us);
struct write *write_client(const struct client_record *record, int64_t now_us);
struct write *write_client_watch(uint64_t session, const struct client_watch *watch, int64_t now_us);
struct write *write_client_unwatch(uint64_t session, struct bytes filter, int64_t now_us);
/* Shares the message, copies the deliveries but those without a session, which nobody keeps. */
struct write *write_deliveries(struct message *message, const struct client_delivery *at, size_t count, int64_t now_us);
struct write *write_retained(struct message *message, int64_t now_us);
struct write *write_plain(const struct write *from); /* for all the others: a copy of a value without views */
void write_drop(struct write *w);                    /* takes, with all that hang on it; NULL is fine */
