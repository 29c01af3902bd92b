/* CRC-32C, four bits at a time: small enough for any device, fast enough for a spool. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/crc32c.h"

/* Entry n is the remainder of n, shifted by four bits through the reversed polynomial 0x82F63B78. */
static const uint32_t nibbles[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

uint32_t crc32c(uint32_t so_far, struct bytes bytes)
{
    uint32_t crc = ~so_far;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.at[i];
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}
