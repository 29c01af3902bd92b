/* The line: a connection out, by TLS or plain, as two buffers that fill and empty. It knows no MQTT and calls nobody
 * back. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/loop.h"
#include "os/tls.h"

enum line_phase { LINE_CLOSED = 0, LINE_CONNECTING, LINE_SHAKING_HANDS, LINE_OPEN };

enum { LINE_CHUNK = 16384, LINE_WHY = 256 };

/* Embedded in its owner, who fills loop, watcher.ready and the bounds of the buffers (in.max at least LINE_CHUNK over
 * the longest thing that is waited for), calls line_turn from watcher.ready, takes from `in` and puts into `out`. */
struct line {
    struct loop *loop; /* borrowed */
    struct watcher watcher;
    struct tls *tls; /* NULL: closed, or plain */
    enum line_phase phase;
    uint32_t events;     /* watched for */
    uint32_t read_wants; /* what TLS must wait for before it can read on */
    struct buffer in, out;
    char why[LINE_WHY]; /* after a failure: what went wrong, a sentence without a full stop */
};

struct line_target {
    struct tls_context *tls; /* shared while the line is up; NULL: plain TCP, which anybody can read and change */
    const char *host;
    uint16_t port;
    unsigned attempt; /* counts up, so that every address of the host has its turn */
};

/* Starts to connect. On an error the line is closed and `why` says what was wrong; the same for the next two. */
MUST err line_open(struct line *line, const struct line_target *target);
/* Goes on as far as it can without waiting: connect, handshake, write, read. What was read before the failure is in
 * `in`. */
MUST err line_turn(struct line *line);
/* Writes what is in `out`, and watches for what could not be written. */
MUST err line_flush(struct line *line);
/* There is more to read of which the loop will not tell: turn again. */
bool line_has_more(const struct line *line);
void line_close(struct line *line); /* closed already is fine; keeps the room of the buffers, drops their content */
void line_drop(struct line *line);  /* closes, and frees the buffers */
