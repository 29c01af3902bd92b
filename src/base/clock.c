/* RFC 3339 times, without the C library's time zones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>

static const struct fault not_a_time = {ERR_MALFORMED, "time: not an RFC 3339 time in UTC (2026-01-31T08:15:00Z)"};

enum { SECOND_US = 1000000, DAY_S = 86400 };
#define EARLIEST_US (-62167219200LL * SECOND_US)     /* 0000-01-01T00:00:00Z */
#define LATEST_US   (253402300800LL * SECOND_US - 1) /* the last microsecond of the year 9999 */

struct civil {
    int64_t year;
    int month, day;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar; March-based years put the leap day last. */
static int64_t days_from_civil(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil c = {year_of_era + era * 400, (int)(month < 10 ? month + 3 : month - 9),
                      (int)(day_of_year - (153 * month + 2) / 5 + 1)};
    c.year += c.month <= 2;
    return c;
}

void time_text(int64_t wall_us, char out[TIME_TEXT])
{
    if (wall_us < EARLIEST_US)
        wall_us = EARLIEST_US;
    if (wall_us > LATEST_US)
        wall_us = LATEST_US;
    int64_t seconds = wall_us / SECOND_US, micros = wall_us % SECOND_US;
    if (micros < 0) {
        micros += SECOND_US;
        seconds--;
    }
    int64_t days = seconds / DAY_S, rest = seconds % DAY_S;
    if (rest < 0) {
        rest += DAY_S;
        days--;
    }
    struct civil c = civil_from_days(days);
    char text[64];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)c.year, c.month, c.day, (int)(rest / 3600),
             (int)(rest / 60 % 60), (int)(rest % 60), (int)(micros / 1000));
    for (size_t i = 0; i < TIME_TEXT; i++)
        out[i] = text[i];
    out[TIME_TEXT - 1] = 0;
}

static int digits(struct reader *r, size_t count)
{
    struct bytes view = read_view(r, count);
    int value = 0;
    for (size_t i = 0; i < view.len; i++) {
        if (view.at[i] < '0' || view.at[i] > '9')
            r->spoiled = true;
        value = value * 10 + (view.at[i] - '0');
    }
    return value;
}

static void expect(struct reader *r, char a, char b)
{
    uint8_t c = read_u8(r);
    if (c != a && c != b)
        r->spoiled = true;
}

static int64_t fraction_us(struct reader *r)
{
    int64_t micros = 0, unit = SECOND_US / 10;
    if (!r->left.len || r->left.at[0] != '.')
        return 0;
    (void)read_u8(r);
    if (!r->left.len || r->left.at[0] < '0' || r->left.at[0] > '9')
        r->spoiled = true;
    for (; !r->spoiled && r->left.len && r->left.at[0] >= '0' && r->left.at[0] <= '9'; unit /= 10)
        micros += (read_u8(r) - '0') * unit;
    return micros;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

err time_parse(struct bytes text, int64_t *wall_us_out)
{
    struct reader r = reader_over(text);
    struct civil c;
    c.year = digits(&r, 4);
    expect(&r, '-', '-');
    c.month = digits(&r, 2);
    expect(&r, '-', '-');
    c.day = digits(&r, 2);
    expect(&r, 'T', 't');
    int hour = digits(&r, 2);
    expect(&r, ':', ':');
    int minute = digits(&r, 2);
    expect(&r, ':', ':');
    int second = digits(&r, 2);
    int64_t micros = fraction_us(&r);
    expect(&r, 'Z', 'z');
    if (reader_finish(&r) || c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days(c.year, c.month) ||
        hour > 23 || minute > 59 || second > 60)
        return &not_a_time;
    *wall_us_out = (days_from_civil(c) * DAY_S + hour * 3600 + minute * 60 + second) * SECOND_US + micros;
    return OK;
}
