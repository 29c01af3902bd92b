/* The played clients: they keep to MQTT 5.0, 4.3, 4.4 and 4.6, forget nothing, and insist on what they are promised. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

uint32_t draw(struct world *w, uint32_t below)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->dice >> 33) % below;
}

bool chance(struct world *w, uint32_t percent)
{
    return draw(w, 100) < percent;
}

bool pipe_put(struct pipe *p, const struct packet *packet)
{
    if (p->count == PIPE_MAX)
        return false;
    p->at[(p->first + p->count++) % PIPE_MAX] = *packet;
    return true;
}

bool pipe_take(struct pipe *p, struct packet *packet)
{
    if (!p->count)
        return false;
    *packet = p->at[p->first++ % PIPE_MAX];
    p->first %= PIPE_MAX;
    p->count--;
    return true;
}

/* A payload says who published what: "publisher serial". */
struct packet packet_of(const struct message *m)
{
    unsigned topic = (unsigned)(m->topic.at[2] - '0'), publisher = (unsigned)(m->payload.at[0] - '0');
    uint64_t serial = 0;
    if (text_to_u64(bytes_from(m->payload, 2), &serial))
        abort();
    return (struct packet){.kind = PUBLISH, .topic = topic, .publisher = publisher, .serial = (uint32_t)serial};
}

struct message *message_of(const struct packet *p)
{
    char topic[4], payload[16];
    snprintf(topic, sizeof topic, "t/%u", p->topic % 10);
    snprintf(payload, sizeof payload, "%u %u", p->publisher % 10, p->serial);
    struct message_parts parts = {
        .topic = bytes_of_text(topic), .payload = bytes_of_text(payload), .qos = p->qos, .retain = p->retain};
    struct message *m = message_make(&parts);
    if (!m)
        abort();
    return m;
}

static void write_packet(struct world *w, unsigned client, const struct packet *packet)
{
    if (w->clients[client].connected && !pipe_put(&w->to_server[client], packet))
        client_loses(w, client);
}

void client_loses(struct world *w, unsigned client)
{
    struct client *c = &w->clients[client];
    c->connected = false;
    c->unacked_count = 0;
    memset(c->unacked, 0, sizeof c->unacked);
}

static void send_again(struct world *w, unsigned client, const struct publication *p)
{
    struct packet packet = p->packet;
    packet.dup = true;
    if (p->released)
        packet = (struct packet){.kind = PUBREL, .id = packet.id};
    write_packet(w, client, &packet);
}

void client_connects(struct world *w, unsigned client)
{
    struct client *c = &w->clients[client];
    if (!w->server.up)
        return;
    client_loses(w, client);
    c->connected = true;
    c->receive_max = (uint16_t)(1 + draw(w, chance(w, 50) ? 3 : 20));
    server_connect(w, client);
    for (size_t i = 0; i < c->open_count; i++) /* 4.4: in order */
        send_again(w, client, &c->open[i]);
}

static bool is_open(const struct client *c, uint16_t id)
{
    for (size_t i = 0; i < c->open_count; i++)
        if (c->open[i].packet.id == id)
            return true;
    return false;
}

void client_publishes(struct world *w, unsigned client)
{
    struct client *c = &w->clients[client];
    struct packet p = {.kind = PUBLISH, .qos = (uint8_t)draw(w, 3), .publisher = client, .topic = draw(w, TOPICS)};
    if (!c->connected || c->serial + 1 == NUMBERS_MAX || (p.qos && c->open_count == OPEN_MAX))
        return;
    p.serial = ++c->serial;
    p.retain = p.qos && chance(w, 10);
    w->stories[client][p.serial] = (struct story){.topic = p.topic, .qos = p.qos};
    while (p.qos && (!++c->last_id || is_open(c, c->last_id)))
        continue;
    p.id = p.qos ? c->last_id : 0;
    if (p.qos)
        c->open[c->open_count++] = (struct publication){.packet = p};
    write_packet(w, client, &p);
}

/* ---- what was published is acknowledged */

static void publication_ends(struct client *c, size_t at)
{
    memmove(&c->open[at], &c->open[at + 1], (--c->open_count - at) * sizeof *c->open);
}

static void take_answer(struct world *w, unsigned client, const struct packet *p)
{
    struct client *c = &w->clients[client];
    size_t at = 0;
    while (at < c->open_count && c->open[at].packet.id != p->id)
        at++;
    holds(w, at < c->open_count); /* an answer without a question might be taken for another one's */
    struct publication *open = &c->open[at];
    const struct story *story = &w->stories[client][open->packet.serial];
    holds(w, p->refused ? story->refused : story->promised);
    holds(w, (p->kind == PUBACK) == (open->packet.qos == 1));
    holds(w, p->kind != PUBCOMP || open->released);
    if (p->kind == PUBREC && !p->refused) {
        open->released = true;
        write_packet(w, client, &(struct packet){.kind = PUBREL, .id = p->id});
    } else if (!open->released || p->kind == PUBCOMP) {
        publication_ends(c, at);
    }
}

/* ---- what arrives */

/* A message reached its user. */
static void hear(struct world *w, unsigned client, const struct packet *p)
{
    const struct story *story = &w->stories[p->publisher][p->serial];
    uint8_t *seen = &w->seen[client][p->publisher][p->serial];
    uint32_t *newest = &w->newest[client][p->publisher][p->topic][story->qos];
    holds(w, w->granted[client][p->topic] >= 0);
    holds(w, p->qos == (w->granted[client][p->topic] < story->qos ? w->granted[client][p->topic] : story->qos));
    holds(w, story->topic == p->topic && p->serial <= w->clients[p->publisher].serial);
    holds(w, p->qos != 2 || !*seen); /* exactly once */
    holds(w, !p->dup || p->qos);
    w->exactly_once += p->qos == 2;
    /* 4.6. What was refused or dropped here may come again behind others, when its publisher did not hear of it. */
    bool dropped = story->refused || w->shed[client][p->publisher][p->serial] || (story->qos && !p->qos);
    if (!*seen && !dropped) {
        holds(w, p->serial > *newest);
        *newest = p->serial;
    }
    *seen = 1;
}

static void take_publish(struct world *w, unsigned client, const struct packet *p)
{
    struct client *c = &w->clients[client];
    struct packet *received = &c->received[p->id];
    if (!p->qos) {
        hear(w, client, p);
        return;
    }
    holds(w, p->id);
    c->unacked_count += !c->unacked[p->id];
    c->unacked[p->id] = true;
    holds(w, c->unacked_count <= c->receive_max); /* 4.9 */
    if (p->qos == 1) {
        hear(w, client, p);
        c->unacked[p->id] = false;
        c->unacked_count--;
        write_packet(w, client, &(struct packet){.kind = PUBACK, .id = p->id});
        return;
    }
    if (received->kind == PUBLISH) { /* it came before, so it must be the same, or one would be lost */
        holds(w, p->dup && received->publisher == p->publisher && received->serial == p->serial);
    } else {
        hear(w, client, p);
        *received = *p;
    }
    write_packet(w, client, &(struct packet){.kind = PUBREC, .id = p->id});
}

static void take_pubrel(struct world *w, unsigned client, uint16_t id)
{
    struct client *c = &w->clients[client];
    c->received[id].kind = PUBREL;
    c->unacked_count -= c->unacked[id];
    c->unacked[id] = false;
    write_packet(w, client, &(struct packet){.kind = PUBCOMP, .id = id});
}

void client_takes(struct world *w, unsigned client)
{
    struct packet p;
    if (!w->clients[client].connected)
        return;
    if (!pipe_take(&w->to_client[client], &p)) {
        if (!w->server.up || !w->server.sessions[client].connected)
            client_loses(w, client);
        return;
    }
    if (p.kind == PUBLISH)
        take_publish(w, client, &p);
    else if (p.kind == PUBREL)
        take_pubrel(w, client, p.id);
    else
        take_answer(w, client, &p);
}
