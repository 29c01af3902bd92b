/* The doors with everything behind them played: two loops' lobbies, and ports that a test turns. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fake_line.h"

#include "core/topic.h"
#include "door/http.h"
#include "door/mqtt.h"
#include "session/retained.h"

#include <string.h>

enum { PLAY_LINES = 24, PLAY_LOBBIES = 2, POSTED_MAX = 4096, REPORTS_MAX = 65536 };

enum answers { AT_ONCE = 0, LATER, NEVER }; /* NEVER: the port has no room */

static const struct fault play_full = {ERR_FULL, "play: full"};
static const struct fault play_refused = {ERR_REFUSED, "play: this one may not do this here"};
static const struct fault play_broken = {ERR_MALFORMED, "play: a payload that is none"};
static const struct fault play_disk = {ERR_FULL, "play: the disk has no room"};

struct play_carrier {
    struct carrier carrier;
    struct play *play;
};

/* Shared subscriptions of one loop: all others are told when play_share_joined says so, or at once. */
struct play_shares {
    struct shares shares;
    struct play *play;
    struct lobby *lobby;
};

/* Every port in one. */
struct play {
    struct clock clock;
    struct dice dice;
    int64_t now_ms;
    int64_t wall_ms; /* how far the wall clock was set forward */
    uint64_t seed;
    struct loop *loop;
    struct log log;
    struct door_limits limits;
    struct door_counts counts;
    struct limiter limiter;
    struct rule rule;
    struct registry registry;
    struct inspector inspector;
    struct recorder recorder;
    struct play_carrier carriers[PLAY_LOBBIES];
    struct tap tap;
    struct reporter reporter;
    struct desk desk;
    struct badges badges;
    struct streams streams;
    struct audiences audiences;
    struct assets assets;
    struct authenticator authenticator;
    struct play_shares shares[PLAY_LOBBIES];
    struct interests *interests[PLAY_LOBBIES];
    struct lobby lobbies[PLAY_LOBBIES];
    struct lobby *all[PLAY_LOBBIES];
    struct fake_line lines[PLAY_LINES];

    enum answers store, known, desks, joins; /* how the recorder, the registry, the desk and the shares answer */
    err store_says, known_says;       /* what, when they answer at once */
    bool limited;                     /* the limiter refuses */
    bool signed_out;                  /* no operator's session holds any more */
    err no_way;                       /* the carrier has no room for any message */
    bool elsewhere;                   /* there is another loop, whose sessions keep every message: play_offered answers */
    size_t posted_count, asked_count, inquiry_count, streams_open, joining_count, offered_count;
    struct errand *posted[POSTED_MAX];
    struct request *asked[PLAY_LINES];
    struct inquiry *inquiries[PLAY_LINES];
    struct share_member *joining[PLAY_LINES];
    struct request *offered[POSTED_MAX];
    void (*kept)(struct play *self, const struct write *write); /* hears what the store kept; NULL: nobody does */
    struct buffer said; /* reports and outcomes, one line each */
};

static inline int64_t play_wall_us(const struct clock *self)
{
    const struct play *p = (const struct play *)((uintptr_t)self - offsetof(struct play, clock));
    return INT64_C(1767225600000000) + (p->now_ms + p->wall_ms) * 1000;
}

static inline int64_t play_now_ms(const struct clock *self)
{
    return CONTAINER(self, struct play, clock)->now_ms;
}

/* const because the port says so; a played die is turned all the same. */
static inline void play_fill(const struct dice *self, uint8_t *out, size_t len)
{
    uint64_t *seed = &((struct play *)((uintptr_t)self - offsetof(struct play, dice)))->seed;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(*seed >> 56);
    }
}

/* ---- the flow's ports */

static inline err play_admit(struct limiter *self, const struct request *r)
{
    return CONTAINER(self, struct play, limiter)->limited ? &play_full : OK;
}

/* Devices below their own prefix, operators watch all but secrets; calls by their audience. */
static inline err play_allows(const struct rule *self, const struct request *r)
{
    struct device_topic topic;
    if (r->verb == VERB_CALL)
        return r->audience == AUDIENCE_ANYBODY || (unsigned)r->audience == (unsigned)r->who->kind + 1 ||
                       (r->audience == AUDIENCE_MEMBER && r->who->kind != PRINCIPAL_NOBODY)
                   ? OK
                   : &play_refused;
    if (r->verb == VERB_HELLO)
        return r->who->kind ? OK : &play_refused;
    if (r->who->kind == PRINCIPAL_OPERATOR)
        return r->verb == VERB_WATCH && !bytes_starts(r->resource, "secret/") ? OK : &play_refused;
    return topic_is_device(r->resource, &topic) && bytes_is(topic.id, r->who->id) ? OK : &play_refused;
}

static inline err play_identify(struct registry *self, struct request *r)
{
    struct play *p = CONTAINER(self, struct play, registry);
    if (p->known == NEVER || p->asked_count == PLAY_LINES)
        return &play_full;
    p->asked[p->asked_count++] = r;
    return OK;
}

/* One write each for what a device says, and for its coming and going. */
static inline err play_inspect(struct inspector *self, struct request *r)
{
    if (r->verb == VERB_PUBLISH && bytes_is(r->message->payload, "bad"))
        return &play_broken;
    if (r->verb == VERB_PUBLISH && bytes_is(r->message->payload, "unkept"))
        return OK;
    return request_remember(r, write_plain(&(struct write){.kind = r->verb == VERB_PUBLISH ? WRITE_EXPIRE : WRITE_PRESENCE}));
}

static inline err play_post(struct recorder *self, struct errand *errand)
{
    struct play *p = CONTAINER(self, struct play, recorder);
    if (p->store == NEVER || p->posted_count == POSTED_MAX)
        return &play_full;
    p->posted[p->posted_count++] = errand;
    return OK;
}

/* What another loop does with a message stands for itself here: prog/server's carrier is tried in tests/prog. */
static inline err play_room(struct carrier *self, const struct message *message)
{
    return CONTAINER(self, struct play_carrier, carrier)->play->no_way;
}

static inline void play_carry(struct carrier *self, struct message *message, enum route route)
{
}

static inline bool play_may_keep(const struct carrier *self, const struct message *message)
{
    return CONTAINER(self, struct play_carrier, carrier)->play->elsewhere;
}

static inline err play_offer(struct carrier *self, struct request *r)
{
    struct play *p = CONTAINER(self, struct play_carrier, carrier)->play;
    if (!p->elsewhere)
        return OK;
    if (p->offered_count == POSTED_MAX)
        return &play_full;
    p->offered[p->offered_count++] = r;
    r->offers_out++;
    return OK;
}

static inline void play_settle_offers(struct carrier *self, struct request *r, enum offer_outcome outcome)
{
}

/* ---- shared subscriptions, and who proves himself by what he says */

static inline void play_join(struct shares *self, struct share_member *member)
{
    struct play *p = CONTAINER(self, struct play_shares, shares)->play;
    if (p->joins == AT_ONCE || p->joining_count == PLAY_LINES)
        member->joined(member);
    else
        p->joining[p->joining_count++] = member;
}

static inline void play_leave(struct shares *self, struct share_member *member)
{
    struct play *p = CONTAINER(self, struct play_shares, shares)->play;
    for (size_t i = 0; i < p->joining_count; i++)
        if (p->joining[i] == member)
            p->joining[i--] = p->joining[--p->joining_count];
}

static inline void play_mark(struct shares *self, struct share_member *member, unsigned flags)
{
    router_mark(CONTAINER(self, struct play_shares, shares)->lobby->flow.router, member->subscription, flags);
}

static inline void play_joined(struct play *p)
{
    struct share_member *member = p->joining[0];
    p->joining[0] = p->joining[--p->joining_count];
    member->joined(member);
}

/* The method "word" takes the name of a device for its proof. */
static inline err play_prove(struct authenticator *self, struct bytes method, struct bytes data, struct principal *who, uint8_t badge[AUTHENTICATOR_BADGE])
{
    static const struct fault unknown = {ERR_UNSUPPORTED, "play: no such method"};
    if (!bytes_is(method, "word"))
        return &unknown;
    return principal_set(who, PRINCIPAL_DEVICE, data) ? &play_refused : OK;
}

static inline void play_outcome(struct tap *self, const struct request *r)
{
    static const char *const verbs[] = {"HELLO", "BYE", "PUBLISH", "WATCH", "CALL"};
    struct play *p = CONTAINER(self, struct play, tap);
    put_format(&p->said, "%s%s %s %.*s\n", r->refused ? "refused " : "", verbs[r->verb], r->who->id,
               (int)bytes_first(r->resource, 100).len, (const char *)r->resource.at);
}

static inline void play_report(struct reporter *self, const struct report *r)
{
    struct play *p = CONTAINER(self, struct play, reporter);
    put_format(&p->said, "report %s %s\n", event_kind_text(r->kind), r->device);
}

/* ---- answers of ports, in any order */

/* As the store thread does it: all loops are told of what is retained before the errand returns. */
static inline void play_keep(struct play *p, const struct write *w)
{
    for (size_t i = 0; i < PLAY_LOBBIES && w->kind == WRITE_RETAINED; i++)
        must(!retained_put(p->lobbies[i].retained, w->as.retained));
    if (p->kept)
        p->kept(p, w);
}

static inline void play_store(struct play *p, size_t i, err failed)
{
    struct errand *errand = p->posted[i];
    memmove(p->posted + i, p->posted + i + 1, (--p->posted_count - i) * sizeof *p->posted);
    for (const struct write *w = failed ? NULL : errand->write; w; w = w->next)
        play_keep(p, w);
    write_drop(errand->write);
    errand->write = NULL;
    errand->result.failed = failed;
    errand->done(errand);
}

static inline void play_know(struct play *p, size_t i, err verdict)
{
    struct request *r = p->asked[i];
    memmove(p->asked + i, p->asked + i + 1, (--p->asked_count - i) * sizeof *p->asked);
    flow_resume(r, verdict);
}

static inline void play_offered(struct play *p, size_t i, err failed)
{
    struct request *r = p->offered[i];
    memmove(p->offered + i, p->offered + i + 1, (--p->offered_count - i) * sizeof *p->offered);
    flow_offered(r, failed);
}

static inline void play_answer(struct play *p, size_t i, unsigned status, const char *body)
{
    struct inquiry *inquiry = p->inquiries[i];
    memmove(p->inquiries + i, p->inquiries + i + 1, (--p->inquiry_count - i) * sizeof *p->inquiries);
    inquiry->answer.status = status;
    put_text(&inquiry->answer.body, body);
    inquiry->done(inquiry);
}

/* ---- HTTP's ports */

static inline err play_ask(struct desk *self, struct lobby *lobby, struct inquiry *inquiry)
{
    struct play *p = CONTAINER(self, struct play, desk);
    if (p->desks == NEVER || p->inquiry_count == PLAY_LINES)
        return &play_full;
    p->inquiries[p->inquiry_count++] = inquiry;
    return OK;
}

static inline void play_show(struct badges *self, struct call *call)
{
    if (bytes_is(call_header(call, "cookie"), "session=ada"))
        IGNORE(principal_set(&call->who, PRINCIPAL_OPERATOR, BYTES("ada")));
}

static inline bool play_holds(struct badges *self, const uint8_t session_hash[32])
{
    return !CONTAINER(self, struct play, badges)->signed_out;
}

static inline enum audience play_audience(const struct audiences *self, enum call_method method, struct bytes path)
{
    return bytes_starts(path, "/api/") ? AUDIENCE_OPERATOR : bytes_starts(path, "/est/") ? AUDIENCE_DEVICE : AUDIENCE_ANYBODY;
}

struct play_stream {
    struct stream stream;
    struct play *play;
};

static inline void play_hear(struct stream *self, const struct message *message, struct buffer *out)
{
    put_text(out, "data: ");
    put_bytes(out, message->payload);
    put_text(out, "\n\n");
}

static inline void play_drop(struct stream *self)
{
    struct play_stream *s = CONTAINER(self, struct play_stream, stream);
    s->play->streams_open--;
    free(s);
}

static inline void play_tell_skipped(struct stream *self, struct buffer *out)
{
    put_format(out, "skipped: %llu\n\n", (unsigned long long)self->skipped);
    self->skipped = 0;
}

/* A stream without a past; hears only so much as its reader takes. */
static inline void play_hear_live(struct stream *self, const struct message *message, struct buffer *out)
{
    if (bytes_is(message->payload, "too much")) {
        self->skipped++;
        return;
    }
    if (self->skipped)
        play_tell_skipped(self, out);
    play_hear(self, message, out);
}

static inline err play_open_stream(struct streams *self, const struct call *call, struct answer *answer, struct stream **out)
{
    static const struct fault none = {ERR_ABSENT, "play: no stream"};
    struct play *p = CONTAINER(self, struct play, streams);
    *out = NULL;
    bool is_live = bytes_is(call->path, "/api/tail");
    if (!is_live && !bytes_is(call->path, "/api/stream"))
        return &none;
    if (bytes_is(call->query, "bad")) {
        answer->status = 400;
        put_text(&answer->body, "{\"status\":400}");
        return OK;
    }
    struct play_stream *s = calloc(1, sizeof *s);
    *s = (struct play_stream){.stream = {.filter = "news/#", .hear = play_hear, .drop = play_drop}, .play = p};
    if (is_live) {
        s->stream.hear = play_hear_live;
        s->stream.tell_skipped = play_tell_skipped;
        if (bytes_is(call->query, "secret"))
            memcpy(s->stream.filter, "secret/#", sizeof "secret/#");
    }
    p->streams_open++;
    *out = &s->stream;
    return OK;
}

/* ---- the house */

static inline void play_fill_ports(struct play *p)
{
    p->clock = (struct clock){play_wall_us, play_now_ms};
    p->dice = (struct dice){play_fill};
    p->limiter.admit = play_admit;
    p->rule.allows = play_allows;
    p->registry.identify = play_identify;
    p->inspector.inspect = play_inspect;
    p->recorder.post = play_post;
    p->tap.outcome = play_outcome;
    p->reporter.report = play_report;
    p->desk.ask = play_ask;
    p->badges = (struct badges){play_show, play_holds};
    p->streams.open = play_open_stream;
    p->authenticator.prove = play_prove;
    p->audiences.of = play_audience;
    p->said.max = REPORTS_MAX;
    p->limits = (struct door_limits){
        .connections_max = 100, .packet_max = 262144, .body_max = 65536, .subscriptions_max = 8, .sessions_max = 100, .sessions_per_owner = 100, .will_max = 65536,
        .queue = {.messages_max = 10, .bytes_max = 100000}, .queue_total_bytes = 1 << 20, .expiry_max_s = 86400, .stream_bytes_max = 100000,
        .receive_max = 4, .keep_alive_max_s = 3600, .handshake_ms = 10000, .body_ms = 30000,
        .idle_ms = 60000, .stall_ms = 30000};
}

static inline void play_open_lobby(struct play *p, size_t i)
{
    static const struct retained_limits retained = {.messages_max = 16, .bytes_max = 100000};
    struct lobby *lobby = &p->lobbies[i];
    p->all[i] = lobby;
    p->carriers[i] = (struct play_carrier){{play_room, play_carry, play_may_keep, play_offer, play_settle_offers}, p};
    p->shares[i] = (struct play_shares){{play_join, play_leave, play_mark}, p, lobby};
    p->interests[i] = calloc(1, sizeof *p->interests[i]);
    *lobby = (struct lobby){
        .loop = p->loop, .limits = &p->limits, .counts = &p->counts, .log = &p->log, .dice = &p->dice,
        .desk = &p->desk, .badges = &p->badges, .streams = &p->streams, .reporter = &p->reporter,
        .audiences = &p->audiences, .assets = &p->assets, .shares = &p->shares[i].shares,
        .authenticator = &p->authenticator, .all = p->all,
        .all_count = 1,
        .flow = {&p->limiter, &p->rule, &p->registry, &p->inspector, &p->recorder, NULL, &p->carriers[i].carrier, &p->tap,
                 &p->clock}};
    must(!retained_open(&retained, 7, &lobby->retained));
    must(!router_open(1000, 7, p->interests[i], &lobby->flow.router));
    must(!lobby_open(lobby));
}

static inline void play_open(struct play *p)
{
    memset(p, 0, sizeof *p);
    play_fill_ports(p);
    must(!loop_open(&p->clock, 16, &p->loop));
    for (size_t i = 0; i < PLAY_LOBBIES; i++)
        play_open_lobby(p, i);
}

/* One turn of the loop: what its timers are due for. */
struct play_turn {
    struct mail mail;
    struct loop *loop;
};

static inline void play_stop(struct mail *mail)
{
    loop_stop(CONTAINER(mail, struct play_turn, mail)->loop);
}

static inline void play_turn(struct play *p)
{
    struct play_turn turn = {{.open = play_stop}, p->loop};
    mailbox_answer(loop_mailbox(p->loop), &turn.mail);
    must(!loop_run(p->loop));
}

/* Whatever can happen by itself happens, until nothing can. */
static inline void play_settle(struct play *p)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < PLAY_LINES; i++)
            busy |= fake_line_step(&p->lines[i]);
        while (p->known == AT_ONCE && p->asked_count) {
            play_know(p, 0, p->known_says);
            busy = true;
        }
        while (p->store == AT_ONCE && p->posted_count) {
            play_store(p, 0, p->store_says);
            busy = true;
        }
        while (p->posted_count && !p->posted[0]->write) { /* it keeps nothing, and nothing is before it (core/recorder.h) */
            play_store(p, 0, OK);
            busy = true;
        }
        while (p->joins == AT_ONCE && p->joining_count) {
            play_joined(p);
            busy = true;
        }
    }
}

static inline void play_pass(struct play *p, int64_t ms)
{
    p->now_ms += ms;
    for (size_t i = 0; i < PLAY_LINES; i++)
        (void)fake_line_tire(&p->lines[i]);
    play_turn(p);
    play_settle(p);
}

/* What was reported and judged since the last time. */
static inline const char *play_said(struct play *p, struct buffer *out)
{
    buffer_clear(out);
    put_bytes(out, buffer_view(&p->said));
    buffer_clear(&p->said);
    return buffer_text(out);
}

static inline void play_answer_all(struct play *p)
{
    while (p->posted_count || p->asked_count || p->inquiry_count || p->joining_count || p->offered_count) {
        if (p->asked_count)
            play_know(p, p->asked_count - 1, OK);
        if (p->posted_count)
            play_store(p, p->posted_count - 1, OK);
        if (p->inquiry_count)
            play_answer(p, p->inquiry_count - 1, 200, "late");
        if (p->joining_count)
            play_joined(p);
        if (p->offered_count)
            play_offered(p, 0, OK);
    }
}

/* Every line is lost, every question answered; then nothing may be left of anybody but sessions that wait for their
 * client, and nothing of them either when they are forgotten. */
static inline void play_close(struct play *p)
{
    for (size_t i = 0; i < PLAY_LINES; i++)
        fake_line_drop(&p->lines[i]);
    play_answer_all(p);
    must(!counter_read(&p->counts.sessions_now));
    must(!p->streams_open);
    for (size_t i = 0; i < PLAY_LOBBIES; i++) {
        must(!p->lobbies[i].roll.entries.count);
        lobby_close(&p->lobbies[i]);
        lobby_forget(&p->lobbies[i]);
        must(!router_count(p->lobbies[i].flow.router));
        router_close(p->lobbies[i].flow.router);
        retained_close(p->lobbies[i].retained);
        must(!counter_read(&p->interests[i]->live.total) && !counter_read(&p->interests[i]->keeping.total));
        free(p->interests[i]);
    }
    must(!counter_read(&p->counts.queued_now) && !counter_read(&p->counts.queued_bytes) && !counter_read(&p->counts.under_way_now));
    must(!counter_read(&p->counts.subscriptions_now) && !counter_read(&p->counts.sessions_away));
    loop_close(p->loop);
    buffer_drop(&p->said);
}
