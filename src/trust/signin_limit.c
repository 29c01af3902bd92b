/* The sign-in rate limit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/signin_limit.h"

#include "base/memory.h"
#include "crypto/digest.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "sign-in limit: no memory"};

struct entry {
    uint8_t key[SIGNIN_KEY_BYTES];
    uint32_t failures; /* 0: free */
    int64_t last_ms;
};

/* Walked from end to end: microseconds, beside the tenth of a second that the password itself costs. */
struct signin_limit {
    struct entry entries[SIGNIN_KEYS_MAX];
};

err signin_limit_open(struct signin_limit **out)
{
    *out = MEM_NEW(struct signin_limit);
    return *out ? OK : &no_memory;
}

void signin_limit_close(struct signin_limit *limit)
{
    mem_drop(limit);
}

/* The place of a key's entry; SIGNIN_KEYS_MAX: it has none. */
static size_t find(const struct signin_limit *limit, const uint8_t key[SIGNIN_KEY_BYTES])
{
    size_t i = 0;
    while (i < SIGNIN_KEYS_MAX &&
           !(limit->entries[i].failures && !memcmp(limit->entries[i].key, key, SIGNIN_KEY_BYTES)))
        i++;
    return i;
}

static bool is_forgotten(const struct entry *e, int64_t now_ms)
{
    return !e->failures || now_ms - e->last_ms >= (int64_t)SIGNIN_FORGET_S * 1000;
}

static uint32_t whole_wait_s(uint32_t failures)
{
    if (failures < SIGNIN_FREE_FAILURES)
        return 0;
    uint32_t doubled = failures - SIGNIN_FREE_FAILURES;
    return doubled < 5 && SIGNIN_WAIT_S << doubled < SIGNIN_WAIT_MAX_S ? (uint32_t)SIGNIN_WAIT_S << doubled
                                                                       : SIGNIN_WAIT_MAX_S;
}

uint32_t signin_limit_wait_s(const struct signin_limit *limit, struct bytes key, int64_t now_ms)
{
    uint8_t hash[DIGEST_SHA256];
    if (digest_sha256(key, hash))
        return SIGNIN_WAIT_S; /* no memory even for this: not the moment to let somebody guess */
    size_t place = find(limit, hash);
    if (place == SIGNIN_KEYS_MAX || is_forgotten(&limit->entries[place], now_ms))
        return 0;
    const struct entry *e = &limit->entries[place];
    int64_t left_ms = e->last_ms + (int64_t)whole_wait_s(e->failures) * 1000 - now_ms;
    return left_ms > 0 ? (uint32_t)((left_ms + 999) / 1000) : 0;
}

static struct entry *oldest(struct signin_limit *limit)
{
    struct entry *oldest = &limit->entries[0];
    for (size_t i = 0; i < SIGNIN_KEYS_MAX; i++) {
        struct entry *e = &limit->entries[i];
        if (!e->failures)
            return e;
        if (e->last_ms < oldest->last_ms)
            oldest = e;
    }
    return oldest;
}

void signin_limit_failed(struct signin_limit *limit, struct bytes key, int64_t now_ms)
{
    uint8_t hash[DIGEST_SHA256];
    if (digest_sha256(key, hash))
        return;
    size_t place = find(limit, hash);
    struct entry *e = place < SIGNIN_KEYS_MAX ? &limit->entries[place] : oldest(limit);
    if (place == SIGNIN_KEYS_MAX || is_forgotten(e, now_ms))
        e->failures = 0;
    memcpy(e->key, hash, sizeof e->key);
    e->last_ms = now_ms;
    if (e->failures < UINT32_MAX)
        e->failures++;
}

void signin_limit_forgive(struct signin_limit *limit, struct bytes key)
{
    uint8_t hash[DIGEST_SHA256];
    size_t place = digest_sha256(key, hash) ? SIGNIN_KEYS_MAX : find(limit, hash);
    if (place < SIGNIN_KEYS_MAX)
        limit->entries[place] = (struct entry){0};
}
