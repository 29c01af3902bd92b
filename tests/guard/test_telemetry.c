/* Telemetry payloads: what becomes a sample, what is refused and with which words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/telemetry.h"

#include "base/memory.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

/* One sample a line: metric = value [unit] @ microseconds from now, when not 0. */
static void say_sample(struct buffer *out, const struct sample *s)
{
    put_bytes(out, s->metric);
    switch (s->kind) {
    case SAMPLE_NUMBER:
        put_format(out, "=%.17g", s->value.number);
        break;
    case SAMPLE_INTEGER:
        put_format(out, "=%" PRId64 "i", s->value.integer);
        break;
    case SAMPLE_TRUTH:
        put_format(out, "=%s", s->value.truth ? "true" : "false");
        break;
    case SAMPLE_TEXT:
        put_text(out, "='");
        put_bytes(out, s->value.text);
        put_text(out, "'");
        break;
    }
    if (s->unit.len) {
        put_text(out, " ");
        put_bytes(out, s->unit);
    }
    if (s->time_us != NOW_US)
        put_format(out, " @%" PRId64, s->time_us - NOW_US);
    put_text(out, "\n");
}

struct row {
    const char *rule, *payload, *stream;
    const char *samples; /* NULL: refused, with `why` in its reason */
    const char *why;
};

static const struct row objects[] = {
    {"a number", "{\"t\":21.5}", "", "t=21.5\n", 0},
    {"an integer", "{\"n\":-7}", "", "n=-7i\n", 0},
    {"the largest integer", "{\"n\":9223372036854775807}", "", "n=9223372036854775807i\n", 0},
    {"true and false", "{\"a\":true,\"b\":false}", "", "a=true\nb=false\n", 0},
    {"a text", "{\"state\":\"on\"}", "", "state='on'\n", 0},
    {"an empty text", "{\"state\":\"\"}", "", "state=''\n", 0},
    {"objects flatten", "{\"cpu\":{\"load\":0.5,\"core\":{\"0\":1}},\"x\":2}", "",
     "cpu.load=0.5\ncpu.core.0=1i\nx=2i\n", 0},
    {"four levels", "{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", "", "a.b.c.d=1i\n", 0},
    {"five levels", "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}", "", NULL, "\"a.b.c.d\" is nested too deep"},
    {"a stream is a prefix", "{\"t\":1}", "boiler/2", "boiler.2.t=1i\n", 0},
    {"a name in UTF-8",
     "{\"d\xC3\xA9"
     "bit\":1}",
     "",
     "d\xC3\xA9"
     "bit=1i\n",
     0},
    {"a time in RFC 3339", "{\"time\":\"2026-01-01T00:00:01.5Z\",\"t\":1}", "", "t=1i @1500000\n", 0},
    {"a time in milliseconds", "{\"t\":1,\"time\":1767225599000}", "", "t=1i @-1000000\n", 0},
    {"time below the top is a metric", "{\"a\":{\"time\":5}}", "", "a.time=5i\n", 0},
    {"a time that is no time", "{\"time\":\"yesterday\",\"t\":1}", "", NULL, "\"time\" must be"},
    {"a time with another zone", "{\"time\":\"2026-01-01T00:00:00+01:00\",\"t\":1}", "", NULL, "\"time\" must be"},
    {"a time that is a fraction", "{\"time\":1.5,\"t\":1}", "", NULL, "\"time\" must be"},
    {"a time that is an object", "{\"time\":{\"a\":1},\"t\":1}", "", NULL, "\"time\" must be"},
    {"a time past all numbers", "{\"time\":9223372036854775807,\"t\":1}", "", NULL, "\"time\" must be"},
    {"a time before 2000", "{\"time\":\"1999-12-31T23:59:59Z\",\"t\":1}", "", NULL,
     "1999-12-31T23:59:59.000Z, which is before the year 2000"},
    {"a negative time", "{\"time\":-1,\"t\":1}", "", NULL, "before the year 2000"},
    {"a time a day ahead", "{\"time\":\"2026-01-02T00:00:00Z\",\"t\":1}", "", "t=1i @86400000000\n", 0},
    {"a time more than a day ahead", "{\"time\":\"2026-01-02T00:00:00.001Z\",\"t\":1}", "", NULL,
     "more than a day ahead"},
    {"only a time", "{\"time\":1767225599000}", "", NULL, "no value"},
    {"null", "{\"a\":null}", "", NULL, "\"a\" must be"},
    {"an array", "{\"a\":{\"b\":[1]}}", "", NULL, "\"a.b\" must be"},
    {"an empty object", "{}", "", NULL, "no value"},
    {"an empty object inside", "{\"a\":{}}", "", NULL, "\"a\" is an empty object"},
    {"an empty name", "{\"\":1}", "", NULL, "empty name"},
    {"an empty name inside", "{\"a\":{\"\":1}}", "", NULL, "\"a.\" has an empty name"},
    {"a duplicate", "{\"a\":1,\"a\":2}", "", NULL, "duplicate"},
    {"one metric in two ways", "{\"a.b\":1,\"a\":{\"b\":2}}", "", NULL, "\"a.b\" has two values"},
    {"a control character in a name", "{\"a\\u0001\":1}", "", NULL, "control character"},
    {"a C1 control character in a name", "{\"a\\u0085\":1}", "", NULL, "control character"},
    {"a control character in a text", "{\"a\":\"\\u001b[2J\"}", "", NULL, "\"a\" has a text with a control character"},
    {"a NUL in a text", "{\"a\":\"\\u0000\"}", "", NULL, "line 1"},
    {"NaN", "{\"a\":NaN}", "", NULL, "line 1"},
    {"an integer past 64 bits", "{\"a\":9223372036854775808}", "", NULL, "line 1"},
    {"a number past all doubles", "{\"a\":1e999}", "", NULL, "line 1"},
    {"a bare number", "21.5", "", NULL, "line 1"},
    {"nothing", "", "", NULL, "line 1"},
    {"two documents", "{\"a\":1}{\"a\":1}", "", NULL, "line 1"},
    {"bytes that are no UTF-8", "{\"\xFF\":1}", "", NULL, "line 1"},
};

static const struct row arrays[] = {
    {"RFC 8428, 5.1.1: a single data point", "[{\"n\":\"urn:dev:ow:10e2073a01080063\",\"u\":\"Cel\",\"v\":23.1}]", "",
     "urn:dev:ow:10e2073a01080063=23.100000000000001 Cel\n", 0},
    {"base name, unit and time",
     "[{\"bn\":\"dev:\",\"bu\":\"A\",\"bt\":1767225600,\"n\":\"i\",\"v\":1},{\"n\":\"u\",\"u\":\"V\",\"t\":-5,\"v\":"
     "230.5}]",
     "", "dev:i=1i A\ndev:u=230.5 V @-5000000\n", 0},
    {"times below 2**28 count from now", "[{\"n\":\"a\",\"t\":-10,\"v\":1},{\"n\":\"a\",\"t\":-0.5,\"v\":2}]", "",
     "a=1i @-10000000\na=2i @-500000\n", 0},
    {"a base time may be relative", "[{\"bn\":\"a\",\"bt\":-60,\"t\":-1,\"v\":1},{\"v\":2}]", "",
     "a=1i @-61000000\na=2i @-60000000\n", 0},
    {"a relative time ahead", "[{\"n\":\"a\",\"t\":10,\"v\":1}]", "", "a=1i @10000000\n", 0},
    {"a base value is added", "[{\"bn\":\"a\",\"bv\":100,\"v\":1},{\"v\":0.5},{\"vb\":true}]", "",
     "a=101i\na=100.5\na=true\n", 0},
    {"a sum past 64 bits becomes a number", "[{\"n\":\"a\",\"bv\":9223372036854775807,\"v\":1}]", "",
     "a=9.2233720368547758e+18\n", 0},
    {"texts and truths", "[{\"n\":\"a\",\"vs\":\"on\"},{\"n\":\"b\",\"vb\":false}]", "", "a='on'\nb=false\n", 0},
    {"a later base replaces", "[{\"bn\":\"a\",\"v\":1},{\"bn\":\"b\",\"v\":2}]", "", "a=1i\nb=2i\n", 0},
    {"a stream is a prefix", "[{\"n\":\"a\",\"v\":1}]", "s/t", "s.t.a=1i\n", 0},
    {"version 10", "[{\"bver\":10,\"n\":\"a\",\"v\":1}]", "", "a=1i\n", 0},
    {"an unknown field", "[{\"n\":\"a\",\"v\":1,\"foo\":[1]}]", "", "a=1i\n", 0},
    {"an update time", "[{\"n\":\"a\",\"v\":1,\"ut\":5}]", "", "a=1i\n", 0},
    {"a field that must be understood", "[{\"n\":\"a\",\"v\":1,\"foo_\":1}]", "", NULL,
     "record 1: \"foo_\" must be understood"},
    {"version 11", "[{\"bver\":11,\"n\":\"a\",\"v\":1}]", "", NULL, "\"bver\" must be 1 to 10"},
    {"two versions", "[{\"bver\":5,\"n\":\"a\",\"v\":1},{\"bver\":6,\"n\":\"a\",\"v\":1}]", "", NULL,
     "record 2: \"bver\" must be the same"},
    {"a data value", "[{\"n\":\"a\",\"vd\":\"AQ\"}]", "", NULL, "\"vd\" is not supported"},
    {"a sum", "[{\"n\":\"a\",\"v\":1,\"s\":1}]", "", NULL, "\"s\" is not supported"},
    {"a base sum", "[{\"n\":\"a\",\"v\":1,\"bs\":1}]", "", NULL, "\"bs\" is not supported"},
    {"no value", "[{\"n\":\"a\"}]", "", NULL, "only one of them"},
    {"two values", "[{\"n\":\"a\",\"v\":1,\"vs\":\"x\"}]", "", NULL, "only one of them"},
    {"no name", "[{\"v\":1}]", "", NULL, "\"n\" is missing"},
    {"a name with a blank", "[{\"n\":\"a b\",\"v\":1}]", "", NULL, "\"n\" with its \"bn\" may hold"},
    {"a name that begins with a dash", "[{\"bn\":\"-\",\"n\":\"a\",\"v\":1}]", "", NULL, "must begin with"},
    {"a name in UTF-8", "[{\"n\":\"\xC3\xA9\",\"v\":1}]", "", NULL, "\"n\" with its \"bn\" may hold"},
    {"a value of another kind", "[{\"n\":\"a\",\"v\":\"1\"}]", "", NULL, "\"v\" must be a number"},
    {"a text of another kind", "[{\"n\":\"a\",\"vs\":1}]", "", NULL, "\"vs\" must be a text"},
    {"a truth of another kind", "[{\"n\":\"a\",\"vb\":1}]", "", NULL, "\"vb\" must be true or false"},
    {"a name of another kind", "[{\"n\":1,\"v\":1}]", "", NULL, "\"n\" must be a text"},
    {"a time of another kind", "[{\"n\":\"a\",\"t\":\"1\",\"v\":1}]", "", NULL, "\"t\" must be a number"},
    {"a time without end", "[{\"n\":\"a\",\"t\":1e300,\"v\":1}]", "", NULL, "\"t\" with its \"bt\" is no time"},
    {"a time before 2000", "[{\"n\":\"a\",\"t\":300000000,\"v\":1}]", "", NULL, "before the year 2000"},
    {"a time far ahead", "[{\"n\":\"a\",\"t\":100000,\"v\":1}]", "", NULL, "more than a day ahead"},
    {"values that add up to no number", "[{\"n\":\"a\",\"bv\":1e308,\"v\":1e308}]", "", NULL, "not a finite number"},
    {"an empty array", "[]", "", NULL, "no value"},
    {"an array of numbers", "[1]", "", NULL, "record 1 is not an object"},
    {"the second record is named", "[{\"n\":\"a\",\"v\":1},{\"n\":\"b\"}]", "", NULL, "record 2"},
    {"a unit that is too long", "[{\"n\":\"a\",\"u\":\"012345678901234567890123456789012\",\"v\":1}]", "", NULL,
     "unit"},
};

static void check_row(const struct row *row)
{
    SCOPED(telemetry_drop) struct telemetry t = {0};
    SCOPED(buffer_drop) struct buffer said = {.max = 10000};
    char why[WHY_TEXT] = "";
    err e = telemetry_decode(bytes_of_text(row->payload), bytes_of_text(row->stream), NOW_US, &t, why);
    for (size_t i = 0; i < t.samples.count; i++)
        say_sample(&said, &t.samples.at[i]);
    if (row->samples && (e || strcmp(buffer_text(&said), row->samples) != 0))
        fail_msg("%s: %s; %s; %s", row->rule, err_text(e), why, buffer_text(&said));
    if (!row->samples && (!e || !strstr(why, row->why)))
        fail_msg("%s: %s; %s", row->rule, err_text(e), why);
}

static void json_objects(void **state)
{
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        check_row(&objects[i]);
}

static void senml(void **state)
{
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        check_row(&arrays[i]);
}

static void truncated(const struct row *row)
{
    char why[WHY_TEXT];
    struct telemetry t;
    for (size_t len = 0; len < strlen(row->payload); len++)
        assert_non_null(telemetry_decode(bytes_of(row->payload, len), bytes_of_text(row->stream), NOW_US, &t, why));
}

static void a_truncated_payload_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (objects[i].samples)
            truncated(&objects[i]);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (arrays[i].samples)
            truncated(&arrays[i]);
}

static err decode_many(size_t count, size_t name_len, size_t text_len)
{
    SCOPED(telemetry_drop) struct telemetry t = {0};
    SCOPED(buffer_drop) struct buffer payload = {.max = 1 << 20};
    char why[WHY_TEXT];
    put_u8(&payload, '{');
    for (size_t i = 0; i < count; i++) {
        put_format(&payload, "%s\"%0*zu\":\"", i ? "," : "", (int)name_len, i);
        for (size_t k = 0; k < text_len; k++)
            put_u8(&payload, 'x');
        put_u8(&payload, '"');
    }
    put_u8(&payload, '}');
    err e = telemetry_decode(buffer_view(&payload), BYTES(""), NOW_US, &t, why);
    if (!e)
        assert_int_equal(t.samples.count, count);
    return e;
}

static void payloads_are_bounded(void **state)
{
    assert_ptr_equal(decode_many(SAMPLES_MAX, 128, 1), OK);
    assert_true(err_is(decode_many(SAMPLES_MAX + 1, 5, 1), ERR_TOO_LARGE));
    assert_ptr_equal(decode_many(1, METRIC_MAX, 1), OK);
    assert_true(err_is(decode_many(1, METRIC_MAX + 1, 1), ERR_MALFORMED));
    assert_ptr_equal(decode_many(1, 1, SAMPLE_TEXT_MAX), OK);
    assert_true(err_is(decode_many(1, 1, SAMPLE_TEXT_MAX + 1), ERR_MALFORMED));
    assert_true(err_is(decode_many(1, 1, PAYLOAD_MAX), ERR_TOO_LARGE));
}

static void the_depth_is_bounded(void **state)
{
    SCOPED(buffer_drop) struct buffer payload = {.max = 300000};
    struct telemetry t;
    char why[WHY_TEXT];
    for (size_t i = 0; i < 100000; i++)
        put_text(&payload, "[");
    assert_true(err_is(telemetry_decode(buffer_view(&payload), BYTES(""), NOW_US, &t, why), ERR_MALFORMED));
    assert_non_null(strstr(why, "nested deeper"));
}

static void no_memory_is_a_fault(void **state)
{
    struct telemetry t;
    char why[WHY_TEXT];
    for (unsigned long n = 1; n <= 3; n++) {
        mem_trial(n);
        err e = telemetry_decode(BYTES("{\"a\":1}"), BYTES(""), NOW_US, &t, why);
        mem_trial(0);
        assert_true(err_is(e, ERR_MEMORY));
    }
}

static void a_clock_that_is_off_keeps_arrivals(void **state)
{
    SCOPED(telemetry_drop) struct telemetry t = {0};
    char why[WHY_TEXT];
    assert_ptr_equal(telemetry_decode(BYTES("{\"a\":1}"), BYTES(""), 5, &t, why), OK);
    assert_int_equal(t.samples.at[0].time_us, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_objects),
        cmocka_unit_test(senml),
        cmocka_unit_test(a_truncated_payload_is_refused),
        cmocka_unit_test(payloads_are_bounded),
        cmocka_unit_test(the_depth_is_bounded),
        cmocka_unit_test(no_memory_is_a_fault),
        cmocka_unit_test(a_clock_that_is_off_keeps_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
