/* The server's end of the keeper's channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/keeper_client.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/clock.h"
#include "trust/keeper_protocol.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

static const struct fault no_memory = {ERR_MEMORY, "keeper: no memory"};
static const struct fault ended = {ERR_CLOSED, "keeper: the keeper ended; its log says why"};
static const struct fault late = {ERR_AGAIN, "keeper: no answer in time"};
static const struct fault broken = {ERR_IO, "keeper: the channel failed"};
static const struct fault out_of_step = {ERR_IO, "keeper: an answer to what was not asked"};

struct keeper_client {
    struct issuer issuer; /* first */
    int channel;
    int timeout_ms;
    pthread_mutex_t turn; /* one question is on its way at a time: everything below belongs to who has the turn */
    uint32_t number;
    struct buffer packet;
};

static err wait_for(const struct keeper_client *c, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd wanted = {c->channel, events, 0};
        int64_t left_ms = deadline_ms - monotonic_ms(machine_clock());
        if (left_ms <= 0)
            return &late;
        int ready = poll(&wanted, 1, (int)left_ms);
        if (ready > 0)
            return OK; /* also on a hang-up: the call that follows tells */
        if (ready < 0 && errno != EINTR)
            return &broken;
    }
}

static bool may_pass(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static err give(struct keeper_client *c, int64_t deadline_ms)
{
    for (;;) {
        TRY(wait_for(c, POLLOUT, deadline_ms));
        ssize_t sent = send(c->channel, c->packet.at, c->packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)c->packet.len)
            return OK;
        if (sent >= 0 || !may_pass())
            return sent < 0 && (errno == EPIPE || errno == ECONNRESET) ? &ended : &broken;
    }
}

/* Leaves the next packet in c->packet. */
static err take(struct keeper_client *c, int64_t deadline_ms)
{
    buffer_clear(&c->packet);
    uint8_t *at = buffer_reserve(&c->packet, KEEPER_ANSWER_MAX);
    if (!at)
        return &no_memory;
    for (;;) {
        TRY(wait_for(c, POLLIN, deadline_ms));
        ssize_t got = recv(c->channel, at, KEEPER_ANSWER_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (got > KEEPER_ANSWER_MAX)
            return &broken;
        if (got > 0) {
            buffer_filled(&c->packet, (size_t)got);
            return OK;
        }
        if (got == 0 || !may_pass())
            return got == 0 || errno == ECONNRESET ? &ended : &broken;
    }
}

/* The answer numbered `number`. Earlier ones are to questions that were given up: they are thrown away. */
static err take_answer(struct keeper_client *c, uint32_t number, int64_t deadline_ms, struct keeper_answer *out)
{
    do {
        TRY(take(c, deadline_ms));
        TRY(keeper_answer_decode(buffer_view(&c->packet), out));
        if (out->kind == KEEPER_REFUSED && out->number == 0)
            return keeper_refusal_fault(out->refusal);
    } while (out->number < number);
    return out->number == number ? OK : &out_of_step;
}

static err ask(struct keeper_client *c, struct keeper_request *request, struct keeper_answer *answer)
{
    int64_t deadline_ms = monotonic_ms(machine_clock()) + c->timeout_ms;
    request->number = ++c->number;
    buffer_clear(&c->packet);
    TRY(keeper_request_encode(request, &c->packet));
    TRY(give(c, deadline_ms));
    TRY(take_answer(c, request->number, deadline_ms, answer));
    return answer->kind == KEEPER_REFUSED ? keeper_refusal_fault(answer->refusal) : OK;
}

static err issue_in_turn(struct keeper_client *c, const struct issue_order *order, struct issued *out)
{
    struct keeper_answer answer;
    struct keeper_request request = {.kind =
                                         order->profile == PROFILE_DEVICE ? KEEPER_ISSUE_DEVICE : KEEPER_ISSUE_SERVER,
                                     .device_id = order->device_id,
                                     .public_key = order->public_key,
                                     .lifetime_s = order->lifetime_s};
    TRY(ask(c, &request, &answer));
    if (answer.kind != KEEPER_ISSUED)
        return &out_of_step;
    TRY(text_copy(answer.serial, out->serial, sizeof out->serial));
    out->expires_us = answer.expires_us;
    out->certificate.max = KEEPER_ANSWER_MAX;
    put_bytes(&out->certificate, answer.certificate);
    return buffer_finish(&out->certificate);
}

static err issue(struct issuer *self, const struct issue_order *order, struct issued *out)
{
    struct keeper_client *c = (struct keeper_client *)self;
    pthread_mutex_lock(&c->turn);
    err failed = issue_in_turn(c, order, out);
    pthread_mutex_unlock(&c->turn);
    return failed;
}

static err take_greeting(struct keeper_client *c, struct buffer *chain_pem)
{
    struct keeper_answer greeting;
    TRY(take_answer(c, 0, monotonic_ms(machine_clock()) + c->timeout_ms, &greeting));
    if (greeting.kind != KEEPER_CHAIN)
        return &out_of_step;
    put_bytes(chain_pem, greeting.chain);
    return buffer_finish(chain_pem);
}

err keeper_client_open(int channel, int timeout_ms, struct buffer *chain_pem, struct keeper_client **out)
{
    struct keeper_client *c = MEM_NEW(struct keeper_client);
    if (!c)
        return &no_memory;
    c->issuer.issue = issue;
    c->channel = channel;
    c->timeout_ms = timeout_ms;
    c->packet.max = KEEPER_ANSWER_MAX;
    pthread_mutex_init(&c->turn, NULL);
    err failed = take_greeting(c, chain_pem);
    if (failed) {
        keeper_client_close(c);
        return failed;
    }
    *out = c;
    return OK;
}

void keeper_client_close(struct keeper_client *client)
{
    if (!client)
        return;
    pthread_mutex_destroy(&client->turn);
    buffer_drop(&client->packet);
    mem_drop(client);
}

struct issuer *keeper_client_issuer(struct keeper_client *client)
{
    return &client->issuer;
}
