/* The floor of loop threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/floor_parts.h"

#include "api/api.h"
#include "base/memory.h"
#include "door/http.h"
#include "door/mqtt.h"
#include "door/mqtt_restore.h"
#include "prog/server/board.h"
#include "prog/server/streams.h"
#include "trust/account.h"

#include <stdlib.h>

static const struct fault no_memory = {ERR_MEMORY, "floor: no memory"};
static const struct fault no_thread = {ERR_IO, "floor: no thread could be started"};

enum { MAILBOX_MAX = 65536, SUBSCRIPTIONS_MAX = 1000000 };

/* ---- who calls */

static void show(struct badges *self, struct call *call)
{
    struct station *s = CONTAINER(self, struct station, badges);
    uint8_t hash[TOKEN_HASH];
    struct bytes secret = api_session_secret(call);
    if (!secret.len || account_session_hash(secret, hash))
        return;
    const struct session_record *found = session_table_find(s->sessions, hash, wall_us(s->floor->options.clock));
    if (!found || principal_set(&call->who, PRINCIPAL_OPERATOR, bytes_of_text(found->operator_name)))
        return;
    for (size_t i = 0; i < TOKEN_HASH; i++)
        call->session_hash[i] = hash[i];
}

static bool holds(struct badges *self, const uint8_t session_hash[TOKEN_HASH])
{
    struct station *s = CONTAINER(self, struct station, badges);
    return session_table_find(s->sessions, session_hash, wall_us(s->floor->options.clock)) != NULL;
}

static enum audience audience_of(const struct audiences *self, enum call_method method, struct bytes path)
{
    (void)self;
    return api_route_audience(method, path);
}

/* ---- one station */

static uint64_t seed(const struct dice *dice)
{
    uint64_t value;
    dice->fill(dice, (uint8_t *)&value, sizeof value);
    return value;
}

static err station_open(struct floor *floor, struct station *s)
{
    const struct floor_options *o = &floor->options;
    struct quota_options quota = o->quota;
    quota.seed = seed(o->dice);
    s->floor = floor;
    TRY(loop_open(o->clock, MAILBOX_MAX, &s->loop));
    TRY(router_open(SUBSCRIPTIONS_MAX, seed(o->dice), &s->interests, &s->router));
    struct dispatch_options dispatch = {.loop = s->loop,
                                        .router = s->router,
                                        .interests = &s->interests,
                                        .all = floor->dispatches,
                                        .count = o->loops,
                                        .index = (size_t)(s - floor->stations),
                                        .dropped = &s->counts.carried_dropped};
    TRY(dispatch_open(&dispatch, seed(o->dice), &s->dispatch));
    TRY(retained_open(&o->retained, seed(o->dice), &s->retained));
    TRY(quota_open(&quota, loop_turn_clock(s->loop), &s->quota));
    TRY(session_table_open(seed(o->dice), &s->sessions));
    TRY(clerk_loop_recorder(o->clerk, s->loop, &s->recorder));
    inspection_open(&s->inspection, o->clock);
    witness_open(&s->witness, &(struct witness_options){s->recorder, o->clock, o->log});
    proof_open(&s->proof, s->sessions, o->clock);
    s->badges = (struct badges){show, holds};
    return OK;
}

static err open_listeners(struct station *s, const struct floor_doors *doors)
{
    const struct protocol *protocols[PORTS] = {
        [PORT_MQTT] = mqtt_protocol(),
        [PORT_HTTP] = http_protocol(),
        [PORT_MQTT_WEBSOCKET] = websocket_protocol(),
        [PORT_PLAIN] = mqtt_protocol(),
        [PORT_PLAIN_WEBSOCKET] = websocket_protocol(),
    };
    for (size_t i = 0; i < PORTS; i++)
        if (doors->ports[i] >= 0)
            TRY(listener_open(&s->listeners[i], &s->lobby, doors->ports[i], protocols[i], doors->tls[i]));
    return OK;
}

static err station_furnish(struct station *s, const struct floor_doors *doors)
{
    struct floor *floor = s->floor;
    const struct floor_options *o = &floor->options;
    query_registry_open(&s->registry, doors->desk, loop_mailbox(s->loop));
    for (size_t i = 0; i < doors->session_count; i++)
        TRY(session_table_add(s->sessions, &doors->sessions[i]));
    s->lobby = (struct lobby){
        .loop = s->loop,
        .limits = o->limits,
        .counts = &s->counts,
        .log = o->log,
        .dice = o->dice,
        .assets = o->assets,
        .desk = query_desk_desk(doors->desk),
        .badges = &s->badges,
        .streams = &floor->streams.streams,
        .reporter = &s->witness.reporter,
        .audiences = &floor->audiences,
        .shares = dispatch_shares(s->dispatch),
        .retained = s->retained,
        .authenticator = &s->proof.authenticator,
        .all = floor->lobbies,
        .all_count = o->loops,
        .flow = {.limiter = quota_limiter(s->quota),
                 .rule = o->rule,
                 .registry = &s->registry.registry,
                 .inspector = &s->inspection.inspector,
                 .recorder = s->recorder,
                 .router = s->router,
                 .carrier = dispatch_carrier(s->dispatch),
                 .tap = &s->witness.tap,
                 .clock = loop_turn_clock(s->loop)},
    };
    return lobby_open(&s->lobby);
}

static void *run(void *self)
{
    struct station *s = self;
    if (loop_run(s->loop)) { /* whoever mails to it would wait for ever: the launcher starts us anew */
        log_line(s->lobby.log, LOG_ERROR, "a loop ended", "why=\"epoll failed\"");
        abort();
    }
    return NULL;
}

/* ---- life */

err floor_open(const struct floor_options *options, struct floor **out)
{
    struct floor *floor = mem_take(1, sizeof *floor + options->loops * sizeof floor->stations[0]);
    if (!floor)
        return &no_memory;
    floor->options = *options;
    floor_open_herald(floor);
    floor->audiences.of = audience_of;
    api_streams_open(&floor->streams, options->clock);
    floor_board_open(&floor->board, floor->lobbies, options->loops);
    *out = floor;
    for (size_t i = 0; i < options->loops; i++)
        floor->counts[i] = &floor->stations[i].counts;
    for (size_t i = 0; i < options->loops; i++) {
        TRY(station_open(floor, &floor->stations[i]));
        floor->lobbies[i] = &floor->stations[i].lobby;
        floor->dispatches[i] = floor->stations[i].dispatch;
    }
    return OK;
}

struct board *floor_board(struct floor *floor)
{
    return &floor->board.board;
}

struct herald *floor_herald(struct floor *floor)
{
    return &floor->herald;
}

void floor_count_retained(struct station *s)
{
    if (s != &s->floor->stations[0])
        return;
    counter_set(&s->counts.retained_now, retained_count(s->retained));
    counter_set(&s->counts.retained_bytes, retained_bytes(s->retained));
}

void floor_tell_counts(const struct floor *floor, struct metric_rows *rows)
{
    static const struct metric turn = {"loop_turn_seconds", "",
                                       "Turns of the event loops, from waking up to the end, in whole milliseconds.",
                                       METRIC_COUNTER};
    struct latency_sum turns = {.count = 0};
    for (size_t i = 0; i < floor->options.loops; i++)
        latency_sum_add(&turns, loop_turns(floor->stations[i].loop));
    door_counts_tell(floor->counts, floor->options.loops, rows);
    rows->latency(rows, &turn, &turns);
}

uint64_t floor_connections(const struct floor *floor)
{
    return DOOR_COUNTS_SUM(floor->counts, floor->options.loops, connections_now);
}

uint64_t floor_accepted(const struct floor *floor)
{
    return DOOR_COUNTS_SUM(floor->counts, floor->options.loops, accepted);
}

size_t floor_loops(const struct floor *floor, struct loop *out[FLOOR_LOOPS_MAX])
{
    for (size_t i = 0; i < floor->options.loops; i++)
        out[i] = floor->stations[i].loop;
    return floor->options.loops;
}

static err restore(struct floor *floor, struct store_reader *reader)
{
    struct mqtt_restored r;
    TRY(mqtt_restore(reader, floor->lobbies, floor->options.loops, &r));
    floor_count_retained(&floor->stations[0]);
    log_line(floor->options.log, LOG_INFO, "sessions restored",
             "sessions=%zu subscriptions=%zu deliveries=%zu retained=%zu left_out=%zu", r.sessions, r.subscriptions,
             r.deliveries, r.retained, r.left_out);
    return OK;
}

err floor_start(struct floor *floor, const struct floor_doors *doors)
{
    for (size_t i = 0; i < floor->options.loops; i++)
        TRY(station_furnish(&floor->stations[i], doors));
    TRY(restore(floor, doors->reader));
    for (size_t i = 0; i < floor->options.loops; i++) {
        struct station *s = &floor->stations[i];
        TRY(open_listeners(s, doors));
        if (pthread_create(&s->thread, NULL, run, s))
            return &no_thread;
        s->running = true;
    }
    return OK;
}

struct rekeying {
    struct mail mail;
    struct station *station;
    struct tls_context *tls[PORTS];
};

static void rekey(struct mail *mail)
{
    struct rekeying *r = CONTAINER(mail, struct rekeying, mail);
    for (size_t i = 0; i < PORTS; i++)
        listener_use_tls(&r->station->listeners[i], r->tls[i]);
    connection_end_revoked(&r->station->lobby, r->tls[PORT_MQTT]); /* all of them have the same lists */
    for (size_t i = 0; i < PORTS; i++)
        tls_context_drop(r->tls[i]);
    mem_drop(r);
}

err floor_use_tls(struct floor *floor, struct tls_context *const tls[PORTS])
{
    for (size_t i = 0; i < floor->options.loops; i++) {
        struct rekeying *r = MEM_NEW(struct rekeying);
        if (!r)
            return &no_memory;
        *r = (struct rekeying){.mail = {.open = rekey}, .station = &floor->stations[i]};
        for (size_t port = 0; port < PORTS; port++)
            r->tls[port] = tls[port] ? tls_context_share(tls[port]) : NULL;
        mailbox_answer(loop_mailbox(floor->stations[i].loop), &r->mail); /* rare, and must arrive */
    }
    return OK;
}

struct shutting {
    struct mail mail;
    struct station *station;
};

static void shut(struct mail *mail)
{
    struct shutting *shutting = CONTAINER(mail, struct shutting, mail);
    struct station *s = shutting->station;
    mem_drop(shutting);
    for (size_t i = 0; i < PORTS; i++)
        listener_close(&s->listeners[i]);
    lobby_shut(&s->lobby);
}

void floor_shut(struct floor *floor)
{
    for (size_t i = 0; i < floor->options.loops; i++) {
        struct shutting *shutting = floor->stations[i].running ? MEM_NEW(struct shutting) : NULL;
        if (!shutting)
            continue;
        *shutting = (struct shutting){{.open = shut}, &floor->stations[i]};
        mailbox_answer(loop_mailbox(floor->stations[i].loop), &shutting->mail);
    }
}

/* Opens what lies in the mailboxes, and what that put into them: a publication that is durable now is on its way to all
 * other loops. */
static void deliver_all(struct floor *floor)
{
    size_t delivered;
    do {
        delivered = 0;
        for (size_t i = 0; i < floor->options.loops; i++)
            if (floor->stations[i].loop)
                delivered += mailbox_deliver(loop_mailbox(floor->stations[i].loop));
    } while (delivered);
}

void floor_stop(struct floor *floor)
{
    size_t loops = floor->options.loops;
    for (size_t i = 0; i < loops; i++)
        if (floor->stations[i].running)
            loop_stop(floor->stations[i].loop);
    for (size_t i = 0; i < loops; i++)
        if (floor->stations[i].running)
            pthread_join(floor->stations[i].thread, NULL);
    deliver_all(floor); /* what came in between, and lines that were on their way to another loop */
    for (size_t i = 0; i < loops; i++)
        if (floor->stations[i].running)
            lobby_close(&floor->stations[i].lobby);
    deliver_all(floor); /* wills of those lines that were offered to other loops: the store still takes them */
    for (size_t i = 0; i < loops; i++)
        floor->stations[i].running = false;
}

void floor_close(struct floor *floor)
{
    if (!floor)
        return;
    deliver_all(floor); /* the last answers of the store and of the query threads */
    for (size_t i = 0; i < floor->options.loops; i++)
        if (floor->stations[i].lobby.loop)
            lobby_forget(&floor->stations[i].lobby);
    deliver_all(floor); /* what the sessions told the other loops when they ended */
    for (size_t i = 0; i < floor->options.loops; i++) {
        struct station *s = &floor->stations[i];
        dispatch_close(s->dispatch);
        retained_close(s->retained);
        session_table_close(s->sessions);
        quota_close(s->quota);
        router_close(s->router);
        loop_close(s->loop);
    }
    floor_board_close(&floor->board);
    mem_drop(floor);
}
