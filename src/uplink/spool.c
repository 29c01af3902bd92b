/* The spool: which segments there are, where reading and dropping have come to, and what happens at the bound. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/spool.h"

#include "base/memory.h"
#include "os/file.h"
#include "uplink/spool_disk.h"
#include "uplink/spool_head.h"
#include "uplink/spool_segment.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEGMENT_MIN = 4096,
    SEGMENTS_PER_BOUND = 16,
    SEGMENTS_FIRST = 32,
    SEGMENTS_MAX = 4096,
    PATH_ROOM = 4096,
    FIRST_NUMBER = 1
};

/* Where a walk stands: before record `number`, at byte `at` of the segment that begins with `segment`. */
struct place {
    uint64_t number, segment, at;
    int fd; /* of that segment; -1: not open */
};

struct spool {
    uint64_t bytes_max;
    uint64_t segment_max;
    enum spool_policy policy;
    int folder, lock, tail; /* descriptors; -1: not open. The tail is the last segment, while it may be appended to */
    struct spool_head saved;
    struct segment *segments; /* oldest first */
    size_t segment_count, segment_room;
    uint64_t next; /* number of the next record */
    struct place head, cursor;
    struct buffer body;    /* of the record that was lent last */
    struct buffer scratch; /* for the record that is being written */
    struct spool_counts counts;
    bool tail_dirty, folder_dirty; /* something there is not synced */
};

static const struct fault small_bound = {ERR_REFUSED,
                                         "spool: a bound under 65,536 bytes, or segments too small for it"};
static const struct fault long_path = {ERR_TOO_LARGE, "spool: the folder's path is too long"};
static const struct fault no_folder = {ERR_IO, "spool: the folder could not be opened"};
static const struct fault no_memory = {ERR_MEMORY, "spool: no memory"};
static const struct fault record_too_large = {ERR_TOO_LARGE, "spool: a topic or payload over its bound"};
static const struct fault bound_reached = {ERR_FULL, "spool: its bound is reached"};
static const struct fault nothing_left = {ERR_ABSENT, "spool: nothing is waiting"};
static const struct fault overlap = {ERR_MALFORMED, "spool: two segments with the same numbers"};
static const struct fault cannot_cut = {ERR_IO, "spool: the torn end of the last segment could not be cut away"};
static const struct fault too_many = {ERR_FULL, "spool: too many segments"};

static void close_fd(int *fd)
{
    fd_close(fd);
    *fd = -1;
}

static struct segment *last_segment(struct spool *s)
{
    return s->segment_count ? &s->segments[s->segment_count - 1] : NULL;
}

static err add_segment(struct spool *s, struct segment segment)
{
    if (s->segment_count == SEGMENTS_MAX)
        return &too_many;
    if (s->segment_count == s->segment_room) {
        size_t room = s->segment_room ? 2 * s->segment_room : SEGMENTS_FIRST;
        struct segment *grown = mem_grow(s->segments, room, sizeof *grown);
        if (!grown)
            return &no_memory;
        s->segments = grown;
        s->segment_room = room;
    }
    assert(s->segments);
    s->segments[s->segment_count++] = segment;
    return OK;
}

static uint64_t end_of(const struct segment *segment)
{
    return segment->first + segment->count;
}

static void unlink_segment(struct spool *s, uint64_t first)
{
    char name[SEGMENT_NAME];
    segment_name(first, name);
    unlinkat(s->folder, name, 0); /* what cannot be removed now is found again, and dropped, at the next open */
}

static void leave_segment(struct place *p, uint64_t first)
{
    if (p->segment == first)
        close_fd(&p->fd);
}

static void remove_segment(struct spool *s, size_t index)
{
    uint64_t first = s->segments[index].first;
    if (index + 1 == s->segment_count)
        close_fd(&s->tail);
    leave_segment(&s->head, first);
    leave_segment(&s->cursor, first);
    unlink_segment(s, first);
    s->segment_count--;
    memmove(&s->segments[index], &s->segments[index + 1], (s->segment_count - index) * sizeof *s->segments);
}

/* Removes the segments in which everything was dropped; the one that is appended to may stay. */
static void purge(struct spool *s)
{
    assert(s->segments || !s->segment_count);
    while (s->segment_count && (!s->segments[0].count || end_of(&s->segments[0]) <= s->head.number)) {
        if (s->segment_count == 1 && s->tail >= 0)
            return;
        remove_segment(s, 0);
    }
}

/* The segment that holds the record at the place, or the first one behind it; the place moves there over gaps. NULL:
 * the walk is at the end. */
static struct segment *settle(struct spool *s, struct place *p)
{
    for (size_t i = 0; i < s->segment_count; i++) {
        struct segment *segment = &s->segments[i];
        if (!segment->count || end_of(segment) <= p->number)
            continue;
        if (p->segment != segment->first || p->at < SEGMENT_HEAD) {
            close_fd(&p->fd);
            *p = (struct place){.number = segment->first, .segment = segment->first, .at = SEGMENT_HEAD, .fd = -1};
        }
        return segment;
    }
    return NULL;
}

/* The record at p is damaged: it and the rest of its segment are lost, and nothing more is appended to that. */
static void lose_rest(struct spool *s, struct segment *segment, const struct place *p)
{
    uint64_t lost = end_of(segment) - p->number;
    s->counts.damaged += lost;
    s->counts.records -= lost;
    s->counts.bytes -= segment->size - p->at;
    segment->count -= lost;
    segment->size = p->at;
    if (segment == last_segment(s))
        close_fd(&s->tail);
}

/* Finds the record at p or the next good one behind it, and how long it is. It is read only when `out` is not NULL. A
 * disk that fails is no damage: the record may be readable later. */
static err find_record(struct spool *s, struct place *p, uint64_t *size, struct spool_record *out)
{
    for (;;) {
        struct segment *segment = settle(s, p);
        if (!segment)
            return &nothing_left;
        err e = p->fd >= 0 ? OK : segment_open(s->folder, p->segment, &p->fd);
        if (!e)
            e = record_measure(p->fd, p->at, p->number, size);
        if (!e && out)
            e = record_read(p->fd, p->at, p->number, &s->body, out);
        if (!err_is(e, ERR_MALFORMED) && !err_is(e, ERR_ABSENT))
            return e;
        lose_rest(s, segment, p);
    }
}

static void step(struct place *p, uint64_t size)
{
    p->number++;
    p->at += size;
}

/* Drops the oldest record when its number is under `limit`; ERR_ABSENT when there is none such. */
static err drop_oldest(struct spool *s, uint64_t limit)
{
    uint64_t size;
    TRY(find_record(s, &s->head, &size, NULL));
    if (s->head.number >= limit)
        return &nothing_left;
    step(&s->head, size);
    s->counts.records--;
    s->counts.bytes -= size;
    return OK;
}

static err drop_under(struct spool *s, uint64_t limit)
{
    err e = OK;
    while (!e)
        e = drop_oldest(s, limit);
    return err_is(e, ERR_ABSENT) ? OK : e;
}

static err enforce_bound(struct spool *s)
{
    if (s->counts.bytes <= s->bytes_max || s->policy == SPOOL_REFUSE)
        return OK;
    while (s->counts.bytes > s->bytes_max) {
        TRY(drop_oldest(s, UINT64_MAX));
        s->counts.overflowed++;
    }
    IGNORE(spool_head_write(&s->saved, s->head.number)); /* lost: some come back at the next open */
    purge(s);
    return OK;
}

static err start_segment(struct spool *s)
{
    struct segment *last = last_segment(s);
    if (last && !last->count && last->first == s->next)
        remove_segment(s, s->segment_count - 1);
    if (s->tail_dirty)
        TRY(spool_sync(s)); /* only the last segment may have a torn end */
    int fd;
    TRY(segment_create(s->folder, s->next, &fd));
    err e = add_segment(s, (struct segment){.first = s->next, .size = SEGMENT_HEAD});
    if (e) {
        close_fd(&fd);
        unlink_segment(s, s->next);
        return e;
    }
    close_fd(&s->tail);
    s->tail = fd;
    s->folder_dirty = true;
    s->tail_dirty = true;
    purge(s);
    return OK;
}

static err find_tail(struct spool *s, size_t record)
{
    const struct segment *last = last_segment(s);
    if (s->tail >= 0 && (!last->count || last->size + record <= s->segment_max))
        return OK;
    return start_segment(s);
}

static err write_record(struct spool *s, struct bytes topic, struct bytes payload)
{
    buffer_clear(&s->scratch);
    put_record(&s->scratch, s->next, topic, payload);
    TRY(buffer_finish(&s->scratch));
    struct segment *last = last_segment(s);
    err e = disk_write(s->tail, buffer_view(&s->scratch), last->size);
    if (!e) {
        last->size += s->scratch.len;
        last->count++;
        return OK;
    }
    if (ftruncate(s->tail, (off_t)last->size) != 0)
        close_fd(&s->tail); /* the torn end stays; the next record goes into a segment of its own */
    return e;
}

err spool_append(struct spool *s, struct bytes topic, struct bytes payload)
{
    if (topic.len > SPOOL_TOPIC_MAX || payload.len > SPOOL_PAYLOAD_MAX)
        return &record_too_large;
    size_t size = record_size(topic, payload);
    if (size > s->bytes_max)
        return &record_too_large;
    if (s->policy == SPOOL_REFUSE && s->counts.bytes + size > s->bytes_max)
        return &bound_reached;
    TRY(enforce_bound(s));
    TRY(find_tail(s, size));
    TRY(write_record(s, topic, payload));
    s->tail_dirty = true;
    s->next++;
    s->counts.records++;
    s->counts.bytes += size;
    IGNORE(enforce_bound(s)); /* the new record is in; should the disk fail here, the next append tries again */
    return OK;
}

err spool_sync(struct spool *s)
{
    if (s->tail_dirty && s->tail >= 0)
        TRY(disk_sync(s->tail));
    s->tail_dirty = false;
    if (s->folder_dirty)
        TRY(disk_sync(s->folder));
    s->folder_dirty = false;
    return OK;
}

err spool_next(struct spool *s, struct spool_record *out)
{
    if (s->cursor.number < s->head.number)
        spool_rewind(s);
    uint64_t size;
    TRY(find_record(s, &s->cursor, &size, out));
    step(&s->cursor, size);
    return OK;
}

err spool_find(struct spool *s, uint64_t number, struct spool_record *out)
{
    struct place p = s->head;
    uint64_t size;
    err e = number < s->head.number || number >= s->next ? &nothing_left : OK;
    p.fd = -1;
    while (!e && !(e = find_record(s, &p, &size, NULL)) && p.number < number)
        step(&p, size);
    if (!e)
        e = find_record(s, &p, &size, out);
    close_fd(&p.fd);
    return e || p.number == number ? e : &nothing_left;
}

void spool_rewind(struct spool *s)
{
    close_fd(&s->cursor.fd);
    s->cursor = s->head;
    s->cursor.fd = -1;
}

err spool_drop(struct spool *s, uint64_t number)
{
    if (number < s->head.number || number >= s->next)
        return OK;
    TRY(drop_under(s, number + 1));
    err e = spool_head_write(&s->saved, s->head.number);
    purge(s);
    return e;
}

void spool_read_counts(const struct spool *s, struct spool_counts *out)
{
    *out = s->counts;
}

/* Opening: list the segments, count what is good in each, cut the torn end of the last, walk the head to where it was.
 */

static int by_first(const void *a, const void *b)
{
    const struct segment *left = a, *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

static void close_folder(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static err list_segments(struct spool *s, const char *path)
{
    SCOPED(close_folder) DIR *dir = opendir(path);
    if (!dir)
        return &no_folder;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        uint64_t first;
        if (segment_from_name(entry->d_name, &first))
            TRY(add_segment(s, (struct segment){.first = first}));
    }
    if (s->segment_count)
        qsort(s->segments, s->segment_count, sizeof *s->segments, by_first);
    return OK;
}

/* Counts the good records of a segment. What is no segment is removed: it was being made when the power went, or it is
 * lost in any case. */
static err scan_segment(struct spool *s, size_t *index, uint64_t *end)
{
    struct segment *segment = &s->segments[*index];
    bool last = *index + 1 == s->segment_count;
    SCOPED(fd_close) int fd = -1;
    TRY(segment_open(s->folder, segment->first, &fd));
    err e = segment->first < *end ? &overlap : segment_scan(fd, &s->body, segment);
    if (err_is(e, ERR_MALFORMED)) {
        remove_segment(s, *index);
        return OK;
    }
    TRY(e);
    if (*index)
        s->counts.damaged += segment->first - *end;
    if (last && ftruncate(fd, (off_t)segment->size) != 0)
        return &cannot_cut;
    s->counts.records += segment->count;
    s->counts.bytes += segment->size - SEGMENT_HEAD;
    *end = end_of(segment);
    ++*index;
    return OK;
}

static err scan_segments(struct spool *s)
{
    uint64_t end = 0;
    for (size_t i = 0; i < s->segment_count;)
        TRY(scan_segment(s, &i, &end));
    s->next = end > FIRST_NUMBER ? end : FIRST_NUMBER;
    return OK;
}

/* `saved` may be ahead of what is there, when dropping was remembered and the records themselves were not: then
 * numbering goes on from it, in a new segment. */
static err find_places(struct spool *s, uint64_t saved)
{
    TRY(drop_under(s, saved));
    if (s->head.number < saved)
        s->head.number = saved;
    if (s->next < saved)
        s->next = saved;
    struct segment *last = last_segment(s);
    if (last && end_of(last) == s->next)
        TRY(segment_open(s->folder, last->first, &s->tail));
    purge(s);
    spool_rewind(s);
    return enforce_bound(s);
}

static err open_folder(struct spool *s, const char *path)
{
    TRY(folder_make(path, 0700));
    char lock[PATH_ROOM];
    int len = snprintf(lock, sizeof lock, "%s/lock", path);
    if (len < 0 || (size_t)len >= sizeof lock)
        return &long_path;
    TRY(file_lock(lock, &s->lock));
    s->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->folder >= 0 ? OK : &no_folder;
}

static err fill(struct spool *s, const struct spool_options *options)
{
    uint64_t saved;
    TRY(open_folder(s, options->folder));
    TRY(spool_head_open(s->folder, &s->saved, &saved));
    TRY(list_segments(s, options->folder));
    TRY(scan_segments(s));
    TRY(find_places(s, saved));
    s->folder_dirty = s->tail_dirty = true; /* a process that was killed may not have synced what we found */
    return spool_sync(s);
}

static err check_options(const struct spool_options *options, uint64_t *segment_max)
{
    uint64_t share = options->bytes_max / SEGMENTS_PER_BOUND;
    *segment_max = options->segment_max ? options->segment_max : share > SEGMENT_MIN ? share : SEGMENT_MIN;
    bool fits = options->bytes_max >= SPOOL_BYTES_MIN && *segment_max >= SEGMENT_MIN &&
                options->bytes_max / *segment_max <= SEGMENTS_MAX / 4;
    return fits ? OK : &small_bound;
}

err spool_open(const struct spool_options *options, struct spool **out)
{
    uint64_t segment_max;
    TRY(check_options(options, &segment_max));
    struct spool *s = MEM_NEW(struct spool);
    if (!s)
        return &no_memory;
    s->bytes_max = options->bytes_max;
    s->segment_max = segment_max;
    s->policy = options->policy;
    s->folder = s->lock = s->tail = s->saved.fd = s->head.fd = s->cursor.fd = -1;
    s->head.number = FIRST_NUMBER;
    s->body.max = RECORD_BODY_MAX;
    s->scratch.max = RECORD_HEAD + RECORD_BODY_MAX;
    err e = fill(s, options);
    if (e)
        spool_close(s);
    else
        *out = s;
    return e;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    IGNORE(spool_sync(s));
    close_fd(&s->head.fd);
    close_fd(&s->cursor.fd);
    close_fd(&s->tail);
    close_fd(&s->saved.fd);
    close_fd(&s->folder);
    close_fd(&s->lock); /* last: from here on another process may have the folder */
    buffer_drop(&s->body);
    buffer_drop(&s->scratch);
    mem_drop(s->segments);
    mem_drop(s);
}
