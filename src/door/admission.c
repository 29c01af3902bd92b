/* Admission: when a new connection's handshake is begun, and how far it may go in a turn.
 *
 *   accepted -> WAITING -> (a place, the rate, the turn is not long already) -> HANDSHAKE -> steps -> OPEN
 *
 * A handshake costs a thousand times what a message does, and after an outage the whole fleet wants one at once. So
 * handshakes are done at the end of a turn, when everybody who is connected was served, for a share of the time that
 * this took; new ones are begun while the turns are short. Whoever waits too long is told so in the clear, which costs
 * nothing, and comes back. A peer that holds a place and says nothing gives way to one that waits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection_parts.h"

#include "crypto/certificate.h"

static const struct fault revoked = {ERR_REFUSED, "certificate revoked"};

enum {
    TURN_TARGET_MS = 5,    /* in a turn that took longer, one handshake at most is begun */
    STEPS_MS = 2,          /* of a turn, for handshakes, */
    STEPS_SHARE = 4,       /* and this part of what the others took */
    WAITING_PER_PLACE = 8, /* so many may wait for each place under way */
    SLOW_MS = 2000,        /* a handshake that is older gives way when others wait */
    AGAIN_MS = 10,
};

static struct admission *admission_of(const struct connection *c)
{
    return &c->line.lobby->traffic->admission;
}

static void again(struct timer *timer);

void admission_open(struct admission *a)
{
    a->again.due = again;
    list_open(&a->waiting);
    list_open(&a->under_way);
    list_open(&a->steps);
}

/* The sweep steps handshakes. */
static void call_sweep(struct lobby *lobby)
{
    struct traffic *t = lobby->traffic;
    if (t->sweeping)
        loop_at_next_turn_end(lobby->loop, &t->sweep);
    else
        loop_at_turn_end(lobby->loop, &t->sweep);
}

static void again(struct timer *timer)
{
    call_sweep(CONTAINER(timer, struct traffic, admission.again)->lobby);
}

void admission_forget(struct connection *c)
{
    struct admission *a = admission_of(c);
    struct arrival *arrival = c->arrival;
    if (!arrival || list_empty(&arrival->queue))
        return;
    list_remove(&arrival->queue);
    list_remove(&arrival->step);
    *(arrival->tls ? &a->waiting_count : &a->under_way_count) -= 1;
    if (!list_empty(&a->waiting))
        call_sweep(c->line.lobby); /* a place is free */
}

void admission_shed(struct connection *c)
{
    counter_raise(&c->line.lobby->counts->handshakes_shed, 1);
    if (!c->tls)
        tls_refuse(c->watcher.fd);
    connection_die(c);
}

void admission_queue(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    struct admission *a = admission_of(c);
    c->arrival->since_ms = loop_now_ms(lobby->loop);
    list_append(&a->waiting, &c->arrival->queue);
    a->waiting_count++;
    call_sweep(lobby);
    if (a->waiting_count > lobby->limits->handshakes_max * WAITING_PER_PLACE)
        admission_shed(c);
    else
        connection_expect(c, &c->tired_ms, lobby->limits->handshake_ms / 2);
}

void admission_ready(struct connection *c)
{
    if (list_empty(&c->arrival->step))
        list_append(&admission_of(c)->steps, &c->arrival->step);
    call_sweep(c->line.lobby);
}

/* ---- a handshake */

static void prove(struct connection *c)
{
    char id[DEVICE_ID_MAX + 1];
    if (tls_peer_certificate(c->tls, &c->arrival->certificate))
        return; /* it showed none: it stays nobody */
    c->line.certificate = buffer_view(&c->arrival->certificate);
    if (!certificate_uri(c->line.certificate, DEVICE_URI, id, sizeof id))
        IGNORE(principal_set(&c->line.who, PRINCIPAL_DEVICE, bytes_of_text(id)));
}

static void refused(struct connection *c, err failed, const char *why)
{
    struct lobby *lobby = c->line.lobby;
    counter_raise(&lobby->counts->handshakes_refused, 1);
    log_line(lobby->log, LOG_INFO, "handshake refused", "peer=%s door=%s why=\"%s\"", c->line.peer,
             c->arrival->protocol->name, why);
    /* Whom we refused leaves an event. One that went away does not, nor one that refused us: a browser that does not
     * know our root does so many times. */
    if (err_is(failed, ERR_REFUSED) && !tls_peer_refused(c->tls))
        lobby->reporter->report(lobby->reporter,
                                &(struct report){.kind = EVENT_CONNECTION_REFUSED, .peer = c->line.peer, .why = why});
    connection_die(c);
}

static void step(struct connection *c)
{
    err failed = tls_handshake(c->tls);
    if (failed && !err_is(failed, ERR_AGAIN)) {
        refused(c, failed, tls_trouble(c->tls));
        return;
    }
    if (!failed && connection_is_revoked(c)) { /* the lists came while it shook hands under the old ones */
        refused(c, &revoked, revoked.text);
        return;
    }
    if (!failed) {
        prove(c);
        admission_forget(c);
        connection_begin(c);
        connection_soil(c); /* what was sent meanwhile */
    }
    connection_watch(c);
}

/* ---- which one is next */

/* False: the rate says not yet. */
static bool rate_allows(struct lobby *lobby, struct admission *a)
{
    uint32_t per_s = lobby->limits->handshakes_per_s;
    if (!per_s)
        return true;
    uint32_t burst = per_s / 10 ? per_s / 10 : 1;
    if (bucket_take(&a->bucket, (struct bucket_rate){per_s, burst}, loop_now_ms(lobby->loop)))
        return true;
    IGNORE(loop_timer_set(lobby->loop, &a->again, AGAIN_MS));
    return false;
}

/* Is there a place? One that is held by somebody slow is taken away. */
static bool has_place(struct lobby *lobby, struct admission *a)
{
    if (a->under_way_count < lobby->limits->handshakes_max)
        return true;
    struct arrival *oldest = CONTAINER(a->under_way.next, struct arrival, queue);
    int64_t left_ms = oldest->since_ms + SLOW_MS - loop_now_ms(lobby->loop);
    if (left_ms > 0) {
        IGNORE(loop_timer_set(lobby->loop, &a->again, left_ms)); /* a place that gets free has us look again, too */
        return false;
    }
    admission_shed(oldest->connection);
    return true;
}

static void begin(struct lobby *lobby, struct admission *a)
{
    struct arrival *arrival = CONTAINER(a->waiting.next, struct arrival, queue);
    struct connection *c = arrival->connection;
    if (tls_accept(arrival->tls, lobby->traffic->engine, c->watcher.fd, &c->tls)) {
        admission_shed(c); /* no memory */
        return;
    }
    list_remove(&arrival->queue);
    a->waiting_count--;
    tls_context_drop(arrival->tls);
    arrival->tls = NULL;
    list_append(&a->under_way, &arrival->queue);
    list_append(&a->steps, &arrival->step); /* its first words are here already, most times */
    a->under_way_count++;
    arrival->since_ms = loop_now_ms(lobby->loop);
    c->phase = HANDSHAKE;
    connection_expect(c, &c->tired_ms, lobby->limits->handshake_ms);
}

static void count_deferred(struct lobby *lobby, struct admission *a)
{
    for (struct list *at = a->waiting.prev; at != &a->waiting; at = at->prev) {
        struct arrival *arrival = CONTAINER(at, struct arrival, queue);
        if (arrival->deferred)
            return; /* those before it were counted, too */
        arrival->deferred = true;
        counter_raise(&lobby->counts->handshakes_deferred, 1);
    }
}

static bool take_step(struct admission *a)
{
    struct list *at = list_take(&a->steps);
    if (at)
        step(CONTAINER(at, struct arrival, step)->connection);
    return at;
}

/* Begins the next one when it may. False: not in this turn. */
static bool begin_next(struct lobby *lobby, struct admission *a)
{
    if (list_empty(&a->waiting) || !has_place(lobby, a) || !rate_allows(lobby, a))
        return false;
    begin(lobby, a);
    return true;
}

void admission_run(struct lobby *lobby)
{
    struct admission *a = &lobby->traffic->admission;
    int64_t others_ms = loop_turn_ms(lobby->loop);
    int64_t until_ms = others_ms + STEPS_MS + others_ms / STEPS_SHARE;
    if (list_empty(&a->waiting) && list_empty(&a->steps))
        return;
    bool begun = begin_next(lobby, a), more = begun;
    while (take_step(a) && loop_turn_ms(lobby->loop) < until_ms)
        if (more && others_ms < TURN_TARGET_MS)
            more = begin_next(lobby, a);
    count_deferred(lobby, a);
    if (!list_empty(&a->steps) || (begun && !list_empty(&a->waiting)))
        call_sweep(lobby);
}
