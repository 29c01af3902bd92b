/* What the writes about clients do to the memory store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kept_message.h"
#include "store/memory_store.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};

static struct key key_of(uint64_t session)
{
    struct key k = {.len = 0};
    key_unsigned(&k, session);
    return k;
}

static struct key key_of_filter(uint64_t session, struct bytes filter)
{
    struct key k = key_of(session);
    key_text(&k, filter);
    return k;
}

static struct key key_of_number(uint64_t session, uint64_t number)
{
    struct key k = key_of(session);
    key_unsigned(&k, number);
    return k;
}

static bool is_known(const struct memory_store *store, uint64_t session)
{
    struct key key = key_of(session);
    return shelf_find(&store->clients, key_view(&key));
}

static err remove_if_there(struct memory_store *store, struct shelf *shelf, struct bytes key)
{
    return shelf_find(shelf, key) ? shelf_remove(shelf, &store->journal, key) : OK;
}

/* --- sessions --- */

static err drop_client(struct memory_store *store, uint64_t session)
{
    struct key key = key_of(session);
    TRY(memory_remove_all(store, &store->watches, &key));
    TRY(memory_remove_all(store, &store->deliveries, &key));
    TRY(memory_remove_all(store, &store->received, &key));
    return remove_if_there(store, &store->clients, key_view(&key));
}

static const struct client_record *client_at(const struct memory_store *store, size_t at)
{
    return &((const struct client_row *)store->clients.rows[at])->client;
}

err memory_drop_clients_of(struct memory_store *store, const char *device)
{
    for (size_t i = store->clients.count; i-- > 0;) {
        const struct principal *who = &client_at(store, i)->who;
        if (who->kind == PRINCIPAL_DEVICE && !strcmp(who->id, device))
            TRY(drop_client(store, client_at(store, i)->number));
    }
    return OK;
}

static bool is_namesake(const struct client_record *a, const struct client_record *b)
{
    return a->number != b->number && a->who.kind == b->who.kind && !strcmp(a->who.id, b->who.id) &&
           bytes_equal(a->client_id, b->client_id);
}

static err put_client(struct memory_store *store, const struct client_record *client, struct bytes will)
{
    struct key key = key_of(client->number);
    struct client_row *kept =
        (struct client_row *)row_make(sizeof *kept, key_view(&key), client->client_id.len + will.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->client = *client;
    kept->client.client_id = row_keep(&extra, client->client_id);
    kept->client.will = NULL;
    kept->will = row_keep(&extra, will);
    return shelf_put(&store->clients, &store->journal, &kept->row);
}

err memory_client(struct memory_store *store, const struct write *write, struct write_result *result)
{
    SCOPED(buffer_drop) struct buffer will = {.max = KEPT_MESSAGE_MAX};
    const struct client_record *client = &write->as.client;
    if (client->will)
        TRY(kept_message_write(client->will, &will));
    for (size_t i = store->clients.count; i-- > 0;)
        if (is_namesake(client_at(store, i), client))
            TRY(drop_client(store, client_at(store, i)->number));
    return put_client(store, client, buffer_view(&will));
}

err memory_client_delete(struct memory_store *store, const struct write *write, struct write_result *result)
{
    return drop_client(store, write->as.client_number);
}

err memory_client_watch(struct memory_store *store, const struct write *write, struct write_result *result)
{
    uint64_t session = write->as.watch.session;
    struct bytes filter = write->as.watch.watch.filter;
    struct key key = key_of_filter(session, filter);
    if (!is_known(store, session))
        return OK;
    struct watch_row *kept = (struct watch_row *)row_make(sizeof *kept, key_view(&key), 0);
    if (!kept)
        return &no_memory;
    kept->session = session;
    kept->watch = write->as.watch.watch;
    kept->watch.filter = bytes_first(bytes_from(kept->row.key, sizeof session), filter.len);
    return shelf_put(&store->watches, &store->journal, &kept->row);
}

err memory_client_unwatch(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct key key = key_of_filter(write->as.watch.session, write->as.watch.watch.filter);
    return remove_if_there(store, &store->watches, key_view(&key));
}

err memory_received(struct memory_store *store, const struct write *write, struct write_result *result)
{
    uint64_t session = write->as.received.session;
    struct key key = key_of_number(session, write->as.received.packet_id);
    if (!is_known(store, session))
        return OK;
    struct received_row *kept = (struct received_row *)row_make(sizeof *kept, key_view(&key), 0);
    if (!kept)
        return &no_memory;
    kept->session = session;
    kept->packet_id = write->as.received.packet_id;
    return shelf_put(&store->received, &store->journal, &kept->row);
}

err memory_received_delete(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct key key = key_of_number(write->as.received.session, write->as.received.packet_id);
    return remove_if_there(store, &store->received, key_view(&key));
}

/* --- messages --- */

static err put_delivery(struct memory_store *store, const struct client_delivery *delivery, struct bytes message)
{
    struct key key = key_of_number(delivery->session, delivery->number);
    struct delivery_row *kept = (struct delivery_row *)row_make(sizeof *kept, key_view(&key), message.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->delivery = *delivery;
    kept->message = row_keep(&extra, message);
    return shelf_put(&store->deliveries, &store->journal, &kept->row);
}

err memory_deliveries(struct memory_store *store, const struct write *write, struct write_result *result)
{
    SCOPED(buffer_drop) struct buffer message = {.max = KEPT_MESSAGE_MAX};
    TRY(kept_message_write(write->as.deliveries.message, &message));
    for (size_t i = 0; i < write->as.deliveries.count; i++) {
        struct client_delivery delivery = write->as.deliveries.at[i];
        struct key key = key_of_number(delivery.session, delivery.number);
        delivery.released = false;
        if (is_known(store, delivery.session) && !shelf_find(&store->deliveries, key_view(&key)))
            TRY(put_delivery(store, &delivery, buffer_view(&message)));
    }
    return OK;
}

err memory_released(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct key key = key_of_number(write->as.delivery.session, write->as.delivery.number);
    const struct row *found = shelf_find(&store->deliveries, key_view(&key));
    if (!found)
        return OK;
    struct client_delivery delivery = ((const struct delivery_row *)found)->delivery;
    delivery.released = true;
    return put_delivery(store, &delivery, (struct bytes){NULL, 0});
}

err memory_delivered(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct key key = key_of_number(write->as.delivery.session, write->as.delivery.number);
    return remove_if_there(store, &store->deliveries, key_view(&key));
}

err memory_retained(struct memory_store *store, const struct write *write, struct write_result *result)
{
    SCOPED(buffer_drop) struct buffer message = {.max = KEPT_MESSAGE_MAX};
    struct bytes topic = write->as.retained->topic;
    if (!write->as.retained->payload.len)
        return remove_if_there(store, &store->retained, topic);
    TRY(kept_message_write(write->as.retained, &message));
    struct retained_row *kept = (struct retained_row *)row_make(sizeof *kept, topic, message.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->message = row_keep(&extra, buffer_view(&message));
    return shelf_put(&store->retained, &store->journal, &kept->row);
}
