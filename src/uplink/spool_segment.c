/* Segment files: names, heads, records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/spool_segment.h"

#include "uplink/crc32c.h"
#include "uplink/spool_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[] = "HFSPOOL1";

static const struct fault no_file = {ERR_ABSENT, "spool: no such segment"};
static const struct fault cannot_open = {ERR_IO, "spool: a segment could not be opened"};
static const struct fault cannot_make = {ERR_IO, "spool: a segment could not be made"};
static const struct fault no_room = {ERR_FULL, "spool: the disk has no room for a segment"};
static const struct fault not_ours = {ERR_MALFORMED, "spool: a segment without its head"};
static const struct fault damaged = {ERR_MALFORMED, "spool: a damaged record"};

void segment_name(uint64_t first, char out[SEGMENT_NAME])
{
    snprintf(out, SEGMENT_NAME, "%016" PRIx64 ".spool", first);
}

bool segment_from_name(const char *name, uint64_t *first_out)
{
    char again[SEGMENT_NAME];
    char *end = NULL;
    *first_out = strtoull(name, &end, 16);
    segment_name(*first_out, again);
    return strcmp(name, again) == 0; /* which also tells what strtoull forgives */
}

err segment_open(int folder, uint64_t first, int *fd_out)
{
    char name[SEGMENT_NAME];
    segment_name(first, name);
    *fd_out = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*fd_out >= 0)
        return OK;
    return errno == ENOENT ? &no_file : &cannot_open;
}

static void put_segment_head(struct buffer *b, uint64_t first)
{
    put_text(b, magic);
    put_u64(b, first);
}

err segment_create(int folder, uint64_t first, int *fd_out)
{
    char name[SEGMENT_NAME];
    segment_name(first, name);
    *fd_out = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd_out < 0)
        return errno == ENOSPC || errno == EDQUOT ? &no_room : &cannot_make;
    SCOPED(buffer_drop) struct buffer head = {.max = SEGMENT_HEAD};
    put_segment_head(&head, first);
    err e = buffer_finish(&head);
    if (!e)
        e = disk_write(*fd_out, buffer_view(&head), 0);
    if (e) {
        close(*fd_out);
        unlinkat(folder, name, 0);
        *fd_out = -1;
    }
    return e;
}

static err check_segment_head(int fd, uint64_t first)
{
    uint8_t head[SEGMENT_HEAD];
    err e = disk_read(fd, head, sizeof head, 0);
    if (e)
        return err_is(e, ERR_ABSENT) ? &not_ours : e;
    struct reader r = reader_over(bytes_of(head, sizeof head));
    bool ours = bytes_is(read_view(&r, sizeof magic - 1), magic);
    return ours && read_u64(&r) == first ? OK : &not_ours;
}

err segment_scan(int fd, struct buffer *scratch, struct segment *s)
{
    TRY(check_segment_head(fd, s->first));
    s->count = 0;
    s->size = SEGMENT_HEAD;
    for (;;) {
        struct spool_record record = {0};
        err e = record_read(fd, s->size, s->first + s->count, scratch, &record);
        if (err_is(e, ERR_ABSENT) || err_is(e, ERR_MALFORMED))
            return OK;
        TRY(e);
        s->size += record_size(record.topic, record.payload);
        s->count++;
    }
}

size_t record_size(struct bytes topic, struct bytes payload)
{
    return RECORD_HEAD + 2 + topic.len + payload.len;
}

static uint32_t checksum(uint32_t length, uint64_t number, struct bytes body)
{
    uint8_t field[12];
    for (unsigned i = 0; i < 4; i++)
        field[i] = (uint8_t)(length >> 8 * (3 - i));
    for (unsigned i = 0; i < 8; i++)
        field[4 + i] = (uint8_t)(number >> 8 * (7 - i));
    return crc32c(crc32c(0, bytes_of(field, sizeof field)), body);
}

void put_record(struct buffer *out, uint64_t number, struct bytes topic, struct bytes payload)
{
    size_t start = out->len;
    uint32_t length = (uint32_t)(2 + topic.len + payload.len);
    put_u32(out, length);
    put_u32(out, 0);
    put_u64(out, number);
    put_u16(out, (uint16_t)topic.len);
    put_bytes(out, topic);
    put_bytes(out, payload);
    if (out->spoiled)
        return;
    uint32_t sum = checksum(length, number, bytes_of(out->at + start + RECORD_HEAD, length));
    for (unsigned i = 0; i < 4; i++)
        out->at[start + 4 + i] = (uint8_t)(sum >> 8 * (3 - i));
}

struct record_head {
    uint32_t length, sum;
};

static err read_head(int fd, uint64_t at, uint64_t number, struct record_head *out)
{
    uint8_t head[RECORD_HEAD];
    TRY(disk_read(fd, head, sizeof head, at));
    struct reader r = reader_over(bytes_of(head, sizeof head));
    out->length = read_u32(&r);
    out->sum = read_u32(&r);
    bool fits = out->length >= 2 && out->length <= RECORD_BODY_MAX;
    return fits && read_u64(&r) == number ? OK : &damaged;
}

err record_measure(int fd, uint64_t at, uint64_t number, uint64_t *size_out)
{
    struct record_head head;
    TRY(read_head(fd, at, number, &head));
    *size_out = RECORD_HEAD + (uint64_t)head.length;
    return OK;
}

err record_read(int fd, uint64_t at, uint64_t number, struct buffer *body, struct spool_record *out)
{
    struct record_head head;
    TRY(read_head(fd, at, number, &head));
    buffer_clear(body);
    uint8_t *room = buffer_reserve(body, head.length);
    if (!room)
        return buffer_finish(body);
    TRY(disk_read(fd, room, head.length, at + RECORD_HEAD));
    buffer_filled(body, head.length);
    if (checksum(head.length, number, buffer_view(body)) != head.sum)
        return &damaged;
    struct reader r = reader_over(buffer_view(body));
    out->number = number;
    out->topic = read_view(&r, read_u16(&r));
    out->payload = r.left;
    return r.spoiled ? &damaged : OK;
}
