/* The tail: what a message looks like to one who looks on, and how many of them there may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tail.h"

#include "wire/mqtt_property.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct tail_moment now = {1767225600000000, 1000};

static json_t *parse(struct buffer *out)
{
    static const char head[] = "event: message\ndata: ";
    const char *text = buffer_text(out);
    assert_memory_equal(text, head, sizeof head - 1);
    assert_string_equal(text + strlen(text) - 2, "\n\n");
    assert_ptr_equal(strchr(text + sizeof head, '\n'), text + strlen(text) - 2);
    json_t *json = json_loads(text + sizeof head - 1, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

static json_t *shown(const struct message_parts *parts, struct buffer *out)
{
    struct api_tail tail = {.filter = "#"};
    struct message *message = message_make(parts);
    assert_true(api_tail_message(&tail, message, now, out));
    message_drop(message);
    return parse(out);
}

static void payloads(void **state)
{
    static const struct {
        const char *rule;
        struct bytes payload;
        const char *encoding, *data;
    } rows[] = {
        {"text", BYTES_ROW("21.5 \xC2\xB0""C"), "text", "21.5 \xC2\xB0""C"},
        {"nothing", BYTES_ROW(""), "text", ""},
        {"what would break a line", BYTES_ROW("a\nb\r\n\n\"\\"), "text", "a\nb\r\n\n\"\\"},
        {"what is no text", BYTES_ROW("\xFF\x00\x01"), "base64", "/wAB"},
        {"half a character", BYTES_ROW("a\xC2"), "base64", "YcI="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
        json_t *json = shown(&(struct message_parts){.topic = BYTES("a/b"), .payload = rows[i].payload, .qos = 1}, &out);
        json_t *payload = json_object_get(json, "payload");
        if (strcmp(json_string_value(json_object_get(payload, "encoding")), rows[i].encoding) ||
            strcmp(json_string_value(json_object_get(payload, "data")), rows[i].data) ||
            !json_is_true(json_object_get(payload, "whole")) ||
            json_integer_value(json_object_get(payload, "bytes")) != (json_int_t)rows[i].payload.len)
            fail_msg("%s: %s", rows[i].rule, buffer_text(&out));
        assert_int_equal(json_integer_value(json_object_get(json, "qos")), 1);
        assert_true(json_is_null(json_object_get(json, "expires")));
        json_decref(json);
    }
}

/* A character is never cut in two; the length is that of the whole. */
static void a_large_payload_is_cut(void **state)
{
    static uint8_t large[3 * TAIL_PAYLOAD_MAX];
    for (size_t shift = 0; shift < 3; shift++) {
        SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
        memset(large, 'x', shift);
        for (size_t i = shift; i + 3 <= sizeof large; i += 3)
            memcpy(large + i, "\xE2\x82\xAC", 3);
        size_t len = sizeof large - (sizeof large - shift) % 3;
        json_t *json = shown(&(struct message_parts){.topic = BYTES("a"), .payload = bytes_of(large, len)}, &out);
        json_t *payload = json_object_get(json, "payload");
        size_t got = json_string_length(json_object_get(payload, "data"));
        assert_true(got <= TAIL_PAYLOAD_MAX && got > TAIL_PAYLOAD_MAX - 3);
        assert_true(json_is_false(json_object_get(payload, "whole")));
        assert_int_equal(json_integer_value(json_object_get(payload, "bytes")), len);
        json_decref(json);
    }
}

static void properties(void **state)
{
    SCOPED(buffer_drop) struct buffer block = {.max = 256};
    SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
    put_bytes(&block, BYTES("\x03\x00\x04text\x08\x00\x02re\x09\x00\x02\xFF\x01"));
    assert_null(mqtt_put_user_property(&block, BYTES("a"), BYTES("1")));
    assert_null(mqtt_put_user_property(&block, BYTES("a"), BYTES("\"2\"")));
    json_t *json = shown(&(struct message_parts){.topic = BYTES("a"),
                                                 .payload = BYTES("x"),
                                                 .properties = buffer_view(&block),
                                                 .retain = true,
                                                 .expires_us = now.wall_us},
                         &out);
    json_t *found = json_object_get(json, "properties"), *user = json_object_get(found, "user");
    assert_string_equal(json_string_value(json_object_get(found, "content_type")), "text");
    assert_string_equal(json_string_value(json_object_get(found, "response_topic")), "re");
    assert_string_equal(json_string_value(json_object_get(found, "correlation_data")), "/wE=");
    assert_int_equal(json_array_size(user), 2);
    assert_string_equal(json_string_value(json_array_get(json_array_get(user, 1), 1)), "\"2\"");
    assert_true(json_is_true(json_object_get(json, "retain")));
    assert_string_equal(json_string_value(json_object_get(json, "expires")), "2026-01-01T00:00:00.000Z");
    json_decref(json);
}

/* The largest message of all fits, whatever has to be escaped. */
static void the_worst_message_fits(void **state)
{
    static uint8_t controls[TAIL_PAYLOAD_MAX];
    static uint8_t value[65535];
    SCOPED(buffer_drop) struct buffer block = {.max = 70000};
    SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
    memset(controls, 1, sizeof controls);
    memset(value, 1, sizeof value);
    assert_null(mqtt_put_user_property(&block, BYTES("a"), bytes_of(value, sizeof value)));
    json_t *json = shown(&(struct message_parts){.topic = bytes_of(controls, TOPIC_MAX),
                                                 .payload = bytes_of(controls, sizeof controls),
                                                 .properties = buffer_view(&block)},
                         &out);
    json_decref(json);
}

static void only_so_many_a_second(void **state)
{
    struct api_tail tail = {.filter = "#"};
    struct message *message = message_make(&(struct message_parts){.topic = BYTES("a"), .payload = BYTES("b")});
    size_t told = 0;
    for (unsigned i = 0; i < 3 * TAIL_PER_S; i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
        bool is_told = api_tail_message(&tail, message, now, &out);
        assert_true(is_told == (out.len > 0));
        told += is_told;
    }
    assert_int_equal(told, TAIL_PER_S);
    SCOPED(buffer_drop) struct buffer out = {.max = TAIL_PIECE_MAX};
    assert_true(api_tail_message(&tail, message, (struct tail_moment){now.wall_us, 2000}, &out));
    buffer_clear(&out);
    api_tail_skipped(2 * TAIL_PER_S, &out);
    assert_string_equal(buffer_text(&out), "event: skipped\ndata: {\"messages\":1000}\n\n");
    message_drop(message);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads),
        cmocka_unit_test(a_large_payload_is_cut),
        cmocka_unit_test(properties),
        cmocka_unit_test(the_worst_message_fits),
        cmocka_unit_test(only_so_many_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
