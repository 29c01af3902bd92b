/* The memory store: batches, keys, and the table of kinds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include "base/list.h"
#include "base/memory.h"
#include "store/memory_store.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};

static memory_apply *const applies[WRITE_KINDS] = {
    [WRITE_SAMPLES] = memory_samples,
    [WRITE_EVENT] = memory_event,
    [WRITE_DOCUMENT] = memory_document,
    [WRITE_PRESENCE] = memory_presence,
    [WRITE_ENROLMENT] = memory_enrolment,
    [WRITE_RENEWAL] = memory_renewal,
    [WRITE_DEVICE_DELETE] = memory_device_delete,
    [WRITE_TOKEN] = memory_token,
    [WRITE_TOKEN_DELETE] = memory_token_delete,
    [WRITE_SETUP] = memory_setup,
    [WRITE_OPERATOR] = memory_operator,
    [WRITE_SESSION] = memory_session,
    [WRITE_SESSION_DELETE] = memory_session_delete,
    [WRITE_CLIENT] = memory_client,
    [WRITE_CLIENT_DELETE] = memory_client_delete,
    [WRITE_CLIENT_WATCH] = memory_client_watch,
    [WRITE_CLIENT_UNWATCH] = memory_client_unwatch,
    [WRITE_DELIVERIES] = memory_deliveries,
    [WRITE_RELEASED] = memory_released,
    [WRITE_DELIVERED] = memory_delivered,
    [WRITE_RECEIVED] = memory_received,
    [WRITE_RECEIVED_DELETE] = memory_received_delete,
    [WRITE_RETAINED] = memory_retained,
    [WRITE_EXPIRE] = memory_expire,
};

/* --- keys --- */

static void key_bytes(struct key *k, const void *at, size_t len)
{
    if (len > sizeof k->at - k->len)
        len = sizeof k->at - k->len;
    if (len)
        memcpy(k->at + k->len, at, len);
    k->len += len;
}

void key_text(struct key *k, struct bytes text)
{
    key_bytes(k, text.at, text.len);
    key_bytes(k, "", 1);
}

void key_number(struct key *k, int64_t number)
{
    uint64_t shifted = (uint64_t)number ^ (1ull << 63);
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(shifted >> (56 - 8 * i));
    key_bytes(k, bytes, sizeof bytes);
}

void key_unsigned(struct key *k, uint64_t number)
{
    key_number(k, (int64_t)(number ^ (1ull << 63)));
}

struct key key_of_sample(struct bytes device, struct bytes metric, int64_t time_us)
{
    struct key k = {.len = 0};
    key_text(&k, device);
    key_text(&k, metric);
    key_number(&k, time_us);
    return k;
}

static bool begins_with(struct bytes key, struct bytes prefix)
{
    return bytes_equal(bytes_first(key, prefix.len), prefix);
}

void shelf_span(const struct shelf *s, const struct key *prefix, size_t *from, size_t *to)
{
    *from = *to = shelf_from(s, key_view(prefix));
    while (*to < s->count && begins_with(s->rows[*to]->key, key_view(prefix)))
        ++*to;
}

err memory_remove_all(struct memory_store *store, struct shelf *shelf, const struct key *prefix)
{
    size_t from, to;
    shelf_span(shelf, prefix, &from, &to);
    while (to > from)
        TRY(shelf_remove(shelf, &store->journal, shelf->rows[--to]->key));
    return OK;
}

/* --- the writer --- */

static struct memory_store *store_of(struct store_writer *writer)
{
    return CONTAINER(writer, struct memory_store, writer);
}

static err writer_begin(struct store_writer *writer)
{
    struct memory_store *store = store_of(writer);
    (void)pthread_rwlock_wrlock(&store->lock); /* fails on misuse only, as the others */
    store->last_event_begin = store->last_event;
    return OK;
}

static err writer_apply(struct store_writer *writer, const struct write *write, struct write_result *result)
{
    result->id = 0;
    result->group[0] = 0;
    return applies[write->kind](store_of(writer), write, result);
}

static err writer_commit(struct store_writer *writer)
{
    struct memory_store *store = store_of(writer);
    journal_commit(&store->journal);
    (void)pthread_rwlock_unlock(&store->lock);
    return OK;
}

static void writer_rollback(struct store_writer *writer)
{
    struct memory_store *store = store_of(writer);
    journal_undo(&store->journal);
    store->last_event = store->last_event_begin;
    (void)pthread_rwlock_unlock(&store->lock);
}

static void writer_close(struct store_writer *writer)
{
}

/* --- the store --- */

err memory_store_open(struct memory_store **out)
{
    struct memory_store *store = MEM_NEW(struct memory_store);
    if (!store)
        return &no_memory;
    if (pthread_rwlock_init(&store->lock, NULL)) {
        mem_drop(store);
        return &no_memory;
    }
    store->writer = (struct store_writer){writer_begin, writer_apply, writer_commit, writer_rollback, writer_close};
    *out = store;
    return OK;
}

void memory_store_close(struct memory_store *store)
{
    if (!store)
        return;
    struct shelf *shelves[] = {&store->devices, &store->samples, &store->documents,  &store->events,
                               &store->tokens,  &store->setups,  &store->operators,  &store->sessions,
                               &store->clients, &store->watches, &store->deliveries, &store->received,
                               &store->retained};
    for (size_t i = 0; i < sizeof shelves / sizeof *shelves; i++)
        shelf_drop(shelves[i]);
    journal_drop(&store->journal);
    (void)pthread_rwlock_destroy(&store->lock);
    mem_drop(store);
}

struct store_writer *memory_store_writer(struct memory_store *store)
{
    return &store->writer;
}

static void reader_close(struct store_reader *port)
{
    mem_drop(CONTAINER(port, struct memory_reader, port));
}

err memory_store_reader(struct memory_store *store, struct store_reader **out)
{
    struct memory_reader *r = MEM_NEW(struct memory_reader);
    if (!r)
        return &no_memory;
    memory_reader_fill(&r->port);
    memory_client_reader_fill(&r->port);
    r->port.close = reader_close;
    r->store = store;
    *out = &r->port;
    return OK;
}
