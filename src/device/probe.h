/* The probes: what the agent measures of its machine, one row each. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "device/measure.h"
#include "device/proc.h"
#include "device/site.h"

enum { PROBES = 8 };

/* What one round of probes leaves for the next: the last counters, and which probes are known not to work. Zero is
 * the state before the first round. */
struct probe_memory {
    int64_t before_ms; /* monotonic time of the round before; 0: there was none */
    struct cpu_times cpu;
    bool has_cpu;
    struct net_counts net;
    bool has_net;
    bool failing[PROBES];
};

/* A probe that has just stopped working: it is told once, and again only after it has worked in between. */
struct probe_trouble {
    const char *probe;
    err why;
};

struct probe_round {
    struct measures measures;
    size_t trouble_count;
    struct probe_trouble trouble[PROBES];
};

/* Runs every probe once. A rate (cpu.load, net.rx, net.tx) needs a round before this one, and is left out when its
 * counter went back. A probe whose source this machine does not have is left out silently. */
void probes_run(const struct site *site, int64_t monotonic_ms, struct probe_memory *memory, struct probe_round *out);
