/* The server's address, taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/server_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NINES "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"

static void reads_urls(void **state)
{
    const struct {
        const char *text, *host;
        unsigned port; /* 0: refused */
        const char *url;
    } rows[] = {
        {"https://fleet.example:8443", "fleet.example", 8443, "https://fleet.example:8443"},
        {"https://fleet.example:8443/", "fleet.example", 8443, "https://fleet.example:8443"},
        {"https://fleet.example", "fleet.example", 8443, "https://fleet.example:8443"},
        {"https://192.0.2.7:443", "192.0.2.7", 443, "https://192.0.2.7:443"},
        {"https://[2001:db8::1]:9443", "2001:db8::1", 9443, "https://[2001:db8::1]:9443"},
        {"https://[2001:db8::1]", "2001:db8::1", 8443, "https://[2001:db8::1]:8443"},
        {"http://fleet.example:8443", NULL, 0, NULL},
        {"fleet.example:8443", NULL, 0, NULL},
        {"https://", NULL, 0, NULL},
        {"https:///", NULL, 0, NULL},
        {"https://:8443", NULL, 0, NULL},
        {"https://a:", NULL, 0, NULL},
        {"https://a:0", NULL, 0, NULL},
        {"https://a:65536", NULL, 0, NULL},
        {"https://a:-1", NULL, 0, NULL},
        {"https://a:80/path", NULL, 0, NULL},
        {"https://a/path", NULL, 0, NULL},
        {"https://user:word@a:80", NULL, 0, NULL},
        {"https://user@a", NULL, 0, NULL},
        {"https://a?b", NULL, 0, NULL},
        {"https://a b", NULL, 0, NULL},
        {"https://a\nb", NULL, 0, NULL},
        {"https://[2001:db8::1", NULL, 0, NULL},
        {"https://[2001:db8::1]x:80", NULL, 0, NULL},
        {"https://[]:80", NULL, 0, NULL},
        {"https://2001:db8::1", NULL, 0, NULL},
        {"https://" NINES NINES NINES, NULL, 0, NULL},
        {"", NULL, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server_address got;
        err e = server_address_read(bytes_of_text(rows[i].text), &got);
        if (!e != !!rows[i].port)
            fail_msg("%s: %s", rows[i].text, err_text(e));
        if (e)
            continue;
        assert_string_equal(got.host, rows[i].host);
        assert_string_equal(got.url, rows[i].url);
        assert_int_equal(got.port, rows[i].port);
    }
}

static void reads_pairs(void **state)
{
    struct server_address got;
    (void)state;
    assert_null(server_address_read_pair(BYTES("broker.example:1883"), &got));
    assert_string_equal(got.host, "broker.example");
    assert_int_equal(got.port, 1883);
    assert_null(server_address_read_pair(BYTES("[::1]:1883"), &got));
    assert_string_equal(got.host, "::1");
    assert_non_null(server_address_read_pair(BYTES("broker.example"), &got));
    assert_non_null(server_address_read_pair(BYTES("[::1]"), &got));
    assert_non_null(server_address_read_pair(BYTES("https://a:1"), &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_urls), cmocka_unit_test(reads_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
