/* The machine's clocks and its randomness. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* clock_gettime fails only for a clock that does not exist: an impossible state ends the process. */
static struct timespec read_clock(clockid_t which)
{
    struct timespec now;
    if (clock_gettime(which, &now) != 0)
        abort();
    return now;
}

static int64_t machine_wall_us(const struct clock *self)
{
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t machine_monotonic_ms(const struct clock *self)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Predictable secrets are worse than no service, so a machine without randomness ends the process. */
static void machine_fill(const struct dice *self, uint8_t *out, size_t len)
{
    while (len) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        out += got;
        len -= (size_t)got;
    }
}

const struct clock *machine_clock(void)
{
    static const struct clock clock = {machine_wall_us, machine_monotonic_ms};
    return &clock;
}

const struct dice *machine_dice(void)
{
    static const struct dice dice = {machine_fill};
    return &dice;
}
