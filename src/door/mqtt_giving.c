/* Retained messages for a new subscription (MQTT 5.0, 3.3.1.3): found in pieces, and no faster than the session takes
 * them, so that a filter that matches a million of them holds up no loop and overflows no queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "session/retained.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory to look for retained messages"};

enum { NODES_AT_ONCE = 512, LINE_HIGH = 65536 };

struct mqtt_giving {
    struct retained_visitor visitor;
    struct retained_walk *walk;
    struct mqtt_giving *next; /* of the same session, behind this one */
    struct mqtt_session *session;
    struct timer step;
    struct client_watch how; /* its filter is the one below */
    uint8_t filter[];
};

/* Half of a queue is left for what comes. What has QoS 0 is for a line that takes it. */
static bool has_room(const struct mqtt_session *s, uint8_t qos)
{
    const struct line *line = s->peer ? s->peer->speaker.line : NULL;
    if (!qos && s->peer && line && line_backlog(line) >= LINE_HIGH)
        return false;
    return outbox_count(&s->outbox) < (s->lobby->mqtt.queue.messages_max + 1) / 2 &&
           s->outbox.bytes < s->lobby->mqtt.queue.bytes_max / 2;
}

static bool give(struct retained_visitor *self, struct message *message)
{
    struct mqtt_giving *g = CONTAINER(self, struct mqtt_giving, visitor);
    struct mqtt_session *s = g->session;
    struct mqtt_gift gift = {.message = message,
                             .subscription_id = g->how.subscription_id,
                             .qos = message->qos < g->how.qos ? message->qos : g->how.qos,
                             .retain = true};
    if (!principal_may_hear(&s->who, message->topic))
        return true;
    if (!has_room(s, gift.qos))
        return false;
    mqtt_deliver(s, &gift);
    return true;
}

static void end(struct mqtt_giving *g)
{
    struct mqtt_giving **at = &g->session->giving;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    loop_timer_clear(g->session->lobby->loop, &g->step);
    retained_walk_close(g->walk);
    mem_drop(g);
}

static bool waits(const struct mqtt_giving *g)
{
    return !has_room(g->session, g->how.qos) || !has_room(g->session, 0);
}

/* One that found no room goes on when its session has sent something (mqtt_give_more). */
static void step(struct mqtt_giving *g)
{
    struct lobby *lobby = g->session->lobby;
    if (!retained_walk_on(g->walk, wall_us(lobby->flow.clock), NODES_AT_ONCE, &g->visitor)) {
        end(g);
        return;
    }
    if (!waits(g))
        IGNORE(loop_timer_set(lobby->loop, &g->step, 0)); /* no memory: the next message sent goes on */
}

static void fall_due(struct timer *timer)
{
    struct mqtt_giving *g = CONTAINER(timer, struct mqtt_giving, step);
    struct mqtt_session *s = g->session;
    s->busy++; /* what is given may end the session */
    step(g);
    s->busy--;
    mqtt_release_session(s);
}

/* One for each filter, so that the session's subscriptions bound them: who subscribes again begins it anew. */
static void end_of(struct mqtt_session *s, struct bytes filter)
{
    for (struct mqtt_giving *g = s->giving, *next; g; g = next) {
        next = g->next;
        if (bytes_equal(g->how.filter, filter))
            end(g);
    }
}

err mqtt_give_retained(struct mqtt_session *s, const struct client_watch *how)
{
    struct mqtt_giving *g = mem_take(1, sizeof *g + how->filter.len);
    if (!g)
        return &no_memory;
    end_of(s, how->filter);
    err failed = retained_walk_open(s->lobby->retained, how->filter, &g->walk);
    if (failed) {
        mem_drop(g);
        return failed;
    }
    g->visitor.found = give;
    g->session = s;
    g->step.due = fall_due;
    g->how = *how;
    memcpy(g->filter, how->filter.at, how->filter.len);
    g->how.filter = bytes_of(g->filter, how->filter.len);
    g->next = s->giving;
    s->giving = g;
    step(g);
    return OK;
}

void mqtt_give_more(struct mqtt_session *s)
{
    for (struct mqtt_giving *g = s->giving; g; g = g->next)
        if (!g->step.place && !waits(g))
            IGNORE(loop_timer_set(s->lobby->loop, &g->step, 0)); /* as above */
}

void mqtt_give_no_more(struct mqtt_session *s)
{
    while (s->giving)
        end(s->giving);
}
