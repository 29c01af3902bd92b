/* MQTT inside a WebSocket (MQTT 5.0, 6): the upgrade, frames, and every way that it ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

#include "wire/mqtt.h"
#include "wire/websocket.h"

#define UPGRADE                                                                                                        \
    "GET /mqtt HTTP/1.1\r\n" HOST BADGE "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"    \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n"

/* A client's frame: masked (RFC 6455, 5.3), with a mask of zeroes. */
static void say_frame(struct play *p, size_t line, uint8_t opcode, struct bytes payload)
{
    SCOPED(buffer_drop) struct buffer frame = {.max = 4096};
    must(payload.len < 126);
    put_u8(&frame, (uint8_t)(0x80 | opcode));
    put_u8(&frame, (uint8_t)(0x80 | payload.len));
    put_u32(&frame, 0);
    put_bytes(&frame, payload);
    fake_line_say(&p->lines[line], buffer_view(&frame));
    play_settle(p);
}

static void say_connect(struct play *p, size_t line)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 4096};
    struct mqtt_packet connect = {.type = MQTT_CONNECT,
                                  .as.connect = {.version = MQTT_5, .client_id = BYTES("console"), .clean_start = true}};
    must(!mqtt_encode(&connect, (struct mqtt_dialect){MQTT_5, MQTT_FROM_CLIENT}, &out));
    say_frame(p, line, WEBSOCKET_BINARY, bytes_first(buffer_view(&out), 5)); /* frames and packets need not agree */
    say_frame(p, line, WEBSOCKET_BINARY, bytes_from(buffer_view(&out), 5));
}

static void mqtt_inside_a_websocket(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    const char *answer = ask(&p, 0, UPGRADE "Origin: https://hub.example:8443\r\n\r\n");
    assert_has(answer, "HTTP/1.1 101");
    assert_has(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    say_connect(&p, 0);
    assert_int_equal(counter_read(&p.counts.sessions_now), 1);
    assert_has(buffer_text(&p.said), "HELLO ada console\n");
    say_frame(&p, 0, WEBSOCKET_PING, BYTES("beat"));
    struct bytes heard = buffer_view(&p.lines[0].out);
    assert_true(heard.len > 6 && bytes_is(bytes_from(heard, heard.len - 6), "\x8a\x04" "beat"));
    say_frame(&p, 0, WEBSOCKET_CLOSE, BYTES("\x03\xe8"));
    assert_false(p.lines[0].open);
    assert_int_equal(counter_read(&p.counts.sessions_now), 0);
    play_close(&p);
}

static void websockets_that_end_otherwise(void **state)
{
    for (int how = 0; how < 4; how++) {
        struct play p;
        play_open(&p);
        p.known = p.store = LATER;
        arrive(&p, 0, &nobody);
        ask(&p, 0, UPGRADE "\r\n");
        say_connect(&p, 0); /* HELLO is under way */
        if (how == 0)
            fake_line_lose(&p.lines[0]);
        else if (how == 1)
            say_frame(&p, 0, WEBSOCKET_TEXT, BYTES("hello"));
        else if (how == 2)
            lobby_shut(&p.lobbies[0]);
        else
            say_frame(&p, 0, WEBSOCKET_CLOSE, BYTES(""));
        play_settle(&p);
        while (p.posted_count)
            play_store(&p, 0, OK);
        play_settle(&p);
        play_close(&p);
    }
}

/* RFC 6455, 10.2: another site's page has the cookie too. */
static void other_sites_get_no_websocket(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    assert_has(ask(&p, 0, UPGRADE "Origin: https://evil.example\r\n\r\n"), "HTTP/1.1 403");
    assert_has(ask(&p, 0, UPGRADE "Origin: null\r\n\r\n"), "HTTP/1.1 403");
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mqtt_inside_a_websocket),
        cmocka_unit_test(websockets_that_end_otherwise),
        cmocka_unit_test(other_sites_get_no_websocket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
