/* The life of a session (MQTT 5.0, 4.1, 3.1.2.4, 3.1.2.11.2):
 *
 *   made or found by CONNECT -> with its client <-> away, until its expiry -> over
 *
 * A session with an expiry is kept by the store before CONNACK, so it outlives the server, too. When a client leaves
 * without a good-bye its will is published after the will's delay, or when the session ends, whichever is first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a session"};
static const struct fault too_many = {ERR_FULL, "mqtt: this principal has as many sessions as it may have"};
static const struct fault not_kept = {ERR_FULL, "mqtt: the session cannot be kept now: the store has too much to do"};

enum { WATCHES_MAX = 100000, MS = 1000 };

static int64_t now_us(const struct lobby *lobby)
{
    return wall_us(loop_clock(lobby->loop));
}

/* The key carries the principal, so that no device can take over another's session by its client id. */
static size_t put_key(uint8_t *out, const struct principal *who, struct bytes client_id)
{
    size_t len = strlen(who->id), at = 0;
    out[at++] = (uint8_t)('0' + who->kind);
    memcpy(out + at, who->id, len);
    at += len;
    out[at++] = '\n';
    if (client_id.len)
        memcpy(out + at, client_id.at, client_id.len);
    return at + client_id.len;
}

struct bytes mqtt_client_id(const struct mqtt_session *s)
{
    return bytes_from(bytes_of(s->key, s->key_len), s->client_at);
}

static void fall_due(struct timer *timer);

static void count_away(struct mqtt_session *s)
{
    if (!s->away)
        counter_raise(&s->lobby->counts->sessions_away, 1);
    s->away = true;
}

static void count_back(struct mqtt_session *s)
{
    if (s->away)
        counter_lower(&s->lobby->counts->sessions_away, 1);
    s->away = false;
}

struct owner {
    char text[DEVICE_ID_MAX + 2]; /* kind and id; "" for the anonymous, whose sessions nobody owns */
};

static struct owner owner_of(const struct principal *who)
{
    struct owner owner = {""};
    if (who->kind == PRINCIPAL_ANONYMOUS)
        return owner;
    owner.text[0] = (char)('0' + who->kind);
    memcpy(owner.text + 1, who->id, sizeof who->id);
    return owner;
}

/* One device cannot use up what is there for all. What was kept is restored whatever the settings say by now. */
static err count_in(struct lobby *lobby, const struct principal *who)
{
    struct owner owner = owner_of(who);
    if (!owner.text[0])
        return OK;
    if (!lobby->mqtt.restores && roll_sessions(&lobby->owners, owner.text) >= lobby->limits->sessions_per_owner)
        return &too_many;
    return roll_enter(&lobby->owners, owner.text);
}

static void count_out(struct lobby *lobby, const struct principal *who)
{
    struct owner owner = owner_of(who);
    if (owner.text[0])
        (void)roll_leave(&lobby->owners, owner.text);
}

err mqtt_make_session(struct lobby *lobby, const struct principal *who, struct bytes client_id,
                      struct mqtt_session **out)
{
    struct mqtt_session *s = mem_take(1, sizeof *s + strlen(who->id) + 2 + client_id.len);
    if (!s)
        return &no_memory;
    s->key_len = (uint16_t)put_key(s->key, who, client_id);
    s->client_at = (uint16_t)(s->key_len - client_id.len);
    s->lobby = lobby;
    s->who = *who;
    s->since_us = now_us(lobby);
    s->due.due = fall_due;
    s->promiser.settle = mqtt_settle;
    s->end_ms = INT64_MAX;
    lane_open(&s->lane);
    table_open(&s->watches, WATCHES_MAX, lobby->sessions.seed);
    err failed = count_in(lobby, who);
    if (!failed && (failed = table_add(&lobby->sessions, &s->place, bytes_of(s->key, s->key_len))))
        count_out(lobby, who);
    if (failed) {
        mem_drop(s);
        return failed;
    }
    s->number = lobby->mqtt.next_number;
    lobby->mqtt.next_number += lobby->mqtt.number_step;
    *out = s;
    return OK;
}

void mqtt_release_session(struct mqtt_session *s)
{
    if (s->place.key.at || s->busy)
        return;
    outbox_close(&s->outbox);
    inbox_close(&s->inbox);
    table_close(&s->watches);
    message_drop(s->will);
    mem_drop(s);
}

void mqtt_end_session(struct mqtt_session *s)
{
    if (!s->place.key.at)
        return;
    count_back(s);
    s->busy++; /* the will may be refused at once, and must not end the session under our feet */
    loop_timer_clear(s->lobby->loop, &s->due);
    mqtt_forget_watches(s);
    mqtt_give_no_more(s);
    table_remove(&s->lobby->sessions, &s->place);
    count_out(s->lobby, &s->who);
    s->place.key = (struct bytes){NULL, 0};
    outbox_close(&s->outbox);
    mqtt_account(s);
    if (s->will)
        mqtt_publish_will(s);
    if (s->kept) {
        struct write w = {.kind = WRITE_CLIENT_DELETE, .now_us = now_us(s->lobby), .as.client_number = s->number};
        (void)mqtt_journal(s, write_plain(&w), NULL); /* not kept: it stands again after a restart, until it expires */
    }
    s->busy--;
    mqtt_release_session(s);
}

/* ---- while its client is away */

static void wait_for_due(struct mqtt_session *s)
{
    struct loop *loop = s->lobby->loop;
    int64_t now_ms = loop_now_ms(loop), due_ms = s->will && s->will_ms < s->end_ms ? s->will_ms : s->end_ms;
    if (due_ms == INT64_MAX)
        loop_timer_clear(loop, &s->due);
    else
        IGNORE(loop_timer_set(loop, &s->due, due_ms > now_ms ? due_ms - now_ms : 0)); /* no memory: it stays longer */
}

static void keep_record(struct mqtt_session *s)
{
    if (s->kept) /* not kept: after a restart it counts as left then */
        (void)mqtt_journal(s, mqtt_record(s, s->since_us), NULL);
}

static void fall_due(struct timer *timer)
{
    struct mqtt_session *s = CONTAINER(timer, struct mqtt_session, due);
    if (s->peer)
        return;
    if (loop_now_ms(s->lobby->loop) >= s->end_ms) {
        mqtt_end_session(s);
        return;
    }
    if (s->will && loop_now_ms(s->lobby->loop) >= s->will_ms) {
        mqtt_publish_will(s);
        keep_record(s);
    }
    wait_for_due(s);
}

void mqtt_session_away(struct mqtt_session *s, int64_t left_us)
{
    int64_t away_ms = (now_us(s->lobby) - left_us) / MS; /* a clock that was set back makes it stay longer */
    int64_t left_ms = loop_now_ms(s->lobby->loop) - (away_ms > 0 ? away_ms : 0);
    count_away(s);
    s->since_us = left_us;
    s->will_ms = left_ms + (int64_t)s->will_delay_s * MS;
    s->end_ms = s->expiry_s == CLIENT_EXPIRY_NEVER ? INT64_MAX : left_ms + (int64_t)s->expiry_s * MS;
    wait_for_due(s);
}

/* What waits with QoS 0 goes with its connection. */
static void leave_queues(struct mqtt_session *s)
{
    size_t lost = outbox_detach(&s->outbox);
    mqtt_account(s);
    s->dropped += lost;
    counter_raise(&s->lobby->counts->messages_dropped, lost);
    inbox_detach(&s->inbox);
}

void mqtt_detach(struct mqtt_peer *p)
{
    struct mqtt_session *s = p->session;
    p->session = NULL;
    if (!s || s->peer != p)
        return;
    s->peer = NULL;
    if (p->said_goodbye || !p->present) {
        message_drop(s->will);
        s->will = NULL;
    }
    leave_queues(s);
    if (!s->expiry_s) {
        mqtt_end_session(s);
        return;
    }
    s->since_us = now_us(s->lobby);
    mqtt_mark_watches(s);
    if (s->will && !s->will_delay_s)
        mqtt_publish_will(s);
    keep_record(s);
    mqtt_session_away(s, s->since_us);
}

/* ---- entering */

/* Its will is none, since it was never let in (3.1.2.5); a new session ends with the connection that is refused, or the
 * next one would be told of a session that its client does not know (3.2.2-4). */
static void entry_failed(struct mqtt_peer *p, enum mqtt_presence presence, err failed)
{
    struct mqtt_session *s = p->session;
    message_drop(s->will);
    s->will = NULL;
    if (presence == SESSION_FRESH)
        s->expiry_s = 0;
    mqtt_entered(p, presence, failed);
}

static void entry_kept(struct mqtt_note *note, err failed)
{
    enum mqtt_presence presence = (enum mqtt_presence)note->number;
    if (note->session->peer != note->peer)
        return; /* it was taken over or lost meanwhile */
    if (failed)
        entry_failed(note->peer, presence, failed);
    else
        mqtt_entered(note->peer, presence, OK);
}

/* MQTT 5.0, 3.1.4-3: the older connection of the same client gives way. A will with a delay is not published, since the
 * client is back (3.1.3.2.2); the session goes on. */
static void oust(struct mqtt_session *s)
{
    struct mqtt_peer *older = s->peer;
    if (!older)
        return;
    if (older->said_goodbye) { /* and its line is not gone yet (3.14.4-3) */
        message_drop(s->will);
        s->will = NULL;
    }
    if (s->will && !s->will_delay_s && older->present)
        mqtt_publish_will(s);
    s->peer = NULL;
    older->session = NULL;
    leave_queues(s);
    mqtt_bye(older, MQTT_SESSION_TAKEN_OVER, "another connection with the same client identifier");
}

static void attach(struct mqtt_session *s, struct mqtt_peer *p, const struct mqtt_wish *wish)
{
    loop_timer_clear(s->lobby->loop, &s->due);
    count_back(s);
    message_drop(s->will);
    s->will = wish->will;
    s->will_delay_s = wish->will_delay_s;
    s->expiry_s = wish->expiry_s;
    s->version = (uint8_t)p->version;
    s->since_us = now_us(s->lobby);
    s->end_ms = INT64_MAX;
    inbox_detach(&s->inbox); /* what was restored belongs to an earlier connection, too */
    s->peer = p;
    p->session = s;
}

struct mqtt_session *mqtt_find_session(const struct lobby *lobby, const struct principal *who, struct bytes client_id)
{
    uint8_t key[SESSION_KEY_MAX];
    if (client_id.len > CLIENT_ID_MAX)
        return NULL;
    struct table_node *found = table_find(&lobby->sessions, bytes_of(key, put_key(key, who, client_id)));
    return found ? CONTAINER(found, struct mqtt_session, place) : NULL;
}

void mqtt_enter(struct mqtt_peer *p, const struct mqtt_wish *wish)
{
    struct mqtt_session *s = mqtt_find_session(p->lobby, &p->who, wish->client_id);
    if (s)
        oust(s);
    if (s && (wish->clean_start || !s->expiry_s)) {
        mqtt_end_session(s);
        s = NULL;
    }
    enum mqtt_presence presence = s ? SESSION_PRESENT : SESSION_FRESH;
    err failed = s ? OK : mqtt_make_session(p->lobby, &p->who, wish->client_id, &s);
    if (failed) {
        message_drop(wish->will);
        mqtt_entered(p, SESSION_FRESH, failed);
        return;
    }
    attach(s, p, wish);
    bool keep = s->kept || wish->expiry_s;
    s->kept = keep;
    mqtt_mark_watches(s);
    if (!keep) {
        mqtt_entered(p, presence, OK);
        return;
    }
    if (!mqtt_journal(s, mqtt_record(s, 0), &(struct mqtt_note){.done = entry_kept, .peer = p, .number = presence}))
        entry_failed(p, presence, &not_kept);
}

/* ---- for the lobby */

void mqtt_expel(struct lobby *lobby, const char *device_id)
{
    for (struct table_node *node = table_next(&lobby->sessions, NULL), *next; node; node = next) {
        struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
        next = table_next(&lobby->sessions, node);
        if (s->who.kind != PRINCIPAL_DEVICE || strcmp(s->who.id, device_id) != 0)
            continue;
        s->expiry_s = 0;
        if (s->peer)
            mqtt_bye(s->peer, MQTT_NOT_AUTHORIZED, "the device was deleted");
        else
            mqtt_end_session(s);
    }
}

void mqtt_shut(struct lobby *lobby)
{
    for (struct table_node *node = table_next(&lobby->sessions, NULL); node;
         node = table_next(&lobby->sessions, node)) {
        struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
        if (s->peer)
            mqtt_bye(s->peer, MQTT_SERVER_SHUTTING_DOWN, "the server is shutting down");
    }
}
