/* fuzz: device */
/* What the agent reads of its machine: the first byte picks the reader, the rest is its file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/dpkg.h"
#include "device/os_release.h"
#include "device/proc.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds an answer against what its header promises. */
static void check(int holds)
{
    if (!holds)
        abort();
}

static void stat_file(struct bytes in)
{
    struct cpu_times cpu;
    if (!proc_read_stat(in, &cpu))
        check(cpu.busy <= cpu.total);
}

static void meminfo_file(struct bytes in)
{
    struct memory_sizes memory;
    if (!proc_read_meminfo(in, &memory))
        check(memory.total > 0 && memory.available <= memory.total);
}

static void net_file(struct bytes in)
{
    struct net_counts net;
    IGNORE(proc_read_net(in, &net));
}

static void number_files(struct bytes in)
{
    double value;
    uint64_t pages;
    if (!proc_read_uptime(in, &value))
        check(value >= 0);
    if (!proc_read_load(in, &value))
        check(value >= 0);
    if (!proc_read_temperature(in, &value))
        check(value >= -100 && value <= 250);
    IGNORE(proc_read_resident(in, &pages));
}

static void cpuinfo_file(struct bytes in)
{
    struct processors processors;
    proc_read_cpuinfo(in, &processors);
    check(memchr(processors.model, 0, sizeof processors.model) != NULL);
}

static void os_release_file(struct bytes in)
{
    char value[32];
    IGNORE(os_release_value(in, "NAME", value, sizeof value));
    check(memchr(value, 0, sizeof value) != NULL);
}

static void package_found(struct dpkg_reader *self, const struct dpkg_package *package)
{
    check(package->name[0] && package->version[0]);
    check(memchr(package->name, 0, sizeof package->name) && memchr(package->version, 0, sizeof package->version));
}

static void dpkg_file(struct bytes in)
{
    struct dpkg_reader r = {.found = package_found};
    size_t piece = in.len ? 1 + in.at[0] : 1;
    for (; in.len; in = bytes_from(in, piece))
        dpkg_feed(&r, bytes_first(in, piece));
    dpkg_finish(&r);
}

static void (*const readers[])(struct bytes in) = {
    stat_file, meminfo_file, net_file, number_files, cpuinfo_file, os_release_file, dpkg_file,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size)
        readers[data[0] % (sizeof readers / sizeof *readers)](bytes_of(data + 1, size - 1));
    return 0;
}
