/* The two uses of atomics: how many hold a shared immutable thing, and counters that one thread raises and others read.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct holders {
    atomic_uint count;
};

static inline void holders_open(struct holders *h)
{
    atomic_init(&h->count, 1);
}

static inline void holders_more(struct holders *h)
{
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
}

/* True for the last one, who ends the thing. */
static inline bool holders_less(struct holders *h)
{
    return atomic_fetch_sub_explicit(&h->count, 1, memory_order_acq_rel) == 1;
}

struct counter {
    _Atomic uint64_t value;
};

/* From any thread, as counter_less. */
static inline void counter_add(struct counter *c, uint64_t more)
{
    atomic_fetch_add_explicit(&c->value, more, memory_order_relaxed);
}

static inline void counter_less(struct counter *c, uint64_t less)
{
    atomic_fetch_sub_explicit(&c->value, less, memory_order_relaxed);
}

/* The next three: by the one thread that ever changes this counter; others may read. No locked instruction. */
static inline void counter_set(struct counter *c, uint64_t value)
{
    atomic_store_explicit(&c->value, value, memory_order_relaxed);
}

static inline void counter_raise(struct counter *c, uint64_t more)
{
    counter_set(c, atomic_load_explicit(&c->value, memory_order_relaxed) + more);
}

static inline void counter_lower(struct counter *c, uint64_t less)
{
    counter_set(c, atomic_load_explicit(&c->value, memory_order_relaxed) - less);
}

static inline uint64_t counter_read(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}
