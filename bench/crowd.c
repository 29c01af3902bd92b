/* Scenes of connections: many that do nothing, and many that come and go. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_bench.h"

#include <stdio.h>

enum { ARRIVING = 64, AT_ONCE = 4 };

struct crowd {
    const struct wishes *how;
    struct clients *clients;
    size_t started, open, closed, resumed;
    int64_t begin_ns;
};

static void unexpected(void *self, struct client *c, const struct packet *packet)
{
    (void)self;
    give_up("client %u: packet %u, which was not asked for", c->number, packet->type);
}

/* ---- they stay */

static void start_next(struct crowd *crowd)
{
    if (crowd->started < (size_t)crowd->how->connections)
        clients_start(crowd->clients, clients_at(crowd->clients, crowd->started++));
}

static void one_more(void *self, struct client *c)
{
    struct crowd *crowd = self;
    (void)c;
    crowd->open++;
    start_next(crowd);
}

static void one_less(void *self, struct client *c)
{
    struct crowd *crowd = self;
    (void)c;
    crowd->closed++;
}

bool run_idle(const struct wishes *how)
{
    static const struct client_events events = {one_more, unexpected, one_less};
    const struct client_options options = client_options_of(how);
    struct crowd crowd = {.how = how, .begin_ns = now_ns()};
    crowd.clients = clients_open(&options, (size_t)how->connections, &events, &crowd);
    for (int i = 0; i < ARRIVING; i++)
        start_next(&crowd);
    while (crowd.open + crowd.closed < (size_t)how->connections)
        clients_wait(crowd.clients, -1);
    double took = (double)(now_ns() - crowd.begin_ns) / 1e9;
    /* Tickets and what else comes late. */
    for (int64_t until = now_ns() + 500000000; now_ns() < until;)
        clients_wait(crowd.clients, 50);
    wait_for_word(how);
    (void)printf("{\"connections\":%zu,\"closed\":%zu,\"seconds\":%.3f}\n", crowd.open, crowd.closed, took);
    return !crowd.closed;
}

/* ---- they come and go */

/* Those that came first bring back the tickets for those that follow: each place is used again and again, and full
 * handshakes are those that throw the ticket away. */
static void again(void *self, struct client *c)
{
    struct crowd *crowd = self;
    crowd->open++;
    crowd->resumed += client_resumed(c);
    clients_stop(crowd->clients, c);
    if (!crowd->how->resumed) {
        SSL_SESSION_free(c->session);
        c->session = NULL;
    }
    if (crowd->started < (size_t)crowd->how->connections) {
        crowd->started++;
        clients_start(crowd->clients, c);
    }
}

bool run_handshakes(const struct wishes *how)
{
    static const struct client_events events = {again, unexpected, NULL};
    const struct client_options options = client_options_of(how);
    struct wishes first = *how;
    struct crowd crowd = {.how = &first};
    crowd.clients = clients_open(&options, AT_ONCE, &events, &crowd);
    /* The first ones are not counted: they warm both sides up, and earn the tickets. */
    for (int warm = 1; warm >= 0; warm--) {
        first.connections = warm ? AT_ONCE : how->connections;
        if (!warm)
            wait_for_word(how);
        crowd.started = crowd.open = crowd.resumed = 0;
        crowd.begin_ns = now_ns();
        for (int i = 0; i < AT_ONCE; i++, crowd.started++)
            clients_start(crowd.clients, clients_at(crowd.clients, (size_t)i));
        while (crowd.open < (size_t)first.connections)
            clients_wait(crowd.clients, -1);
    }
    double took = (double)(now_ns() - crowd.begin_ns) / 1e9;
    (void)printf("{\"handshakes\":%zu,\"resumed\":%zu,\"seconds\":%.3f,\"per_second\":%.1f}\n", crowd.open,
                 crowd.resumed, took, (double)crowd.open / took);
    return true;
}
