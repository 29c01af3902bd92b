/* Digests against the standards' own examples. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include "base/text.h"
#include "crypto/fixture.h"

static void assert_hex(const uint8_t *hash, size_t len, const char *expected)
{
    struct buffer hex = {.max = 256};
    put_hex(&hex, bytes_of(hash, len));
    assert_string_equal(buffer_text(&hex), expected);
    buffer_drop(&hex);
}

static void sha256(void **state)
{
    /* FIPS 180-2, B.1, and the digest of nothing */
    uint8_t hash[DIGEST_SHA256];
    char text[DIGEST_SHA256_TEXT];
    assert_ok(digest_sha256(BYTES("abc"), hash));
    assert_hex(hash, sizeof hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(digest_sha256_text((struct bytes){NULL, 0}, text));
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void websocket_accept(void **state)
{
    /* RFC 6455, 1.3 */
    uint8_t hash[DIGEST_SHA1];
    assert_ok(
        digest_sha1_websocket_accept(BYTES("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), hash));
    assert_hex(hash, sizeof hash, "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),
        cmocka_unit_test(websocket_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
