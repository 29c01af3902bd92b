/* fuzz: door */
/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a sequence of acts: peers that come, say packets good and broken, of all kinds and with all properties, go, and
 * come back to their sessions; a store, a registry and another loop that answer late, in any order, with a fault, or not at
 * all. Whatever the sequence: every packet that the server sends is well formed and fits, what waits stays within its
 * bounds, and when all is over nothing of any session is left. */
#include "../door/mqtt_peer.h"
#include "../door/play.h"

#include "door/board.h"
#include "door/mqtt_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4, ACTS_MAX = 2000 };

static const char *const topics[] = {"devices/d0/telemetry", "devices/d1/telemetry/x", "devices/d0/x/y", "$SYS/x", "/", "a//b", ""};
static const char *const filters[] = {"devices/d0/#",   "devices/+/telemetry",        "devices/d1/+/x",
                                      "#",              "devices/d0/a#",              "$share/g/devices/d0/#",
                                      "devices/d0/x/y", "$share/g/devices/d1/#",      "$share/h/devices/d0/telemetry",
                                      "$share//x",      "devices/d0/telemetry/extra", "devices/d1/#"};
static const char *const payloads[] = {"1", "bad", "unkept", ""};
static const char *const methods[] = {"word", "other", ""};

#define PICK(table, byte) ((table)[(byte) % (sizeof(table) / sizeof *(table))])

static void arrive(struct play *p, struct fake_line *l, uint8_t how)
{
    struct principal who = {.kind = how & 4   ? PRINCIPAL_OPERATOR
                                    : how & 8 ? PRINCIPAL_ANONYMOUS
                                              : PRINCIPAL_DEVICE};
    if (who.kind != PRINCIPAL_ANONYMOUS)
        snprintf(who.id, sizeof who.id, "d%d", how & 1);
    fake_line_drop(l);
    fake_line_open(l, &p->lobbies[how >> 1 & 1], &who, mqtt_protocol());
    l->version = MQTT_5;
}

/* Properties that travel with a message, and what else a PUBLISH or a will may have. */
static void draw_properties(struct reader *r, struct mqtt_properties *out, struct buffer *block)
{
    uint8_t which = read_u8(r);
    if (which & 1) {
        out->present |= MQTT_HAS(MESSAGE_EXPIRY);
        out->message_expiry = which >> 4;
    }
    if (which & 2) {
        out->present |= MQTT_HAS(RESPONSE_TOPIC) | MQTT_HAS(CORRELATION_DATA);
        out->response_topic = bytes_of_text(topics[which >> 4 & 3]);
        out->correlation_data = BYTES("\x00\x01");
    }
    if (which & 4) {
        out->present |= MQTT_HAS(CONTENT_TYPE) | MQTT_HAS(PAYLOAD_FORMAT);
        out->content_type = BYTES("text/plain");
        out->payload_format = which >> 4 & 1;
    }
    for (int i = which >> 3 & 1 ? which >> 4 : 0; i > 0; i--) {
        must(!mqtt_put_user_property(block, BYTES("name"), BYTES("value")));
        out->present |= MQTT_HAS(USER);
    }
    out->block = buffer_view(block);
}

static void draw_limits(struct reader *r, struct mqtt_properties *out)
{
    uint8_t which = read_u8(r), value = read_u8(r);
    if (which & 1) {
        out->present |= MQTT_HAS(RECEIVE_MAXIMUM);
        out->receive_maximum = (uint16_t)(1 + value % 4);
    }
    if (which & 2) {
        out->present |= MQTT_HAS(MAXIMUM_PACKET_SIZE);
        out->maximum_packet_size = 5u + value;
    }
    if (which & 4) {
        out->present |= MQTT_HAS(TOPIC_ALIAS_MAXIMUM);
        out->topic_alias_maximum = value % 4;
    }
    if (which & 8) {
        out->present |= MQTT_HAS(SESSION_EXPIRY);
        out->session_expiry = value > 200 ? UINT32_MAX : value;
    }
    if (which & 16) {
        out->present |= MQTT_HAS(AUTHENTICATION_METHOD) | MQTT_HAS(AUTHENTICATION_DATA);
        out->authentication_method = bytes_of_text(methods[value % 3]);
        out->authentication_data = value & 8 ? BYTES("d0") : BYTES("d1");
    }
    if (which & 32) {
        out->present |= MQTT_HAS(REQUEST_RESPONSE) | MQTT_HAS(REQUEST_PROBLEM);
        out->request_response = value & 1;
        out->request_problem = value >> 1 & 1;
    }
}

static void connect_peer(struct fake_line *l, uint8_t how, struct reader *r)
{
    SCOPED(buffer_drop) struct buffer block = {.max = 4096};
    struct mqtt_connect c = {.version = how & 1 ? MQTT_3_1_1 : MQTT_5, .clean_start = how & 64, .keep_alive = (uint16_t)(how >> 6)};
    c.properties.request_problem = 1;
    c.client_id = how & 2 ? BYTES("one") : how & 4 ? BYTES("two") : BYTES("");
    c.has_will = how & 8;
    c.will = (struct mqtt_will){.topic = bytes_of_text(topics[(how >> 4) % 6]), .payload = BYTES("gone"),
                                .qos = (how >> 4) % 3, .retain = how & 128};
    if (c.version == MQTT_5 && how & 32)
        draw_limits(r, &c.properties);
    if (c.version == MQTT_5 && c.has_will) {
        uint8_t delay = read_u8(r);
        draw_properties(r, &c.will.properties, &block);
        c.will.properties.present |= delay ? MQTT_HAS(WILL_DELAY) : 0;
        c.will.properties.will_delay = delay;
    }
    if (c.version == MQTT_3_1_1 && !c.client_id.len)
        c.clean_start = true;
    peer_connect(l, &c);
}

static void publish(struct fake_line *l, uint8_t a, uint8_t b, struct reader *r)
{
    SCOPED(buffer_drop) struct buffer block = {.max = 4096};
    struct mqtt_publish publish = {.topic = bytes_of_text(PICK(topics, a)), .payload = bytes_of_text(PICK(payloads, b)),
                                   .qos = (b >> 2) % 3, .retain = a & 64, .packet_id = (uint16_t)(1 + (b >> 4) % 6)};
    publish.dup = publish.qos && a & 128;
    publish.packet_id = publish.qos ? publish.packet_id : 0;
    if (l->version == MQTT_5 && a & 32) {
        uint8_t alias = read_u8(r);
        draw_properties(r, &publish.properties, &block);
        publish.properties.present |= alias & 1 ? MQTT_HAS(TOPIC_ALIAS) : 0;
        publish.properties.topic_alias = (uint16_t)(1 + (alias >> 1) % 40);
    }
    if (!publish.topic.len && !(publish.properties.present & MQTT_HAS(TOPIC_ALIAS)))
        publish.topic = BYTES("x");
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBLISH, .as.publish = publish});
}

static void subscribe(struct fake_line *l, uint8_t a, uint8_t b)
{
    SCOPED(buffer_drop) struct buffer list = {.max = 4096};
    struct mqtt_packet packet = {.type = MQTT_SUBSCRIBE, .as.subscribe.packet_id = (uint16_t)(1 + b)};
    bool five = l->version == MQTT_5;
    for (unsigned i = 0; i <= (a >> 6); i++) {
        struct mqtt_filter f = {.filter = bytes_of_text(PICK(filters, a + i * 5)), .qos = (b + i) % 3, .no_local = five && b & 4,
                                .retain_as_published = five && b & 8, .retain_handling = five ? (b >> 4) % 3 : 0};
        must(!mqtt_put_filter(&list, MQTT_SUBSCRIBE, &f));
    }
    packet.as.subscribe.filters = buffer_view(&list);
    if (five && b & 64) {
        packet.as.subscribe.properties.present = MQTT_HAS(SUBSCRIPTION_ID);
        packet.as.subscribe.properties.subscription_id = 1u + a;
    }
    peer_packet(l, &packet);
}

/* Mostly of what may be under way, in whatever order. */
static void acknowledge(struct fake_line *l, uint8_t a, uint8_t b)
{
    struct mqtt_packet packet = {.type = (enum mqtt_type)(MQTT_PUBACK + a % 4), .as.ack.packet_id = (uint16_t)(1 + (a >> 2) % 16)};
    if (l->version == MQTT_5 && b & 1)
        packet.as.ack.reason = packet.type <= MQTT_PUBREC ? MQTT_UNSPECIFIED_ERROR : MQTT_PACKET_IDENTIFIER_NOT_FOUND;
    peer_packet(l, &packet);
}

static void leave(struct fake_line *l, uint8_t a, uint8_t b)
{
    struct mqtt_packet packet = {.type = MQTT_DISCONNECT};
    if (l->version == MQTT_5 && a & 1)
        packet.as.ending.reason = MQTT_DISCONNECT_WITH_WILL;
    if (l->version == MQTT_5 && a & 2) {
        packet.as.ending.properties.present = MQTT_HAS(SESSION_EXPIRY);
        packet.as.ending.properties.session_expiry = b;
    }
    peer_packet(l, &packet);
}

static void authenticate(struct fake_line *l, uint8_t a)
{
    struct mqtt_packet packet = {.type = MQTT_AUTH, .as.ending.reason = a & 4 ? MQTT_CONTINUE_AUTHENTICATION : MQTT_REAUTHENTICATE};
    packet.as.ending.properties.present = MQTT_HAS(AUTHENTICATION_METHOD) | MQTT_HAS(AUTHENTICATION_DATA);
    packet.as.ending.properties.authentication_method = bytes_of_text(methods[a % 3]);
    packet.as.ending.properties.authentication_data = a & 8 ? BYTES("d0") : BYTES("d1");
    if (l->version == MQTT_5)
        peer_packet(l, &packet);
}

static void say_raw(struct fake_line *l, struct reader *r)
{
    fake_line_say(l, read_view(r, read_u8(r) % 64));
    l->version = 0; /* nobody knows what the peer speaks from here on */
}

static void say(struct fake_line *l, unsigned act, struct reader *r)
{
    uint8_t a = read_u8(r), b = read_u8(r);
    if (!l->open || !l->version)
        return;
    if (act == 0)
        connect_peer(l, a, r);
    else if (act == 1)
        publish(l, a, b, r);
    else if (act == 2)
        subscribe(l, a, b);
    else if (act == 3)
        peer_unsubscribe(l, PICK(filters, a), 1u + b);
    else if (act == 4)
        acknowledge(l, a, b);
    else if (act == 5)
        leave(l, a, b);
    else if (a & 1)
        authenticate(l, b);
    else
        peer_packet(l, &(struct mqtt_packet){.type = MQTT_PINGREQ});
}

/* ---- operators */

struct onlooker {
    struct session_rows_view rows;
    struct watch_rows_view watches;
    size_t seen;
};

static bool see(struct session_rows_view *self, const struct session_view *session)
{
    CONTAINER(self, struct onlooker, rows)->seen++;
    must(session->client_id.len && session->queued >= session->under_way);
    return true;
}

static bool see_watch(struct watch_rows_view *self, const struct client_watch *watch)
{
    must(watch->filter.len && watch->qos <= 2);
    return true;
}

static void operate(struct play *p, uint8_t a)
{
    struct onlooker o = {.rows = {see}, .watches = {see_watch}};
    struct lobby *lobby = &p->lobbies[a & 1];
    struct session_walk walk = {.next = 0};
    struct session_name name = {.who = {a & 4 ? PRINCIPAL_OPERATOR : PRINCIPAL_DEVICE, "d0"}, .client_id = a & 8 ? BYTES("one") : BYTES("two")};
    while (lobby_walk_sessions(lobby, &walk, &o.rows) == WALK_ON)
        ;
    must(o.seen == lobby->sessions.count);
    IGNORE(lobby_show_session(lobby, &name, &o.rows, &o.watches));
    if (a & 16)
        IGNORE(lobby_kick(lobby, &name, a & 32 ? KICK_SESSION : KICK_CONNECTION));
    if (a >> 6 == 3)
        IGNORE(lobby_drain(lobby, &(struct drain_order){.drains = a & 2, .reference = "else", .per_s = 20}));
}

static void turn(struct play *p, struct reader *r)
{
    static const struct fault *const results[] = {OK, OK, OK, &play_disk, &play_refused};
    unsigned act = read_u8(r) % 13, a = read_u8(r);
    if (act == 0 && p->posted_count)
        play_store(p, a % p->posted_count, PICK(results, a >> 4)); /* a store of any order is worse than any store */
    else if (act == 1 && p->asked_count)
        play_know(p, a % p->asked_count, PICK(results, a >> 4));
    else if (act == 2)
        p->store = a % 3;
    else if (act == 3)
        p->known = a % 3;
    else if (act == 4)
        p->limited = a & 1;
    else if (act == 5)
        play_pass(p, a * 100);
    else if (act == 6 && a < 8)
        lobby_expel(&p->lobbies[a & 1], a & 2 ? "d0" : "d1");
    else if (act == 7 && a < 8)
        lobby_shut(&p->lobbies[a & 1]);
    else if (act == 8)
        p->joins = a & 1 ? LATER : AT_ONCE;
    else if (act == 9)
        p->elsewhere = a & 1;
    else if (act == 10 && p->offered_count)
        play_offered(p, a % p->offered_count, PICK(results, a >> 4));
    else if (act == 11 && p->joining_count)
        play_joined(p);
    else if (act == 12)
        operate(p, (uint8_t)a);
}

/* What came is well formed; then it is forgotten, or a long input would collect megabytes. */
static void read_all(struct fake_line *l)
{
    struct mqtt_packet packet;
    while (l->version && peer_next(l, &packet))
        ;
    if (l->taken < l->out.len)
        return;
    buffer_clear(&l->out);
    l->taken = l->read = 0;
}

static void act(struct play *p, struct reader *r)
{
    uint8_t what = read_u8(r);
    struct fake_line *l = &p->lines[what >> 4 & (PEERS - 1)];
    unsigned kind = what & 15;
    if (kind < 7)
        say(l, kind, r);
    else if (kind == 7)
        arrive(p, l, read_u8(r));
    else if (kind == 8)
        say_raw(l, r);
    else if (kind == 9)
        fake_line_lose(l);
    else if (kind == 10)
        l->stuck = !l->stuck;
    else if (kind == 11)
        (void)fake_line_step(l);
    else if (kind < 14)
        turn(p, r);
    else
        play_settle(p);
}

/* Bounds that hold at any moment. */
static void check(const struct play *p)
{
    must(counter_read(&p->counts.sessions_now) <= PLAY_LINES + p->posted_count + p->asked_count);
    for (size_t i = 0; i < PLAY_LOBBIES; i++) {
        const struct table *sessions = &p->lobbies[i].sessions;
        for (struct table_node *node = table_next(sessions, NULL); node; node = table_next(sessions, node)) {
            const struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
            must(outbox_count(&s->outbox) <= p->limits.queue.messages_max);
            must(s->outbox.bytes <= p->limits.queue.bytes_max);
            must(s->watches.count <= p->limits.subscriptions_max);
            must(s->peer ? s->peer->session == s : s->expiry_s > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(bytes_of(data, size));
    static struct play p;
    play_open(&p);
    p.lobbies[0].all_count = p.lobbies[1].all_count = PLAY_LOBBIES;
    uint8_t how = read_u8(&r);
    p.limits.queue.policy = p.lobbies[0].mqtt.queue.policy = p.lobbies[1].mqtt.queue.policy = (enum overflow_policy)(how % 3);
    for (int acts = 0; r.left.len && acts < ACTS_MAX; acts++) {
        act(&p, &r);
        buffer_clear(&p.said);
        for (size_t i = 0; i < PEERS; i++)
            read_all(&p.lines[i]);
        check(&p);
    }
    play_close(&p);
    return 0;
}
