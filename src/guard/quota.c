/* Token buckets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/quota.h"

#include "base/bucket.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "core/peer.h"

#include <string.h>

static const struct fault too_fast = {ERR_FULL, "quota: more requests per second than the limit allows"};
static const struct fault no_memory = {ERR_MEMORY, "quota: no memory for a bucket"};

enum { KEY_MAX = DEVICE_ID_MAX + 2, BURST_S = 2 };

struct account {
    struct table_node place;
    struct list age; /* oldest use first */
    struct bucket bucket;
    char key[KEY_MAX];
};

struct quota {
    struct limiter limiter;
    struct quota_options options;
    const struct clock *clock;
    struct table accounts;
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
    case PRINCIPAL_ANONYMOUS:
        return q->options.anonymous_messages_per_s;
    }
    return 0;
}

static struct bytes key_of(const struct request *r, char key[KEY_MAX])
{
    char network[PEER_NETWORK_TEXT];
    bool by_network = r->who->kind == PRINCIPAL_NOBODY || r->who->kind == PRINCIPAL_ANONYMOUS;
    if (by_network)
        peer_network(r->peer, network);
    struct bytes name = bytes_of_text(by_network ? network : r->who->id);
    key[0] = (char)('0' + r->who->kind);
    if (name.len)
        memcpy(key + 1, name.at, name.len);
    return bytes_of(key, name.len + 1);
}

static err account_make(struct quota *q, struct bytes key, struct account **out)
{
    if (q->accounts.count >= q->options.buckets_max) {
        struct account *oldest = CONTAINER(list_take(&q->ages), struct account, age);
        table_remove(&q->accounts, &oldest->place);
        mem_drop(oldest);
    }
    struct account *a = MEM_NEW(struct account);
    if (!a)
        return &no_memory;
    memcpy(a->key, key.at, key.len);
    err failed = table_add(&q->accounts, &a->place, bytes_of(a->key, key.len));
    if (failed) {
        mem_drop(a);
        return failed;
    }
    list_open(&a->age);
    *out = a;
    return OK;
}

static err admit(struct limiter *self, const struct request *r)
{
    struct quota *q = CONTAINER(self, struct quota, limiter);
    char text[KEY_MAX];
    if (r->who->kind == PRINCIPAL_ANONYMOUS && !q->options.anonymous_messages_per_s)
        return OK;
    struct bytes key = key_of(r, text);
    uint32_t rate = rate_of(q, r->who->kind);
    struct table_node *found = table_find(&q->accounts, key);
    struct account *a = found ? CONTAINER(found, struct account, place) : NULL;
    if (!a)
        TRY(account_make(q, key, &a));
    list_remove(&a->age);
    list_append(&q->ages, &a->age);
    return bucket_take(&a->bucket, (struct bucket_rate){rate, rate * BURST_S}, monotonic_ms(q->clock)) ? OK : &too_fast;
}

err quota_open(const struct quota_options *options, const struct clock *clock, struct quota **out)
{
    struct quota *q = MEM_NEW(struct quota);
    if (!q)
        return &no_memory;
    *q = (struct quota){.limiter = {admit}, .options = *options, .clock = clock};
    table_open(&q->accounts, options->buckets_max, options->seed);
    list_open(&q->ages);
    *out = q;
    return OK;
}

void quota_close(struct quota *q)
{
    if (!q)
        return;
    for (struct list *at = list_take(&q->ages); at; at = list_take(&q->ages))
        mem_drop(CONTAINER(at, struct account, age));
    table_close(&q->accounts);
    mem_drop(q);
}

struct limiter *quota_limiter(struct quota *q)
{
    return &q->limiter;
}
