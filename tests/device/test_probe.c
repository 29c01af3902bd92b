/* The probes against a tree of files that stands for a machine. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/probe.h"

#include "base/clock.h"
#include "base/memory.h"
#include "device/tree.h"

#include <math.h>
#include <unistd.h>

struct machine {
    struct tree tree;
    struct site site;
    struct probe_memory memory;
    struct probe_round round;
};

static int open_machine(void **state)
{
    struct machine *m = MEM_NEW(struct machine);
    tree_open(&m->tree);
    m->site = (struct site){m->tree.root, m->tree.root};
    tree_write(&m->tree, "proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\n");
    tree_write(&m->tree, "proc/loadavg", "0.25 0.02 0.00 1/95 7760\n");
    tree_write(&m->tree, "proc/meminfo", "MemTotal: 8 kB\nMemAvailable: 6 kB\n");
    tree_write(&m->tree, "proc/net/dev", "Inter-|\n face\n eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n");
    tree_write(&m->tree, "proc/uptime", "12.7 3\n");
    tree_write(&m->tree, "proc/self/statm", "765 432 404 5 0 123 0\n");
    *state = m;
    return 0;
}

static int close_machine(void **state)
{
    struct machine *m = *state;
    tree_close(&m->tree);
    mem_drop(m);
    return 0;
}

static void run(struct machine *m, int64_t at_ms)
{
    probes_run(&m->site, at_ms, &m->memory, &m->round);
}

static const struct measure *find(const struct machine *m, const char *metric)
{
    for (size_t i = 0; i < m->round.measures.count; i++)
        if (!strcmp(m->round.measures.at[i].metric, metric))
            return &m->round.measures.at[i];
    return NULL;
}

static void expect(const struct machine *m, const char *metric, double value)
{
    const struct measure *got = find(m, metric);
    if (!got || fabs(got->value - value) > 1e-9)
        fail_msg("%s is %g, not %g", metric, got ? got->value : NAN, value);
}

static void first_round_has_no_rates(void **state)
{
    struct machine *m = *state;
    run(m, 1000);
    assert_null(find(m, "cpu.load"));
    assert_null(find(m, "net.rx"));
    assert_null(find(m, "temperature"));
    expect(m, "cpu.load1", 0.25);
    expect(m, "memory.used", 2048);
    expect(m, "memory.total", 8192);
    expect(m, "memory.share", 0.25);
    expect(m, "uptime", 13);
    expect(m, "agent.memory", 432.0 * (double)sysconf(_SC_PAGESIZE));
    assert_true(find(m, "disk.used")->value <= find(m, "disk.total")->value);
    assert_in_range((int)(find(m, "disk.share")->value * 1000), 0, 1000);
    assert_int_equal(m->round.trouble_count, 0);
}

static void rates_come_from_two_rounds(void **state)
{
    struct machine *m = *state;
    run(m, 1000);
    tree_write(&m->tree, "proc/stat", "cpu  130 0 0 190 0 0 0 0 0 0\n");
    tree_write(&m->tree, "proc/net/dev", "Inter-|\n face\n eth0: 3000 0 0 0 0 0 0 0 1500 0 0 0 0 0 0 0\n");
    run(m, 11000);
    expect(m, "cpu.load", 0.25);
    expect(m, "net.rx", 200);
    expect(m, "net.tx", 100);
}

static void counters_that_go_back_give_no_rate(void **state)
{
    struct machine *m = *state;
    run(m, 1000);
    tree_write(&m->tree, "proc/stat", "cpu  1 0 0 1 0 0 0 0 0 0\n");
    tree_write(&m->tree, "proc/net/dev", "Inter-|\n face\n eth0: 10 0 0 0 0 0 0 0 1500 0 0 0 0 0 0 0\n");
    run(m, 2000);
    assert_null(find(m, "cpu.load"));
    assert_null(find(m, "net.rx"));
    expect(m, "net.tx", 1000);
    tree_write(&m->tree, "proc/stat", "cpu  2 0 0 2 0 0 0 0 0 0\n");
    tree_write(&m->tree, "proc/net/dev", "Inter-|\n face\n eth0: 20 0 0 0 0 0 0 0 1500 0 0 0 0 0 0 0\n");
    run(m, 3000);
    expect(m, "cpu.load", 0.5);
    expect(m, "net.rx", 10);
    expect(m, "net.tx", 0);
}

static void an_interface_that_comes_gives_no_rate(void **state)
{
    struct machine *m = *state;
    run(m, 1000);
    tree_write(&m->tree, "proc/net/dev",
               "Inter-|\n face\n eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n eth1: 99999 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n");
    run(m, 2000);
    assert_null(find(m, "net.rx"));
    run(m, 3000);
    expect(m, "net.rx", 0);
}

static void trouble_is_told_once(void **state)
{
    struct machine *m = *state;
    tree_write(&m->tree, "proc/meminfo", "nonsense");
    run(m, 1000);
    assert_int_equal(m->round.trouble_count, 1);
    assert_string_equal(m->round.trouble[0].probe, "memory");
    assert_true(err_is(m->round.trouble[0].why, ERR_MALFORMED));
    assert_null(find(m, "memory.used"));
    expect(m, "uptime", 13);
    run(m, 2000);
    assert_int_equal(m->round.trouble_count, 0);
    tree_write(&m->tree, "proc/meminfo", "MemTotal: 8 kB\nMemAvailable: 6 kB\n");
    run(m, 3000);
    assert_non_null(find(m, "memory.used"));
    tree_write(&m->tree, "proc/meminfo", "");
    run(m, 4000);
    assert_int_equal(m->round.trouble_count, 1);
}

static void absent_sources_are_skipped(void **state)
{
    struct machine *m = *state;
    tree_remove(&m->tree, "proc/loadavg");
    tree_remove(&m->tree, "proc/stat");
    run(m, 1000);
    assert_int_equal(m->round.trouble_count, 0);
    assert_null(find(m, "cpu.load1"));
}

static void the_hottest_sensor_counts(void **state)
{
    struct machine *m = *state;
    tree_write(&m->tree, "sys/class/hwmon/hwmon0/temp1_input", "90000\n");
    run(m, 1000);
    expect(m, "temperature", 90);
    tree_write(&m->tree, "sys/class/thermal/thermal_zone0/temp", "41200\n");
    tree_write(&m->tree, "sys/class/thermal/thermal_zone3/temp", "48390\n");
    tree_write(&m->tree, "sys/class/thermal/thermal_zone4/temp", "-274000\n");
    run(m, 2000);
    expect(m, "temperature", 48.4);
}

static void a_long_stat_file_is_read_at_its_head(void **state)
{
    struct machine *m = *state;
    char *longer = mem_take(200000, 1);
    memset(longer, '1', 199999);
    memcpy(longer, "cpu  1 2 3 4 5\nintr ", 20);
    tree_write(&m->tree, "proc/stat", longer);
    mem_drop(longer);
    run(m, 1000);
    assert_int_equal(m->round.trouble_count, 0);
    assert_true(m->memory.has_cpu);
}

static void measures_become_json(void **state)
{
    (void)state;
    struct measures m = {.count = 0};
    SCOPED(buffer_drop) struct buffer out = {.max = 4096};
    measures_add(&m, "cpu.load", 0.123456, 4);
    measures_add(&m, "memory.used", 25276510208.0, 0);
    measures_add(&m, "net.rx", NAN, 0);
    measures_add(&m, "clock.offset", -0.00001, 3);
    measures_put_json(&out, &m, 1769847300123000);
    assert_string_equal(buffer_text(&out), "{\"time\":\"2026-01-31T08:15:00.123Z\",\"cpu.load\":0.1235,"
                                           "\"memory.used\":25276510208,\"clock.offset\":0}");
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, open_machine, close_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_MACHINE(first_round_has_no_rates),
        WITH_MACHINE(rates_come_from_two_rounds),
        WITH_MACHINE(counters_that_go_back_give_no_rate),
        WITH_MACHINE(an_interface_that_comes_gives_no_rate),
        WITH_MACHINE(trouble_is_told_once),
        WITH_MACHINE(absent_sources_are_skipped),
        WITH_MACHINE(the_hottest_sensor_counts),
        WITH_MACHINE(a_long_stat_file_is_read_at_its_head),
        cmocka_unit_test(measures_become_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
