/* The log's lines, read back through a pipe; the machine's clocks and randomness. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t fixed_wall_us(const struct clock *self)
{
    return 0;
}

static void capture(const struct log *log, enum log_level level, const char *value, char *out, size_t room)
{
    int ends[2], kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_line(log, level, "device enrolled", "device=%s", value);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    fd_close(&ends[1]);
    ssize_t len = read(ends[0], out, room - 1);
    out[len] = 0;
    fd_close(&ends[0]);
    fd_close(&kept);
}

static void lines_cannot_be_forged(void **state)
{
    const struct clock clock = {fixed_wall_us, NULL};
    const struct log log = {&clock, "holdfastd", LOG_INFO}, bare = {0};
    char line[2000];
    static const struct {
        const char *value, *shown;
    } rows[] = {
        {"pump-1", "pump-1"},
        {"a\nlevel=error", "a\\x0alevel=error"},
        {"\x1b[31m\x7f", "\\x1b[31m\\x7f"},
        {"K\xc3\xa4se \xe2\x82\xac \xf0\x9f\x98\x80", "K\xc3\xa4se \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b", "\\xc2\\x9b"}, /* C1 control in UTF-8 */
        {"\xff\xc3", "\\xff\\xc3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[300];
        snprintf(expected, sizeof expected,
                 "time=1970-01-01T00:00:00.000Z level=warn program=holdfastd event=\"device enrolled\" device=%s\n",
                 rows[i].shown);
        capture(&log, LOG_WARN, rows[i].value, line, sizeof line);
        assert_string_equal(line, expected);
    }
    capture(&log, LOG_DEBUG, "quiet", line, sizeof line);
    assert_string_equal(line, "");
    capture(&bare, LOG_ERROR, "x", line, sizeof line);
    assert_string_equal(line, "level=error event=\"device enrolled\" device=x\n");
}

static void lines_are_bounded(void **state)
{
    const struct log log = {.level = LOG_INFO};
    char value[1500], line[2000];
    memset(value, '\x01', sizeof value);
    value[sizeof value - 1] = 0;
    capture(&log, LOG_INFO, value, line, sizeof line);
    assert_in_range(strlen(line), 900, 1000);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void levels_are_read(void **state)
{
    enum log_level level = LOG_ERROR;
    assert_null(log_level_from(BYTES("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(err_is(log_level_from(BYTES("loud"), &level), ERR_MALFORMED));
}

static void clocks_and_dice(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};
    int64_t before = monotonic_ms(machine_clock());
    assert_true(wall_us(machine_clock()) > 1700000000000000);
    assert_true(monotonic_ms(machine_clock()) >= before);
    machine_dice()->fill(machine_dice(), a, sizeof a);
    machine_dice()->fill(machine_dice(), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_cannot_be_forged),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(levels_are_read),
        cmocka_unit_test(clocks_and_dice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
