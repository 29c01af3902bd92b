/* What the store is told of a session that outlives its connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"

static void noted(struct errand *errand)
{
    struct mqtt_note *n = CONTAINER(errand, struct mqtt_note, errand);
    struct mqtt_session *s = n->session;
    struct mqtt_peer *p = n->peer;
    if (n->done)
        n->done(n, errand->result.failed);
    mem_drop(n);
    if (p) {
        p->busy--;
        mqtt_release(p);
    }
    s->busy--;
    mqtt_release_session(s);
}

bool mqtt_journal(struct mqtt_session *s, struct write *write, const struct mqtt_note *note)
{
    struct recorder *recorder = s->lobby->flow.recorder;
    struct mqtt_note *n = write ? MEM_NEW(struct mqtt_note) : NULL;
    if (!n) {
        write_drop(write);
        return false;
    }
    n->session = s;
    n->errand.write = write;
    n->errand.done = noted;
    if (note) {
        n->done = note->done;
        n->peer = note->peer;
        n->number = note->number;
        n->packet_id = note->packet_id;
    }
    if (recorder->post(recorder, &n->errand)) {
        write_drop(n->errand.write);
        mem_drop(n);
        return false;
    }
    s->busy++;
    if (n->peer)
        n->peer->busy++;
    return true;
}

/* Behind: when it is lost, the delivery is made again after a restart, with the same packet identifier and DUP. */
void mqtt_journal_delivered(struct mqtt_session *s, uint64_t number)
{
    struct write w = {.kind = WRITE_DELIVERED,
                      .now_us = wall_us(s->lobby->flow.clock),
                      .as.delivery = {.session = s->number, .number = number}};
    if (s->kept)
        (void)mqtt_journal(s, write_plain(&w), NULL);
}

struct write *mqtt_record(const struct mqtt_session *s, int64_t left_us)
{
    struct client_record record = {.number = s->number,
                                   .who = s->who,
                                   .client_id = mqtt_client_id(s),
                                   .expiry_s = s->expiry_s,
                                   .left_us = left_us,
                                   .will = s->will,
                                   .will_delay_s = s->will_delay_s};
    return write_client(&record, wall_us(s->lobby->flow.clock));
}
