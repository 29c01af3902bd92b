/* The server of the sessions' simulation: the real doors, flow, router and dispatch between loops, which are turned one
 * by one, under a played store thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions_house.h"

enum { SETTING_UP_MAX = 10000 };

static const struct fault gone = {ERR_CLOSED, "sim: the server is no more"};
static const struct fault full = {ERR_FULL, "sim: the queue is full"};
static const struct fault disk_full = {ERR_FULL, "sim: the disk has no room"};
static const struct fault no_method = {ERR_UNSUPPORTED, "sim: no such method"};

/* ---- ports */

static int64_t sim_us(const struct clock *self)
{
    return INT64_C(1767225600000000);
}

static int64_t sim_ms(const struct clock *self)
{
    return 1000;
}

static void sim_fill(const struct dice *self, uint8_t *out, size_t len)
{
    const struct house *h = (const struct house *)((uintptr_t)self - offsetof(struct house, dice));
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)draw(h->world, 256);
}

static err sim_admit(struct limiter *self, const struct request *r)
{
    return OK;
}

static err sim_allows(const struct rule *self, const struct request *r)
{
    return OK;
}

static err sim_identify(struct registry *self, struct request *r)
{
    return &full; /* operators' sessions need no registry */
}

static err sim_inspect(struct inspector *self, struct request *r)
{
    return OK;
}

static err sim_prove(struct authenticator *self, struct bytes method, struct bytes data, struct principal *who, uint8_t badge[AUTHENTICATOR_BADGE])
{
    return &no_method;
}

static void sim_report(struct reporter *self, const struct report *r)
{
}

/* What the flow judged is a promise, whether the client is there to hear it or not. */
static void sim_outcome(struct tap *self, const struct request *r)
{
    struct house *h = CONTAINER(self, struct house, tap);
    if (h->dead || r->verb != VERB_PUBLISH || !r->message->qos)
        return;
    struct packet p = packet_of(r->message);
    struct story *story = &h->world->stories[p.publisher][p.serial];
    h->world->refusals += r->refused != OK;
    *(r->refused ? &story->refused : &story->promised) = true;
}

/* ---- the store thread */

static err sim_post(struct recorder *self, struct errand *errand)
{
    struct room *room = CONTAINER(self, struct room, recorder);
    struct house *h = room->house;
    if (h->dead)
        return &gone;
    if (h->waiting_count + h->returning_count == JOBS_MAX || (!h->world->calm && chance(h->world, 1)))
        return &full;
    h->waiting[h->waiting_count++] = (struct sent){errand, (size_t)(room - h->rooms)};
    return OK;
}

/* As the clerk does it: up to the first write that is refused. The loops are told what is retained. */
static void apply(struct world *w, struct errand *e)
{
    e->result = (struct write_result){.failed = OK};
    for (const struct write *write = e->write; write && !e->result.failed; write = write->next) {
        e->result.failed = w->writer->apply(w->writer, write, &e->result);
        holds(w, !e->result.failed);
    }
    if (w->disk_full && e->write)
        e->result.failed = &disk_full;
    for (const struct write *write = e->write; write && !e->result.failed; write = write->next)
        for (size_t i = 0; i < LOOPS && write->kind == WRITE_RETAINED; i++)
            holds(w, !retained_put(w->house->rooms[i].retained, write->as.retained));
}

void store_commits(struct world *w)
{
    struct house *h = w->house;
    if (!h->waiting_count)
        return;
    size_t count = 1 + draw(w, (uint32_t)h->waiting_count);
    holds(w, !w->writer->begin(w->writer));
    for (size_t i = 0; i < count; i++)
        apply(w, h->waiting[i].errand);
    if (w->disk_full)
        w->writer->rollback(w->writer);
    else
        holds(w, !w->writer->commit(w->writer));
    for (size_t i = 0; i < count; i++) {
        write_drop(h->waiting[i].errand->write);
        h->waiting[i].errand->write = NULL;
        h->returning[h->returning_count++] = h->waiting[i];
    }
    h->waiting_count -= count;
    memmove(h->waiting, h->waiting + count, h->waiting_count * sizeof *h->waiting);
}

/* Answers come home in order to each loop, and those of different loops in any order. */
void store_returns(struct world *w)
{
    struct house *h = w->house;
    if (!h->returning_count)
        return;
    size_t at = draw(w, (uint32_t)h->returning_count);
    for (size_t i = 0; i < at; i++)
        if (h->returning[i].loop == h->returning[at].loop)
            at = i;
    struct errand *e = h->returning[at].errand;
    memmove(&h->returning[at], &h->returning[at + 1], (--h->returning_count - at) * sizeof *h->returning);
    e->done(e);
}

/* ---- loops */

static void turn_over(struct timer *timer)
{
    loop_stop(CONTAINER(timer, struct room, turn)->loop);
}

static void turn(struct room *room)
{
    must(!loop_timer_set(room->loop, &room->turn, 0));
    must(!loop_run(room->loop));
}

void server_turns(struct world *w, unsigned loop)
{
    turn(&w->house->rooms[loop]);
}

static bool has_mail(struct room *room)
{
    struct mailbox_counts counts;
    mailbox_read_counts(loop_mailbox(room->loop), &counts);
    return counts.waiting > 0;
}

bool server_is_busy(struct world *w)
{
    struct house *h = w->house;
    bool busy = h->waiting_count || h->returning_count;
    for (size_t i = 0; i < LOOPS; i++)
        turn(&h->rooms[i]); /* what waits for a turn's end is mail then */
    for (size_t i = 0; i < LOOPS; i++)
        busy |= has_mail(&h->rooms[i]);
    return busy || h->waiting_count;
}

/* ---- sessions */

const struct session *server_session(struct world *w, unsigned client)
{
    struct session *shown = &w->server.sessions[client];
    struct principal who = who_is(client);
    const struct table *sessions = &lobby_home(&w->house->rooms[0].lobby, &who)->sessions;
    shown->outbox = (struct outbox){.last = 0};
    shown->inbox = (struct inbox){.count = 0};
    for (struct table_node *node = table_next(sessions, NULL); node; node = table_next(sessions, node)) {
        const struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
        if (strcmp(s->who.id, who.id) != 0)
            continue;
        shown->outbox = s->outbox;
        shown->inbox = s->inbox;
    }
    return shown;
}

struct retained *server_retained(struct world *w, unsigned loop)
{
    return w->house->rooms[loop].retained;
}

/* ---- beginning and end */

static void room_open(struct house *h, struct room *room)
{
    const struct retained_limits retained = {TOPICS, 1 << 20};
    const struct dispatch_options dispatch = {
        .loop = room->loop, .all = h->dispatches, .count = LOOPS, .index = (size_t)(room - h->rooms)};
    struct dispatch_options options = dispatch;
    room->house = h;
    room->turn.due = turn_over;
    room->recorder.post = sim_post;
    must(!loop_open(&h->clock, POST_MAX, &room->loop));
    must(!router_open(1000, 7, &room->interests, &room->router));
    options.loop = room->loop;
    options.router = room->router;
    options.interests = &room->interests;
    must(!dispatch_open(&options, 7, &room->dispatch));
    must(!retained_open(&retained, 7, &room->retained));
    h->dispatches[options.index] = room->dispatch;
    h->lobbies[options.index] = &room->lobby;
    room->lobby = (struct lobby){.loop = room->loop,
                                 .limits = &h->limits,
                                 .counts = &room->counts,
                                 .log = &h->log,
                                 .dice = &h->dice,
                                 .reporter = &h->reporter,
                                 .shares = dispatch_shares(room->dispatch),
                                 .retained = room->retained,
                                 .authenticator = &h->authenticator,
                                 .all = h->lobbies,
                                 .all_count = LOOPS,
                                 .flow = {&h->limiter, &h->rule, &h->registry, &h->inspector, &room->recorder,
                                          room->router, dispatch_carrier(room->dispatch), &h->tap, &h->clock}};
}

void server_restores(struct world *w)
{
    struct house *h = w->house = MEM_NEW(struct house);
    struct mqtt_restored restored;
    *h = (struct house){.world = w,
                        .clock = {sim_us, sim_ms},
                        .dice = {sim_fill},
                        .limiter = {sim_admit},
                        .rule = {sim_allows},
                        .registry = {sim_identify},
                        .inspector = {sim_inspect},
                        .authenticator = {sim_prove},
                        .tap = {sim_outcome},
                        .reporter = {sim_report}};
    h->limits = (struct door_limits){.connections_max = 1000,
                                     .packet_max = 4096,
                                     .subscriptions_max = 10, .sessions_per_owner = 100, .will_max = 65536,
                                     .sessions_max = 1000,
                                     .queue = {80, 1 << 20, OVERFLOW_REFUSE},
                                     .queue_total_bytes = SIZE_MAX,
                                     .expiry_max_s = UINT32_MAX,
                                     .receive_max = 2 * OPEN_MAX,
                                     .keep_alive_max_s = 60000,
                                     .handshake_ms = 60000,
                                     .stall_ms = 60000};
    for (size_t i = 0; i < LOOPS; i++)
        room_open(h, &h->rooms[i]);
    for (size_t i = 0; i < LOOPS; i++)
        must(!lobby_open(&h->rooms[i].lobby));
    must(!mqtt_restore(w->reader, h->lobbies, LOOPS, &restored));
    holds(w, !restored.left_out);
    w->server.up = true;
    for (unsigned c = 0; c < CLIENTS; c++) {
        const struct session *s = server_session(w, c);
        size_t count = outbox_count(&s->outbox);
        h->knows[c] = restored.sessions == CLIENTS;
        w->server.sessions[c].messages_most =
            count > h->limits.queue.messages_max ? count : h->limits.queue.messages_max;
        w->server.sessions[c].bytes_most = h->limits.queue.bytes_max;
    }
}

/* Sessions and subscriptions are made as clients make them. */
void server_open(struct world *w)
{
    size_t wanted = 0;
    w->calm = true;
    server_restores(w);
    for (unsigned c = 0; c < CLIENTS; c++) {
        w->clients[c].receive_max = 10;
        server_connect(w, c);
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            char name[4];
            snprintf(name, sizeof name, "t/%u", topic % 10);
            struct mqtt_filter filter = {.filter = bytes_of_text(name), .qos = (uint8_t)w->granted[c][topic]};
            if (w->granted[c][topic] >= 0)
                peer_subscribe(line_of(w, c), &filter, (unsigned)++wanted);
        }
    }
    for (int round = 0; w->house->watches < wanted; round++) {
        holds(w, round < SETTING_UP_MAX);
        for (unsigned c = 0; c < CLIENTS; c++)
            line_pump(w, c);
        for (unsigned loop = 0; loop < LOOPS; loop++)
            server_turns(w, loop);
        store_commits(w);
        store_returns(w);
    }
    for (unsigned c = 0; c < CLIENTS; c++)
        server_disconnect(w, c);
    w->calm = false;
}

/* Nobody hears of anything any more, and nothing is kept: all that is done is to give memory back. */
void server_close(struct world *w)
{
    struct house *h = w->house;
    h->dead = true;
    for (unsigned c = 0; c < CLIENTS; c++) {
        for (size_t i = 0; i < LINES; i++)
            fake_line_drop(&h->lines[c][i]);
        w->to_server[c].count = w->to_client[c].count = 0;
        w->server.sessions[c].connected = false;
    }
    for (bool busy = true; busy;) {
        for (; h->waiting_count; h->returning_count++) {
            struct sent *s = &h->waiting[--h->waiting_count];
            write_drop(s->errand->write);
            s->errand->write = NULL;
            s->errand->result.failed = &gone;
            h->returning[h->returning_count] = *s;
        }
        while (h->returning_count)
            store_returns(w);
        busy = server_is_busy(w);
    }
    for (size_t i = 0; i < LOOPS; i++)
        lobby_close(&h->rooms[i].lobby);
    for (size_t i = 0; i < LOOPS; i++)
        lobby_forget(&h->rooms[i].lobby);
    while (server_is_busy(w))
        continue;
    for (size_t i = 0; i < LOOPS; i++) {
        dispatch_close(h->rooms[i].dispatch);
        retained_close(h->rooms[i].retained);
        router_close(h->rooms[i].router);
        loop_close(h->rooms[i].loop);
    }
    mem_drop(h);
    w->house = NULL;
    w->server.up = false;
}
