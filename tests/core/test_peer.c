/* The network that a peer's address is in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void networks(void **state)
{
    static const struct {
        const char *peer, *network;
    } rows[] = {
        {"192.0.2.7:41234", "192.0.2.7"},
        {"[2001:db8:1:2::1]:9", "20010db800010002/64"},
        {"[2001:db8:1:2:ffff:ffff:ffff:ffff]:65535", "20010db800010002/64"},
        {"[::1]:1", "0000000000000000/64"},
        {"[not an address]:1", "not an address"},
        {"[2001:db8::1", "20010db800000000/64"},
        {"nothing", "nothing"},
        {"", ""},
        {"[", ""},
        {"[0123456789012345678901234567890123456789012345678901234567890]:1", "012345678901234567890123456789012345678901234"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char network[PEER_NETWORK_TEXT];
        peer_network(rows[i].peer, network);
        assert_string_equal(network, rows[i].network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
