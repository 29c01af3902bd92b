/* The world that the fleet lives in: ports, the played store thread, the turns of loops. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#define START_US INT64_C(1767225600000000)

static const struct fault full = {ERR_FULL, "sim: the queue is full"};
static const struct fault disk = {ERR_FULL, "sim: the disk has no room"};
static const struct fault unknown = {ERR_REFUSED, "sim: the device is not known"};

uint32_t draw(struct world *w, uint32_t below)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->dice >> 33) % below;
}

bool chance(struct world *w, uint32_t percent)
{
    return draw(w, 100) < percent;
}

static int64_t sim_wall_us(const struct clock *self)
{
    return START_US + CONTAINER(self, struct world, clock)->now_ms * 1000;
}

static int64_t sim_now_ms(const struct clock *self)
{
    return CONTAINER(self, struct world, clock)->now_ms;
}

static void sim_fill(const struct dice *self, uint8_t *out, size_t len)
{
    struct world *w = (struct world *)((uintptr_t)self - offsetof(struct world, dice_port));
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)draw(w, 256);
}

/* ---- the store thread */

static err sim_post(struct recorder *self, struct errand *errand)
{
    struct world *w = CONTAINER(self, struct world, recorder);
    if (w->waiting_count == WAITING_MAX || w->returning_count + w->waiting_count >= 4 * WAITING_MAX)
        return &full;
    w->waiting[w->waiting_count++] = errand;
    return OK;
}

static err apply_now(struct world *w, const struct write *write)
{
    struct write_result result = {.failed = OK};
    must(!w->writer->begin(w->writer));
    err failed = w->writer->apply(w->writer, write, &result);
    must(!w->writer->commit(w->writer));
    return failed;
}

/* As the clerk does it: up to the first write that is refused. */
static void apply_errand(struct world *w, struct errand *e)
{
    e->result = (struct write_result){.failed = OK};
    for (const struct write *write = e->write; write && !e->result.failed; write = write->next) {
        e->result.failed = w->writer->apply(w->writer, write, &e->result);
        holds(w, !err_is(e->result.failed, ERR_MEMORY) && !err_is(e->result.failed, ERR_IO));
    }
}

/* As the floor is told: all loops, in the order of the commits, before the errands return. */
static void tell_retained(struct world *w, const struct errand *e)
{
    for (const struct write *write = e->result.failed ? NULL : e->write; write; write = write->next)
        for (size_t i = 0; i < LOOPS && write->kind == WRITE_RETAINED; i++)
            must(!retained_put(w->lobbies[i].retained, write->as.retained));
}

void store_commit(struct world *w)
{
    if (w->mood == STORE_SLOW || !w->waiting_count)
        return;
    must(!w->writer->begin(w->writer));
    for (size_t i = 0; i < w->waiting_count; i++)
        apply_errand(w, w->waiting[i]);
    if (w->mood == STORE_FULL)
        w->writer->rollback(w->writer);
    else
        must(!w->writer->commit(w->writer));
    for (size_t i = 0; i < w->waiting_count; i++) {
        struct errand *e = w->waiting[i];
        if (w->mood == STORE_FULL && e->write)
            e->result.failed = &disk;
        tell_retained(w, e);
        write_drop(e->write);
        e->write = NULL;
        w->returning[w->returning_count++] = e;
    }
    w->waiting_count = 0;
}

void store_return(struct world *w, size_t count)
{
    for (; count && w->returning_count; count--) {
        struct errand *e = w->returning[0];
        memmove(w->returning, w->returning + 1, --w->returning_count * sizeof *w->returning);
        e->done(e);
    }
}

struct found {
    struct sample_rows rows;
    uint64_t serial;
    bool hit;
};

static bool found_row(struct sample_rows *self, const struct sample *sample)
{
    struct found *f = CONTAINER(self, struct found, rows);
    f->hit = sample->kind == SAMPLE_INTEGER && (uint64_t)sample->value.integer == f->serial;
    return true;
}

static void device_name(unsigned device, char out[16])
{
    snprintf(out, 16, "d%u", device);
}

/* Each good publish has a time of its own, which is its serial number in milliseconds. */
bool store_has(struct world *w, unsigned device, uint64_t serial)
{
    char id[16];
    int64_t at = START_US - INT64_C(86400000000) + (int64_t)serial * 1000;
    struct found f = {.rows = {found_row}, .serial = serial};
    device_name(device, id);
    struct series_query query = {.device = bytes_of_text(id), .metric = BYTES("n"), .from_us = at, .to_us = at + 1, .limit = 1};
    must(!w->reader->series(w->reader, &query, &f.rows));
    return f.hit;
}

void device_enrol(struct world *w, unsigned device)
{
    struct write write = {.kind = WRITE_ENROLMENT, .now_us = sim_wall_us(&w->clock)};
    device_name(device, write.as.enrolment.device.id);
    write.as.enrolment.device.enrolled_us = write.now_us;
    memset(write.as.enrolment.token_hash, 7, TOKEN_HASH);
    if (!w->enrolled[device])
        must(!apply_now(w, &write));
    w->enrolled[device] = true;
}

void device_delete(struct world *w, unsigned device)
{
    struct write write = {.kind = WRITE_DEVICE_DELETE, .now_us = sim_wall_us(&w->clock)};
    if (!w->enrolled[device])
        return;
    device_name(device, write.as.device);
    must(!apply_now(w, &write));
    w->enrolled[device] = false;
    w->lives[device]++;
    store_return(w, SIZE_MAX); /* a loop hears what was kept before it hears of the deletion */
    for (size_t i = 0; i < LOOPS; i++)
        lobby_expel(&w->lobbies[i], write.as.device);
}

/* ---- other threads */

static err sim_identify(struct registry *self, struct request *r)
{
    struct world *w = CONTAINER(self, struct world, registry);
    if (w->asked_count == LINES * 2 || chance(w, 3))
        return &full;
    w->asked[w->asked_count++] = r;
    return OK;
}

void registry_answer(struct world *w)
{
    struct device device;
    if (!w->asked_count)
        return;
    struct request *r = w->asked[0];
    memmove(w->asked, w->asked + 1, --w->asked_count * sizeof *w->asked);
    flow_resume(r, w->reader->get_device(w->reader, bytes_of_text(r->who->id), &device) ? &unknown : OK);
}

struct turn {
    struct mail mail;
    struct loop *loop;
};

static void stop(struct mail *mail)
{
    loop_stop(CONTAINER(mail, struct turn, mail)->loop);
}

void station_turns(struct world *w, size_t i)
{
    struct turn turn = {{.open = stop}, w->stations[i].loop};
    mailbox_answer(loop_mailbox(turn.loop), &turn.mail);
    must(!loop_run(turn.loop));
}

/* ---- who watches */

static void sim_outcome(struct tap *self, const struct request *r)
{
    struct world *w = CONTAINER(self, struct world, tap);
    w->told++;
    w->refused += r->refused != OK;
    w->hellos += r->verb == VERB_HELLO && !r->refused;
    w->byes += r->verb == VERB_BYE && r->resource.len; /* without a resource it ends the presence alone */
    holds(w, !r->writes && !r->offers_out);
}

static void sim_report(struct reporter *self, const struct report *r)
{
    must(r->kind < EVENT_KINDS && r->why && *r->why);
}

/* ---- beginning and end */

static void open_store(struct world *w)
{
    struct write token = {.kind = WRITE_TOKEN, .now_us = START_US};
    must(!memory_store_open(&w->store));
    w->writer = memory_store_writer(w->store);
    must(!memory_store_reader(w->store, &w->reader));
    memset(token.as.token.hash, 7, TOKEN_HASH);
    snprintf(token.as.token.id, sizeof token.as.token.id, "0123456789abcdef");
    snprintf(token.as.token.group, sizeof token.as.token.group, "fleet");
    token.as.token.uses_left = token.as.token.uses_total = UINT32_MAX;
    token.as.token.expires_us = INT64_MAX;
    must(!apply_now(w, &token));
    for (unsigned i = 0; i < DEVICES; i++)
        device_enrol(w, i);
}

static void open_station(struct world *w, size_t i)
{
    struct quota_options rates = {.device_messages_per_s = 3, .operator_calls_per_s = 3, .address_calls_per_s = 20,
                                  .buckets_max = 8, .seed = w->seed};
    static const struct retained_limits retained = {.messages_max = 8, .bytes_max = 1000};
    struct station *s = &w->stations[i];
    struct router *router;
    must(!loop_open(&w->clock, MAILBOX_MAX, &s->loop));
    must(!quota_open(&rates, &w->clock, &s->quota));
    must(!router_open(60, w->seed, &s->interests, &router)); /* fewer than all of them would like */
    struct dispatch_options options = {s->loop, router, &s->interests, w->dispatches, LOOPS, i, &w->counts.carried_dropped};
    must(!dispatch_open(&options, w->seed, &s->dispatch));
    w->dispatches[i] = s->dispatch;
    w->all[i] = &w->lobbies[i];
    w->lobbies[i] = (struct lobby){
        .loop = s->loop, .limits = &w->limits, .counts = &w->counts, .log = &w->log, .dice = &w->dice_port,
        .reporter = &w->reporter, .shares = dispatch_shares(s->dispatch), .all = w->all, .all_count = LOOPS,
        .flow = {quota_limiter(s->quota), policy_built_in(), &w->registry, &w->inspection.inspector, &w->recorder, router,
                 dispatch_carrier(s->dispatch), &w->tap, &w->clock}};
    must(!retained_open(&retained, w->seed, &w->lobbies[i].retained));
}

void world_open(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->dice = seed * 0x9E3779B97F4A7C15u + 1;
    w->clock = (struct clock){sim_wall_us, sim_now_ms};
    w->dice_port.fill = sim_fill;
    w->now_ms = 1000;
    w->limits = (struct door_limits){
        .connections_max = LINES, .packet_max = 4096, .subscriptions_max = 3, .sessions_max = 40, .sessions_per_owner = 100, .will_max = 65536,
        .queue = {.messages_max = 6, .bytes_max = 1500, .policy = (enum overflow_policy)(seed % 3)}, .queue_total_bytes = 20000, .expiry_max_s = 300,
        .receive_max = 4, .keep_alive_max_s = 120, .handshake_ms = 10000, .stall_ms = 30000};
    w->registry.identify = sim_identify;
    w->recorder.post = sim_post;
    w->tap.outcome = sim_outcome;
    w->reporter.report = sim_report;
    inspection_open(&w->inspection, &w->clock);
    open_store(w);
    for (size_t i = 0; i < LOOPS; i++)
        open_station(w, i);
    for (size_t i = 0; i < LOOPS; i++)
        must(!lobby_open(&w->lobbies[i]));
    for (size_t i = 0; i < LOOPS; i++) {
        w->lobbies[i].mqtt.next_number = 1 + i;
        w->lobbies[i].mqtt.number_step = LOOPS;
    }
    for (unsigned i = 0; i < LINES; i++)
        w->peers[i].device = i < 2 * DEVICES ? i / 2 : DEVICES + i - 2 * DEVICES;
}

void world_settle(struct world *w)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < LINES; i++)
            busy |= fake_line_step(&w->peers[i].line);
    }
}

static bool something_waits(const struct world *w)
{
    size_t mails = 0;
    for (size_t i = 0; i < LOOPS; i++) {
        struct mailbox_counts counts;
        mailbox_read_counts(loop_mailbox(w->stations[i].loop), &counts);
        mails += counts.waiting;
    }
    return w->waiting_count || w->returning_count || w->asked_count || mails;
}

static void finish_all(struct world *w)
{
    for (int still = 0; still < 3; still++) /* what a turn gathered is posted at its end */
        do {
            registry_answer(w);
            store_commit(w);
            store_return(w, 1);
            for (size_t i = 0; i < LOOPS; i++)
                station_turns(w, i);
            w->now_ms++;
        } while (something_waits(w));
}

/* What was acknowledged as kept is there until the end, unless the device was deleted. */
static void check_durable(struct world *w)
{
    while (w->acked) {
        struct acked *a = w->acked;
        w->acked = a->next;
        holds(w, a->life != w->lives[a->device] || store_has(w, a->device, a->serial));
        free(a);
    }
}

void world_close(struct world *w)
{
    w->mood = STORE_WELL;
    for (size_t i = 0; i < LINES; i++)
        fake_line_lose(&w->peers[i].line);
    finish_all(w);
    for (size_t i = 0; i < LINES; i++) {
        peer_listens(w, &w->peers[i]);
        fake_line_drop(&w->peers[i].line);
    }
    holds(w, !counter_read(&w->counts.sessions_now));
    holds(w, w->hellos == w->byes);
    uint64_t sent = 0;
    for (size_t qos = 0; qos < DOOR_COUNTS_QOS; qos++)
        sent += counter_read(&w->counts.messages_out[qos]);
    holds(w, sent == w->published_heard);
    check_durable(w);
    for (size_t i = 0; i < LOOPS; i++) {
        holds(w, !w->lobbies[i].roll.entries.count);
        lobby_close(&w->lobbies[i]);
        lobby_forget(&w->lobbies[i]);
    }
    for (size_t i = 0; i < LOOPS; i++)
        (void)mailbox_deliver(loop_mailbox(w->stations[i].loop)); /* the members of shares have left */
    for (size_t i = 0; i < LOOPS; i++) {
        struct station *s = &w->stations[i];
        holds(w, !router_count(w->lobbies[i].flow.router));
        dispatch_close(s->dispatch);
        retained_close(w->lobbies[i].retained);
        router_close(w->lobbies[i].flow.router);
        holds(w, !counter_read(&s->interests.live.total) && !counter_read(&s->interests.keeping.total));
        quota_close(s->quota);
        loop_close(s->loop);
    }
    w->reader->close(w->reader);
    memory_store_close(w->store);
}
