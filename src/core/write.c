/* Makers of writes: one allocation each, so that dropping one is one call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/write.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* Hands out the tail of the one allocation, piece by piece. */
struct tail {
    uint8_t *at;
};

static struct bytes keep(struct tail *tail, struct bytes bytes)
{
    uint8_t *at = tail->at;
    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    tail->at += bytes.len;
    return bytes_of(at, bytes.len);
}

static size_t samples_bytes(struct samples samples)
{
    size_t total = samples.count * sizeof(struct sample);
    for (size_t i = 0; i < samples.count; i++) {
        const struct sample *s = &samples.at[i];
        total += s->metric.len + s->unit.len + (s->kind == SAMPLE_TEXT ? s->value.text.len : 0);
    }
    return total;
}

struct write *write_samples(const char *device, struct samples samples, int64_t now_us)
{
    struct write *w = mem_take(1, sizeof *w + samples_bytes(samples));
    if (!w)
        return NULL;
    w->kind = WRITE_SAMPLES;
    w->now_us = now_us;
    if (text_copy(bytes_of_text(device), w->as.samples.device, sizeof w->as.samples.device)) {
        mem_drop(w);
        return NULL;
    }
    struct sample *copy = (struct sample *)(w + 1);
    struct tail tail = {(uint8_t *)(copy + samples.count)};
    for (size_t i = 0; i < samples.count; i++) {
        copy[i] = samples.at[i];
        copy[i].metric = keep(&tail, samples.at[i].metric);
        copy[i].unit = keep(&tail, samples.at[i].unit);
        if (copy[i].kind == SAMPLE_TEXT)
            copy[i].value.text = keep(&tail, samples.at[i].value.text);
    }
    w->as.samples.samples = (struct samples){copy, samples.count};
    return w;
}

struct write *write_event(const struct event *event)
{
    struct write *w = mem_take(1, sizeof *w + event->detail.len);
    if (!w)
        return NULL;
    struct tail tail = {(uint8_t *)(w + 1)};
    w->kind = WRITE_EVENT;
    w->now_us = event->time_us;
    w->as.event = *event;
    w->as.event.detail = keep(&tail, event->detail);
    return w;
}

struct write *write_document(const char *device, struct bytes name, struct bytes json, int64_t now_us)
{
    struct write *w = mem_take(1, sizeof *w + json.len);
    if (!w)
        return NULL;
    struct tail tail = {(uint8_t *)(w + 1)};
    w->kind = WRITE_DOCUMENT;
    w->now_us = now_us;
    w->as.document.json = keep(&tail, json);
    if (text_copy(bytes_of_text(device), w->as.document.device, sizeof w->as.document.device) ||
        text_copy(name, w->as.document.name, sizeof w->as.document.name)) {
        mem_drop(w);
        return NULL;
    }
    return w;
}

struct write *write_plain(const struct write *from)
{
    struct write *w = MEM_NEW(struct write);
    if (w)
        *w = *from;
    return w;
}

struct write *write_client(const struct client_record *record, int64_t now_us)
{
    struct write *w = mem_take(1, sizeof *w + record->client_id.len);
    if (!w)
        return NULL;
    struct tail tail = {(uint8_t *)(w + 1)};
    w->kind = WRITE_CLIENT;
    w->now_us = now_us;
    w->as.client = *record;
    w->as.client.client_id = keep(&tail, record->client_id);
    if (record->will)
        message_share(record->will);
    return w;
}

static struct write *about_watch(enum write_kind kind, uint64_t session, const struct client_watch *watch,
                                 int64_t now_us)
{
    struct write *w = mem_take(1, sizeof *w + watch->filter.len);
    if (!w)
        return NULL;
    struct tail tail = {(uint8_t *)(w + 1)};
    w->kind = kind;
    w->now_us = now_us;
    w->as.watch.session = session;
    w->as.watch.watch = *watch;
    w->as.watch.watch.filter = keep(&tail, watch->filter);
    return w;
}

struct write *write_client_watch(uint64_t session, const struct client_watch *watch, int64_t now_us)
{
    return about_watch(WRITE_CLIENT_WATCH, session, watch, now_us);
}

struct write *write_client_unwatch(uint64_t session, struct bytes filter, int64_t now_us)
{
    return about_watch(WRITE_CLIENT_UNWATCH, session, &(struct client_watch){.filter = filter}, now_us);
}

struct write *write_deliveries(struct message *message, const struct client_delivery *at, size_t count, int64_t now_us)
{
    struct write *w = mem_take(1, sizeof *w + count * sizeof *at);
    if (!w)
        return NULL;
    struct client_delivery *copy = (struct client_delivery *)(w + 1);
    w->kind = WRITE_DELIVERIES;
    w->now_us = now_us;
    w->as.deliveries.message = message_share(message);
    w->as.deliveries.at = copy;
    for (size_t i = 0; i < count; i++)
        if (at[i].session)
            copy[w->as.deliveries.count++] = at[i];
    return w;
}

struct write *write_retained(struct message *message, int64_t now_us)
{
    struct write *w = MEM_NEW(struct write);
    if (!w)
        return NULL;
    w->kind = WRITE_RETAINED;
    w->now_us = now_us;
    w->as.retained = message_share(message);
    return w;
}

static void drop_one(struct write *w)
{
    if (w->kind == WRITE_CLIENT)
        message_drop(w->as.client.will);
    if (w->kind == WRITE_DELIVERIES)
        message_drop(w->as.deliveries.message);
    if (w->kind == WRITE_RETAINED)
        message_drop(w->as.retained);
    mem_drop(w);
}

void write_drop(struct write *w)
{
    while (w) {
        struct write *next = w->next;
        drop_one(w);
        w = next;
    }
}
