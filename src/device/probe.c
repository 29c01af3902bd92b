/* The table of probes and the gathering of what they read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/probe.h"

#include <assert.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const struct fault no_disk = {ERR_IO, "probe: the file system of the data folder does not tell its sizes"};
static const struct fault no_sensor = {ERR_ABSENT, "probe: this machine has no temperature sensor"};

/* One round: where to look, what is remembered, how long ago the round before was (0: there was none). */
struct round {
    const struct site *site;
    struct probe_memory *memory;
    double elapsed_s;
    struct measures *out;
};

enum { SHARE_DECIMALS = 4, FILE_HEAD = 65536 };

static err gather_cpu(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 512}; /* the first line is all that is wanted of a long file */
    struct cpu_times now, before = r->memory->cpu;
    bool had = r->memory->has_cpu;
    r->memory->has_cpu = false;
    TRY(site_read(r->site, "proc/stat", &text));
    TRY(proc_read_stat(buffer_view(&text), &now));
    r->memory->cpu = now;
    r->memory->has_cpu = true;
    if (!had || now.total <= before.total || now.busy < before.busy)
        return OK;
    double busy = (double)(now.busy - before.busy), total = (double)(now.total - before.total);
    measures_add(r->out, "cpu.load", busy < total ? busy / total : 1, SHARE_DECIMALS);
    return OK;
}

static err gather_load(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 256};
    double load;
    TRY(site_read(r->site, "proc/loadavg", &text));
    TRY(proc_read_load(buffer_view(&text), &load));
    measures_add(r->out, "cpu.load1", load, 2);
    return OK;
}

static err gather_memory(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 4096};
    struct memory_sizes memory;
    TRY(site_read(r->site, "proc/meminfo", &text));
    TRY(proc_read_meminfo(buffer_view(&text), &memory));
    double used = (double)(memory.total - memory.available);
    measures_add(r->out, "memory.used", used, 0);
    measures_add(r->out, "memory.total", (double)memory.total, 0);
    measures_add(r->out, "memory.share", used / (double)memory.total, SHARE_DECIMALS);
    return OK;
}

/* As df(1) counts: what root alone may still fill is neither used nor free. */
static err gather_disk(struct round *r)
{
    struct statvfs fs;
    if (statvfs(r->site->folder, &fs) || !fs.f_blocks)
        return &no_disk;
    double unit = (double)(fs.f_frsize ? fs.f_frsize : fs.f_bsize);
    double used = (double)(fs.f_blocks - fs.f_bfree), free = (double)fs.f_bavail;
    measures_add(r->out, "disk.used", used * unit, 0);
    measures_add(r->out, "disk.total", (double)fs.f_blocks * unit, 0);
    if (used + free > 0)
        measures_add(r->out, "disk.share", used / (used + free), SHARE_DECIMALS);
    return OK;
}

static err gather_net(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = FILE_HEAD};
    struct net_counts now, before = r->memory->net;
    bool had = r->memory->has_net;
    r->memory->has_net = false;
    TRY(site_read(r->site, "proc/net/dev", &text));
    TRY(proc_read_net(buffer_view(&text), &now));
    r->memory->net = now;
    r->memory->has_net = true;
    /* An interface that came or went changes the sum by more than its traffic. */
    if (!had || r->elapsed_s <= 0 || now.interfaces != before.interfaces)
        return OK;
    if (now.received >= before.received)
        measures_add(r->out, "net.rx", (double)(now.received - before.received) / r->elapsed_s, 0);
    if (now.sent >= before.sent)
        measures_add(r->out, "net.tx", (double)(now.sent - before.sent) / r->elapsed_s, 0);
    return OK;
}

/* Numbers of sensors may have gaps, so all up to a bound are tried. */
enum { SENSORS_MAX = 16, INPUTS_MAX = 8 };

struct hottest {
    bool any;
    double celsius;
};

/* A sensor that is off, unwired or absurd is passed over: the others still tell. */
static void read_sensor(const struct site *site, const char *path, struct hottest *h)
{
    char text[32];
    double celsius;
    if (site_read_text(site, path, text, sizeof text) || proc_read_temperature(bytes_of_text(text), &celsius))
        return;
    if (!h->any || celsius > h->celsius)
        *h = (struct hottest){true, celsius};
}

/* The hottest sensor: the one that tells of trouble, whatever the board calls it. Thermal zones first; hwmon has the
 * same processors again, under other names, and is asked where there are no zones. */
static err gather_temperature(struct round *r)
{
    struct hottest h = {false, 0};
    char path[SITE_PATH_MAX];
    for (unsigned zone = 0; zone < SENSORS_MAX; zone++) {
        snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%u/temp", zone);
        read_sensor(r->site, path, &h);
    }
    for (unsigned chip = 0; chip < SENSORS_MAX && !h.any; chip++)
        for (unsigned input = 1; input <= INPUTS_MAX; input++) {
            snprintf(path, sizeof path, "sys/class/hwmon/hwmon%u/temp%u_input", chip, input);
            read_sensor(r->site, path, &h);
        }
    if (!h.any)
        return &no_sensor;
    measures_add(r->out, "temperature", h.celsius, 1);
    return OK;
}

static err gather_uptime(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 256};
    double seconds;
    TRY(site_read(r->site, "proc/uptime", &text));
    TRY(proc_read_uptime(buffer_view(&text), &seconds));
    measures_add(r->out, "uptime", seconds, 0);
    return OK;
}

static err gather_agent(struct round *r)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 256};
    uint64_t pages;
    TRY(site_read(r->site, "proc/self/statm", &text));
    TRY(proc_read_resident(buffer_view(&text), &pages));
    measures_add(r->out, "agent.memory", (double)pages * (double)sysconf(_SC_PAGESIZE), 0);
    return OK;
}

static const struct probe {
    const char *name;
    err (*gather)(struct round *r);
} probes[] = {
    {"cpu", gather_cpu},       {"load", gather_load},   {"memory", gather_memory},
    {"disk", gather_disk},     {"net", gather_net},     {"temperature", gather_temperature},
    {"uptime", gather_uptime}, {"agent", gather_agent},
};
static_assert(sizeof probes / sizeof *probes == PROBES, "one place in probe_memory for each probe");

void probes_run(const struct site *site, int64_t monotonic_ms, struct probe_memory *memory, struct probe_round *out)
{
    *out = (struct probe_round){.trouble_count = 0};
    double elapsed_s = memory->before_ms ? (double)(monotonic_ms - memory->before_ms) / 1000 : 0;
    struct round round = {site, memory, elapsed_s, &out->measures};
    for (size_t i = 0; i < PROBES; i++) {
        err why = probes[i].gather(&round);
        bool failed = why && !err_is(why, ERR_ABSENT);
        if (failed && !memory->failing[i])
            out->trouble[out->trouble_count++] = (struct probe_trouble){probes[i].name, why};
        memory->failing[i] = failed;
    }
    memory->before_ms = monotonic_ms;
}
