/* pread and pwrite until all is done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/spool_disk.h"

#include <errno.h>
#include <unistd.h>

static const struct fault short_file = {ERR_ABSENT, "spool: the file ends here"};
static const struct fault read_failed = {ERR_IO, "spool: the disk could not be read"};
static const struct fault write_failed = {ERR_IO, "spool: the disk could not be written"};
static const struct fault disk_full = {ERR_FULL, "spool: the disk has no room"};

static err write_fault(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? &disk_full : &write_failed;
}

err disk_read(int fd, uint8_t *out, size_t room, uint64_t at)
{
    for (size_t got = 0; got < room;) {
        ssize_t n = pread(fd, out + got, room - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? &read_failed : &short_file;
        got += (size_t)n;
    }
    return OK;
}

err disk_write(int fd, struct bytes in, uint64_t at)
{
    for (size_t done = 0; done < in.len;) {
        ssize_t n = pwrite(fd, in.at + done, in.len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return write_fault();
        done += (size_t)n;
    }
    return OK;
}

err disk_sync(int fd)
{
    return fsync(fd) == 0 ? OK : write_fault();
}
