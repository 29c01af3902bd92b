/* One suite over every filler of the store port: the sessions of clients, what is to be delivered to them, retained
 * messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clients.h"
#include "store/conformance.h"

#define DO(write) assert_ok(apply_taken(world->w, write))
#define TOLD(want) assert_told(world->r, __func__, want)

/* --- sessions --- */

static void a_session_comes_back_whole(void **state)
{
    struct world *world = *state;
    struct message *will = message_make(&(struct message_parts){.topic = BYTES("wills/\xc3\xa9"),
                                                                .payload = BYTES("gone"),
                                                                .properties = BYTES("\x01\x01"),
                                                                .qos = 2,
                                                                .retain = true,
                                                                .expires_us = INT64_MAX});
    const struct client_record most = {.number = UINT64_MAX,
                                       .who = {PRINCIPAL_OPERATOR, "ada"},
                                       .client_id = BYTES("caf\xc3\xa9"),
                                       .expiry_s = CLIENT_EXPIRY_NEVER,
                                       .left_us = 123456789,
                                       .will = will,
                                       .will_delay_s = 4000000000u};
    DO(write_client(&most, 1));
    DO(client_write(1, PRINCIPAL_NOBODY, "", ""));
    TOLD("client 1 0:  60 0 0 - \n"
         "client 18446744073709551615 2:ada caf\xc3\xa9 4294967295 123456789 4000000000 "
         "wills/\xc3\xa9 gone \x01\x01 qos=2,retain=1,expires=9223372036854775807 \n");
    message_drop(will);
}

static void a_session_changes_by_number(void **state)
{
    struct world *world = *state;
    struct message *will = a_message("w", BYTES("x"));
    struct client_record c = {.number = 9, .who = {PRINCIPAL_DEVICE, "d"}, .client_id = BYTES("c"), .will = will};
    DO(write_client(&c, 1));
    DO(watch_write(9, "a", 1));
    TOLD("client 9 1:d c 0 0 0 w x \nwatch 9 a 7 1 1\n");
    c.will = NULL;
    c.left_us = 5;
    DO(write_client(&c, 1));
    TOLD("client 9 1:d c 0 5 0 - \nwatch 9 a 7 1 1\n");
    message_drop(will);
}

/* Everything a session can leave. */
static void furnish(struct world *world, uint64_t session, const char *filter)
{
    DO(watch_write(session, filter, 2));
    DO(delivery_write(session, 1, filter));
    DO(received_write(WRITE_RECEIVED, session, 65535));
}

static void the_same_client_anew_ends_its_former_session(void **state)
{
    struct world *world = *state;
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_OPERATOR, "d", "c")); /* another owner: another kind */
    DO(client_write(3, PRINCIPAL_DEVICE, "d", "c2"));
    DO(client_write(4, PRINCIPAL_DEVICE, "dc", ""));
    for (uint64_t session = 1; session <= 4; session++)
        furnish(world, session, "f");
    DO(client_write(5, PRINCIPAL_DEVICE, "d", "c"));
    TOLD("client 2 2:d c 60 0 0 - \nclient 3 1:d c2 60 0 0 - \nclient 4 1:dc  60 0 0 - \nclient 5 1:d c 60 0 0 - \n"
         "watch 2 f 7 2 1\nwatch 3 f 7 2 1\nwatch 4 f 7 2 1\n"
         "delivery 2/1 0 1 t f \ndelivery 3/1 0 1 t f \ndelivery 4/1 0 1 t f \n"
         "received 2 65535\nreceived 3 65535\nreceived 4 65535\n");
}

static void a_session_ends_with_all_it_left(void **state)
{
    struct world *world = *state;
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    furnish(world, 1, "f");
    furnish(world, 2, "g");
    DO(client_end_write(1));
    DO(client_end_write(1)); /* there is none: no fault */
    TOLD("client 2 1:d c2 60 0 0 - \nwatch 2 g 7 2 1\ndelivery 2/1 0 1 t g \nreceived 2 65535\n");
}

static void what_is_said_of_no_session_is_passed_over(void **state)
{
    struct world *world = *state;
    furnish(world, 7, "f");
    DO(unwatch_write(7, "f"));
    DO(progress_write(WRITE_RELEASED, 7, 1));
    DO(progress_write(WRITE_DELIVERED, 7, 1));
    DO(received_write(WRITE_RECEIVED_DELETE, 7, 1));
    DO(client_end_write(7));
    TOLD("");
    DO(client_write(7, PRINCIPAL_DEVICE, "d", "c"));
    TOLD("client 7 1:d c 60 0 0 - \n");
}

static void a_deleted_device_takes_its_clients_along(void **state)
{
    struct world *world = *state;
    enrol(world->w, "d");
    enrol(world->w, "e");
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(client_write(3, PRINCIPAL_DEVICE, "e", "c"));
    DO(client_write(4, PRINCIPAL_OPERATOR, "d", "c"));
    furnish(world, 1, "f");
    furnish(world, 2, "f");
    furnish(world, 3, "g");
    assert_ok(delete_device(world, "d"));
    TOLD("client 3 1:e c 60 0 0 - \nclient 4 2:d c 60 0 0 - \n"
         "watch 3 g 7 2 1\ndelivery 3/1 0 1 t g \nreceived 3 65535\n");
}

/* --- subscriptions and received identifiers --- */

static void subscriptions_replace_by_filter(void **state)
{
    struct world *world = *state;
    const struct client_watch again = {BYTES("a/+"), 0, 0, CLIENT_WATCH_AS_PUBLISHED};
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(watch_write(1, "a/+", 1));
    DO(watch_write(1, "$share/g/a/#", 2));
    DO(watch_write(1, "a", 2));
    DO(write_client_watch(1, &again, 1));
    DO(unwatch_write(1, "a"));
    DO(unwatch_write(1, "nothing"));
    TOLD("client 1 1:d c 60 0 0 - \nwatch 1 $share/g/a/# 7 2 1\nwatch 1 a/+ 0 0 2\n");
}

static void long_filters_differ_at_their_end(void **state)
{
    struct world *world = *state;
    char a[TOPIC_MAX + 1], b[TOPIC_MAX + 1];
    memset(a, 'x', TOPIC_MAX);
    a[TOPIC_MAX] = 0;
    memcpy(b, a, sizeof b);
    b[TOPIC_MAX - 1] = 'y';
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(watch_write(1, a, 1));
    DO(watch_write(1, b, 1));
    DO(unwatch_write(1, a));
    struct told t = {.rows.watches = {tell_watch}, .text.max = 10000};
    assert_ok(world->r->list_client_watches(world->r, &t.rows.watches));
    assert_int_equal(t.count, 1);
    assert_non_null(strstr(buffer_text(&t.text), b));
    buffer_drop(&t.text);
}

static void received_identifiers_are_a_set(void **state)
{
    struct world *world = *state;
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(received_write(WRITE_RECEIVED, 1, 65535));
    DO(received_write(WRITE_RECEIVED, 1, 1));
    DO(received_write(WRITE_RECEIVED, 1, 256));
    DO(received_write(WRITE_RECEIVED, 1, 1));
    DO(received_write(WRITE_RECEIVED_DELETE, 1, 256));
    DO(received_write(WRITE_RECEIVED_DELETE, 1, 2));
    TOLD("client 1 1:d c 60 0 0 - \nreceived 1 1\nreceived 1 65535\n");
}

/* --- deliveries --- */

static void deliveries_are_told_by_session_and_number(void **state)
{
    struct world *world = *state;
    DO(client_write(UINT64_MAX, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(delivery_write(UINT64_MAX, 3, "c"));
    DO(delivery_write(2, UINT64_MAX, "e"));
    DO(delivery_write(UINT64_MAX, 1, "b"));
    DO(delivery_write(2, 5, "d"));
    DO(delivery_write(UINT64_MAX, 2, "x"));
    DO(progress_write(WRITE_DELIVERED, UINT64_MAX, 2));
    TOLD("client 2 1:d c2 60 0 0 - \nclient 18446744073709551615 1:d c 60 0 0 - \n"
         "delivery 2/5 0 1 t d \ndelivery 2/18446744073709551615 0 1 t e \n"
         "delivery 18446744073709551615/1 0 1 t b \ndelivery 18446744073709551615/3 0 1 t c \n");
}

static void a_message_for_several_sessions_goes_to_those_that_are_there(void **state)
{
    struct world *world = *state;
    const struct client_delivery at[] = {{.session = 1, .number = 4, .qos = 2, .subscription_id = 268435455},
                                         {.session = 9, .number = 1, .qos = 1},
                                         {.session = 2, .number = 6, .qos = 1, .retain = true},
                                         {.session = 2, .number = 6, .qos = 2}};
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(deliveries_write(at, 4, BYTES("all")));
    DO(deliveries_write(at, 0, BYTES("none")));
    DO(delivery_write(1, 4, "the first one of a number stays"));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \n"
         "delivery 1/4 268435455 2 t all \ndelivery 2/6 0 1r t all \n");
    DO(progress_write(WRITE_DELIVERED, 1, 4));
    DO(progress_write(WRITE_DELIVERED, 1, 4));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \ndelivery 2/6 0 1r t all \n");
    DO(progress_write(WRITE_DELIVERED, 2, 6));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \n");
}

static void a_released_message_is_forgotten_and_its_delivery_stays(void **state)
{
    struct world *world = *state;
    const struct client_delivery at[] = {{.session = 1, .number = 1, .qos = 2}, {.session = 2, .number = 1, .qos = 2}};
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(deliveries_write(at, 2, BYTES("both")));
    DO(deliveries_write(&(struct client_delivery){.session = 1, .number = 2, .qos = 2}, 1, BYTES("one")));
    DO(progress_write(WRITE_RELEASED, 1, 1));
    DO(progress_write(WRITE_RELEASED, 1, 2));
    DO(progress_write(WRITE_RELEASED, 1, 2));
    DO(progress_write(WRITE_RELEASED, 1, 3));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \n"
         "delivery 1/1 0 2 - \ndelivery 1/2 0 2 - \ndelivery 2/1 0 2 t both \n");
    DO(progress_write(WRITE_DELIVERED, 1, 1));
    DO(progress_write(WRITE_RELEASED, 2, 1));
    DO(progress_write(WRITE_DELIVERED, 2, 1));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \ndelivery 1/2 0 2 - \n");
}

/* Acknowledged from the front, from behind and out of the middle, more than any buffer starts with. */
static void deliveries_end_in_any_order(void **state)
{
    enum { COUNT = 300 };
    struct world *world = *state;
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    for (uint64_t number = 1; number <= COUNT; number++)
        DO(delivery_write(1, number * 2, "x"));
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number = (i * 7919 % COUNT + 1) * 2;
        DO(progress_write(WRITE_DELIVERED, 1, number));
        if (i % 3 == 0)
            DO(delivery_write(1, number - 1, "late"));
        struct told t = {.rows.deliveries = {tell_delivery}, .text.max = 1000000};
        assert_ok(world->r->list_deliveries(world->r, &t.rows.deliveries));
        assert_int_equal(t.count, COUNT - 1 - i + i / 3 + 1);
        buffer_drop(&t.text);
    }
}

static void messages_at_their_bounds(void **state)
{
    static uint8_t payload[PAYLOAD_MAX + 1];
    static char topic[TOPIC_MAX + 1];
    struct world *world = *state;
    memset(payload, 0xA5, sizeof payload);
    memset(topic, 't', TOPIC_MAX);
    const struct {
        const char *rule;
        struct bytes topic, payload, properties;
        bool kept;
    } rows[] = {
        {"nothing in it", BYTES("t"), {NULL, 0}, {NULL, 0}, true},
        {"zero bytes", BYTES("t"), BYTES("\0\0"), BYTES("\0"), true},
        {"as large as can be", bytes_of_text(topic), bytes_of(payload, PAYLOAD_MAX), bytes_of(payload, PAYLOAD_MAX), true},
        {"a byte more", BYTES("t"), bytes_of(payload, PAYLOAD_MAX + 1), {NULL, 0}, false},
        {"a byte more of properties", BYTES("t"), {NULL, 0}, bytes_of(payload, PAYLOAD_MAX + 1), false},
    };
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct client_delivery at = {.session = 1, .number = 1, .qos = 1};
        struct message *m = message_make(&(struct message_parts){
            .topic = rows[i].topic, .payload = rows[i].payload, .properties = rows[i].properties});
        struct told t = {.rows.deliveries = {tell_delivery}, .text.max = 4 * PAYLOAD_MAX};
        err e = apply_taken(world->w, write_deliveries(m, &at, 1, 1));
        assert_int_equal(e ? e->kind : 0, rows[i].kept ? 0 : ERR_REFUSED);
        assert_ok(world->r->list_deliveries(world->r, &t.rows.deliveries));
        assert_int_equal(t.count, rows[i].kept);
        if (rows[i].kept)
            assert_true(t.text.len >= rows[i].topic.len + rows[i].payload.len + rows[i].properties.len);
        buffer_drop(&t.text);
        DO(progress_write(WRITE_DELIVERED, 1, 1));
        message_drop(m);
    }
}

/* More than go with one commit. */
static void a_session_of_very_many_deliveries_ends(void **state)
{
    enum { COUNT = 5000 };
    struct world *world = *state;
    struct client_delivery *at = calloc(COUNT, sizeof *at);
    for (size_t i = 0; i < COUNT; i++)
        at[i] = (struct client_delivery){.session = 1 + i % 2, .number = i + 1, .qos = 1};
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(deliveries_write(at, COUNT, BYTES("all")));
    DO(client_end_write(1));
    for (size_t i = 1; i < COUNT - 2; i += 2)
        DO(progress_write(WRITE_DELIVERED, 2, i + 1));
    TOLD("client 2 1:d c2 60 0 0 - \ndelivery 2/5000 0 1 t all \n");
    free(at);
}

/* --- retained messages --- */

static void a_topic_retains_its_last_message(void **state)
{
    struct world *world = *state;
    DO(retained_write("b", "1"));
    DO(retained_write("a/b", "2"));
    DO(retained_write("a", "3"));
    DO(retained_write("b", "4"));
    DO(retained_write("a", ""));
    DO(retained_write("never", ""));
    TOLD("retained a/b 2 \nretained b 4 \n");
}

static void what_is_retained_expires(void **state)
{
    struct world *world = *state;
    static const int64_t ends[] = {0, 49, 50, 51};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char topic[2] = {(char)('a' + i)};
        struct message *m = message_make(
            &(struct message_parts){.topic = bytes_of_text(topic), .payload = BYTES("x"), .retain = true, .expires_us = ends[i]});
        DO(write_retained(m, 1));
        message_drop(m);
    }
    DO(write_plain(&(struct write){.kind = WRITE_EXPIRE, .now_us = 50}));
    TOLD("retained a x qos=0,retain=1,expires=0 \nretained d x qos=0,retain=1,expires=51 \n");
}

/* --- batches and listings --- */

static void what_is_rolled_back_leaves_nothing(void **state)
{
    struct world *world = *state;
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    furnish(world, 1, "f");
    DO(delivery_write(1, 2, "second"));
    DO(retained_write("a", "1"));
    struct buffer before = all_of_clients(world->r);
    for (int round = 0; round < 2; round++) {
        struct write *batch[] = {client_write(2, PRINCIPAL_DEVICE, "d", "c2"),
                                 delivery_write(2, 1, "x"),
                                 delivery_write(1, 3, "x"),
                                 progress_write(WRITE_RELEASED, 1, 1),
                                 progress_write(WRITE_DELIVERED, 1, 2),
                                 unwatch_write(1, "f"),
                                 received_write(WRITE_RECEIVED_DELETE, 1, 65535),
                                 retained_write("a", ""),
                                 retained_write("b", "2"),
                                 client_write(3, PRINCIPAL_DEVICE, "d", "c")};
        struct write_result result;
        assert_ok(world->w->begin(world->w));
        for (size_t i = 0; i < sizeof batch / sizeof *batch; i++) {
            assert_ok(world->w->apply(world->w, batch[i], &result));
            write_drop(batch[i]);
        }
        world->w->rollback(world->w);
        TOLD(buffer_text(&before));
    }
    DO(progress_write(WRITE_DELIVERED, 1, 2)); /* and it is found again */
    DO(progress_write(WRITE_DELIVERED, 1, 1));
    TOLD("client 1 1:d c 60 0 0 - \nwatch 1 f 7 2 1\nreceived 1 65535\nretained a 1 \n");
    buffer_drop(&before);
}

static void a_listing_ends_when_it_is_told_to(void **state)
{
    struct world *world = *state;
    for (uint64_t session = 1; session <= 3; session++) {
        DO(client_write(session, PRINCIPAL_DEVICE, session == 1 ? "a" : session == 2 ? "b" : "c", "c"));
        furnish(world, session, "f");
    }
    DO(retained_write("a", "1"));
    DO(retained_write("b", "1"));
    DO(retained_write("c", "1"));
    struct told t = {.stop_after = 2, .text.max = 10000};
    t.rows.clients.row = tell_client;
    assert_ok(world->r->list_clients(world->r, &t.rows.clients));
    assert_int_equal(t.count, 2);
    t.count = 0;
    t.rows.watches.row = tell_watch;
    assert_ok(world->r->list_client_watches(world->r, &t.rows.watches));
    assert_int_equal(t.count, 2);
    t.count = 0;
    t.rows.deliveries.row = tell_delivery;
    assert_ok(world->r->list_deliveries(world->r, &t.rows.deliveries));
    assert_int_equal(t.count, 2);
    t.count = 0;
    t.rows.received.row = tell_received;
    assert_ok(world->r->list_received(world->r, &t.rows.received));
    assert_int_equal(t.count, 2);
    t.count = 0;
    t.rows.retained.row = tell_retained;
    assert_ok(world->r->list_retained(world->r, &t.rows.retained));
    assert_int_equal(t.count, 2);
    buffer_drop(&t.text);
}

int main(void)
{
    static const struct CMUnitTest suite[] = {
        TEST(a_session_comes_back_whole),
        TEST(a_session_changes_by_number),
        TEST(the_same_client_anew_ends_its_former_session),
        TEST(a_session_ends_with_all_it_left),
        TEST(what_is_said_of_no_session_is_passed_over),
        TEST(a_deleted_device_takes_its_clients_along),
        TEST(subscriptions_replace_by_filter),
        TEST(long_filters_differ_at_their_end),
        TEST(received_identifiers_are_a_set),
        TEST(deliveries_are_told_by_session_and_number),
        TEST(a_message_for_several_sessions_goes_to_those_that_are_there),
        TEST(a_released_message_is_forgotten_and_its_delivery_stays),
        TEST(deliveries_end_in_any_order),
        TEST(messages_at_their_bounds),
        TEST(a_session_of_very_many_deliveries_ends),
        TEST(a_topic_retains_its_last_message),
        TEST(what_is_retained_expires),
        TEST(what_is_rolled_back_leaves_nothing),
        TEST(a_listing_ends_when_it_is_told_to),
    };
    return run_suite(suite, sizeof suite / sizeof *suite);
}
