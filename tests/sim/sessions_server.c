/* The played doors and loops: in which order session state is changed, kept and told. Nothing is acknowledged that is
 * not kept:
 *
 *   PUBLISH in    offered on all loops (reserved) -> kept, with its identifier -> settled -> PUBACK, PUBREC
 *   PUBREL in     its identifier's removal kept -> PUBCOMP
 *   PUBREC in     its release kept -> PUBREL
 *   PUBACK, PUBCOMP in   the delivery's end is kept some time later */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

unsigned home_of(unsigned client)
{
    return client % LOOPS;
}

static void say(struct world *w, unsigned client, struct packet packet)
{
    if (w->server.sessions[client].connected && !pipe_put(&w->to_client[client], &packet))
        server_disconnect(w, client); /* too slow */
}

static void end_kept(struct world *w, unsigned client, uint64_t number)
{
    struct job job = {.kind = JOB_DELIVERED, .client = client, .number = number};
    job.write = session_write(WRITE_DELIVERED, client, number);
    job_post(w, &job);
}

/* ---- to a session */

static bool make_room(struct world *w, unsigned client, size_t bytes)
{
    struct session *s = &w->server.sessions[client];
    while (!outbox_has_room(&s->outbox, &s->limits, bytes)) {
        const struct delivery *d = NULL;
        struct packet lost[64];
        uint64_t numbers[64];
        size_t count = 0;
        struct shed shed;
        for (uint64_t at = 0; (at = outbox_walk(&s->outbox, at, &d)) && count < 64;)
            if (d->message) {
                numbers[count] = at;
                lost[count++] = packet_of(d->message);
            }
        if (outbox_shed(&s->outbox, &s->limits, bytes, &shed))
            return false;
        w->sheds++;
        for (size_t i = 0; i < count; i++)
            if (numbers[i] == shed.number)
                w->shed[client][lost[i].publisher][lost[i].serial] = true;
        if (shed.durable)
            end_kept(w, client, shed.number);
    }
    return true;
}

static uint8_t lower(int8_t granted, uint8_t qos)
{
    return granted < qos ? (uint8_t)granted : qos;
}

static size_t size_of(const struct message *m)
{
    return m->topic.len + m->payload.len;
}

/* Everybody at home on this loop who keeps this message reserves it. */
void server_offers(struct world *w, struct arrival *a, unsigned loop)
{
    for (unsigned c = 0; c < CLIENTS; c++) {
        struct session *s = &w->server.sessions[c];
        if (home_of(c) != loop || s->granted[a->packet.topic] < 1)
            continue;
        uint8_t qos = lower(s->granted[a->packet.topic], a->packet.qos);
        struct delivery d = {.message = a->message, .qos = qos, .state = DELIVERY_RESERVED, .durable = 1};
        uint64_t number;
        if (!make_room(w, c, size_of(a->message)) || outbox_add(&s->outbox, &d, &number)) {
            a->full = true;
            continue;
        }
        a->promises[a->promise_count++] =
            (struct promise){c, {.session = c + 1, .number = number, .qos = qos, .retain = false}};
    }
}

/* Everybody at home on this loop who hears it as QoS 0. */
void server_routes(struct world *w, unsigned loop, struct message *message)
{
    struct packet p = packet_of(message);
    for (unsigned c = 0; c < CLIENTS; c++) {
        struct session *s = &w->server.sessions[c];
        if (home_of(c) != loop || !s->connected || s->granted[p.topic] < 0 || lower(s->granted[p.topic], message->qos))
            continue;
        struct delivery d = {.message = message, .state = DELIVERY_WAITING};
        uint64_t number;
        if (make_room(w, c, size_of(message)))
            holds(w, !outbox_add(&s->outbox, &d, &number) && !number);
    }
}

void server_settles(struct world *w, struct post *post)
{
    for (size_t i = 0; i < post->promise_count; i++) {
        struct session *s = &w->server.sessions[post->promises[i].client];
        if (post->kind == MAIL_COMMIT)
            outbox_commit(&s->outbox, post->promises[i].delivery.number);
        else
            outbox_cancel(&s->outbox, post->promises[i].delivery.number);
    }
}

void server_sends(struct world *w, unsigned client)
{
    struct session *s = &w->server.sessions[client];
    uint64_t number;
    const struct delivery *d = s->connected ? outbox_next(&s->outbox, s->receive_max, &number) : NULL;
    if (!d)
        return;
    struct packet p = {.kind = PUBREL, .id = outbox_packet_id(number)};
    if (d->state == DELIVERY_RELEASING) {
        struct job job = {.kind = JOB_RELEASED, .client = client, .number = number};
        job.write = session_write(WRITE_RELEASED, client, number);
        job_post(w, &job);
        outbox_sent(&s->outbox, number);
        return;
    }
    if (d->message) {
        p = packet_of(d->message);
        p.id = number ? outbox_packet_id(number) : 0;
        p.qos = d->qos;
        p.dup = d->state == DELIVERY_SENT;
        w->dups += p.dup;
    }
    outbox_sent(&s->outbox, number);
    say(w, client, p);
}

/* ---- from a client */

static void arrival_drop(struct arrival *a)
{
    list_remove(&a->lane);
    list_remove(&a->all);
    message_drop(a->message);
    mem_drop(a);
}

static void settle(struct world *w, const struct arrival *a, enum mail_kind outcome)
{
    unsigned home = home_of(a->publisher);
    for (unsigned loop = 0; loop < LOOPS; loop++) {
        struct post here, *post = loop == home ? &here : mail_post(w, home, loop, outcome);
        post->kind = outcome;
        post->promise_count = 0;
        for (size_t i = 0; i < a->promise_count; i++)
            if (home_of(a->promises[i].client) == loop)
                post->promises[post->promise_count++] = a->promises[i];
        if (loop == home)
            server_settles(w, post);
    }
}

static void route_everywhere(struct world *w, unsigned home, struct message *message)
{
    for (unsigned loop = 0; loop < LOOPS; loop++)
        if (loop == home)
            server_routes(w, loop, message);
        else
            mail_post(w, home, loop, MAIL_ROUTE)->message = message_share(message);
}

/* QoS 1: the connection that it came on still stands. QoS 2: its identifier says. */
static bool is_due(const struct session *s, const struct arrival *a)
{
    return a->packet.qos == 1 ? a->connection == s->connections : inbox_asked(&s->inbox, a->packet.id);
}

static void refuse(struct world *w, struct arrival *a)
{
    struct packet p = {.kind = a->packet.qos == 1 ? PUBACK : PUBREC, .id = a->packet.id, .refused = true};
    struct session *s = &w->server.sessions[a->publisher];
    bool due = is_due(s, a);
    w->stories[a->publisher][a->packet.serial].refused = true;
    w->refusals++;
    settle(w, a, MAIL_CANCEL);
    if (a->packet.qos == 2)
        inbox_remove(&s->inbox, a->packet.id);
    if (due)
        say(w, a->publisher, p);
    arrival_drop(a);
}

static struct write *arrival_write(struct arrival *a)
{
    struct write *list = NULL;
    if (a->packet.qos == 2) {
        list = session_write(WRITE_RECEIVED, a->publisher, 0);
        list->as.received.packet_id = a->packet.id;
    }
    struct client_delivery at[CLIENTS];
    for (size_t i = 0; i < a->promise_count; i++)
        at[i] = a->promises[i].delivery;
    struct write *deliveries = a->promise_count ? write_deliveries(a->message, at, a->promise_count, 0) : NULL;
    if (deliveries) {
        deliveries->next = list;
        list = deliveries;
    }
    struct write *retained = a->packet.retain ? write_retained(a->message, 0) : NULL;
    if (retained) {
        retained->next = list;
        list = retained;
    }
    return list;
}

/* The arrivals of one session are kept in the order in which they came, whichever of them was answered first. */
void server_answered(struct world *w, struct arrival *answered)
{
    struct list *lane = &w->server.sessions[answered->publisher].lane;
    while (!list_empty(lane)) {
        struct arrival *a = CONTAINER(lane->next, struct arrival, lane);
        if (a->answers)
            return;
        list_remove(&a->lane);
        if (a->full) {
            refuse(w, a);
            continue;
        }
        struct job job = {.kind = JOB_ARRIVAL, .client = a->publisher, .arrival = a, .write = arrival_write(a)};
        job_post(w, &job);
    }
}

static void arrive(struct world *w, unsigned client, const struct packet *p)
{
    struct arrival *a = MEM_NEW(struct arrival);
    unsigned home = home_of(client);
    a->publisher = client;
    a->connection = w->server.sessions[client].connections;
    a->packet = *p;
    a->message = message_of(p);
    list_append(&w->server.arrivals, &a->all);
    list_append(&w->server.sessions[client].lane, &a->lane);
    for (unsigned loop = 0; loop < LOOPS; loop++)
        if (loop == home) {
            server_offers(w, a, loop);
        } else {
            a->answers++;
            mail_post(w, home, loop, MAIL_OFFER)->arrival = a;
        }
    server_answered(w, a);
}

static void take_publish(struct world *w, unsigned client, const struct packet *p)
{
    struct inbox *inbox = &w->server.sessions[client].inbox;
    enum inbox_state state = p->qos == 2 ? inbox_find(inbox, p->id) : INBOX_ABSENT;
    holds(w, state != INBOX_LEAVING); /* its PUBREC was answered */
    if (!p->qos) {
        struct message *m = message_of(p);
        route_everywhere(w, home_of(client), m);
        message_drop(m);
    } else if (state == INBOX_RECEIVED) {
        w->stories[client][p->serial].promised = true; /* a crash may have cut the first answer off */
        say(w, client, (struct packet){.kind = PUBREC, .id = p->id});
    } else {
        holds(w, p->qos == 1 || !inbox_put(inbox, p->id, INBOX_ARRIVING));
        if (state == INBOX_ABSENT)
            arrive(w, client, p);
    }
}

static void take_pubrel(struct world *w, unsigned client, uint16_t id)
{
    struct inbox *inbox = &w->server.sessions[client].inbox;
    struct job job = {.kind = JOB_UNRECEIVED, .client = client, .packet_id = id};
    enum inbox_state state = inbox_find(inbox, id);
    holds(w, state != INBOX_ARRIVING); /* no PUBREC was sent yet */
    if (state == INBOX_ABSENT)
        say(w, client, (struct packet){.kind = PUBCOMP, .id = id});
    if (state != INBOX_ABSENT)
        holds(w, !inbox_put(inbox, id, INBOX_LEAVING));
    if (state != INBOX_RECEIVED)
        return;
    job.write = session_write(WRITE_RECEIVED_DELETE, client, 0);
    job.write->as.received.packet_id = id;
    job_post(w, &job);
}

static void take_answer(struct world *w, unsigned client, const struct packet *p)
{
    struct outbox *o = &w->server.sessions[client].outbox;
    struct job job = {.kind = JOB_RELEASED, .client = client};
    const struct delivery *d = outbox_find(o, p->id, &job.number);
    if (p->kind == PUBREC && (!d || d->state == DELIVERY_RELEASED))
        say(w, client, (struct packet){.kind = PUBREL, .id = p->id});
    if (!d)
        return;
    if (p->kind == PUBREC && d->qos == 2 && d->state == DELIVERY_SENT) {
        outbox_releasing(o, job.number);
        job.write = session_write(WRITE_RELEASED, client, job.number);
        job_post(w, &job);
    } else if (p->kind == (d->qos == 1 ? PUBACK : PUBCOMP)) {
        holds(w, d->qos == 1 || d->state == DELIVERY_RELEASED);
        outbox_done(o, job.number);
        end_kept(w, client, job.number);
    }
}

void server_takes(struct world *w, unsigned client)
{
    struct packet p;
    if (!w->server.sessions[client].connected || !pipe_take(&w->to_server[client], &p))
        return;
    if (p.kind == PUBLISH)
        take_publish(w, client, &p);
    else if (p.kind == PUBREL)
        take_pubrel(w, client, p.id);
    else
        take_answer(w, client, &p);
}

/* ---- what became of a write */

static void arrival_kept(struct world *w, struct job *job)
{
    struct arrival *a = job->arrival;
    if (job->failed) {
        refuse(w, a);
        return;
    }
    struct session *s = &w->server.sessions[a->publisher];
    bool due = is_due(s, a);
    settle(w, a, MAIL_COMMIT);
    route_everywhere(w, home_of(a->publisher), a->message);
    if (a->packet.qos == 2)
        holds(w, !inbox_put(&s->inbox, a->packet.id, INBOX_RECEIVED));
    w->stories[a->publisher][a->packet.serial].promised = true; /* even if the client is not there to hear it */
    if (due)
        say(w, a->publisher, (struct packet){.kind = a->packet.qos == 1 ? PUBACK : PUBREC, .id = a->packet.id});
    arrival_drop(a);
}

/* What could not be kept is tried again on the client's next connection. */
void server_hears(struct world *w, struct job *job)
{
    struct session *s = &w->server.sessions[job->client];
    bool due;
    switch (job->kind) {
    case JOB_ARRIVAL:
        arrival_kept(w, job);
        return;
    case JOB_RELEASED:
        if (job->failed)
            server_disconnect(w, job->client);
        else if (outbox_released(&s->outbox, job->number))
            say(w, job->client, (struct packet){.kind = PUBREL, .id = outbox_packet_id(job->number)});
        return;
    case JOB_UNRECEIVED:
        if (job->failed) {
            holds(w, !inbox_put(&s->inbox, job->packet_id, INBOX_RECEIVED));
            server_disconnect(w, job->client);
            return;
        }
        due = inbox_asked(&s->inbox, job->packet_id);
        inbox_remove(&s->inbox, job->packet_id);
        if (due)
            say(w, job->client, (struct packet){.kind = PUBCOMP, .id = job->packet_id});
        return;
    case JOB_DELIVERED: /* at worst the client is told again after a restart */
        return;
    }
}

/* ---- connections */

void server_disconnect(struct world *w, unsigned client)
{
    struct session *s = &w->server.sessions[client];
    if (!s->connected)
        return;
    s->connected = false;
    (void)outbox_detach(&s->outbox);
    inbox_detach(&s->inbox);
    w->to_server[client].count = 0;
}

void server_connect(struct world *w, unsigned client)
{
    server_disconnect(w, client); /* the one before may not have been missed yet */
    w->server.sessions[client].connected = true;
    w->server.sessions[client].connections++;
    w->server.sessions[client].receive_max = w->clients[client].receive_max;
    w->to_server[client].count = w->to_client[client].count = 0;
}

void server_close(struct world *w)
{
    struct server *server = &w->server;
    for (size_t i = 0; i < server->waiting_count; i++)
        write_drop(server->waiting[i].write);
    for (unsigned from = 0; from < LOOPS; from++)
        for (unsigned to = 0; to < LOOPS; to++)
            for (struct post_box *box = &server->mail[from][to]; box->count; box->count--, box->first++)
                message_drop(box->at[box->first % POST_MAX].message);
    list_each (at, &server->arrivals)
        arrival_drop(CONTAINER(at, struct arrival, all));
    for (unsigned c = 0; c < CLIENTS; c++) {
        outbox_close(&server->sessions[c].outbox);
        inbox_close(&server->sessions[c].inbox);
        w->to_server[c].count = w->to_client[c].count = 0;
    }
    for (unsigned loop = 0; loop < LOOPS; loop++)
        retained_close(server->retained[loop]);
    memset(server, 0, sizeof *server);
}

const struct session *server_session(struct world *w, unsigned client)
{
    return &w->server.sessions[client];
}

struct retained *server_retained(struct world *w, unsigned loop)
{
    return w->server.retained[loop];
}
