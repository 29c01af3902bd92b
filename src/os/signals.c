/* Signals through a signalfd. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const struct fault not_held = {ERR_IO, "signals: they could not be held back"};
static const struct fault no_descriptor = {ERR_IO, "signals: no signalfd"};

static sigset_t held_signals(void)
{
    static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        (void)sigaddset(&set, held[i]);
    return set;
}

err signals_hold(void)
{
    const sigset_t set = held_signals();
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    return sigaction(SIGPIPE, &ignore, NULL) == 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 ? OK : &not_held;
}

/* One signal a turn: the callback may close us, and epoll tells of the next one. */
static void signal_ready(struct watcher *self, uint32_t events)
{
    struct signals *signals = (struct signals *)self;
    struct signalfd_siginfo info;
    if (read(self->fd, &info, sizeof info) == (ssize_t)sizeof info)
        signals->caught(signals, (int)info.ssi_signo);
}

err signals_open(struct signals *signals, struct loop *loop)
{
    const sigset_t set = held_signals();
    signals->loop = loop;
    signals->watcher = (struct watcher){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), signal_ready};
    if (signals->watcher.fd < 0)
        return &no_descriptor;
    err e = loop_watch(loop, &signals->watcher, EPOLLIN);
    if (e) {
        (void)close(signals->watcher.fd);
        signals->watcher.fd = -1;
    }
    return e;
}

void signals_close(struct signals *signals)
{
    if (signals->watcher.fd < 0)
        return;
    loop_unwatch(signals->loop, &signals->watcher);
    (void)close(signals->watcher.fd);
    signals->watcher.fd = -1;
}
