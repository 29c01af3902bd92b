/* The link as a client that also hears: sessions that are kept, acknowledgements behind the owner's durability, an
 * owner that cannot take more, MQTT 3.1.1, plain TCP. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/peer.h"

enum { HEARD = 16 };

/* What the owner does and saw, around the peer of the test. */
struct listener {
    struct peer peer;
    bool full, cannot_settle;
    unsigned settled;
    char topics[HEARD][32];
    unsigned heard;
    size_t granted[HEARD];
    enum mqtt_reason reasons[HEARD];
    unsigned grants;
};

static struct listener *listener_of(struct link_owner *self)
{
    return CONTAINER(CONTAINER(CONTAINER(self, struct world, owner), struct peer, world), struct listener, peer);
}

static enum link_arrival arrived(struct link_owner *self, const struct mqtt_publish *publish)
{
    struct listener *l = listener_of(self);
    if (l->full)
        return LINK_LATER;
    if (l->heard < HEARD)
        note_text(publish->topic, l->topics[l->heard++], sizeof l->topics[0]);
    look(&l->peer.world);
    return LINK_TAKEN;
}

static err settle(struct link_owner *self)
{
    static const struct fault broken = {ERR_IO, "test: the disk is broken"};
    struct listener *l = listener_of(self);
    l->settled++;
    return l->cannot_settle ? &broken : OK;
}

/* Record 2 says nothing; record 3 goes at QoS 0 and is retained. */
static enum link_sending unwrap(struct link_owner *self, const struct spool_record *record, struct mqtt_publish *out)
{
    out->qos = record->number == 3 ? 0 : 1;
    out->retain = record->number == 3;
    return record->number == 2 ? LINK_PASS_OVER : LINK_SEND;
}

static void granted(struct link_owner *self, size_t filter, enum mqtt_reason reason)
{
    struct listener *l = listener_of(self);
    if (l->grants < HEARD) {
        l->granted[l->grants] = filter;
        l->reasons[l->grants] = reason;
    }
    l->grants++;
    look(&l->peer.world);
}

static int set_up_listener(void **state)
{
    struct listener *l = calloc(1, sizeof *l);
    void *peer;
    set_up(&peer);
    l->peer = *(struct peer *)peer;
    /* The loop borrows the watcher from where it was. */
    loop_unwatch(l->peer.world.loop, &((struct peer *)peer)->listener);
    assert_null(loop_watch(l->peer.world.loop, &l->peer.listener, EPOLLIN));
    free(peer);
    l->peer.world.owner.arrived = arrived;
    l->peer.world.owner.settle = settle;
    *state = l;
    return 0;
}

static int tear_down_listener(void **state)
{
    return tear_down(state); /* the peer is its first member */
}

static bool is_up(struct world *w)
{
    return w->note.state == LINK_CONNECTED;
}

static bool spool_is_empty(struct world *w)
{
    return !still_waiting(w);
}

static struct listener *around(struct world *w)
{
    return CONTAINER(CONTAINER(w, struct peer, world), struct listener, peer);
}

static const struct mqtt_filter one_filter[] = {{.filter = BYTES_ROW("in/#"), .qos = 1, .no_local = true}};

/* Three PUBLISH of QoS 1 with the identifiers 5, 6, 7. */
static const struct bytes three = BYTES_ROW("\x32\x08\0\2t5\0\5\0x"
                                            "\x32\x08\0\2t6\0\6\0x"
                                            "\x32\x08\0\2t7\0\7\0x");

static struct link_options kept(void)
{
    return (struct link_options){.session_expiry = 1000, .filters = one_filter, .filter_count = 1};
}

static bool three_are_acknowledged(struct world *w)
{
    return around(w)->peer.acknowledged_count >= 3;
}

static void check_acknowledged(const struct peer *p, uint16_t first, size_t count)
{
    assert_int_equal(p->acknowledged_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(p->acknowledged[i], first + i);
}

static void test_what_connect_says(void **state)
{
    struct listener *l = *state;
    struct secret password = {0};
    assert_null(secret_set(&password, BYTES("word")));
    struct link_options options = kept();
    options.receive_max = 7;
    options.packet_max = 5000;
    options.user_name = "name";
    options.password = &password;
    start(&l->peer, options);
    run_until(&l->peer.world, is_up, "connected");
    const struct mqtt_connect *c = &l->peer.connect;
    assert_false(c->clean_start);
    assert_int_equal(c->properties.session_expiry, 1000);
    assert_int_equal(c->properties.receive_maximum, 7);
    assert_int_equal(c->properties.maximum_packet_size, 5000);
    assert_string_equal(l->peer.user, "name");
    assert_string_equal(l->peer.password, "word");
}

static void test_acknowledged_once_it_is_durable(void **state)
{
    struct listener *l = *state;
    l->peer.raw = three;
    start(&l->peer, kept());
    run_until(&l->peer.world, three_are_acknowledged, "three PUBACKs");
    check_acknowledged(&l->peer, 5, 3);
    assert_int_equal(l->heard, 3);
    assert_true(l->settled >= 1 && l->settled <= 3);
}

static bool is_deaf(struct world *w)
{
    return w->link && link_is_deaf(w->link);
}

static void test_what_cannot_be_made_durable_is_not_acknowledged(void **state)
{
    struct listener *l = *state;
    l->cannot_settle = true;
    l->peer.raw = three;
    start(&l->peer, kept());
    run_until(&l->peer.world, is_deaf, "deaf");
    assert_int_equal(l->peer.acknowledged_count, 0);
    l->cannot_settle = false;
    l->peer.present = true;
    link_reconnect(l->peer.world.link);
    run_until(&l->peer.world, three_are_acknowledged, "three PUBACKs after it");
    check_acknowledged(&l->peer, 5, 3);
    assert_int_equal(l->peer.connects, 2);
    assert_int_equal(counts_of(&l->peer.world).sessions_lost, 0);
}

static void test_deaf_and_still_speaking(void **state)
{
    struct listener *l = *state;
    l->full = true;
    l->peer.raw = three;
    start(&l->peer, kept());
    run_until(&l->peer.world, is_deaf, "deaf");
    append_numbers(&l->peer.world, 50);
    run_until(&l->peer.world, spool_is_empty, "all sent while deaf");
    assert_int_equal(l->peer.acknowledged_count, 0);
    assert_int_equal(counts_of(&l->peer.world).unheard, 3);
    assert_int_equal(l->peer.connects, 1);
    l->full = false;
    link_reconnect(l->peer.world.link);
    run_until(&l->peer.world, three_are_acknowledged, "heard again");
    check_acknowledged(&l->peer, 5, 3);
    assert_false(link_is_deaf(l->peer.world.link));
}

/* ---- What is sent again */

static unsigned silent_at_first(struct peer *p, uint64_t number)
{
    return p->connects == 1 && number > 2 ? NO_ANSWER : MQTT_SUCCESS;
}

static bool five_came(struct world *w)
{
    return around(w)->peer.count >= 5;
}

/* Five records, of which two are acknowledged; then the connection ends. */
static void break_after_five(struct listener *l)
{
    l->peer.answer = silent_at_first;
    append_numbers(&l->peer.world, 5);
    start(&l->peer, kept());
    run_until(&l->peer.world, five_came, "five messages");
    hang_up(&l->peer);
    run_until(&l->peer.world, spool_is_empty, "the rest acknowledged");
}

static void test_sent_again_as_what_it_was(void **state)
{
    struct listener *l = *state;
    l->peer.present = true;
    break_after_five(l);
    const struct peer *p = &l->peer;
    for (size_t i = 5; i < p->count; i++)
        for (size_t k = 0; k < 5; k++)
            if (p->numbers[i] == p->numbers[k]) {
                assert_true(p->dups[i]);                /* 3.3.1.1 */
                assert_int_equal(p->ids[i], p->ids[k]); /* 4.4 */
            }
    assert_true(p->count >= 8);
}

static void test_a_session_that_is_lost_knows_no_duplicates(void **state)
{
    struct listener *l = *state;
    break_after_five(l);
    for (size_t i = 0; i < l->peer.count; i++)
        assert_false(l->peer.dups[i]);
    assert_int_equal(counts_of(&l->peer.world).sessions_lost, 1);
}

static void test_a_new_process_does_not_know_what_was_sent(void **state)
{
    struct listener *l = *state;
    l->peer.present = true;
    struct link_options options = kept();
    options.window = 2;
    append_numbers(&l->peer.world, 5);
    start(&l->peer, options);
    run_until(&l->peer.world, spool_is_empty, "all acknowledged");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(l->peer.dups[i], i < 2); /* no more than a window of it can be unsettled */
}

static unsigned silent_about_two(struct peer *p, uint64_t number)
{
    return number == 2 ? NO_ANSWER : MQTT_SUCCESS;
}

static bool one_is_left(struct world *w)
{
    return still_waiting(w) == 1 && around(w)->peer.count == 2;
}

/* Records that were dropped leave a gap, and identifiers are numbers: what lies too far behind waits for the oldest. */
static void test_a_gap_waits_for_the_window(void **state)
{
    struct listener *l = *state;
    struct world *w = &l->peer.world;
    l->peer.answer = silent_about_two;
    append_numbers(w, 2);
    start(&l->peer, kept());
    run_until(w, one_is_left, "the second is on its way");
    for (unsigned i = 0; i < 500; i++)
        assert_null(spool_append(w->spool, BYTES("t"), BYTES("x")));
    assert_null(spool_drop(w->spool, 400));
    link_wake(w->link);
    l->peer.raw = BYTES("");
    acknowledge(&l->peer, 3, MQTT_SUCCESS); /* number 2 */
    line_ready(&l->peer.line, 0);
    run_until(w, spool_is_empty, "what lies behind the gap");
    assert_int_equal(l->peer.count, 2 + 102);
    assert_int_equal(l->peer.connects, 1);
}

/* ---- Records that are more than a topic and a payload */

static void test_unwrapped(void **state)
{
    struct listener *l = *state;
    l->peer.world.owner.unwrap = unwrap;
    l->peer.lenient = true;
    append_numbers(&l->peer.world, 5);
    start(&l->peer, kept());
    run_until(&l->peer.world, spool_is_empty, "all settled");
    const uint64_t expected[] = {1, 3, 4, 5};
    assert_int_equal(l->peer.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(l->peer.numbers[i], expected[i]);
    assert_int_equal(l->peer.ids[1], 0);
    assert_int_equal(counts_of(&l->peer.world).unanswered, 1);
    assert_int_equal(counts_of(&l->peer.world).acknowledged, 3);
}

static bool one_came(struct world *w)
{
    return around(w)->peer.count == 1;
}

static void test_a_remark_goes_past_the_spool(void **state)
{
    struct listener *l = *state;
    l->peer.lenient = true;
    start(&l->peer, kept());
    link_remark(l->peer.world.link, BYTES("t"), BYTES("lost")); /* not connected */
    run_until(&l->peer.world, is_up, "connected");
    link_remark(l->peer.world.link, BYTES("t"), BYTES("\1\0\0\0\0\0\0\0"));
    run_until(&l->peer.world, one_came, "the remark");
    assert_int_equal(l->peer.ids[0], 0);
    assert_int_equal(l->peer.numbers[0], 1);
}

/* ---- Filters */

static bool twenty_are_granted(struct world *w)
{
    return around(w)->grants == 20;
}

static void fill_filters(struct mqtt_filter *out, size_t count, char texts[][16], const char *stem)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%s/%zu", stem, i);
        out[i] = (struct mqtt_filter){.filter = bytes_of_text(texts[i]), .qos = 1, .no_local = true};
    }
}

static void test_filters_in_several_packets(void **state)
{
    struct listener *l = *state;
    static char texts[20][16], old[9][16];
    static struct mqtt_filter filters[20], former[9];
    fill_filters(filters, 20, texts, "new");
    fill_filters(former, 9, old, "old");
    struct link_options options = kept();
    options.filters = filters;
    options.filter_count = 20;
    options.former = former;
    options.former_count = 9;
    l->peer.world.owner.granted = granted;
    l->peer.refuses_filter = 10;
    l->peer.present = true;
    start(&l->peer, options);
    run_until(&l->peer.world, twenty_are_granted, "twenty answers");
    assert_int_equal(l->peer.subscribes, 3);
    assert_int_equal(l->peer.unsubscribes, 2);
    assert_string_equal(l->peer.filter_text, "new/19");
    assert_string_equal(l->peer.former_text, "old/8");
    for (size_t i = 0; i < HEARD; i++) {
        assert_int_equal(l->granted[i], i);
        assert_int_equal(l->reasons[i], i == 9 ? MQTT_UNSPECIFIED_ERROR : MQTT_SUCCESS);
    }
    assert_true(l->peer.last_filter.no_local);
}

static void test_a_new_session_has_no_former_filters(void **state)
{
    struct listener *l = *state;
    static char old[1][16];
    static struct mqtt_filter former[1];
    fill_filters(former, 1, old, "old");
    struct link_options options = kept();
    options.former = former;
    options.former_count = 1;
    l->peer.raw = three;
    start(&l->peer, options);
    run_until(&l->peer.world, three_are_acknowledged, "three PUBACKs");
    assert_int_equal(l->peer.unsubscribes, 0);
}

/* ---- MQTT 3.1.1 */

static void test_falls_back(void **state)
{
    struct listener *l = *state;
    struct link_options options = kept();
    options.version = LINK_MQTT_5_OR_3_1_1;
    l->peer.version = MQTT_3_1_1;
    l->peer.raw = BYTES("\x32\x07\0\2t5\0\5x\x32\x07\0\2t6\0\6x\x32\x07\0\2t7\0\7x");
    append_numbers(&l->peer.world, 10);
    start(&l->peer, options);
    run_until(&l->peer.world, three_are_acknowledged, "three PUBACKs");
    run_until(&l->peer.world, spool_is_empty, "all acknowledged");
    assert_int_equal(l->peer.world.note.version, MQTT_3_1_1);
    assert_int_equal(l->peer.connects, 2);
    assert_int_equal(l->peer.connect.version, MQTT_3_1_1);
    assert_false(l->peer.connect.clean_start);
    assert_false(l->peer.last_filter.no_local);
    check_acknowledged(&l->peer, 5, 3);
}

static void test_3_1_1_from_the_start(void **state)
{
    struct listener *l = *state;
    struct link_options options = kept();
    options.version = LINK_MQTT_3_1_1;
    l->peer.version = MQTT_3_1_1;
    start(&l->peer, options);
    run_until(&l->peer.world, is_up, "connected");
    assert_int_equal(l->peer.connects, 1);
}

static bool has_been_down(struct world *w)
{
    return w->downs > 0;
}

static void test_5_and_nothing_else(void **state)
{
    struct listener *l = *state;
    l->peer.version = MQTT_3_1_1;
    start(&l->peer, kept());
    run_until(&l->peer.world, has_been_down, "refused");
    assert_non_null(strstr(l->peer.world.why, "does not speak this version"));
    assert_int_equal(l->peer.world.ups, 0);
}

static bool two_are_acknowledged(struct world *w)
{
    return around(w)->peer.acknowledged_count == 2;
}

static void put_large(struct buffer *out)
{
    static const uint8_t filler[5000];
    put_bytes(out, BYTES("\x32\x8d\x27\0\3big\0\5")); /* remaining length 5005: 5 + 2 behind it, and a payload */
    put_bytes(out, bytes_of(filler, 4998));
    put_bytes(out, BYTES("\x32\x07\0\2t6\0\6x"));
}

static void test_3_1_1_sends_more_than_fits(void **state)
{
    struct listener *l = *state;
    SCOPED(buffer_drop) struct buffer raw = {.max = 8192};
    put_large(&raw);
    struct link_options options = kept();
    options.version = LINK_MQTT_3_1_1;
    options.packet_max = 1000;
    l->peer.version = MQTT_3_1_1;
    l->peer.raw = buffer_view(&raw);
    start(&l->peer, options);
    run_until(&l->peer.world, two_are_acknowledged, "the large one and the one behind it");
    check_acknowledged(&l->peer, 5, 2);
    assert_int_equal(l->heard, 1);
    assert_string_equal(l->topics[0], "t6");
    assert_int_equal(counts_of(&l->peer.world).oversized, 1);
    assert_int_equal(l->peer.connects, 1);
}

static void test_plain(void **state)
{
    struct listener *l = *state;
    struct world *w = &l->peer.world;
    l->peer.plain = true;
    l->peer.raw = three;
    tls_context_drop(w->tls);
    w->tls = NULL;
    append_numbers(w, 300);
    start(&l->peer, kept());
    run_until(w, spool_is_empty, "all acknowledged");
    run_until(w, three_are_acknowledged, "three PUBACKs");
    assert_int_equal(l->peer.count, 300);
    hang_up(&l->peer);
    append_numbers(w, 10);
    run_until(w, spool_is_empty, "again after it was cut");
}

#define LISTENS(test) cmocka_unit_test_setup_teardown(test, set_up_listener, tear_down_listener)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENS(test_what_connect_says),
        LISTENS(test_acknowledged_once_it_is_durable),
        LISTENS(test_what_cannot_be_made_durable_is_not_acknowledged),
        LISTENS(test_deaf_and_still_speaking),
        LISTENS(test_sent_again_as_what_it_was),
        LISTENS(test_a_session_that_is_lost_knows_no_duplicates),
        LISTENS(test_a_new_process_does_not_know_what_was_sent),
        LISTENS(test_a_gap_waits_for_the_window),
        LISTENS(test_unwrapped),
        LISTENS(test_a_remark_goes_past_the_spool),
        LISTENS(test_filters_in_several_packets),
        LISTENS(test_a_new_session_has_no_former_filters),
        LISTENS(test_falls_back),
        LISTENS(test_3_1_1_from_the_start),
        LISTENS(test_5_and_nothing_else),
        LISTENS(test_3_1_1_sends_more_than_fits),
        LISTENS(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
