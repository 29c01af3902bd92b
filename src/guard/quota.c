/* Token buckets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/quota.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"

#include <string.h>

static const struct fault too_fast = {ERR_FULL, "quota: more requests per second than the limit allows"};
static const struct fault no_memory = {ERR_MEMORY, "quota: no memory for a bucket"};

enum { KEY_MAX = DEVICE_ID_MAX + 2, MILLI = 1000, BURST_S = 2 };

struct bucket {
    struct table_node place;
    struct list age; /* oldest use first */
    int64_t filled_ms;
    int64_t milli_tokens;
    char key[KEY_MAX];
};

struct quota {
    struct limiter limiter;
    struct quota_options options;
    const struct clock *clock;
    struct table buckets;
    struct list ages;
};

static uint32_t rate_of(const struct quota *q, enum principal_kind kind)
{
    switch (kind) {
    case PRINCIPAL_NOBODY:
        return q->options.address_calls_per_s;
    case PRINCIPAL_DEVICE:
        return q->options.device_messages_per_s;
    case PRINCIPAL_OPERATOR:
        return q->options.operator_calls_per_s;
    }
    return 0;
}

/* The address without its port: "192.0.2.7:41234" and "[2001:db8::1]:41234" end with the last colon. */
static struct bytes host_of(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    return colon ? bytes_of(peer, (size_t)(colon - peer)) : bytes_of_text(peer);
}

static struct bytes key_of(const struct request *r, char key[KEY_MAX])
{
    struct bytes name = r->who->kind == PRINCIPAL_NOBODY ? host_of(r->peer) : bytes_of_text(r->who->id);
    name = bytes_first(name, DEVICE_ID_MAX);
    key[0] = (char)('0' + r->who->kind);
    if (name.len)
        memcpy(key + 1, name.at, name.len);
    return bytes_of(key, name.len + 1);
}

static err bucket_make(struct quota *q, struct bytes key, uint32_t rate, struct bucket **out)
{
    if (q->buckets.count >= q->options.buckets_max) {
        struct bucket *oldest = CONTAINER(list_take(&q->ages), struct bucket, age);
        table_remove(&q->buckets, &oldest->place);
        mem_drop(oldest);
    }
    struct bucket *b = MEM_NEW(struct bucket);
    if (!b)
        return &no_memory;
    memcpy(b->key, key.at, key.len);
    err failed = table_add(&q->buckets, &b->place, bytes_of(b->key, key.len));
    if (failed) {
        mem_drop(b);
        return failed;
    }
    list_open(&b->age);
    b->filled_ms = monotonic_ms(q->clock);
    b->milli_tokens = (int64_t)rate * BURST_S * MILLI;
    *out = b;
    return OK;
}

static void refill(struct bucket *b, uint32_t rate, int64_t now_ms)
{
    int64_t full = (int64_t)rate * BURST_S * MILLI, elapsed = now_ms - b->filled_ms;
    if (elapsed < 0)
        elapsed = 0; /* a clock that went back takes nothing away */
    if (elapsed > BURST_S * MILLI)
        elapsed = BURST_S * MILLI;
    b->milli_tokens += elapsed * rate; /* rate per second is milli-tokens per millisecond */
    if (b->milli_tokens > full)
        b->milli_tokens = full;
    b->filled_ms = now_ms;
}

static err admit(struct limiter *self, const struct request *r)
{
    struct quota *q = CONTAINER(self, struct quota, limiter);
    char text[KEY_MAX];
    struct bytes key = key_of(r, text);
    uint32_t rate = rate_of(q, r->who->kind);
    struct table_node *found = table_find(&q->buckets, key);
    struct bucket *b = found ? CONTAINER(found, struct bucket, place) : NULL;
    if (!b)
        TRY(bucket_make(q, key, rate, &b));
    refill(b, rate, monotonic_ms(q->clock));
    list_remove(&b->age);
    list_append(&q->ages, &b->age);
    if (b->milli_tokens < MILLI)
        return &too_fast;
    b->milli_tokens -= MILLI;
    return OK;
}

err quota_open(const struct quota_options *options, const struct clock *clock, struct quota **out)
{
    struct quota *q = MEM_NEW(struct quota);
    if (!q)
        return &no_memory;
    *q = (struct quota){.limiter = {admit}, .options = *options, .clock = clock};
    table_open(&q->buckets, options->buckets_max, options->seed);
    list_open(&q->ages);
    *out = q;
    return OK;
}

void quota_close(struct quota *q)
{
    if (!q)
        return;
    for (struct list *at = list_take(&q->ages); at; at = list_take(&q->ages))
        mem_drop(CONTAINER(at, struct bucket, age));
    table_close(&q->buckets);
    mem_drop(q);
}

struct limiter *quota_limiter(struct quota *q)
{
    return &q->limiter;
}
