/* The spool on a real disk: order, bound, reopening, torn ends at every byte, damage, a disk without room, and a long
 * random run with crashes against a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/crc32c.h"
#include "uplink/spool.h"
#include "uplink/spool_segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROOM = 4096 };

struct place {
    char folder[ROOM];
};

static int set_up(void **state)
{
    static struct place place;
    const char *base = getenv("TMPDIR");
    snprintf(place.folder, sizeof place.folder, "%s/spool-XXXXXX", base ? base : "/tmp");
    *state = &place;
    return mkdtemp(place.folder) ? 0 : -1;
}

/* Calls visit for every segment file, oldest first; returns how many there are. */
static size_t for_segments(const char *folder, void (*visit)(const char *path))
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);
    size_t segments = 0;
    for (int i = 0; i < count; i++) {
        char path[2 * ROOM];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (strstr(names[i]->d_name, ".spool")) {
            segments++;
            if (visit)
                visit(path);
        }
        free(names[i]);
    }
    free(names);
    return segments;
}

static int tear_down(void **state)
{
    const char *folder = ((struct place *)*state)->folder;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[2 * ROOM];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

static struct spool *open_small(void **state)
{
    struct spool *spool = NULL;
    struct spool_options options = {((struct place *)*state)->folder, SPOOL_BYTES_MIN, 4096, SPOOL_DROP_OLDEST};
    err wrong = spool_open(&options, &spool);
    if (wrong)
        fail_msg("spool_open: %s", wrong->text);
    return spool;
}

/* The payload of message n: its number and a filling whose length depends on it. */
static struct bytes payload_of(uint64_t n, uint8_t out[ROOM])
{
    size_t len = 8 + (size_t)(n * 37 % 200);
    memset(out, (int)(n & 0xFF), len);
    memcpy(out, &n, 8);
    return bytes_of(out, len);
}

static err append(struct spool *spool, uint64_t n)
{
    uint8_t room[ROOM];
    return spool_append(spool, BYTES("devices/7/telemetry"), payload_of(n, room));
}

static void expect_next(struct spool *spool, uint64_t n)
{
    uint8_t room[ROOM];
    struct spool_record record;
    err wrong = spool_next(spool, &record);
    if (wrong)
        fail_msg("message %llu: %s", (unsigned long long)n, wrong->text);
    assert_int_equal(record.number, n);
    assert_true(bytes_is(record.topic, "devices/7/telemetry"));
    assert_true(bytes_equal(record.payload, payload_of(n, room)));
}

static void expect_end(struct spool *spool)
{
    struct spool_record record;
    assert_true(err_is(spool_next(spool, &record), ERR_ABSENT));
}

static uint64_t waiting(const struct spool *spool)
{
    struct spool_counts counts;
    spool_read_counts(spool, &counts);
    return counts.records;
}

static void test_crc(void **state)
{
    (void)state;
    /* RFC 3720, B.4 */
    uint8_t zeros[32] = {0};
    assert_int_equal(crc32c(0, bytes_of(zeros, sizeof zeros)), 0x8A9136AA);
    assert_int_equal(crc32c(0, BYTES("123456789")), 0xE3069283);
    assert_int_equal(crc32c(crc32c(0, BYTES("12345")), BYTES("6789")), 0xE3069283);
}

static void test_order_and_reopening(void **state)
{
    struct spool *spool = open_small(state);
    expect_end(spool);
    for (uint64_t n = 1; n <= 100; n++)
        assert_int_equal(OK, append(spool, n));
    for (uint64_t n = 1; n <= 60; n++)
        expect_next(spool, n);
    assert_int_equal(OK, spool_drop(spool, 40));
    assert_int_equal(OK, spool_drop(spool, 3));    /* a former one */
    assert_int_equal(OK, spool_drop(spool, 1000)); /* nobody's */
    assert_int_equal(waiting(spool), 60);
    expect_next(spool, 61); /* the walk goes on where it was */
    spool_rewind(spool);
    expect_next(spool, 41);
    spool_close(spool);

    spool = open_small(state);
    assert_int_equal(waiting(spool), 60);
    assert_int_equal(OK, append(spool, 101));
    for (uint64_t n = 41; n <= 101; n++)
        expect_next(spool, n);
    expect_end(spool);
    assert_int_equal(OK, spool_drop(spool, 101));
    assert_int_equal(waiting(spool), 0);
    spool_close(spool);

    spool = open_small(state);
    expect_end(spool);
    assert_int_equal(OK, append(spool, 102)); /* numbers go on when nothing is left */
    expect_next(spool, 102);
    assert_true(for_segments(((struct place *)*state)->folder, NULL) <= 2);
    spool_close(spool);
}

static void test_one_process_only(void **state)
{
    struct spool *spool = open_small(state), *second = NULL;
    struct spool_options options = {((struct place *)*state)->folder, SPOOL_BYTES_MIN, 4096, SPOOL_DROP_OLDEST};
    assert_true(err_is(spool_open(&options, &second), ERR_EXISTS));
    spool_close(spool);
    assert_int_equal(OK, spool_open(&options, &second));
    spool_close(second);
}

static void test_bounds(void **state)
{
    static uint8_t large[SPOOL_PAYLOAD_MAX + 1];
    struct spool *spool = NULL;
    const char *folder = ((struct place *)*state)->folder;
    assert_true(err_is(spool_open(&(struct spool_options){folder, SPOOL_BYTES_MIN - 1, 0, SPOOL_DROP_OLDEST}, &spool),
                       ERR_REFUSED));
    assert_true(err_is(spool_open(&(struct spool_options){folder, SPOOL_BYTES_MIN, 4095, SPOOL_DROP_OLDEST}, &spool),
                       ERR_REFUSED));
    assert_true(
        err_is(spool_open(&(struct spool_options){folder, 1ull << 40, 4096, SPOOL_DROP_OLDEST}, &spool), ERR_REFUSED));
    assert_int_equal(OK,
                     spool_open(&(struct spool_options){folder, 4 * SPOOL_PAYLOAD_MAX, 0, SPOOL_DROP_OLDEST}, &spool));
    assert_true(err_is(spool_append(spool, BYTES("t"), bytes_of(large, sizeof large)), ERR_TOO_LARGE));
    assert_true(err_is(spool_append(spool, bytes_of(large, SPOOL_TOPIC_MAX + 1), BYTES("")), ERR_TOO_LARGE));
    assert_int_equal(OK, spool_append(spool, bytes_of(large, SPOOL_TOPIC_MAX), bytes_of(large, SPOOL_PAYLOAD_MAX)));
    assert_int_equal(OK, spool_append(spool, BYTES(""), BYTES("")));
    struct spool_record record;
    assert_int_equal(OK, spool_next(spool, &record));
    assert_int_equal(record.payload.len, SPOOL_PAYLOAD_MAX);
    assert_int_equal(OK, spool_next(spool, &record));
    assert_int_equal(record.payload.len, 0);
    spool_close(spool);
    spool = open_small(state); /* a smaller bound: the large record has no room */
    assert_int_equal(waiting(spool), 1);
    assert_true(err_is(spool_append(spool, BYTES("t"), bytes_of(large, SPOOL_BYTES_MIN)), ERR_TOO_LARGE));
    spool_close(spool);
}

static void test_the_oldest_go_first(void **state)
{
    struct spool *spool = open_small(state);
    struct spool_counts counts;
    uint64_t n = 0;
    do {
        assert_int_equal(OK, append(spool, ++n));
        spool_read_counts(spool, &counts);
        assert_true(counts.bytes <= SPOOL_BYTES_MIN);
    } while (!counts.overflowed);
    /* Nothing was lost before the bound was reached: one more byte than it has room for. */
    uint8_t room[ROOM];
    size_t last = record_size(BYTES("devices/7/telemetry"), payload_of(n, room));
    assert_true(counts.bytes + record_size(BYTES("devices/7/telemetry"), payload_of(1, room)) > SPOOL_BYTES_MIN - last);
    for (; n < 5000; n++)
        assert_int_equal(OK, append(spool, n + 1));
    spool_read_counts(spool, &counts);
    assert_int_equal(counts.records + counts.overflowed, n);
    assert_true(for_segments(((struct place *)*state)->folder, NULL) <= SPOOL_BYTES_MIN / 4096 + 3);
    for (uint64_t i = n - counts.records + 1; i <= n; i++)
        expect_next(spool, i);
    expect_end(spool);
    spool_close(spool);
}

/* With SPOOL_REFUSE nothing is dropped: neither by one more message, nor by a bound that became smaller meanwhile. */
static void test_a_spool_that_refuses(void **state)
{
    struct spool *spool = NULL;
    struct spool_counts counts;
    struct spool_options options = {((struct place *)*state)->folder, 2 * SPOOL_BYTES_MIN, 4096, SPOOL_REFUSE};
    assert_null(spool_open(&options, &spool));
    uint64_t n = 0;
    while (append(spool, n + 1) == OK)
        n++;
    assert_true(err_is(append(spool, n + 1), ERR_FULL));
    spool_close(spool);
    options.bytes_max = SPOOL_BYTES_MIN;
    assert_null(spool_open(&options, &spool));
    assert_true(err_is(append(spool, n + 1), ERR_FULL));
    spool_read_counts(spool, &counts);
    assert_int_equal(counts.overflowed, 0);
    assert_int_equal(counts.records, n);
    for (uint64_t i = 1; i <= n; i++)
        expect_next(spool, i);
    assert_null(spool_drop(spool, n));
    assert_null(append(spool, n + 1)); /* there is room again */
    expect_next(spool, n + 1);
    spool_close(spool);
}

static void test_overflow_under_a_walk(void **state)
{
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 10; n++)
        assert_int_equal(OK, append(spool, n));
    expect_next(spool, 1);
    for (uint64_t n = 11; n <= 3000; n++)
        assert_int_equal(OK, append(spool, n));
    expect_next(spool, 3001 - waiting(spool));  /* steps over what was dropped */
    assert_int_equal(OK, spool_drop(spool, 1)); /* its acknowledgement comes late */
    spool_close(spool);
}

static void copy_file(const char *from, const char *to, size_t len)
{
    uint8_t room[2 * ROOM];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    ssize_t got = read(in, room, sizeof room);
    assert_true(got >= 0);
    size_t keep = (size_t)got < len ? (size_t)got : len;
    assert_int_equal(write(out, room, keep), (ssize_t)keep);
    close(in);
    close(out);
}

/* A crash may leave any beginning of the last segment: what was whole is there, and the spool goes on. */
static void test_torn_at_every_byte(void **state)
{
    const char *folder = ((struct place *)*state)->folder;
    char segment[2 * ROOM], whole[2 * ROOM];
    snprintf(segment, sizeof segment, "%s/0000000000000001.spool", folder);
    snprintf(whole, sizeof whole, "%s/whole", folder);
    size_t ends[4] = {SEGMENT_HEAD};
    uint8_t room[ROOM];
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 3; n++) {
        assert_int_equal(OK, append(spool, n));
        ends[n] = ends[n - 1] + record_size(BYTES("devices/7/telemetry"), payload_of(n, room));
    }
    spool_close(spool);
    copy_file(segment, whole, SIZE_MAX);
    for (size_t len = 0; len <= ends[3]; len++) {
        copy_file(whole, segment, len);
        uint64_t left = len >= ends[3] ? 3 : len >= ends[2] ? 2 : len >= ends[1] ? 1 : 0;
        spool = open_small(state);
        assert_int_equal(waiting(spool), left);
        assert_int_equal(OK, append(spool, left + 1));
        for (uint64_t n = 1; n <= left + 1; n++)
            expect_next(spool, n);
        expect_end(spool);
        spool_close(spool);
    }
    unlink(whole);
}

/* The file `head` may be torn as well: then records come again, and none is missing. */
static void test_torn_head_at_every_byte(void **state)
{
    char head[2 * ROOM], whole[2 * ROOM];
    snprintf(head, sizeof head, "%s/head", ((struct place *)*state)->folder);
    snprintf(whole, sizeof whole, "%s/whole", ((struct place *)*state)->folder);
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 5; n++)
        assert_int_equal(OK, append(spool, n));
    assert_int_equal(OK, spool_drop(spool, 1));
    assert_int_equal(OK, spool_drop(spool, 2));
    spool_close(spool);
    copy_file(head, whole, SIZE_MAX);
    for (size_t len = 0; len <= 32; len++) {
        copy_file(whole, head, len);
        spool = open_small(state);
        struct spool_record record;
        assert_int_equal(OK, spool_next(spool, &record));
        assert_true(record.number <= 3);
        assert_int_equal(waiting(spool), 6 - record.number);
        spool_close(spool);
    }
    unlink(whole);
}

/* Any one byte turned over costs at most the records from it to the end of its segment; what comes out is never wrong.
 */
static void test_damage_at_every_byte(void **state)
{
    const char *folder = ((struct place *)*state)->folder;
    char segment[2 * ROOM], whole[2 * ROOM];
    snprintf(segment, sizeof segment, "%s/0000000000000001.spool", folder);
    snprintf(whole, sizeof whole, "%s/whole", folder);
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 3; n++)
        assert_int_equal(OK, append(spool, n));
    spool_close(spool);
    copy_file(segment, whole, SIZE_MAX);
    struct stat st;
    assert_int_equal(stat(whole, &st), 0);
    for (off_t at = 0; at < st.st_size; at++) {
        copy_file(whole, segment, SIZE_MAX);
        int fd = open(segment, O_RDWR);
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        spool = open_small(state);
        uint64_t left = waiting(spool);
        assert_true(left < 3);
        for (uint64_t n = 1; n <= left; n++)
            expect_next(spool, n);
        expect_end(spool);
        spool_close(spool);
    }
    unlink(whole);
}

/* Damage that happens while the spool is open: found by the walk, counted, and the next segment is read on. */
static void spoil_middle(const char *path)
{
    if (!strstr(path, "0000000000000001.spool"))
        return;
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 1000), 4);
    close(fd);
}

static void test_damage_while_open(void **state)
{
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 100; n++)
        assert_int_equal(OK, append(spool, n));
    for_segments(((struct place *)*state)->folder, spoil_middle);
    struct spool_record record;
    uint64_t seen = 0, last = 0;
    while (spool_next(spool, &record) == OK) {
        assert_true(record.number > last);
        last = record.number;
        seen++;
    }
    struct spool_counts counts;
    spool_read_counts(spool, &counts);
    assert_int_equal(last, 100);
    assert_true(counts.damaged > 0);
    assert_int_equal(seen + counts.damaged, 100);
    assert_int_equal(counts.records, seen);
    assert_int_equal(OK, spool_drop(spool, 100));
    spool_read_counts(spool, &counts);
    assert_int_equal(counts.records, 0);
    assert_int_equal(counts.bytes, 0);
    spool_close(spool);
}

/* The records below a gap are dropped without taking the first one above it. */
static void test_dropping_stops_at_a_gap(void **state)
{
    struct spool *spool = open_small(state);
    for (uint64_t n = 1; n <= 60; n++)
        assert_int_equal(OK, append(spool, n));
    for_segments(((struct place *)*state)->folder, spoil_middle);
    struct spool_record record;
    uint64_t before = 0, after = 0;
    while (spool_next(spool, &record) == OK && record.number == before + 1)
        before = record.number;
    after = record.number;
    assert_true(after > before + 1);
    assert_int_equal(OK, spool_drop(spool, before + 1));
    spool_rewind(spool);
    assert_int_equal(OK, spool_next(spool, &record));
    assert_int_equal(record.number, after);
    spool_close(spool);
}

/* No file may grow over `limit` bytes from here on: a disk that fills at that very byte. */
static void limit_files(rlim_t limit)
{
    struct rlimit now;
    getrlimit(RLIMIT_FSIZE, &now);
    now.rlim_cur = limit;
    setrlimit(RLIMIT_FSIZE, &now);
}

static void test_no_room_at_every_byte(void **state)
{
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 32; limit < 1200; limit++) {
        struct spool *spool = open_small(state);
        uint64_t first = 0, kept = 0;
        struct spool_record record;
        limit_files(limit);
        err wrong = OK;
        while (!wrong) {
            wrong = append(spool, kept + 1);
            kept += !wrong;
        }
        assert_true(err_is(wrong, ERR_FULL));
        assert_int_equal(waiting(spool), kept);
        limit_files(RLIM_INFINITY);
        assert_int_equal(OK, append(spool, kept + 1)); /* service resumes */
        kept++;
        spool_close(spool);
        spool = open_small(state);
        assert_int_equal(waiting(spool), kept);
        uint8_t room[ROOM];
        for (uint64_t n = 1; n <= kept; n++) {
            assert_int_equal(OK, spool_next(spool, &record));
            first = first ? first : record.number;
            assert_int_equal(record.number, first + n - 1);
            assert_true(bytes_equal(record.payload, payload_of(n, room)));
        }
        assert_int_equal(OK, spool_drop(spool, record.number));
        spool_close(spool);
    }
}

/* What a child had synced and told us of is there after it was killed. */
static void test_kill(void **state)
{
    for (unsigned round = 0; round < 20; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (!child) {
            struct spool *spool = NULL;
            struct spool_options options = {((struct place *)*state)->folder, 1 << 22, 8192, SPOOL_DROP_OLDEST};
            if (spool_open(&options, &spool) != OK)
                _exit(1);
            for (uint64_t n = 1;; n++)
                if (append(spool, n) != OK || spool_sync(spool) != OK || write(told[1], &n, sizeof n) != sizeof n)
                    _exit(1);
        }
        close(told[1]);
        uint64_t last = 0, until = 1 + round * 7;
        while (last < until && read(told[0], &last, sizeof last) == sizeof last)
            ;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(told[0], &last, sizeof last) == sizeof last)
            ;
        close(told[0]);
        assert_true(last >= until);
        struct spool *spool = NULL;
        struct spool_options options = {((struct place *)*state)->folder, 1 << 22, 8192, SPOOL_DROP_OLDEST};
        assert_int_equal(OK, spool_open(&options, &spool));
        assert_true(waiting(spool) == last || waiting(spool) == last + 1);
        uint8_t room[ROOM];
        struct spool_record record = {0};
        for (uint64_t n = 1; n <= last; n++) {
            assert_int_equal(OK, spool_next(spool, &record));
            assert_true(bytes_equal(record.payload, payload_of(n, room)));
        }
        assert_int_equal(OK, spool_drop(spool, UINT64_MAX) /* nobody's */);
        assert_int_equal(OK, spool_drop(spool, record.number + waiting(spool) - last));
        spool_close(spool);
    }
}

/* A model: the numbers from `head` to `next` wait. Everything that may happen, happens in a random order; a power cut
 * takes any part of what was not synced off the end. */
struct model {
    uint64_t head, next, synced, cursor;
    char synced_path[2 * ROOM]; /* the last segment at the last sync, */
    off_t synced_size;          /* and how much of it was there */
};

/* The last file that for_segments came to. */
static char last_path[2 * ROOM];

static void note_last(const char *path)
{
    snprintf(last_path, sizeof last_path, "%s", path);
}

static off_t look_at_last(const char *folder)
{
    struct stat st;
    last_path[0] = 0;
    for_segments(folder, note_last);
    return last_path[0] && stat(last_path, &st) == 0 ? st.st_size : 0;
}

static void note_sync(void **state, struct model *m)
{
    m->synced = m->next;
    m->synced_size = look_at_last(((struct place *)*state)->folder);
    memcpy(m->synced_path, last_path, sizeof last_path);
}

static uint64_t roll(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct spool *cut_power(void **state, struct spool *spool, struct model *m, uint64_t *seed)
{
    spool_close(spool);
    off_t size = look_at_last(((struct place *)*state)->folder);
    bool newer = strcmp(last_path, m->synced_path) != 0;
    off_t safe = newer ? 0 : m->synced_size;
    if (newer && last_path[0] && roll(seed) % 4 == 0)
        assert_int_equal(unlink(last_path), 0); /* its name was not synced either */
    else if (size > safe)
        assert_int_equal(truncate(last_path, safe + (off_t)(roll(seed) % (uint64_t)(size - safe + 1))), 0);
    spool = open_small(state);
    uint64_t next = m->head + waiting(spool);
    assert_true(next <= m->next && (next >= m->synced || m->synced <= m->head));
    m->next = next;
    m->cursor = m->head;
    note_sync(state, m);
    return spool;
}

static void act(void **state, struct spool **spool, struct model *m, uint64_t *seed)
{
    switch (roll(seed) % 16) {
    case 0:
        *spool = cut_power(state, *spool, m, seed);
        return;
    case 1:
        assert_int_equal(OK, spool_sync(*spool));
        note_sync(state, m);
        return;
    case 2:
        spool_rewind(*spool);
        m->cursor = m->head;
        return;
    case 3:
    case 4:
    case 5:
    case 6:
        if (m->cursor < m->next)
            expect_next(*spool, m->cursor++);
        else
            expect_end(*spool);
        return;
    case 7:
    case 8: {
        uint64_t number = m->head + roll(seed) % 12;
        assert_int_equal(OK, spool_drop(*spool, number));
        if (number < m->next)
            m->head = number + 1;
        break;
    }
    default: {
        struct spool_counts before, after;
        spool_read_counts(*spool, &before);
        assert_int_equal(OK, append(*spool, m->next++));
        spool_read_counts(*spool, &after);
        m->head += after.overflowed - before.overflowed;
    }
    }
    if (m->cursor < m->head)
        m->cursor = m->head;
}

static void test_random_run_against_a_model(void **state)
{
    const char *given = getenv("SPOOL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20260131;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct model m = {.head = 1, .next = 1, .synced = 1, .cursor = 1};
    struct spool *spool = open_small(state);
    for (unsigned i = 0; i < 10000; i++) {
        act(state, &spool, &m, &seed);
        struct spool_counts counts;
        spool_read_counts(spool, &counts);
        assert_int_equal(counts.records, m.next - m.head);
        assert_int_equal(counts.damaged, 0);
        assert_true(counts.bytes <= SPOOL_BYTES_MIN);
        assert_true(!counts.records == !counts.bytes);
    }
    spool_close(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test_setup_teardown(test_order_and_reopening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_oldest_go_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_spool_that_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflow_under_a_walk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_head_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_while_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropping_stops_at_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_run_against_a_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
