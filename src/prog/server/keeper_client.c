/* The server's end of the keeper's channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/keeper_client.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/channel.h"
#include "os/clock.h"
#include "trust/keeper_protocol.h"

#include <pthread.h>

static const struct fault no_memory = {ERR_MEMORY, "keeper: no memory"};
static const struct fault out_of_step = {ERR_IO, "keeper: an answer to what was not asked"};

struct keeper_client {
    struct issuer issuer; /* first */
    int channel;
    int timeout_ms;
    pthread_mutex_t turn; /* one question is on its way at a time: everything below belongs to who has the turn */
    uint32_t number;
    struct buffer packet;
};

/* What is left until the deadline: 0 still takes what is there already. */
static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - monotonic_ms(machine_clock());
    return left > 0 ? (int)left : 0;
}

/* The answer numbered `number`. Earlier ones are to questions that were given up: they are thrown away. */
static err take_answer(struct keeper_client *c, uint32_t number, int64_t deadline_ms, struct keeper_answer *out)
{
    do {
        buffer_clear(&c->packet);
        TRY(channel_receive(c->channel, &c->packet, left_ms(deadline_ms)));
        if (keeper_answer_decode(buffer_view(&c->packet), out))
            return &out_of_step; /* not ERR_MALFORMED: that would be the requester's doing */
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
    TRY(channel_send(c->channel, buffer_view(&c->packet), c->timeout_ms));
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
