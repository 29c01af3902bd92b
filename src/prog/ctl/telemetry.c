/* telemetry: the latest values, or one metric over time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include "base/clock.h"
#include "base/text.h"
#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MS_US = 1000, TIME_OPTION_TEXT = 32 };

static void table_value(struct table *t, const json_t *value)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 4096};
    put_value(&text, value);
    table_add(t, buffer_view(&text), PLAIN);
}

void show_latest(const json_t *answer)
{
    static const char *const titles[] = {"METRIC", "VALUE", "UNIT", "TIME"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 4};
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "values"), i, row)
    {
        char time[SHOW_TEXT];
        show_ago(member_text(row, "time"), time);
        table_text(&t, member_text(row, "metric"));
        table_value(&t, json_object_get(row, "value"));
        table_text(&t, member_text(row, "unit"));
        table_text(&t, time);
    }
    table_print(&t);
}

static void show_series(const json_t *answer)
{
    const char *titles[] = {"TIME", member_text(answer, "metric")};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 2};
    const json_t *point;
    size_t i;
    titles[1] = "VALUE";
    json_array_foreach(json_object_get(answer, "points"), i, point)
    {
        char time[SHOW_TEXT];
        show_local_ms(json_integer_value(json_array_get(point, 0)), time);
        table_text(&t, time);
        table_value(&t, json_array_get(point, 1));
    }
    table_print(&t);
    const char *next = member_text(answer, "next");
    if (next) {
        printf("There is more: --from ");
        print_harmless(next, PLAIN);
        putchar('\n');
    }
}

static int64_t unit_ms(uint8_t unit)
{
    static const struct {
        uint8_t unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == unit)
            return units[i].ms;
    return 0;
}

/* "2h" is two hours ago; everything else is left to the server, which says what is wrong with it. */
static void query_time(struct query *q, const struct invocation *with, const char *option)
{
    const char *value = option_value(with, option);
    size_t len = value ? strlen(value) : 0;
    uint64_t count;
    char text[TIME_OPTION_TEXT];
    int64_t unit = len ? unit_ms((uint8_t)value[len - 1]) : 0;
    if (unit && !text_to_u64(bytes_of(value, len - 1), &count) && count < UINT32_MAX) {
        snprintf(text, sizeof text, "%" PRId64, wall_us(machine_clock()) / MS_US - (int64_t)count * unit);
        value = text;
    }
    query_add(q, option + 2, value);
}

OUTCOME run_telemetry(const struct invocation *with)
{
    static const char *const for_series[] = {"--from", "--to", "--limit"};
    SCOPED(query_drop) struct query query;
    SCOPED(buffer_drop) struct buffer path = {.max = THING_PATH_MAX};
    bool series = option_value(with, "--metric");
    query_open(&query);
    for (size_t i = 0; i < 3 && !series; i++)
        if (option_value(with, for_series[i])) {
            complain("%s goes with --metric", for_series[i]);
            return USAGE;
        }
    query_option(&query, with, "--metric");
    query_time(&query, with, "--from");
    query_time(&query, with, "--to");
    query_option(&query, with, "--limit");
    struct thing_path thing = {"devices", with->argument, series ? "/series" : "/latest"};
    struct request request = {"GET", put_thing_path(&path, thing), series ? &query : NULL, NULL};
    return ask_and_show(with, &request, series ? show_series : show_latest);
}
