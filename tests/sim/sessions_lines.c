/* The clients' lines to the real server: packets of the simulation become those of the wire, and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions_house.h"

struct principal who_is(unsigned client)
{
    struct principal who = {.kind = PRINCIPAL_OPERATOR};
    snprintf(who.id, sizeof who.id, "c%u", client % 10);
    return who;
}

struct fake_line *line_of(struct world *w, unsigned client)
{
    return &w->house->lines[client][w->house->line[client]];
}

static void hear(struct world *w, unsigned client, const struct mqtt_packet *in)
{
    static const enum packet_kind kinds[] = {[MQTT_PUBLISH] = PUBLISH,
                                             [MQTT_PUBACK] = PUBACK,
                                             [MQTT_PUBREC] = PUBREC,
                                             [MQTT_PUBREL] = PUBREL,
                                             [MQTT_PUBCOMP] = PUBCOMP};
    struct house *h = w->house;
    bool answers = in->type == MQTT_PUBACK || in->type == MQTT_PUBREC;
    struct packet p = {.id = in->as.ack.packet_id, .refused = answers && in->as.ack.reason >= MQTT_UNSPECIFIED_ERROR};
    if (in->type == MQTT_CONNACK && !in->as.connack.reason) {
        holds(w, in->as.connack.session_present == h->knows[client]);
        h->knows[client] = true;
    }
    if (in->type == MQTT_SUBACK) {
        holds(w, in->as.suback.reasons.len == 1 && in->as.suback.reasons.at[0] <= 2);
        h->watches++;
    }
    if (in->type < MQTT_PUBLISH || in->type > MQTT_PUBCOMP)
        return;
    if (in->type == MQTT_PUBLISH) {
        struct message m = {.topic = in->as.publish.topic, .payload = in->as.publish.payload};
        p = packet_of(&m);
        p.id = in->as.publish.packet_id;
        p.qos = in->as.publish.qos;
        p.dup = in->as.publish.dup;
        w->dups += p.dup;
    }
    p.kind = kinds[in->type];
    for (size_t i = 0; i < w->clients[client].open_count; i++) /* the first answer may have died with the server */
        if (p.kind == PUBREC && !p.refused && w->clients[client].open[i].packet.id == p.id)
            w->stories[client][w->clients[client].open[i].packet.serial].promised = true;
    holds(w, pipe_put(&w->to_client[client], &p));
}

/* Does what a line has to do, and reads what it said. */
void line_pump(struct world *w, unsigned client)
{
    struct mqtt_packet in;
    for (size_t i = 0; i < LINES; i++) {
        struct fake_line *l = &w->house->lines[client][i];
        while (fake_line_step(l))
            continue;
        if (l != line_of(w, client))
            continue;
        l->stuck = w->to_client[client].count > PIPE_MAX / 4; /* the client does not read so fast */
        while (w->to_client[client].count < PIPE_MAX && peer_next(l, &in))
            hear(w, client, &in);
        w->server.sessions[client].connected = l->open;
    }
}

void server_sends(struct world *w, unsigned client)
{
    line_pump(w, client);
}

void server_takes(struct world *w, unsigned client)
{
    static const enum mqtt_type types[] = {[PUBLISH] = MQTT_PUBLISH,
                                           [PUBACK] = MQTT_PUBACK,
                                           [PUBREC] = MQTT_PUBREC,
                                           [PUBREL] = MQTT_PUBREL,
                                           [PUBCOMP] = MQTT_PUBCOMP};
    struct fake_line *l = line_of(w, client);
    struct packet p;
    if (l->open && pipe_take(&w->to_server[client], &p)) {
        struct mqtt_packet out = {.type = types[p.kind], .as.ack = {.packet_id = p.id}};
        struct message *m = p.kind == PUBLISH ? message_of(&p) : NULL;
        if (m)
            out.as.publish = (struct mqtt_publish){.topic = m->topic,
                                                   .payload = m->payload,
                                                   .packet_id = p.id,
                                                   .qos = p.qos,
                                                   .retain = p.retain,
                                                   .dup = p.dup};
        peer_packet(l, &out);
        message_drop(m);
    }
    line_pump(w, client);
}

void server_disconnect(struct world *w, unsigned client)
{
    fake_line_lose(line_of(w, client));
    w->server.sessions[client].connected = false;
    w->to_server[client].count = 0;
}

void server_connect(struct world *w, unsigned client)
{
    struct house *h = w->house;
    struct principal who = who_is(client);
    struct client *c = &w->clients[client];
    h->line[client] = (h->line[client] + 1) % LINES;
    struct fake_line *l = line_of(w, client);
    fake_line_drop(l);
    w->to_server[client].count = w->to_client[client].count = 0;
    fake_line_open(l, lobby_home(&h->rooms[0].lobby, &who), &who, mqtt_protocol());
    struct mqtt_connect connect = {.version = chance(w, 70) ? MQTT_5 : MQTT_3_1_1, .client_id = bytes_of_text(who.id)};
    if (connect.version == MQTT_5) {
        connect.properties.present = MQTT_HAS(SESSION_EXPIRY) | MQTT_HAS(RECEIVE_MAXIMUM);
        connect.properties.session_expiry = UINT32_MAX;
        connect.properties.receive_maximum = c->receive_max;
    } else {
        c->receive_max = UINT16_MAX;
    }
    peer_connect(l, &connect);
    w->server.sessions[client].connected = true;
}
