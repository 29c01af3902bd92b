/* WebSocket: the handshake's checks, frames whole and byte by byte, what breaks the standard and with which code. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HANDSHAKE(lines) "GET /mqtt HTTP/1.1\r\nHost: h\r\n" lines "\r\n"
#define UPGRADE          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION          "Sec-WebSocket-Version: 13\r\n"
#define MQTT             "Sec-WebSocket-Protocol: mqtt\r\n"

static const char *const protocols[] = {"mqtt", "mqttv3.1", NULL};

static void handshakes(void **state)
{
    static const struct {
        const char *rule, *request;
        int kind; /* 0: OK */
        const char *protocol;
    } rows[] = {
        {"a good one", HANDSHAKE(UPGRADE KEY VERSION MQTT), 0, "mqtt"},
        {"any case", HANDSHAKE("upgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n" KEY VERSION MQTT), 0,
         "mqtt"},
        {"our order counts", HANDSHAKE(UPGRADE KEY VERSION "Sec-WebSocket-Protocol: x, mqttv3.1, mqtt\r\n"), 0, "mqtt"},
        {"protocols in two lines", HANDSHAKE(UPGRADE KEY VERSION "Sec-WebSocket-Protocol: x\r\n" MQTT), 0, "mqtt"},
        {"not an upgrade", HANDSHAKE(KEY VERSION MQTT), ERR_ABSENT, 0},
        {"an upgrade that Connection does not name", HANDSHAKE("Upgrade: websocket\r\n" KEY VERSION MQTT), ERR_ABSENT,
         0},
        {"an upgrade to something else", HANDSHAKE("Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION MQTT),
         ERR_ABSENT, 0},
        {"POST", "POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY VERSION MQTT "\r\n", ERR_MALFORMED, 0},
        {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\n" UPGRADE KEY VERSION MQTT "\r\n", ERR_MALFORMED, 0},
        {"version 8", HANDSHAKE(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n" MQTT), ERR_UNSUPPORTED, 0},
        {"no version", HANDSHAKE(UPGRADE KEY MQTT), ERR_UNSUPPORTED, 0},
        {"no key", HANDSHAKE(UPGRADE VERSION MQTT), ERR_MALFORMED, 0},
        {"a key of 15 bytes", HANDSHAKE(UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" VERSION MQTT),
         ERR_MALFORMED, 0},
        {"a key that is not base64", HANDSHAKE(UPGRADE "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ==\r\n" VERSION MQTT),
         ERR_MALFORMED, 0},
        {"no protocol", HANDSHAKE(UPGRADE KEY VERSION), ERR_REFUSED, 0},
        {"another protocol", HANDSHAKE(UPGRADE KEY VERSION "Sec-WebSocket-Protocol: MQTT\r\n"), ERR_REFUSED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_parser *p = http_parser_make(100);
        struct websocket_offer offer;
        size_t used;
        assert_ptr_equal(http_request_feed(p, bytes_of_text(rows[i].request), &used), OK);
        assert_int_equal(http_parser_stage(p), HTTP_WHOLE);
        err e = websocket_offer(http_request(p), protocols, &offer);
        if ((e ? (int)e->kind : 0) != rows[i].kind)
            fail_msg("%s: %s", rows[i].rule, err_text(e));
        if (!e)
            assert_string_equal(offer.protocol, rows[i].protocol);
        http_parser_drop(p);
    }
}

static void the_answer_is_that_of_the_standard(void **state)
{
    /* RFC 6455, 1.3: this key, this SHA-1, this accept key. */
    static const uint8_t digest[WEBSOCKET_DIGEST] = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6,
                                                     0x46, 0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
    SCOPED(buffer_drop) struct buffer out = {.max = 1000};
    struct websocket_offer offer = {.key = BYTES("dGhlIHNhbXBsZSBub25jZQ=="), .protocol = "mqtt"};
    websocket_put_accept_text(&out, offer.key);
    assert_string_equal(buffer_text(&out), "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    buffer_clear(&out);
    websocket_put_upgrade(&out, &offer, digest, BYTES("A: b\r\n"));
    assert_string_equal(buffer_text(&out),
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                        "Sec-WebSocket-Protocol: mqtt\r\nA: b\r\n\r\n");
}

/* The mask 0 0 0 0 leaves the payload as it reads. */
#define M "\0\0\0\0"

/* What a row's bytes do, as text: data as it is, "<ping x>", "<pong x>", "<close 1000 x>" and "!1002" for a fault. */
static const struct row {
    const char *rule;
    struct bytes input;
    const char *does;
} rows[] = {
    {"nothing", BYTES_ROW(""), ""},
    {"a whole message", BYTES_ROW("\x82\x85" M "hello"), "hello"},
    {"RFC 6455, 5.7: a masked hello", BYTES_ROW("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "Hello"},
    {"an empty message", BYTES_ROW("\x82\x80" M "\x82\x81" M "a"), "a"},
    {"fragments with a ping between",
     BYTES_ROW("\x02\x82" M "ab"
               "\x89\x81" M "p"
               "\x80\x81" M "c"),
     "ab<ping p>c"},
    {"an empty ping", BYTES_ROW("\x89\x80" M), "<ping >"},
    {"a pong", BYTES_ROW("\x8A\x81" M "x"), "<pong x>"},
    {"a close without a code", BYTES_ROW("\x88\x80" M "\x82\x81" M "a"), "<close 1005 >"},
    {"a close with a code",
     BYTES_ROW("\x88\x84" M "\x03\xE8"
               "ok"),
     "<close 1000 ok>"},
    {"a close with an own code", BYTES_ROW("\x88\x82" M "\x0F\xA0"), "<close 4000 >"},
    {"a length of 16 bits",
     BYTES_ROW("\x82\xFE\x00\x7E" M
               "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
               "01234567890123456789012345"),
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345"},
    {"a close with half a code", BYTES_ROW("\x88\x81" M "\x03"), "!1002"},
    {"a close with a code that may not travel", BYTES_ROW("\x88\x82" M "\x03\xED"), "!1002"},
    {"a close with a code below 1000", BYTES_ROW("\x88\x82" M "\x00\x00"), "!1002"},
    {"a close reason that is not UTF-8", BYTES_ROW("\x88\x83" M "\x03\xE8\xFF"), "!1007"},
    {"text", BYTES_ROW("\x81\x81" M "a"), "!1003"},
    {"no mask",
     BYTES_ROW("\x82\x01"
               "a"),
     "!1002"},
    {"a reserved bit", BYTES_ROW("\xC2\x80" M), "!1002"},
    {"an unknown opcode", BYTES_ROW("\x83\x80" M), "!1002"},
    {"an unknown control opcode", BYTES_ROW("\x8B\x80" M), "!1002"},
    {"a control frame in fragments", BYTES_ROW("\x09\x80" M), "!1002"},
    {"a control frame that is too long", BYTES_ROW("\x89\xFE\x00\x7E"), "!1002"},
    {"a continuation of nothing", BYTES_ROW("\x80\x80" M), "!1002"},
    {"a new message inside of another", BYTES_ROW("\x02\x80" M "\x82\x80" M), "!1002"},
    {"a 16-bit length that would fit 7", BYTES_ROW("\x82\xFE\x00\x7D" M), "!1002"},
    {"a 64-bit length that would fit 16", BYTES_ROW("\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF" M), "!1002"},
    {"a 64-bit length with the highest bit", BYTES_ROW("\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x00" M), "!1002"},
    {"a 64-bit length is a long stream", BYTES_ROW("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" M "abc"), "abc"},
};

static void say_event(struct buffer *said, const struct websocket *w)
{
    static const char *const names[] = {
        [WEBSOCKET_PINGED] = "ping", [WEBSOCKET_PONGED] = "pong", [WEBSOCKET_CLOSED] = "close"};
    struct bytes rest = w->event == WEBSOCKET_CLOSED ? bytes_from(w->control, 2) : w->control;
    if (!w->event)
        return;
    put_format(said, "<%s ", names[w->event]);
    if (w->event == WEBSOCKET_CLOSED)
        put_format(said, "%d ", (int)w->peer_code);
    put_bytes(said, rest);
    put_text(said, ">");
}

static void say_all(struct bytes in, size_t step, struct buffer *said)
{
    struct websocket w = {0};
    while (in.len) {
        SCOPED(buffer_drop) struct buffer data = {.max = 1000};
        struct bytes part = bytes_first(in, step);
        size_t used;
        err e = websocket_feed(&w, part, &used, &data);
        assert_true(used <= part.len && (used || w.event));
        in = bytes_from(in, used);
        put_bytes(said, buffer_view(&data));
        say_event(said, &w);
        if (e)
            put_format(said, "!%d", (int)w.fail_code);
    }
}

static void frames(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step <= rows[i].input.len + 1; step++) {
            SCOPED(buffer_drop) struct buffer said = {.max = 1000};
            say_all(rows[i].input, step, &said);
            if (strcmp(buffer_text(&said), rows[i].does) != 0)
                fail_msg("%s, by %zu: %s", rows[i].rule, step, buffer_text(&said));
        }
}

static void data_without_room_is_too_big(void **state)
{
    SCOPED(buffer_drop) struct buffer data = {.max = 4};
    struct websocket w = {0};
    size_t used;
    assert_true(err_is(websocket_feed(&w, BYTES("\x82\x85" M "hello"), &used, &data), ERR_TOO_LARGE));
    assert_int_equal(w.fail_code, WEBSOCKET_TOO_BIG);
    assert_ptr_equal(websocket_feed(&w, BYTES("\x82\x85" M "hello"), &used, &data), OK);
    assert_int_equal(used, 11); /* ignored */
}

static void frames_out(void **state)
{
    static const struct {
        size_t len;
        struct bytes head;
    } cases[] = {
        {0, BYTES_ROW("\x82\x00")},
        {125, BYTES_ROW("\x82\x7D")},
        {126, BYTES_ROW("\x82\x7E\x00\x7E")},
        {65535, BYTES_ROW("\x82\x7E\xFF\xFF")},
        {65536, BYTES_ROW("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00")},
    };
    static const uint8_t payload[65536];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 100000};
        websocket_put_frame(&out, WEBSOCKET_BINARY, bytes_of(payload, cases[i].len));
        assert_int_equal(out.len, cases[i].head.len + cases[i].len);
        assert_true(bytes_equal(bytes_first(buffer_view(&out), cases[i].head.len), cases[i].head));
    }
}

static void control_frames_out(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 1000};
    char reason[200];
    websocket_put_close(&out, WEBSOCKET_NORMAL, "bye");
    assert_true(bytes_equal(buffer_view(&out), BYTES("\x88\x05\x03\xE8"
                                                     "bye")));
    buffer_clear(&out);
    websocket_put_close(&out, WEBSOCKET_NO_CODE, "bye");
    assert_true(bytes_equal(buffer_view(&out), BYTES("\x88\x00")));
    buffer_clear(&out);
    memset(reason, 'a', sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    websocket_put_close(&out, WEBSOCKET_POLICY, reason);
    assert_int_equal(out.len, 2 + WEBSOCKET_CONTROL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes), cmocka_unit_test(the_answer_is_that_of_the_standard),
        cmocka_unit_test(frames),     cmocka_unit_test(data_without_room_is_too_big),
        cmocka_unit_test(frames_out), cmocka_unit_test(control_frames_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
