/* CRC-32C (Castagnoli, RFC 3720, B.4): finds records that a crash or a disk has damaged. No protection against anybody.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* Continues over more bytes: start with 0. */
uint32_t crc32c(uint32_t so_far, struct bytes bytes);
