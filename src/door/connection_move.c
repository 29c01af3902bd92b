/* A connection's move to another loop: it leaves this thread's hands as a whole, and is heard again there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection_parts.h"

#include "base/memory.h"

struct moving {
    struct mail mail;
    struct connection *connection;
};

static void arrive(struct mail *mail)
{
    struct moving *moving = CONTAINER(mail, struct moving, mail);
    struct connection *c = moving->connection;
    mem_drop(moving);
    list_append(&c->line.lobby->lines, &c->place);
    counter_raise(&c->line.lobby->counts->connections_now, 1);
    if (c->tls)
        tls_move(c->tls, c->line.lobby->traffic->engine);
    connection_arrived(c);
}

void connection_leave(struct connection *c)
{
    struct lobby *from = c->line.lobby, *to = c->moving_to;
    struct moving *moving = MEM_NEW(struct moving);
    c->moving_to = NULL;
    if (!moving) {
        connection_die(c);
        return;
    }
    *moving = (struct moving){.mail = {.open = arrive}, .connection = c};
    loop_unwatch(from->loop, &c->watcher);
    loop_timer_clear(from->loop, &c->timer);
    c->in_epoll = false;
    list_remove(&c->place);
    list_remove(&c->dirt); /* the sweep that hears its last word here must not find it again: it is another thread's */
    c->line.lobby = to;
    counter_lower(&from->counts->connections_now, 1);
    if (mailbox_post(loop_mailbox(to->loop), &moving->mail)) { /* that loop has too much to do: the peer comes again */
        mem_drop(moving);
        c->line.lobby = from;
        counter_raise(&from->counts->connections_now, 1);
        list_append(&from->lines, &c->place);
        connection_die(c);
    }
}
