/* The REST client: calls over libcurl to the server that the session names, trusted as the session says. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "prog/ctl/outcome.h"
#include "wire/event_stream.h"

#include <jansson.h>

enum { REPLY_MAX = 16777216 };

/* Whom to call. Views and texts are borrowed. */
struct peer {
    const char *server;  /* "https://host:8443" */
    struct bytes ca_pem; /* the only root to trust; empty: those of the system */
    const char *token;   /* the session's secret; "": none */
};

void put_percent(struct buffer *out, const char *text); /* as one segment of a path or one value of a query */

/* A query string that grows, percent-encoded: "?a=b&c=d". Owned text; drop it. */
struct query {
    struct buffer text; /* .max set by query_open */
};
void query_open(struct query *q);
void query_drop(struct query *q);
void query_add(struct query *q, const char *name, const char *value); /* NULL value: nothing is added */

struct request {
    const char *method;  /* "GET" */
    const char *path;    /* "/api/v1/devices"; borrowed, percent-encoded already */
    struct query *query; /* NULL: none */
    json_t *body;        /* NULL: none; borrowed */
};

struct reply {
    long status;
    struct buffer body; /* .max = REPLY_MAX */
};
void reply_drop(struct reply *r);

/* One round trip; any status is DONE. UNREACHED: there was no answer, or its certificate is not to be trusted. */
OUTCOME client_call(const struct peer *peer, const struct request *request, struct reply *out);

/* As client_call, and holds the status against 2xx: else complains in the server's own words and gives REFUSED, or
 * NOT_SIGNED_IN for 401. *json: the parsed body, to be dropped with json_decref; NULL when there is none. */
OUTCOME client_ask(const struct peer *peer, const struct request *request, struct reply *out, json_t **json);
/* Complains about a reply that is not 2xx. */
OUTCOME client_refused(const struct reply *reply);

/* A GET without verification, for the one document whose hash is known beforehand. Never sends the token. */
OUTCOME client_fetch_unverified(const char *server, const char *path, struct reply *out);

/* Hears the path's event stream until the connection ends or the stream has enough, which is DONE. REFUSED, NOT_SIGNED_IN: the server did not
 * open it. UNREACHED: no connection, or it broke. Says stream->last_id as Last-Event-ID, and restarts the stream. */
OUTCOME client_listen(const struct peer *peer, const struct request *request, struct event_stream *stream);
