/* The listings of clients and what they left, from the memory store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kept_message.h"
#include "store/memory_store.h"

static void drop_message(struct message **message)
{
    message_drop(*message);
}

/* Gives; NULL for no bytes. */
static err message_of(struct bytes bytes, struct message **out)
{
    *out = NULL;
    return bytes.len ? kept_message_read(bytes, out) : OK;
}

static err list_clients(struct store_reader *port, struct client_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    bool more = true;
    for (size_t i = 0; more && i < store->clients.count; i++) {
        const struct client_row *row = (const struct client_row *)store->clients.rows[i];
        SCOPED(drop_message) struct message *will = NULL;
        TRY(message_of(row->will, &will));
        struct client_record client = row->client;
        client.will = will;
        more = rows->row(rows, &client);
    }
    return OK;
}

static err list_client_watches(struct store_reader *port, struct client_watch_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    for (size_t i = 0; i < store->watches.count; i++) {
        const struct watch_row *row = (const struct watch_row *)store->watches.rows[i];
        if (!rows->row(rows, row->session, &row->watch))
            break;
    }
    return OK;
}

static err list_deliveries(struct store_reader *port, struct delivery_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    bool more = true;
    for (size_t i = 0; more && i < store->deliveries.count; i++) {
        const struct delivery_row *row = (const struct delivery_row *)store->deliveries.rows[i];
        SCOPED(drop_message) struct message *message = NULL;
        TRY(message_of(row->message, &message));
        more = rows->row(rows, &row->delivery, message);
    }
    return OK;
}

static err list_received(struct store_reader *port, struct received_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    for (size_t i = 0; i < store->received.count; i++) {
        const struct received_row *row = (const struct received_row *)store->received.rows[i];
        if (!rows->row(rows, row->session, row->packet_id))
            break;
    }
    return OK;
}

static err list_retained(struct store_reader *port, struct retained_rows *rows)
{
    SCOPED(memory_leave) struct memory_store *store = memory_enter(port);
    bool more = true;
    for (size_t i = 0; more && i < store->retained.count; i++) {
        SCOPED(drop_message) struct message *message = NULL;
        TRY(message_of(((const struct retained_row *)store->retained.rows[i])->message, &message));
        more = rows->row(rows, message);
    }
    return OK;
}

void memory_client_reader_fill(struct store_reader *port)
{
    port->list_clients = list_clients;
    port->list_client_watches = list_client_watches;
    port->list_deliveries = list_deliveries;
    port->list_received = list_received;
    port->list_retained = list_retained;
}
