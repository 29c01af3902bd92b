/* What bad clients do. The clauses are those of MQTT 5.0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/mischief.h"

/* A table is read by its columns: */
/* clang-format off */
const struct mischief mischiefs[MISCHIEFS] = {
    {"a request of HTTP",             MISCHIEF_TCP,       CERTIFICATE_OWN,     BYTES_ROW("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0},
    {"silence after TCP",             MISCHIEF_TCP,       CERTIFICATE_OWN,     BYTES_ROW(""), 0},
    {"half a ClientHello",            MISCHIEF_TCP,       CERTIFICATE_OWN,     BYTES_ROW("\x16\x03\x01\x02\x00\x01\x00\x01"), 0},
    {"no certificate",                MISCHIEF_HANDSHAKE, CERTIFICATE_NONE,    BYTES_ROW(""), 0},
    {"another authority's certificate", MISCHIEF_HANDSHAKE, CERTIFICATE_FOREIGN, BYTES_ROW(""), 0},
    {"silence after the handshake",   MISCHIEF_FIRST,     CERTIFICATE_OWN,     BYTES_ROW(""), 0},
    {"PUBLISH before CONNECT",        MISCHIEF_FIRST,     CERTIFICATE_OWN,     BYTES_ROW("\x30\x06\x00\x01" "a\x00" "hi"), 0}, /* 3.1.0-1 */
    {"half a CONNECT",                MISCHIEF_FIRST,     CERTIFICATE_OWN,     BYTES_ROW("\x10\x20\x00\x04MQ"), 0},
    {"a CONNECT of protocol 9",       MISCHIEF_FIRST,     CERTIFICATE_OWN,     BYTES_ROW("\x10\x0D\x00\x04MQTT\x09\x02\x00\x3C\x00\x00\x00"), 0}, /* 3.1.2-2 */
    {"CONNECT twice",                 MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\x10\x0D\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x00"), 0}, /* 3.1.0-2 */
    {"a packet of type 0",            MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\x00\x00"), 0}, /* 2.1.2 */
    {"QoS 3",                         MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\x36\x06\x00\x01" "a\x00\x01\x00"), 0}, /* 3.3.1-4 */
    {"a length of five bytes",        MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\x30\xFF\xFF\xFF\xFF\x01"), 0}, /* 1.5.5 */
    {"a topic that is no UTF-8",      MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\x30\x06\x00\x02\xC0\x80\x00x"), 0}, /* 1.5.4-1 */
    {"a flood of PINGREQ",            MISCHIEF_SESSION,   CERTIFICATE_OWN,     BYTES_ROW("\xC0\x00"), 20000},
};
/* clang-format on */
