/* A child that keeps messages for clients is killed at random moments: what it acknowledged is there, and no errand is half
 * there. Errand n is what a PUBLISH of QoS 2 causes: the packet identifier n of session 1, a message for the sessions 2 and
 * 3, a retained message. A third of them then go on: session 2 has its message, session 1 has released its identifier. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/crash.h"

#include "store/clients.h"

#include <fcntl.h>

enum { ROUNDS = 12, ACKS_MAX = 1500, NUMBERS_MAX = 65536, TOPICS = 50 };

struct slot {
    struct errand errand;
    struct server *server;
    int64_t n;
    int64_t *next;
    int pipe;
};

static struct write *linked(struct write *const *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MUST_HOLD(writes[i]);
        writes[i]->next = i + 1 < count ? writes[i + 1] : NULL;
    }
    return writes[0];
}

static struct write *publish_of(int64_t n)
{
    const struct client_delivery both[] = {{.session = 2, .number = (uint64_t)n, .qos = 2},
                                           {.session = 3, .number = (uint64_t)n, .qos = 1}};
    char text[24], topic[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)n);
    (void)snprintf(topic, sizeof topic, "r/%lld", (long long)n % TOPICS);
    struct write *const writes[] = {received_write(WRITE_RECEIVED, 1, (uint16_t)n),
                                    deliveries_write(both, 2, bytes_of_text(text)), retained_write(topic, text)};
    return linked(writes, 3);
}

static struct write *progress_of(int64_t n)
{
    struct write *const writes[] = {received_write(WRITE_RECEIVED_DELETE, 1, (uint16_t)n),
                                    progress_write(WRITE_DELIVERED, 2, (uint64_t)n)};
    return linked(writes, 2);
}

static void post(struct slot *slot, struct write *w, void (*done)(struct errand *))
{
    slot->errand.write = w;
    slot->errand.done = done;
    MUST_HOLD(!slot->server->recorder->post(slot->server->recorder, &slot->errand));
}

static void say(const struct slot *slot, int64_t what)
{
    MUST_HOLD(!slot->errand.result.failed);
    MUST_HOLD(write(slot->pipe, &what, sizeof what) == sizeof what);
}

static void publish_next(struct slot *slot);

static void progressed(struct errand *errand)
{
    struct slot *slot = (struct slot *)errand;
    say(slot, -slot->n);
    publish_next(slot);
}

static void published(struct errand *errand)
{
    struct slot *slot = (struct slot *)errand;
    say(slot, slot->n);
    if (slot->n % 3 == 0)
        post(slot, progress_of(slot->n), progressed);
    else
        publish_next(slot);
}

static void publish_next(struct slot *slot)
{
    slot->n = (*slot->next)++;
    post(slot, publish_of(slot->n), published);
}

static void child(const char *folder, int64_t first, int pipe)
{
    struct server server;
    struct slot slots[WINDOW];
    int64_t next = first;
    server_open(&server, folder);
    for (size_t i = 0; i < WINDOW; i++) {
        slots[i] = (struct slot){.server = &server, .next = &next, .pipe = pipe};
        publish_next(&slots[i]);
    }
    for (;;) {
        struct mail *mail = mailbox_take(server.home, -1);
        if (mail)
            mail->open(mail);
    }
}

/* What is known of each number. */
enum { PUBLISHED = 1, PROGRESSED = 2 };

/* Until the child was killed; returns the highest number that was acknowledged. */
static int64_t run_round(const char *folder, int64_t first, uint64_t acks, uint8_t *acknowledged)
{
    int pipes[2], status;
    int64_t said, highest = first;
    assert_int_equal(pipe(pipes), 0);
    assert_true(fcntl(pipes[1], F_SETPIPE_SZ, 4096) > 0); /* so that the child is never thousands ahead of what is read */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        (void)close(pipes[0]);
        child(folder, first, pipes[1]);
    }
    (void)close(pipes[1]);
    for (uint64_t got = 0; read(pipes[0], &said, sizeof said) == sizeof said;) {
        int64_t n = said < 0 ? -said : said;
        assert_in_range(n, 1, NUMBERS_MAX - 1);
        acknowledged[n] |= said < 0 ? PROGRESSED : PUBLISHED;
        highest = n > highest ? n : highest;
        if (++got == acks)
            assert_int_equal(kill(pid, SIGKILL), 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(pipes[0]);
    return highest;
}

/* --- what is there afterwards --- */

struct found {
    union {
        struct delivery_rows deliveries;
        struct received_rows received;
        struct retained_rows retained;
    } rows;
    uint8_t received[NUMBERS_MAX], delivery[2][NUMBERS_MAX];
    int64_t retained[TOPICS];
};

static int64_t number_in(struct bytes text)
{
    char word[24] = "";
    assert_in_range(text.len, 1, sizeof word - 1);
    memcpy(word, text.at, text.len);
    return strtoll(word, NULL, 10);
}

static bool find_delivery(struct delivery_rows *rows, const struct client_delivery *d, struct message *message)
{
    assert_in_range(d->session, 2, 3);
    assert_in_range(d->number, 1, NUMBERS_MAX - 1);
    assert_int_equal(number_in(message->payload), d->number);
    ((struct found *)rows)->delivery[d->session - 2][d->number]++;
    return true;
}

static bool find_received(struct received_rows *rows, uint64_t session, uint16_t packet_id)
{
    assert_int_equal(session, 1);
    ((struct found *)rows)->received[packet_id]++;
    return true;
}

static bool find_retained(struct retained_rows *rows, struct message *message)
{
    int64_t n = number_in(message->payload);
    assert_int_equal(number_in(bytes_from(message->topic, 2)), n % TOPICS);
    ((struct found *)rows)->retained[n % TOPICS] = n;
    return true;
}

static struct found *find_all(struct store_reader *r)
{
    struct found *f = calloc(1, sizeof *f);
    f->rows.deliveries.row = find_delivery;
    assert_ok(r->list_deliveries(r, &f->rows.deliveries));
    f->rows.received.row = find_received;
    assert_ok(r->list_received(r, &f->rows.received));
    f->rows.retained.row = find_retained;
    assert_ok(r->list_retained(r, &f->rows.retained));
    return f;
}

static void check_number(const struct found *f, int64_t n, uint8_t acknowledged)
{
    bool kept = f->delivery[1][n], pending = f->delivery[0][n], received = f->received[n];
    if ((acknowledged & PUBLISHED && !kept) || (acknowledged & PROGRESSED && pending))
        fail_msg("what was acknowledged of %lld is not there", (long long)n);
    if (pending != received || (pending && !kept))
        fail_msg("errand %lld is half there: %d %d %d", (long long)n, received, pending, kept);
    if (kept && !pending && n % 3)
        fail_msg("nobody ended the delivery %lld", (long long)n);
    assert_true(f->received[n] <= 1 && f->delivery[0][n] <= 1 && f->delivery[1][n] <= 1);
}

static void check(const char *folder, const uint8_t *acknowledged)
{
    const struct sqlite_options options = {.folder = folder};
    struct store_writer *w;
    struct store_reader *r;
    int64_t last[TOPICS] = {0};
    assert_ok(sqlite_writer_open(&options, &w));
    assert_ok(sqlite_reader_open(&options, &r));
    assert_ok(sqlite_writer_check(w));
    struct found *f = find_all(r);
    for (int64_t n = 1; n < NUMBERS_MAX; n++) {
        check_number(f, n, acknowledged[n]);
        if (f->delivery[1][n])
            last[n % TOPICS] = n;
    }
    for (size_t topic = 0; topic < TOPICS; topic++)
        assert_int_equal(f->retained[topic], last[topic]); /* of the last errand that is kept, and of no other */
    free(f);
    r->close(r);
    w->close(w);
}

static void killed_at_random_moments(void **state)
{
    struct folder folder;
    struct store_writer *w;
    uint64_t seed = seed_of_the_day();
    folder_open(&folder);
    const struct sqlite_options options = {.folder = folder.path};
    assert_ok(sqlite_writer_open(&options, &w));
    for (uint64_t session = 1; session <= 3; session++)
        assert_ok(apply_taken(w, client_write(session, PRINCIPAL_OPERATOR, "ada", session == 1 ? "a" : session == 2 ? "b" : "c")));
    w->close(w);
    uint8_t *acknowledged = calloc(1, NUMBERS_MAX);
    int64_t next = 1;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t highest = run_round(folder.path, next, 1 + roll(&seed) % ACKS_MAX, acknowledged);
        check(folder.path, acknowledged);
        next = highest + 2 * WINDOW; /* numbers that were on their way are not used again */
    }
    free(acknowledged);
    folder_drop(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_random_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
