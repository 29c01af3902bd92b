/* Accepting: bounded by the process's descriptors and by limits.connections, in turns with everything else. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection.h"

#include "os/file.h"

#include <sys/epoll.h>

enum { ACCEPT_BATCH = 32, REST_MS = 100 }; /* the rest has its turn after everybody else's */

static void accept_some(struct watcher *watcher, uint32_t events)
{
    struct listener *l = CONTAINER(watcher, struct listener, watcher);
    struct lobby *lobby = l->lobby;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        char peer[ADDRESS_TEXT];
        int fd;
        err failed = socket_accept(watcher->fd, &fd, peer);
        if (err_is(failed, ERR_FULL)) {
            /* Out of descriptors: the kernel keeps the rest queued while we rest, instead of a busy loop. */
            loop_unwatch(lobby->loop, watcher);
            IGNORE(loop_timer_set(lobby->loop, &l->rest, REST_MS));
            return;
        }
        if (failed)
            return;
        bool full = LOBBY_SUM(lobby, connections_now) >= lobby->limits->connections_max;
        if (full)
            counter_raise(&lobby->counts->connections_full, 1);
        if (full || connection_open(l, fd, peer))
            fd_close(&fd);
    }
}

static void rested(struct timer *timer)
{
    struct listener *l = CONTAINER(timer, struct listener, rest);
    if (loop_watch(l->lobby->loop, &l->watcher, EPOLLIN | EPOLLEXCLUSIVE))
        IGNORE(loop_timer_set(l->lobby->loop, &l->rest, REST_MS));
}

err listener_open(struct listener *l, struct lobby *lobby, int fd, const struct protocol *protocol,
                  struct tls_context *tls)
{
    if (tls)
        TRY(traffic_use_tls(lobby->traffic));
    *l = (struct listener){.watcher = {fd, accept_some},
                           .rest = {.due = rested},
                           .lobby = lobby,
                           .protocol = protocol,
                           .tls = tls ? tls_context_share(tls) : NULL};
    return loop_watch(lobby->loop, &l->watcher, EPOLLIN | EPOLLEXCLUSIVE);
}

void listener_use_tls(struct listener *l, struct tls_context *tls)
{
    if (!l->lobby || !tls)
        return;
    tls_context_drop(l->tls);
    l->tls = tls_context_share(tls);
}

void listener_close(struct listener *l)
{
    if (!l->lobby)
        return;
    loop_unwatch(l->lobby->loop, &l->watcher);
    loop_timer_clear(l->lobby->loop, &l->rest);
    tls_context_drop(l->tls);
    l->tls = NULL;
}
