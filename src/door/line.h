/* A line and who speaks on it. A line carries bytes to and from one peer (a TLS connection, or a WebSocket inside one);
 * a speaker is a protocol's half of the conversation. Neither knows what the other is made of. One thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/principal.h"

struct lobby;
struct speaker;

struct line_calls;
struct line {
    const struct line_calls *calls;
    struct lobby *lobby;      /* of the loop that owns the line now */
    struct speaker *speaker;  /* owned by itself: see `lost` */
    struct principal who;     /* what the handshake proved */
    struct bytes certificate; /* the peer's, DER; empty when it showed none, and once the speaker has settled */
    const char *peer;         /* its address; "" once the speaker has settled */
};

struct line_calls {
    void (*send)(struct line *self,
                 struct bytes bytes);           /* queues a copy; when it does not fit, the line is lost soon */
    size_t (*backlog)(const struct line *self); /* bytes queued and not yet taken by the peer */
    void (*end)(
        struct line *self); /* once what is queued was written; nothing is heard or sent any more. `lost` will follow */
    void (*hold)(struct line *self); /* hear no more until resume */
    void (*resume)(struct line *self);
    void (*patience)(struct line *self, int64_t ms);   /* `tired` after so long, unless called again; 0: never */
    void (*move)(struct line *self, struct lobby *to); /* to another loop: what was not used is heard again there */
    /* The speaker took what it needs of `certificate` and `peer`; they are freed. So an idle session costs less. */
    void (*settled)(struct line *self);
    const char *transport; /* "tls", "plain" or "websocket": a constant */
};

/* What a speaker does. */
struct speech {
    const char *name;
    /* Takes what it understands of `in` and says how much; the rest comes again with more behind it. A fault ends the
     * line after what was sent; the speaker has said its good-bye by then. */
    err (*hear)(struct speaker *self, struct bytes in, size_t *used) MUST;
    void (*drained)(struct speaker *self); /* the backlog fell to nothing */
    void (*tired)(struct speaker *self);   /* patience ran out */
    void (*lost)(struct speaker *self);    /* the line is gone: end yourself, now or when your last request is done */
};

/* Embedded first in every speaker. */
struct speaker {
    const struct speech *speech;
    struct line *line; /* NULL once lost */
};

static inline void line_send(struct line *l, struct bytes bytes)
{
    l->calls->send(l, bytes);
}

static inline size_t line_backlog(const struct line *l)
{
    return l->calls->backlog(l);
}

static inline const char *line_transport(const struct line *l)
{
    return l->calls->transport;
}

static inline void line_end(struct line *l)
{
    l->calls->end(l);
}
