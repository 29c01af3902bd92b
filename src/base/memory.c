/* Checked allocation, fault injection, secrets that wipe themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static const struct fault secret_too_large = {ERR_TOO_LARGE, "memory: a secret is longer than its bound"};

/* The one exception to "no hidden thread-locals": fault injection must reach allocations without a handle. It is
 * zero, and costs one predictable branch, outside of tests. */
static _Thread_local struct {
    unsigned long fail_at;
    unsigned long seen;
} trial;

unsigned long mem_trial(unsigned long fail_at)
{
    unsigned long seen = trial.seen;
    trial.fail_at = fail_at;
    trial.seen = 0;
    return seen;
}

/* What is small comes from the thread's cache, which glibc's calloc passes by; what is large may come zeroed from the
 * kernel. */
enum { SMALL_MAX = 1024 };

static bool trial_says_no(void)
{
    return ++trial.seen == trial.fail_at;
}

void *mem_take(size_t count, size_t size)
{
    size_t bytes;
    if (trial_says_no() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    if (bytes > SMALL_MAX)
        return calloc(count, size);
    void *taken = malloc(bytes ? bytes : 1);
    __asm__("" : "+r"(taken)); /* or the compiler makes a calloc of it again */
    return taken ? memset(taken, 0, bytes ? bytes : 1) : NULL;
}

void *mem_grow(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (trial_says_no() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void mem_drop(void *taken)
{
    free(taken);
}

char *mem_text(struct bytes text)
{
    size_t nul;
    if (bytes_find(text, 0, &nul) || text.len == SIZE_MAX)
        return NULL;
    char *copy = mem_take(text.len + 1, 1);
    if (copy && text.len)
        memcpy(copy, text.at, text.len);
    return copy;
}

void mem_trim(void)
{
    (void)malloc_trim(0);
}

void mem_wipe(void *at, size_t len)
{
    if (len)
        explicit_bzero(at, len);
}

void secret_wipe(struct secret *s)
{
    mem_wipe(s, sizeof *s);
}

err secret_set(struct secret *s, struct bytes from)
{
    secret_wipe(s);
    if (from.len > sizeof s->at)
        return &secret_too_large;
    if (from.len)
        memcpy(s->at, from.at, from.len);
    s->len = from.len;
    return OK;
}

struct bytes secret_view(const struct secret *s)
{
    return bytes_of(s->at, s->len);
}
