/* Readers of what the Linux kernel says about a machine in /proc and /sys. Pure: text in, numbers out. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* All readers borrow their text, take it as hostile, and answer ERR_MALFORMED when the wanted field is missing, is no
 * number, or does not fit. On an error *out is unchanged. A text that was cut off behind the wanted field is fine. */

/* Since the start of the machine, in ticks. */
struct cpu_times {
    uint64_t busy;  /* all but idle and waiting for I/O */
    uint64_t total;
};
MUST err proc_read_stat(struct bytes text, struct cpu_times *out); /* /proc/stat, the line of all processors */

struct memory_sizes {
    uint64_t total;     /* bytes */
    uint64_t available; /* bytes that programs could still get without swapping; at most total */
};
MUST err proc_read_meminfo(struct bytes text, struct memory_sizes *out);

/* Since the start of the machine, in bytes. */
struct net_counts {
    uint64_t received;
    uint64_t sent;
    unsigned interfaces; /* how many were added up; 0 is no error */
};
/* /proc/net/dev: the sum over all interfaces but `lo`. The kernel's counters wrap; so does the sum. */
MUST err proc_read_net(struct bytes text, struct net_counts *out);

MUST err proc_read_uptime(struct bytes text, double *seconds_out);
MUST err proc_read_load(struct bytes text, double *one_minute_out);
MUST err proc_read_temperature(struct bytes text, double *celsius_out); /* thousandths of a degree, -100 to 250 °C */
MUST err proc_read_resident(struct bytes text, uint64_t *pages_out);    /* /proc/self/statm */

struct processors {
    char model[128]; /* as the kernel names it, cut to fit; "" when it does not say */
    unsigned cores;  /* logical processors */
};
/* /proc/cpuinfo of x86, ARM, RISC-V and PowerPC. Never fails: what is not said stays empty. */
void proc_read_cpuinfo(struct bytes text, struct processors *out);
