/* What the load generator is asked to do, and its two kinds of scenes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client.h"

enum scene_kind { SCENE_FAN_IN, SCENE_FAN_OUT, SCENE_PAIRS, SCENE_DURABLE, SCENE_IDLE, SCENE_HANDSHAKES };

/* Numbers are long because the command line is read into them through one table. */
struct wishes {
    const char *host, *ca, *folder, *prefix, *tls;
    long port, version, devices, sources;
    long publishers, subscribers, qos, batch, window, size, rate,
        seconds;               /* messages; rate 0: as fast as the window lets */
    long messages;             /* at most; 0: until the seconds are over */
    long ballast;              /* subscriptions to topics that nobody writes to, before the run */
    long connections, resumed; /* crowds */
    long own, wait, json;      /* truths */
    enum scene_kind scene;
};

struct client_options client_options_of(const struct wishes *how);
void wait_for_word(const struct wishes *how); /* says "ready" and waits for a line, when that is wished */
int64_t now_ns(void);
double own_cpu_seconds(void);

/* Each runs its scene and prints its result. False: something was lost, refused or out of order. */
bool run_messages(const struct wishes *how);
bool run_idle(const struct wishes *how);
bool run_handshakes(const struct wishes *how);
