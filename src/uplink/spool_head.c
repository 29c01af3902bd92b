/* Two slots of number (8), CRC-32C (4), zero (4). The larger good number counts, because it never goes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/spool_head.h"

#include "base/buffer.h"
#include "uplink/crc32c.h"
#include "uplink/spool_disk.h"

#include <fcntl.h>

enum { SLOT = 16, SLOTS = 2 };

static const struct fault cannot_open = {ERR_IO, "spool: the file `head` could not be opened"};

static bool read_slot(int fd, unsigned slot, uint64_t *number)
{
    uint8_t bytes[SLOT];
    if (disk_read(fd, bytes, sizeof bytes, (uint64_t)slot * SLOT) != OK)
        return false;
    struct reader r = reader_over(bytes_of(bytes, sizeof bytes));
    struct bytes field = read_view(&r, 8);
    uint32_t sum = read_u32(&r);
    r = reader_over(field);
    *number = read_u64(&r);
    return crc32c(0, field) == sum;
}

err spool_head_write(struct spool_head *head, uint64_t number)
{
    SCOPED(buffer_drop) struct buffer slot = {.max = SLOT};
    put_u64(&slot, number);
    put_u32(&slot, crc32c(0, buffer_view(&slot)));
    put_u32(&slot, 0);
    TRY(buffer_finish(&slot));
    TRY(disk_write(head->fd, buffer_view(&slot), (uint64_t)head->slot * SLOT));
    head->slot = (head->slot + 1) % SLOTS;
    return OK;
}

err spool_head_open(int folder, struct spool_head *head, uint64_t *number_out)
{
    head->fd = openat(folder, "head", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (head->fd < 0)
        return &cannot_open;
    uint64_t best = 0;
    head->slot = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint64_t number;
        if (!read_slot(head->fd, slot, &number) || number < best)
            continue;
        best = number;
        head->slot = (slot + 1) % SLOTS; /* the better one stays while the other is written */
    }
    *number_out = best;
    /* Both slots are written now, so that there is room for them when the disk is full later. */
    TRY(spool_head_write(head, best));
    return spool_head_write(head, best);
}
