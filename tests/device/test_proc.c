/* The readers of /proc and /sys: what real kernels write, and what hostile or truncated texts must not do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/proc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof *(table))

/* Every reader gets its text in a block of exactly its size, so that reading one byte too far is caught. */
struct exact {
    uint8_t *at;
    struct bytes view;
};

static struct exact exact(struct bytes text)
{
    uint8_t *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.at, text.len);
    return (struct exact){copy, bytes_of(copy, text.len)};
}

static void reads_stat(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        bool good;
        uint64_t busy, total;
    } rows[] = {
        {"a kernel of today", BYTES("cpu  2704 0 2401 308668 484 0 45 7 0 0\ncpu0 1022 0 987 155047\n"), true, 5157, 314309},
        {"guest time is part of user time", BYTES("cpu  100 0 0 100 0 0 0 0 60 0\n"), true, 100, 200},
        {"four fields, as before 2.6", BYTES("cpu  1 2 3 4\n"), true, 6, 10},
        {"without an end of line", BYTES("cpu 1 2 3 4 5"), true, 6, 15},
        {"more fields than known", BYTES("cpu 1 1 1 1 1 1 1 1 9 9 9 9 9\n"), true, 6, 8},
        {"three fields", BYTES("cpu 1 2 3\n"), false, 0, 0},
        {"cut off in the word", BYTES("cp"), false, 0, 0},
        {"one processor's line first", BYTES("cpu0 1 2 3 4\n"), false, 0, 0},
        {"a negative number", BYTES("cpu 1 -2 3 4\n"), false, 0, 0},
        {"a number over 64 bits", BYTES("cpu 99999999999999999999 2 3 4\n"), false, 0, 0},
        {"a sum over 64 bits", BYTES("cpu 18446744073709551615 1 3 4\n"), false, 0, 0},
        {"a word in a later field", BYTES("cpu 1 2 3 4 x\n"), false, 0, 0},
        {"a NUL", BYTES("cpu\0 1 2 3 4\n"), false, 0, 0},
        {"empty", BYTES(""), false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct cpu_times got = {77, 77};
        struct exact in = exact(rows[i].text);
        err e = proc_read_stat(in.view, &got);
        free(in.at);
        if (!e != rows[i].good || got.busy != (rows[i].good ? rows[i].busy : 77) ||
            got.total != (rows[i].good ? rows[i].total : 77))
            fail_msg("%s: %s, busy %llu, total %llu", rows[i].rule, err_text(e), (unsigned long long)got.busy,
                     (unsigned long long)got.total);
    }
}

static void reads_meminfo(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        bool good;
        uint64_t total, available;
    } rows[] = {
        {"a kernel of today",
         BYTES("MemTotal:       24684092 kB\nMemFree:        23921484 kB\nMemAvailable:   24292900 kB\nBuffers: 4404 kB\n"),
         true, 24684092ull * 1024, 24292900ull * 1024},
        {"cut off behind what is wanted", BYTES("MemTotal: 8 kB\nMemAvailable: 4 kB\nBuff"), true, 8192, 4096},
        {"the other order", BYTES("MemAvailable: 4 kB\nMemTotal: 8 kB\n"), true, 8192, 4096},
        {"no MemAvailable (before 3.14)", BYTES("MemTotal: 8 kB\nMemFree: 4 kB\n"), false, 0, 0},
        {"more available than there is", BYTES("MemTotal: 8 kB\nMemAvailable: 9 kB\n"), false, 0, 0},
        {"no memory at all", BYTES("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), false, 0, 0},
        {"another unit", BYTES("MemTotal: 8 MB\nMemAvailable: 4 MB\n"), false, 0, 0},
        {"an overflow in bytes", BYTES("MemTotal: 18446744073709551615 kB\nMemAvailable: 4 kB\n"), false, 0, 0},
        {"cut off in the number", BYTES("MemTotal: 8 kB\nMemAvailable: 4"), false, 0, 0},
        {"empty", BYTES(""), false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct memory_sizes got = {77, 77};
        struct exact in = exact(rows[i].text);
        err e = proc_read_meminfo(in.view, &got);
        free(in.at);
        if (!e != rows[i].good || got.total != (rows[i].good ? rows[i].total : 77) ||
            got.available != (rows[i].good ? rows[i].available : 77))
            fail_msg("%s: %s, %llu of %llu", rows[i].rule, err_text(e), (unsigned long long)got.available,
                     (unsigned long long)got.total);
    }
}

#define NET_HEAD                                                                                                       \
    "Inter-|   Receive                                                |  Transmit\n"                                   \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier " \
    "compressed\n"

static void reads_net(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        bool good;
        struct net_counts want;
    } rows[] = {
        {"a kernel of today",
         BYTES(NET_HEAD "    lo:    3267      29    0    0    0     0          0         0     3267      29    0    0    0     0       0          0\n"
                        "  eth0: 176408444    4027    0    0    0     0          0         0   203899    2131    0    0    0     0       0          0\n"
                        "  wlan0: 100    1    0    0    0     0          0         0   7    1    0    0    0     0       0          0\n"),
         true, {176408544, 203906, 2}},
        {"a counter that leaves no blank behind the colon", BYTES(NET_HEAD "eth0:176408444 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n"), true,
         {176408444, 5, 1}},
        {"only the loop", BYTES(NET_HEAD "lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"), true, {0, 0, 0}},
        {"no interface", BYTES(NET_HEAD), true, {0, 0, 0}},
        {"a line that is cut off", BYTES(NET_HEAD "eth0: 1 1 0 0 0 0 0 0 1 1 0\n"), false, {0}},
        {"a line without a name", BYTES(NET_HEAD "1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"), false, {0}},
        {"an empty name", BYTES(NET_HEAD ": 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"), false, {0}},
        {"no head", BYTES("eth0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"), false, {0}},
        {"empty", BYTES(""), false, {0}},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct net_counts got = {0, 0, 0};
        struct exact in = exact(rows[i].text);
        err e = proc_read_net(in.view, &got);
        free(in.at);
        if (!e != rows[i].good || got.received != rows[i].want.received || got.sent != rows[i].want.sent ||
            got.interfaces != rows[i].want.interfaces)
            fail_msg("%s: %s", rows[i].rule, err_text(e));
    }
}

static void reads_numbers(void **state)
{
    const struct {
        const char *rule;
        err (*read)(struct bytes text, double *out);
        struct bytes text;
        bool good;
        double want;
    } rows[] = {
        {"uptime", proc_read_uptime, BYTES("1575.25 3086.68\n"), true, 1575.25},
        {"uptime alone", proc_read_uptime, BYTES("1575.25"), true, 1575.25},
        {"negative uptime", proc_read_uptime, BYTES("-1 3\n"), false, 0},
        {"no uptime", proc_read_uptime, BYTES("\n"), false, 0},
        {"load", proc_read_load, BYTES("0.04 0.02 0.00 1/95 7760\n"), true, 0.04},
        {"load that is no number", proc_read_load, BYTES("nan 0 0\n"), false, 0},
        {"load without end", proc_read_load, BYTES("inf 0 0\n"), false, 0},
        {"temperature", proc_read_temperature, BYTES("48312\n"), true, 48.312},
        {"frost", proc_read_temperature, BYTES("-12500\n"), true, -12.5},
        {"a sensor that is not wired", proc_read_temperature, BYTES("-274000\n"), false, 0},
        {"a sensor at its end", proc_read_temperature, BYTES("2147483647\n"), false, 0},
        {"no temperature", proc_read_temperature, BYTES(""), false, 0},
        {"a word", proc_read_temperature, BYTES("hot\n"), false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        double got = -77;
        struct exact in = exact(rows[i].text);
        err e = rows[i].read(in.view, &got);
        free(in.at);
        if (!e != rows[i].good || fabs(got - (rows[i].good ? rows[i].want : -77)) > 1e-9)
            fail_msg("%s: %s, %g", rows[i].rule, err_text(e), got);
    }
}

static void reads_resident(void **state)
{
    uint64_t pages = 77;
    (void)state;
    assert_null(proc_read_resident(BYTES("765 432 404 5 0 123 0\n"), &pages));
    assert_int_equal(pages, 432);
    assert_non_null(proc_read_resident(BYTES("765"), &pages));
    assert_non_null(proc_read_resident(BYTES("x 432"), &pages));
    assert_int_equal(pages, 432);
}

static void reads_cpuinfo(void **state)
{
    const struct {
        const char *rule;
        struct bytes text;
        const char *model;
        unsigned cores;
    } rows[] = {
        {"x86", BYTES("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n"),
         "AMD EPYC", 2},
        {"Raspberry Pi: the chip before the board",
         BYTES("processor\t: 0\nCPU part\t: 0xd08\n\nprocessor\t: 1\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"),
         "BCM2835", 2},
        {"PowerPC", BYTES("processor\t: 0\ncpu\t\t: e5500\n"), "e5500", 1},
        {"nothing known", BYTES("foo: bar\n::::\n\n:\n"), "", 0},
        {"no colon at all", BYTES("processor"), "", 1},
        {"empty", BYTES(""), "", 0},
        {"a NUL in the name", BYTES("model name: a\0b\n"), "", 0},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct processors got;
        struct exact in = exact(rows[i].text);
        proc_read_cpuinfo(in.view, &got);
        free(in.at);
        if (strcmp(got.model, rows[i].model) || got.cores != rows[i].cores)
            fail_msg("%s: \"%s\", %u", rows[i].rule, got.model, got.cores);
    }
    char longer[300];
    struct processors got;
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "model name: ", 12);
    proc_read_cpuinfo(bytes_of(longer, sizeof longer), &got);
    assert_int_equal(strlen(got.model), sizeof got.model - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_stat),    cmocka_unit_test(reads_meminfo),  cmocka_unit_test(reads_net),
        cmocka_unit_test(reads_numbers), cmocka_unit_test(reads_resident), cmocka_unit_test(reads_cpuinfo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
