/* RFC 3339 times: there and back, leap years, and what is none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static void known_times(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1000, "1969-12-31T23:59:59.999Z"},
        {-1, "1969-12-31T23:59:59.999Z"}, /* rounded towards the past, always */
        {951782400 * S, "2000-02-29T00:00:00.000Z"},
        {951868799 * S + 999999, "2000-02-29T23:59:59.999Z"},
        {951868800 * S, "2000-03-01T00:00:00.000Z"},
        {1767225600 * S, "2026-01-01T00:00:00.000Z"},
        {4107542400 * S, "2100-03-01T00:00:00.000Z"},
        {4107542399 * S, "2100-02-28T23:59:59.000Z"},
        {-62167219200 * S, "0000-01-01T00:00:00.000Z"},
        {-62167219200 * S - 1, "0000-01-01T00:00:00.000Z"},
        {253402300799 * S + 999999, "9999-12-31T23:59:59.999Z"},
        {253402300800 * S, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[TIME_TEXT];
        time_text(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* Against the C library, over 10,000 years in steps that hit every month and hour. */
static void all_years_agree_with_the_library(void **state)
{
    for (int64_t seconds = -62167219200; seconds < 253402300800; seconds += 86400 * 13 + 3607) {
        time_t when = (time_t)seconds;
        struct tm parts;
        char text[TIME_TEXT], want[64];
        int64_t back;
        assert_non_null(gmtime_r(&when, &parts));
        time_text(seconds * S + 123000, text);
        strftime(want, sizeof want, "-%m-%dT%H:%M:%S.123Z", &parts);
        assert_string_equal(text + 4, want);
        assert_null(time_parse(bytes_of_text(text), &back));
        assert_true(back == seconds * S + 123000);
    }
}

static void parsing(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"1970-01-01t00:00:01z", true, S},
        {"1970-01-01T00:00:00.5Z", true, S / 2},
        {"1970-01-01T00:00:00.000001Z", true, 1},
        {"1970-01-01T00:00:00.0000019Z", true, 1},
        {"1970-01-01T00:00:00.999999999999999999999999Z", true, 999999},
        {"1972-06-30T23:59:60Z", true, 78796800 * S}, /* a leap second is the second behind it */
        {"2000-02-29T00:00:00Z", true, 951782400 * S},
        {"2024-02-29T00:00:00Z", true, 1709164800 * S},
        {"0000-02-29T00:00:00Z", true, -62162121600 * S},
        {"2100-02-29T00:00:00Z", false, 0},
        {"2023-02-29T00:00:00Z", false, 0},
        {"2024-02-30T00:00:00Z", false, 0},
        {"2024-04-31T00:00:00Z", false, 0},
        {"2024-00-01T00:00:00Z", false, 0},
        {"2024-13-01T00:00:00Z", false, 0},
        {"2024-01-00T00:00:00Z", false, 0},
        {"2024-01-01T24:00:00Z", false, 0},
        {"2024-01-01T00:60:00Z", false, 0},
        {"2024-01-01T00:00:61Z", false, 0},
        {"2024-01-01T00:00:00", false, 0},
        {"2024-01-01T00:00:00+00:00", false, 0}, /* UTC is said with Z */
        {"2024-01-01T00:00:00.Z", false, 0},
        {"2024-01-01T00:00:00,5Z", false, 0},
        {"2024-01-01 00:00:00Z", false, 0},
        {"2024-1-1T00:00:00Z", false, 0},
        {"24-01-01T00:00:00Z", false, 0},
        {"12024-01-01T00:00:00Z", false, 0},
        {"-024-01-01T00:00:00Z", false, 0},
        {"+024-01-01T00:00:00Z", false, 0},
        {"2024-01-01T00:00:00Z ", false, 0},
        {" 2024-01-01T00:00:00Z", false, 0},
        {"2024-01-01T0x:00:00Z", false, 0},
        {"2024-01-01", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = 7;
        err e = time_parse(bytes_of_text(rows[i].text), &us);
        if (rows[i].good ? e || us != rows[i].us : !err_is(e, ERR_MALFORMED) || us != 7)
            fail_msg("\"%s\": %s, %lld", rows[i].text, err_text(e), (long long)us);
    }
}

static void every_prefix_is_refused(void **state)
{
    struct bytes whole = BYTES("2026-01-31T08:15:00.123Z");
    int64_t us;
    for (size_t len = 0; len < whole.len; len++)
        assert_true(err_is(time_parse(bytes_first(whole, len), &us), ERR_MALFORMED));
    assert_null(time_parse(whole, &us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times),
        cmocka_unit_test(all_years_agree_with_the_library),
        cmocka_unit_test(parsing),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
