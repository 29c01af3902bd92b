/* Whole reads and writes at a place of a file, with their failures sorted. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* ERR_ABSENT: the file ends before `room` bytes are read. */
MUST err disk_read(int fd, uint8_t *out, size_t room, uint64_t at);
/* ERR_FULL: no room on the disk, or over a quota or limit. Part of it may have been written. */
MUST err disk_write(int fd, struct bytes in, uint64_t at);
MUST err disk_sync(int fd);
