/* Values for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/show.h"

#include "base/clock.h"
#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { SECOND_US = 1000000, SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

const char *member_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void show_local_ms(int64_t ms, char out[SHOW_TEXT])
{
    time_t seconds = (time_t)(ms / SECOND_MS);
    struct tm local;
    out[0] = 0;
    if (localtime_r(&seconds, &local))
        strftime(out, SHOW_TEXT, "%Y-%m-%d %H:%M:%S", &local);
}

void show_local(const char *rfc3339, char out[SHOW_TEXT])
{
    int64_t us;
    out[0] = 0;
    if (!time_parse(bytes_of_text(rfc3339), &us))
        show_local_ms(us / SECOND_MS, out);
}

void show_span(int64_t seconds, char out[SHOW_TEXT])
{
    static const struct {
        int64_t upto, unit;
        const char *name;
    } spans[] = {{INT64_C(2) * MINUTE_S, 1, "s"},
                 {INT64_C(2) * HOUR_S, MINUTE_S, "min"},
                 {INT64_C(2) * DAY_S, HOUR_S, "h"},
                 {INT64_MAX, DAY_S, "days"}};
    size_t i = 0;
    while (seconds >= spans[i].upto)
        i++;
    snprintf(out, SHOW_TEXT, "%" PRId64 " %s", (seconds + spans[i].unit / 2) / spans[i].unit, spans[i].name);
}

void show_ago(const char *rfc3339, char out[SHOW_TEXT])
{
    int64_t us;
    char span[SHOW_TEXT / 2];
    snprintf(out, SHOW_TEXT, "%s", rfc3339 ? "?" : "never");
    if (!rfc3339 || time_parse(bytes_of_text(rfc3339), &us))
        return;
    int64_t seconds = (wall_us(machine_clock()) - us) / SECOND_US;
    char whole[SHOW_TEXT];
    show_span(seconds < 0 ? -seconds : seconds, whole);
    snprintf(span, sizeof span, "%.*s", (int)sizeof span - 1, whole);
    snprintf(out, SHOW_TEXT, seconds < 0 ? "in %s" : "%s ago", span);
}

void put_value(struct buffer *out, const json_t *value)
{
    if (json_is_real(value))
        put_format(out, "%.6g", json_real_value(value));
    else if (json_is_integer(value))
        put_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        put_text(out, json_is_true(value) ? "true" : "false");
    else
        put_text(out, json_string_value(value));
}

void print_json(struct bytes text)
{
    if (text.len)
        fwrite(text.at, 1, text.len, stdout);
    if (text.len && text.at[text.len - 1] != '\n')
        putchar('\n');
}
