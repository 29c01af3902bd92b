/* Signals as events of a loop, so that no code of ours runs inside a signal handler. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/loop.h"

/* Embedded in its owner; the loop borrows it until signals_close. */
struct signals {
    struct watcher watcher; /* the rest is signals_open's to fill, but `caught` */
    struct loop *loop;
    void (*caught)(struct signals *self, int signal); /* SIGTERM, SIGINT, SIGHUP, SIGCHLD; may call signals_close */
};

/* Holds SIGTERM, SIGINT, SIGHUP and SIGCHLD back and ignores SIGPIPE. For the whole process; call it before the first
 * thread, since threads inherit it. Programs that os/process.h starts get none of it. */
MUST err signals_hold(void);
/* Watches the signals that are held back. ERR_IO: no signalfd. */
MUST err signals_open(struct signals *signals, struct loop *loop);
void signals_close(struct signals *signals); /* one that was never opened must be {.watcher.fd = -1} */
