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

void write_drop(struct write *w)
{
    mem_drop(w);
}
