/* Power and disk: a child is killed at random moments, or its disk is full; whatever it acknowledged is there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum { ROUNDS = 20, ACKS_MAX = 3000, SEQUENCES_MAX = ROUNDS * (ACKS_MAX + 2 * WINDOW) * 4 };

/* One message: sequence number n as the time and the value of two metrics; now and then of a third that goes back in
 * time, which makes the writer fold. */
static struct write *message(int64_t n)
{
    const struct sample s[] = {integer("a", n, n), integer("b", n, n), integer("back", -n, n)};
    return write_samples("d", (struct samples){s, n % 97 == 0 ? 3 : 2}, n + 1);
}

/* --- kill -9 --- */

struct slot {
    struct errand errand;
    struct server *server;
    int64_t n;
    int64_t *next;
    int pipe;
};

static void send_next(struct slot *slot);

static void acknowledged(struct errand *errand)
{
    struct slot *slot = (struct slot *)errand;
    MUST_HOLD(!errand->result.failed);
    MUST_HOLD(write(slot->pipe, &slot->n, sizeof slot->n) == sizeof slot->n);
    send_next(slot);
}

static void send_next(struct slot *slot)
{
    slot->n = (*slot->next)++;
    slot->errand.write = message(slot->n);
    slot->errand.done = acknowledged;
    MUST_HOLD(!slot->server->recorder->post(slot->server->recorder, &slot->errand));
}

/* Writes until it is killed; keeps WINDOW messages on their way. */
static void child(const char *folder, int64_t first, int pipe)
{
    struct server server;
    struct slot slots[WINDOW];
    int64_t next = first;
    server_open(&server, folder);
    for (size_t i = 0; i < WINDOW; i++) {
        slots[i] = (struct slot){.server = &server, .next = &next, .pipe = pipe};
        send_next(&slots[i]);
    }
    for (;;) {
        struct mail *mail = mailbox_take(server.home, -1);
        if (mail)
            mail->open(mail);
    }
}

/* Marks what the child acknowledged until it was killed; returns the highest number. */
static int64_t run_round(const char *folder, int64_t first, uint64_t acks, uint8_t *acknowledged_at)
{
    int pipes[2];
    int64_t n, highest = first;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        (void)close(pipes[0]);
        child(folder, first, pipes[1]);
    }
    (void)close(pipes[1]);
    for (uint64_t got = 0; read(pipes[0], &n, sizeof n) == sizeof n;) {
        assert_in_range(n, 1, SEQUENCES_MAX - 1);
        acknowledged_at[n] = 1;
        highest = n > highest ? n : highest;
        if (++got == acks)
            assert_int_equal(kill(pid, SIGKILL), 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(pipes[0]);
    return highest;
}

struct found {
    struct sample_rows rows;
    uint8_t *at;
    int64_t last, sign;
    size_t count;
};

static bool find(struct sample_rows *rows, const struct sample *s)
{
    struct found *found = (struct found *)rows;
    assert_true(found->count == 0 || s->time_us > found->last);
    found->last = s->time_us;
    assert_int_equal(s->kind, SAMPLE_INTEGER);
    assert_true(s->value.integer == s->time_us * found->sign);
    assert_in_range(s->value.integer, 1, SEQUENCES_MAX - 1);
    found->at[s->value.integer] = 1;
    found->count++;
    return true;
}

static void find_all(struct store_reader *r, struct bytes metric, int64_t sign, uint8_t *at)
{
    struct found found = {.rows = {find}, .at = at, .last = INT64_MIN, .sign = sign};
    size_t before;
    do {
        const struct series_query q = {BYTES("d"), metric, found.count ? found.last + 1 : INT64_MIN, INT64_MAX, POINTS_MAX};
        before = found.count;
        assert_ok(r->series(r, &q, &found.rows));
    } while (found.count > before);
}

static void check(const char *folder, const uint8_t *acknowledged_at, int64_t highest)
{
    const struct sqlite_options options = {.folder = folder};
    struct store_writer *w;
    struct store_reader *r;
    uint8_t *a = calloc(3, SEQUENCES_MAX), *b = a + SEQUENCES_MAX, *back = b + SEQUENCES_MAX;
    assert_ok(sqlite_writer_open(&options, &w));
    assert_ok(sqlite_reader_open(&options, &r));
    assert_ok(sqlite_writer_check(w));
    find_all(r, BYTES("a"), 1, a);
    find_all(r, BYTES("b"), 1, b);
    find_all(r, BYTES("back"), -1, back);
    struct store_counts counts;
    uint64_t found = 0;
    for (int64_t n = 1; n < SEQUENCES_MAX; n++) {
        if (acknowledged_at[n] && (!a[n] || !b[n] || (n % 97 == 0 && !back[n])))
            fail_msg("message %lld was acknowledged and is not there (%lld is the last)", (long long)n, (long long)highest);
        assert_true(a[n] == b[n] && back[n] <= a[n]); /* a message is there or not, never half */
        found += (uint64_t)a[n] + b[n] + back[n];
    }
    assert_ok(r->counts(r, &counts));
    assert_int_equal(counts.samples, found);
    r->close(r);
    w->close(w);
    free(a);
}

static void killed_at_random_moments(void **state)
{
    struct folder folder;
    struct store_writer *w;
    uint64_t seed = seed_of_the_day();

    folder_open(&folder);
    const struct sqlite_options options = {.folder = folder.path};
    assert_ok(sqlite_writer_open(&options, &w));
    enrol(w, "d");
    w->close(w);
    uint8_t *acknowledged_at = calloc(1, SEQUENCES_MAX);
    int64_t next = 1;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t highest = run_round(folder.path, next, 1 + roll(&seed) % ACKS_MAX, acknowledged_at);
        check(folder.path, acknowledged_at, highest);
        next = highest + 2 * WINDOW; /* numbers that were on their way are not used again */
    }
    free(acknowledged_at);
    folder_drop(&folder);
}

/* --- a disk without room --- */

/* Sends until the disk is full. *kept is how many were acknowledged. */
static void fill_up(struct server *s, int64_t *kept)
{
    for (*kept = 0;; ++*kept) {
        err e = s->recorder->record(s->recorder, message(*kept + 1), NULL);
        if (e) {
            MUST_HOLD(e->kind == ERR_FULL);
            return;
        }
        MUST_HOLD(*kept < 1000000);
    }
}

static bool count_event(struct event_rows *rows, const struct event *e)
{
    struct words *words = (struct words *)rows;
    return add_word(words, bytes_of_text(event_kind_text(e->kind)));
}

/* All `kept` messages, and no part of another. */
static void all_are_there(const char *folder, int64_t kept)
{
    const struct sqlite_options options = {.folder = folder};
    struct store_reader *r;
    struct store_counts counts;
    struct words events = {.rows.events = {count_event}};
    const struct event_query oldest = {.limit = 10, .order = EVENTS_OLDEST_FIRST};
    MUST_HOLD(!sqlite_reader_open(&options, &r));
    MUST_HOLD(!r->counts(r, &counts));
    MUST_HOLD(counts.samples == (uint64_t)(2 * kept + kept / 97));
    MUST_HOLD(!r->list_events(r, &oldest, &events.rows.events));
    MUST_HOLD(!strcmp(events.text, "store.full store.recovered "));
    r->close(r);
}

/* There is room again: the first message is kept, and both notes without another one. */
static void recover(struct server *s, int64_t *kept)
{
    struct clerk_health health;
    MUST_HOLD(!s->recorder->record(s->recorder, message(++*kept), NULL));
    for (int notes = 0; notes < 2; notes++)
        while (sem_wait(&s->kept) && errno == EINTR)
            ;
    clerk_read_health(s->clerk, &health);
    MUST_HOLD(health.state == CLERK_OK);
}

static void prepare(const char *folder)
{
    const struct sqlite_options options = {.folder = folder};
    struct store_writer *w;
    MUST_HOLD(!sqlite_writer_open(&options, &w));
    enrol(w, "d");
    w->close(w);
}

static void within_a_file_size_limit(const char *folder)
{
    struct server server;
    struct rlimit limit;
    int64_t kept;
    (void)signal(SIGXFSZ, SIG_IGN);
    prepare(folder);
    server_open(&server, folder);
    MUST_HOLD(!getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = 1024 * 1024;
    MUST_HOLD(!setrlimit(RLIMIT_FSIZE, &limit));
    fill_up(&server, &kept);
    MUST_HOLD(kept > 10);
    limit.rlim_cur = limit.rlim_max;
    MUST_HOLD(!setrlimit(RLIMIT_FSIZE, &limit));
    recover(&server, &kept);
    all_are_there(folder, kept);
    server_close(&server);
}

enum { EXIT_SKIP = 77 };

static void on_a_small_disk(const char *folder)
{
    struct server server;
    int64_t kept;
    char ballast[128];
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", folder, "tmpfs", 0, "size=3m"))
        _exit(EXIT_SKIP);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    MUST_HOLD(fd >= 0 && !posix_fallocate(fd, 0, 2 * 1024 * 1024) && !close(fd));
    prepare(folder);
    server_open(&server, folder);
    fill_up(&server, &kept);
    MUST_HOLD(kept > 10);
    MUST_HOLD(!unlink(ballast));
    recover(&server, &kept);
    all_are_there(folder, kept);
    server_close(&server);
}

static int in_a_child(void (*function)(const char *folder))
{
    struct folder folder;
    int status;
    folder_open(&folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        function(folder.path);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    folder_drop(&folder);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_file_size_limit_is_a_full_disk(void **state)
{
    assert_int_equal(in_a_child(within_a_file_size_limit), 0);
}

static void a_small_disk_fills_and_is_emptied(void **state)
{
    int status = in_a_child(on_a_small_disk);
    if (status == EXIT_SKIP) {
        print_message("skipped: mounting a small file system needs root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_random_moments),
        cmocka_unit_test(a_file_size_limit_is_a_full_disk),
        cmocka_unit_test(a_small_disk_fills_and_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
