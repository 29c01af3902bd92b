/* SUBSCRIBE and UNSUBSCRIBE. SUBACK leaves when the subscriptions are kept (where the session is) and when every loop
 * knows the shared ones, so that nothing published from then on is missed; retained messages follow it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "core/topic.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a subscription"};
static const struct fault shared_local = {ERR_REFUSED, "mqtt: a shared subscription with No Local (MQTT 5.0, 3.8.3.1)"};

enum { REASONS_MAX = 65536 }; /* filters in one packet: as many as fit in */

/* ---- a watch */

static bool is_for(const struct mqtt_watch *w, struct message *message, struct mqtt_gift *gift)
{
    const struct mqtt_session *s = w->session;
    if ((w->how.flags & CLIENT_WATCH_NO_LOCAL && message->source == s->number) ||
        !principal_may_hear(&s->who, message->topic))
        return false;
    *gift = (struct mqtt_gift){.message = message,
                               .subscription_id = w->how.subscription_id,
                               .qos = message->qos < w->how.qos ? message->qos : w->how.qos,
                               .retain = message->retain && w->how.flags & CLIENT_WATCH_AS_PUBLISHED};
    return true;
}

/* A session whose subscriptions overlap gets one copy (3.3.4). What it keeps may come once for each of them. */
static void deliver(struct subscription *self, struct message *message)
{
    const struct mqtt_watch *w = CONTAINER(self, struct mqtt_watch, subscription);
    struct mqtt_gift gift;
    if (!is_for(w, message, &gift))
        return;
    if (w->session->watches.count > 1 && !self->group && !(w->session->kept && gift.qos))
        mqtt_gather(w->session, &gift);
    else
        mqtt_deliver(w->session, &gift);
}

static void offer(struct subscription *self, struct offer *offer)
{
    const struct mqtt_watch *w = CONTAINER(self, struct mqtt_watch, subscription);
    struct mqtt_gift gift;
    if (is_for(w, offer->message, &gift))
        mqtt_offer(w->session, &gift, offer);
}

static const struct subscription_calls calls = {deliver, offer};

static struct mqtt_watch *find(const struct mqtt_session *s, struct bytes filter)
{
    struct table_node *found = table_find(&s->watches, filter);
    return found ? CONTAINER(found, struct mqtt_watch, place) : NULL;
}

static unsigned flags_of(const struct mqtt_watch *w)
{
    const struct mqtt_session *s = w->session;
    return (s->kept && w->how.qos ? SUBSCRIPTION_KEEPS : 0) | (s->peer ? 0 : SUBSCRIPTION_AWAY);
}

static void drop(struct mqtt_watch *w)
{
    struct mqtt_session *s = w->session;
    struct lobby *lobby = s->lobby;
    struct mqtt_asking *waits = mqtt_leave_share(w);
    router_remove(lobby->flow.router, &w->subscription);
    table_remove(&s->watches, &w->place);
    counter_lower(&lobby->counts->subscriptions_now, 1);
    mem_drop(w);
    if (waits)
        mqtt_asked_less(waits);
}

/* The anonymous share among themselves: one of them in a turn of others would take away what it may not even hear. The
 * mark is no UTF-8, so no client can name their shares. */
static struct bytes routed(const struct mqtt_session *s, struct bytes filter, uint8_t *room)
{
    static const char share[] = "$share/", mark = '\xff';
    const size_t head = sizeof share - 1;
    if (s->who.kind != PRINCIPAL_ANONYMOUS || !bytes_starts(filter, share))
        return filter;
    memcpy(room, share, head);
    room[head] = (uint8_t)mark;
    memcpy(room + head + 1, filter.at + head, filter.len - head);
    return bytes_of(room, filter.len + 1);
}

static err add(struct mqtt_session *s, const struct client_watch *how, struct mqtt_watch **out)
{
    size_t room = s->who.kind == PRINCIPAL_ANONYMOUS ? 2 * how->filter.len + 1 : how->filter.len;
    struct mqtt_watch *w = mem_take(1, sizeof *w + room);
    if (!w)
        return &no_memory;
    memcpy(w->filter, how->filter.at, how->filter.len);
    w->session = s;
    w->how = *how;
    w->how.filter = bytes_of(w->filter, how->filter.len);
    w->routed = routed(s, w->how.filter, w->filter + how->filter.len);
    w->subscription.calls = &calls;
    w->subscription.flags = flags_of(w);
    err failed = table_add(&s->watches, &w->place, w->how.filter);
    if (failed) {
        mem_drop(w);
        return failed;
    }
    counter_raise(&s->lobby->counts->subscriptions_now, 1);
    failed = router_add(s->lobby->flow.router, w->routed, &w->subscription);
    if (failed)
        drop(w);
    else
        *out = w;
    return failed;
}

static void mark(struct mqtt_watch *w)
{
    struct lobby *lobby = w->session->lobby;
    unsigned flags = flags_of(w);
    if (w->subscription.flags == flags)
        return;
    if (w->member)
        mqtt_mark_share(w, flags);
    else
        router_mark(lobby->flow.router, &w->subscription, flags);
}

void mqtt_mark_watches(struct mqtt_session *s)
{
    for (struct table_node *node = table_next(&s->watches, NULL); node; node = table_next(&s->watches, node))
        mark(CONTAINER(node, struct mqtt_watch, place));
}

void mqtt_forget_watches(struct mqtt_session *s)
{
    for (struct table_node *node = table_next(&s->watches, NULL); node; node = table_next(&s->watches, NULL))
        drop(CONTAINER(node, struct mqtt_watch, place));
}

/* ---- SUBSCRIBE and UNSUBSCRIBE under way */

/* One filter that was granted. */
struct grant {
    struct grant *next;
    bool fresh;    /* there was no such subscription before */
    bool retained; /* retained messages are owed (MQTT 5.0, 3.3.1.3, 3.8.3.1) */
    struct client_watch how;
    uint8_t filter[];
};

struct mqtt_asking {
    struct errand errand; /* what is to be kept */
    struct mqtt_peer *peer;
    struct mqtt_session *session;
    enum mqtt_type answer; /* MQTT_SUBACK or MQTT_UNSUBACK */
    uint16_t packet_id;
    struct buffer reasons;
    struct write *writes, **writes_end;
    struct grant *grants;
    size_t waits; /* the store, and shared subscriptions that some loop does not know yet */
    err failed;
};

static void take_back(struct mqtt_session *s, struct bytes filter)
{
    struct mqtt_watch *w = find(s, filter);
    if (w)
        drop(w);
}

/* Whether a changed subscription keeps what it is owed changes now, when all that was offered before has been settled:
 * a message on its way is neither passed by nor delivered twice (MQTT 5.0, 3.8.4-4). */
static void mark_again(struct mqtt_session *s, struct bytes filter)
{
    struct mqtt_watch *w = find(s, filter);
    if (w)
        mark(w);
}

static void asking_drop(struct mqtt_asking *a)
{
    struct mqtt_peer *p = a->peer;
    struct mqtt_session *s = a->session;
    for (struct grant *g = a->grants, *next; g; g = next) {
        next = g->next;
        mem_drop(g);
    }
    buffer_drop(&a->reasons);
    write_drop(a->writes);
    mem_drop(a);
    p->busy--;
    mqtt_release(p);
    s->busy--;
    mqtt_release_session(s);
}

static void give_all(struct mqtt_asking *a)
{
    struct mqtt_session *s = a->session;
    for (struct grant *g = a->grants; g; g = g->next)
        if (g->retained && s->peer == a->peer && mqtt_give_retained(s, &g->how))
            mqtt_count_dropped(s, "no memory to look for retained messages");
    asking_drop(a);
}

/* What could not be kept was not granted. */
static void finish(struct mqtt_asking *a)
{
    struct mqtt_session *s = a->session;
    if (a->failed && a->reasons.len)
        memset(a->reasons.at, MQTT_UNSPECIFIED_ERROR, a->reasons.len);
    for (struct grant *g = a->grants; g; g = g->next)
        if (a->failed && g->fresh)
            take_back(s, g->how.filter);
        else
            mark_again(s, g->how.filter);
    if (a->peer->phase == PEER_OPEN) {
        struct mqtt_suback ack = {.packet_id = a->packet_id, .reasons = buffer_view(&a->reasons)};
        mqtt_send(a->peer, &(struct mqtt_packet){.type = a->answer, .as.suback = ack});
    }
    if (a->failed)
        asking_drop(a);
    else
        give_all(a);
}

void mqtt_asked_more(struct mqtt_asking *a)
{
    a->waits++;
}

void mqtt_asked_less(struct mqtt_asking *a)
{
    if (--a->waits == 0)
        finish(a);
}

static void kept(struct errand *errand)
{
    struct mqtt_asking *a = CONTAINER(errand, struct mqtt_asking, errand);
    a->failed = errand->result.failed;
    mqtt_asked_less(a);
}

static bool wants_retained(const struct mqtt_asking *a)
{
    for (const struct grant *g = a->grants; g; g = g->next)
        if (g->retained)
            return true;
    return false;
}

/* Sends the answer, now or when nothing is waited for any more. What others asked to retain or to clear before is on
 * its way through the store: whoever asks for retained messages waits for it, even with nothing to be kept, and is
 * answered before anything that is published from then on can be among them. */
static void conclude(struct mqtt_asking *a)
{
    struct recorder *recorder = a->session->lobby->flow.recorder;
    a->errand.write = a->writes;
    a->errand.done = kept;
    if (a->writes || wants_retained(a)) {
        err failed = recorder->post(recorder, &a->errand);
        a->waits += !failed;
        a->failed = a->writes ? failed : OK;
        if (!failed)
            a->writes = NULL;
    }
    mqtt_asked_less(a);
}

static err asking_make(struct mqtt_peer *p, const struct mqtt_subscribe *packet, enum mqtt_type answer,
                       struct mqtt_asking **out)
{
    struct mqtt_asking *a = MEM_NEW(struct mqtt_asking);
    if (!a)
        return &no_memory;
    a->peer = p;
    a->session = p->session;
    a->answer = answer;
    a->packet_id = packet->packet_id;
    a->reasons.max = REASONS_MAX;
    a->writes_end = &a->writes;
    a->waits = 1; /* for conclude() */
    p->busy++;
    p->session->busy++;
    *out = a;
    return OK;
}

static err keep(struct mqtt_asking *a, struct write *w)
{
    if (!w)
        return &no_memory;
    *a->writes_end = w;
    a->writes_end = &w->next;
    return OK;
}

static int64_t now_us(const struct mqtt_asking *a)
{
    return wall_us(a->session->lobby->flow.clock);
}

/* ---- SUBSCRIBE */

static void judged(struct request *r)
{
    /* WATCH never waits: whoever began it reads the outcome when flow_begin returns. */
}

static err allowed(struct mqtt_peer *p, struct bytes filter)
{
    struct request r;
    request_open(&r, VERB_WATCH, &p->who, p->address);
    r.resource = filter;
    r.done = judged;
    flow_begin(&p->lobby->flow, &r);
    return r.refused;
}

enum share { SHARE_NOT = 0, SHARED };

static struct grant *grant_make(struct mqtt_asking *a, const struct client_watch *how)
{
    struct grant *g = mem_take(1, sizeof *g + how->filter.len);
    if (!g)
        return NULL;
    memcpy(g->filter, how->filter.at, how->filter.len);
    g->how = *how;
    g->how.filter = bytes_of(g->filter, how->filter.len);
    g->next = a->grants;
    a->grants = g;
    return g;
}

static err subscribe(struct mqtt_asking *a, const struct client_watch *how, enum share shared)
{
    struct mqtt_watch *w;
    TRY(add(a->session, how, &w));
    err failed = shared ? mqtt_join_share(w, a) : OK;
    if (failed)
        drop(w);
    return failed;
}

/* The subscription that stands, as it is wanted now. */
static void change(struct mqtt_watch *w, const struct client_watch *how)
{
    struct bytes filter = w->how.filter;
    w->how = *how;
    w->how.filter = filter;
}

/* What is refused leaves all as it was: nothing is kept of it, and no retained message is owed. */
static err grant(struct mqtt_asking *a, const struct client_watch *how, const struct mqtt_filter *f, enum share shared)
{
    struct mqtt_session *s = a->session;
    struct mqtt_watch *w = find(s, how->filter);
    struct write *record = s->kept ? write_client_watch(s->number, how, now_us(a)) : NULL;
    struct grant *g = !s->kept || record ? grant_make(a, how) : NULL;
    err failed = !g ? &no_memory : w ? OK : subscribe(a, how, shared);
    if (failed) {
        write_drop(record);
        return failed;
    }
    if (w)
        change(w, how);
    if (record)
        IGNORE(keep(a, record));
    g->fresh = !w;
    g->retained = !shared && (f->retain_handling == 0 || (f->retain_handling == 1 && g->fresh));
    return OK;
}

static enum mqtt_reason watch(struct mqtt_asking *a, const struct mqtt_filter *f, uint32_t subscription_id)
{
    struct mqtt_session *s = a->session;
    struct topic_share share;
    if (topic_check_filter(f->filter) || topic_share(f->filter, &share))
        return MQTT_TOPIC_FILTER_INVALID;
    err failed = allowed(a->peer, share.filter);
    if (failed)
        return mqtt_refusal(failed);
    if (s->watches.count >= s->lobby->limits->subscriptions_max && !find(s, f->filter))
        return MQTT_QUOTA_EXCEEDED;
    struct client_watch how = {.filter = f->filter,
                               .subscription_id = subscription_id,
                               .qos = f->qos,
                               .flags = (uint8_t)((f->no_local ? CLIENT_WATCH_NO_LOCAL : 0) |
                                                  (f->retain_as_published ? CLIENT_WATCH_AS_PUBLISHED : 0))};
    return grant(a, &how, f, share.name.len ? SHARED : SHARE_NOT) ? MQTT_QUOTA_EXCEEDED : (enum mqtt_reason)f->qos;
}

/* What makes the whole packet a breach of protocol: a shared subscription with No Local (MQTT 5.0, 3.8.3.1), and
 * in 3.1.1, which has no reason code for it, a filter that is none (3.1.1, 4.7.1, 4.8). */
static err check(const struct mqtt_peer *p, const struct mqtt_subscribe *packet, enum mqtt_type type)
{
    struct bytes filters = packet->filters;
    struct mqtt_filter f;
    while (mqtt_next_filter(&filters, type, &f)) {
        if (f.no_local && bytes_starts(f.filter, "$share/"))
            return &shared_local;
        err failed = p->version == MQTT_3_1_1 ? topic_check_filter(f.filter) : OK;
        if (err_is(failed, ERR_MALFORMED))
            return failed;
    }
    return OK;
}

err mqtt_on_subscribe(struct mqtt_peer *p, const struct mqtt_subscribe *subscribe)
{
    const struct mqtt_properties *properties = &subscribe->properties;
    uint32_t id = properties->present & MQTT_HAS(SUBSCRIPTION_ID) ? properties->subscription_id : 0;
    struct bytes filters = subscribe->filters;
    struct mqtt_filter f;
    struct mqtt_asking *a;
    TRY(check(p, subscribe, MQTT_SUBSCRIBE));
    TRY(asking_make(p, subscribe, MQTT_SUBACK, &a));
    while (mqtt_next_filter(&filters, MQTT_SUBSCRIBE, &f))
        put_u8(&a->reasons, (uint8_t)watch(a, &f, id));
    conclude(a);
    return OK;
}

/* ---- UNSUBSCRIBE */

static enum mqtt_reason unwatch(struct mqtt_asking *a, struct bytes filter)
{
    struct mqtt_session *s = a->session;
    struct mqtt_watch *w = find(s, filter);
    if (!w)
        return topic_check_filter(filter) ? MQTT_TOPIC_FILTER_INVALID : MQTT_NO_SUBSCRIPTION_EXISTED;
    if (s->kept && keep(a, write_client_unwatch(s->number, filter, now_us(a))))
        return MQTT_UNSPECIFIED_ERROR;
    drop(w);
    return MQTT_SUCCESS;
}

err mqtt_on_unsubscribe(struct mqtt_peer *p, const struct mqtt_subscribe *unsubscribe)
{
    struct bytes filters = unsubscribe->filters;
    struct mqtt_filter f;
    struct mqtt_asking *a;
    TRY(check(p, unsubscribe, MQTT_UNSUBSCRIBE));
    TRY(asking_make(p, unsubscribe, MQTT_UNSUBACK, &a));
    while (mqtt_next_filter(&filters, MQTT_UNSUBSCRIBE, &f))
        put_u8(&a->reasons, (uint8_t)unwatch(a, f.filter));
    conclude(a);
    return OK;
}

/* ---- at the start */

err mqtt_restore_watch(struct mqtt_session *s, const struct client_watch *how)
{
    struct mqtt_watch *w;
    struct topic_share share;
    TRY(topic_check_filter(how->filter));
    TRY(topic_share(how->filter, &share));
    TRY(add(s, how, &w));
    return share.name.len ? mqtt_join_share(w, NULL) : OK;
}
