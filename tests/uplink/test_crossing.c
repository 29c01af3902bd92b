/* The crossing under faults: two servers, a link each and a bridge between them, played by a model with one seed.
 * Acknowledgements are lost, connections break, the process dies between any two acts, the queue is full. After every
 * step: what the source was told is kept is at the sink or in the spool; each topic's order holds at the sink. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/crossing.h"

#include "uplink/parcel.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROOM = 512,
    TOPICS = 3,
    MESSAGES = 400,
    WINDOW = 16,
    SEEDS = 12,
    STEPS = 600,
    SPOOL_MAX = SPOOL_BYTES_MIN,
    FILLER = 1500
};

static int64_t fixed_wall(const struct clock *self)
{
    return 1700000000000000;
}

struct model {
    struct clock clock;
    int64_t now_ms;
    char folder[ROOM];
    uint64_t seed;
    struct spool *spool;
    struct crossing crossing;
    enum spool_policy policy;

    /* The source: messages 0 to MESSAGES - 1, message n on topic n % TOPICS. It forgets what is acknowledged. */
    unsigned acknowledged; /* all under this one */
    unsigned sent;         /* on the present connection, all under this one */
    unsigned taken;        /* of these, taken by the crossing and not yet settled or acknowledged */
    bool deaf;

    /* The sink. */
    bool seen[MESSAGES];
    unsigned last[TOPICS]; /* 1 + the highest seen */
    uint64_t on_way[WINDOW];
    size_t on_way_count;
};

static int64_t model_monotonic(const struct clock *self)
{
    return ((const struct model *)self)->now_ms; /* the clock is its first member */
}

static uint64_t roll(struct model *m, uint64_t sides)
{
    m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (m->seed >> 33) % sides;
}

static const struct mapping rules[] = {{MAPPING_OUT, 1, "#", "from/", "to/"}};

static void bridge_opens(struct model *m)
{
    static const struct log quiet = {.level = LOG_ERROR};
    const struct spool_options options = {m->folder, SPOOL_MAX, 4096, m->policy};
    assert_null(spool_open(&options, &m->spool));
    m->crossing = (struct crossing){.spool = m->spool,
                                    .spool_max = SPOOL_MAX,
                                    .mappings = {rules, 1},
                                    .from = MAPPING_LOCAL,
                                    .clock = &m->clock,
                                    .log = &quiet,
                                    .other_is_up = true};
    crossing_open(&m->crossing);
}

static void source_reconnects(struct model *m)
{
    m->sent = m->acknowledged; /* what is not acknowledged comes again, in its order */
    m->taken = 0;
    m->deaf = false;
}

static void sink_reconnects(struct model *m)
{
    m->on_way_count = 0;
    spool_rewind(m->spool);
}

static void bridge_dies(struct model *m)
{
    crossing_drop(&m->crossing);
    spool_close(m->spool);
    bridge_opens(m);
    source_reconnects(m);
    sink_reconnects(m);
}

/* ---- Acts */

static void source_sends(struct model *m)
{
    static const uint8_t filler[FILLER];
    char topic[32];
    SCOPED(buffer_drop) struct buffer payload = {.max = FILLER + 4};
    if (m->sent == MESSAGES || m->sent - m->acknowledged == WINDOW)
        return;
    unsigned number = m->sent++;
    snprintf(topic, sizeof topic, "from/%u", number % TOPICS);
    put_u32(&payload, number);
    put_bytes(&payload, bytes_of(filler, roll(m, FILLER)));
    const struct mqtt_publish publish = {.topic = bytes_of_text(topic), .payload = buffer_view(&payload), .qos = 1};
    if (!m->deaf)
        m->deaf = crossing_take(&m->crossing, &publish) == LINK_LATER;
    m->taken += !m->deaf;
}

static void bridge_settles(struct model *m)
{
    assert_null(crossing_settle(&m->crossing));
    if (roll(m, 8) == 0) { /* the acknowledgements are lost with the connection */
        source_reconnects(m);
        return;
    }
    m->acknowledged += m->taken;
    m->taken = 0;
}

static void bridge_resumes(struct model *m)
{
    m->now_ms += 400;
    if (crossing_may_resume(&m->crossing) && m->deaf)
        source_reconnects(m);
}

static void sink_hears(struct model *m, const struct mqtt_publish *publish)
{
    struct reader r = reader_over(publish->payload);
    uint32_t number = read_u32(&r);
    char topic[32];
    snprintf(topic, sizeof topic, "to/%u", number % TOPICS);
    assert_true(number < MESSAGES && bytes_is(publish->topic, topic) && publish->qos == 1);
    unsigned *last = &m->last[number % TOPICS];
    if (m->policy == SPOOL_REFUSE && !m->seen[number] && number != (*last ? *last - 1 + TOPICS : number % TOPICS))
        fail_msg("message %u came to the sink and the one before it did not", number);
    if (!m->seen[number] && number + 1 < *last)
        fail_msg("message %u came to the sink for the first time behind %u", number, *last - 1);
    m->seen[number] = true;
    *last = number + 1 > *last ? number + 1 : *last;
}

static void bridge_sends(struct model *m)
{
    struct spool_record record;
    struct mqtt_publish publish;
    if (m->on_way_count == WINDOW || spool_next(m->spool, &record))
        return;
    m->on_way[m->on_way_count++] = record.number;
    assert_int_equal(crossing_unwrap(&m->crossing, &record, &publish), LINK_SEND);
    sink_hears(m, &publish);
}

static void sink_acknowledges(struct model *m)
{
    if (!m->on_way_count)
        return;
    size_t count = 1 + roll(m, m->on_way_count);
    assert_null(spool_drop(m->spool, m->on_way[count - 1]));
    m->on_way_count -= count;
    memmove(m->on_way, m->on_way + count, m->on_way_count * sizeof *m->on_way);
}

/* ---- Claims */

/* Which numbers wait in the spool; the walk stands anew afterwards. */
static void note_waiting(struct model *m, bool waiting[MESSAGES])
{
    struct spool_record record;
    struct mqtt_publish publish;
    spool_rewind(m->spool);
    while (!spool_next(m->spool, &record)) {
        assert_null(parcel_read(record.payload, 0, &publish));
        struct reader r = reader_over(publish.payload);
        waiting[read_u32(&r)] = true;
    }
    sink_reconnects(m);
}

static void check(struct model *m)
{
    bool waiting[MESSAGES] = {false};
    struct spool_counts counts;
    spool_read_counts(m->spool, &counts);
    assert_true(counts.bytes <= SPOOL_MAX);
    note_waiting(m, waiting);
    unsigned lost = 0;
    for (unsigned n = 0; n < m->acknowledged; n++)
        lost += !m->seen[n] && !waiting[n];
    if (m->policy == SPOOL_REFUSE && lost)
        fail_msg("%u messages were acknowledged and are nowhere", lost);
    assert_int_equal(m->policy == SPOOL_REFUSE ? counts.overflowed : 0, 0);
}

static void step(struct model *m)
{
    static void (*const acts[])(struct model * m) = {
        source_sends,      source_sends,    source_sends, source_sends,      bridge_settles,
        bridge_settles,    bridge_sends,    bridge_sends, sink_acknowledges, bridge_resumes,
        source_reconnects, sink_reconnects, bridge_dies,
    };
    acts[roll(m, sizeof acts / sizeof *acts)](m);
}

static bool all_there(const struct model *m)
{
    for (unsigned n = 0; n < MESSAGES; n++)
        if (!m->seen[n])
            return false;
    return true;
}

/* Everybody behaves from here on: it must come to an end. */
static void finish(struct model *m)
{
    source_reconnects(m);
    sink_reconnects(m);
    for (unsigned i = 0; i < 100 * MESSAGES && !(all_there(m) && m->acknowledged == MESSAGES); i++) {
        source_sends(m);
        assert_null(crossing_settle(&m->crossing));
        m->acknowledged += m->taken;
        m->taken = 0;
        bridge_sends(m);
        sink_acknowledges(m);
        bridge_resumes(m);
    }
}

static void model_opens(struct model *m, uint64_t seed, enum spool_policy policy)
{
    const char *base = getenv("TMPDIR");
    *m = (struct model){.clock = {fixed_wall, model_monotonic}, .seed = seed, .policy = policy};
    snprintf(m->folder, sizeof m->folder, "%s/crossing-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(m->folder));
    bridge_opens(m);
}

static void model_closes(struct model *m)
{
    crossing_drop(&m->crossing);
    spool_close(m->spool);
    DIR *dir = opendir(m->folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[2 * ROOM];
        snprintf(path, sizeof path, "%s/%s", m->folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(m->folder);
}

static void test_nothing_acknowledged_is_lost(void **state)
{
    const char *wish = getenv("SEED");
    uint64_t first = wish ? strtoull(wish, NULL, 10) : 1;
    unsigned withheld = 0;
    for (uint64_t seed = first; seed < first + (wish ? 1 : SEEDS); seed++) {
        struct model m;
        print_message("SEED=%llu\n", (unsigned long long)seed);
        model_opens(&m, seed, SPOOL_REFUSE);
        for (unsigned i = 0; i < STEPS; i++) {
            step(&m);
            if (i % 16 == 0)
                check(&m);
        }
        check(&m);
        finish(&m);
        withheld += m.crossing.counts.withheld > 0;
        assert_true(all_there(&m));
        assert_int_equal(m.acknowledged, MESSAGES);
        assert_int_equal(crossing_lost(&m.crossing), 0);
        model_closes(&m);
    }
    assert_true(wish || withheld > 0); /* or the seeds do not show what a full queue does */
}

/* The same run once for every moment at which the process can die. */
static void test_it_may_die_at_every_step(void **state)
{
    for (unsigned death = 0; death < 60; death++) {
        struct model m;
        model_opens(&m, 7, SPOOL_REFUSE);
        for (unsigned i = 0; i < 60; i++) {
            static void (*const acts[])(struct model * m) = {source_sends,   source_sends, source_sends,
                                                             bridge_settles, bridge_sends, sink_acknowledges};
            acts[i % 6](&m);
            if (i == death) {
                bridge_dies(&m);
                check(&m);
            }
        }
        finish(&m);
        assert_true(all_there(&m));
        model_closes(&m);
    }
}

static void test_dropping_keeps_the_newest_and_counts(void **state)
{
    struct model m;
    struct spool_counts counts;
    bool waiting[MESSAGES] = {false};
    model_opens(&m, 3, SPOOL_DROP_OLDEST);
    while (m.acknowledged < MESSAGES) {
        source_sends(&m);
        assert_false(m.deaf);
        assert_null(crossing_settle(&m.crossing));
        m.acknowledged += m.taken;
        m.taken = 0;
    }
    check(&m);
    spool_read_counts(m.spool, &counts);
    assert_true(counts.overflowed > 0);
    assert_int_equal(counts.overflowed + counts.records, MESSAGES);
    assert_int_equal(crossing_lost(&m.crossing), counts.overflowed);
    note_waiting(&m, waiting);
    for (unsigned n = 0; n < MESSAGES; n++)
        assert_int_equal(waiting[n], n >= counts.overflowed);
    model_closes(&m);
}

/* ---- What is lost for a reason, and counted under it */

static enum link_arrival take(struct model *m, const char *topic, size_t payload)
{
    static const uint8_t filler[SPOOL_PAYLOAD_MAX];
    return crossing_take(
        &m->crossing,
        &(struct mqtt_publish){.topic = bytes_of_text(topic), .payload = bytes_of(filler, payload), .qos = 1});
}

static void test_reasons(void **state)
{
    static const struct mapping own[] = {{MAPPING_OUT, 1, "a/#", "", ""}, {MAPPING_OUT, 0, "zero/#", "", ""}};
    struct model m;
    model_opens(&m, 1, SPOOL_REFUSE);
    m.crossing.mappings = (struct mappings){own, 2};
    const struct crossing_counts *n = &m.crossing.counts;
    assert_int_equal(take(&m, "b", 1), LINK_TAKEN);
    assert_int_equal(n->unmapped, 1);
    assert_int_equal(take(&m, "a/large", SPOOL_MAX), LINK_TAKEN); /* it would never fit, whoever waits */
    assert_int_equal(take(&m, "a/larger", SPOOL_PAYLOAD_MAX), LINK_TAKEN);
    assert_int_equal(n->unfit, 2);
    m.crossing.other_is_up = false;
    assert_int_equal(take(&m, "zero/x", 1), LINK_TAKEN);
    assert_int_equal(n->absent, 1);
    m.crossing.other_is_up = true;
    assert_int_equal(take(&m, "zero/x", 1), LINK_TAKEN);
    assert_int_equal(n->taken, 1);
    assert_null(crossing_settle(&m.crossing));
    assert_int_equal(n->durable, 0); /* QoS 0 is worth no fsync */
    assert_int_equal(take(&m, "a/x", 1), LINK_TAKEN);
    assert_null(crossing_settle(&m.crossing));
    assert_int_equal(n->durable, 1);
    struct spool_record record;
    assert_null(spool_next(m.spool, &record));
    crossing_refused(&m.crossing, MQTT_NOT_AUTHORIZED, &record);
    assert_int_equal(n->refused, 1);
    assert_int_equal(crossing_lost(&m.crossing), 5);
    model_closes(&m);
}

static void test_stopping_and_resuming(void **state)
{
    struct model m;
    struct spool_record record = {0};
    model_opens(&m, 1, SPOOL_REFUSE);
    unsigned kept = 0;
    while (take(&m, "from/x", 1000) == LINK_TAKEN)
        kept++;
    assert_true(kept > 50 && kept < 66);
    assert_true(m.crossing.stopped);
    assert_false(crossing_may_resume(&m.crossing)); /* too early, and full */
    m.now_ms += CROSSING_PAUSE_MS;
    assert_false(crossing_may_resume(&m.crossing)); /* full */
    for (unsigned i = 0; i < kept / 4 + 2; i++)
        assert_null(spool_next(m.spool, &record));
    assert_null(spool_drop(m.spool, record.number));
    assert_true(crossing_may_resume(&m.crossing));
    assert_false(crossing_may_resume(&m.crossing)); /* said once */
    assert_int_equal(take(&m, "from/x", 1000), LINK_TAKEN);
    assert_int_equal(m.crossing.counts.withheld, 1);
    model_closes(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost),
        cmocka_unit_test(test_it_may_die_at_every_step),
        cmocka_unit_test(test_dropping_keeps_the_newest_and_counts),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_stopping_and_resuming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
