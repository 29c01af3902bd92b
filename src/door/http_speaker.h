/* An HTTP conversation and the files that share it: http_speaker.c (requests in, calls), http_answer.c (answers out),
 * http_stream.c (answers without an end), websocket_line.c (the upgrade). For this room only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/line.h"
#include "door/lobby.h"
#include "wire/http.h"
#include "wire/http_fields.h"
#include "wire/http_response.h"

/* On every answer: the console runs no script that is not ours, and nothing frames it. */
#define HTTP_SECURITY_LINES                                                                                            \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "                   \
    "frame-ancestors 'none'\r\n"                                                                                        \
    "X-Content-Type-Options: nosniff\r\n"                                                                               \
    "Referrer-Policy: no-referrer\r\n"                                                                                  \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                                                                       \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

enum http_phase {
    HTTP_READING = 0,
    HTTP_ASKING,    /* an inquiry is with the query threads */
    HTTP_STREAMING, /* the answer has no end */
    HTTP_OVER,
};

enum http_offer {
    HTTP_ALL = 0,
    HTTP_WEBSOCKET, /* the upgrade and nothing else */
};

struct http_speaker {
    struct speaker speaker;
    enum http_offer offer;
    struct lobby *lobby;
    struct http_parser *parser;
    enum http_phase phase;
    char peer[CALL_PEER_TEXT];
    struct request request;    /* the call's way through the flow */
    struct inquiry inquiry;    /* holds the call, always; with the desk while HTTP_ASKING */
    struct call_header *headers;
    bool ahead; /* the peer asked for more than it reads: the line is held until it did */

    /* HTTP_STREAMING, or on the way there */
    struct stream *stream;
    struct subscription subscription;
    bool missed; /* something was published while the query threads looked up what was missed before */
};

/* Sends a whole answer to the present request, and readies the speaker for the next one or ends the line. */
void http_reply(struct http_speaker *h, const struct answer *answer);
/* A problem document (RFC 9457). `lines`: further header lines. */
void http_refuse(struct http_speaker *h, unsigned status, const char *detail, const char *lines);
/* Sends the asset with whatever the request's conditions and ranges ask for. */
void http_send_asset(struct http_speaker *h, const struct asset *asset);
const struct asset *http_find_asset(const struct assets *assets, const struct call *call); /* lends; NULL: none */

MUST err http_ask(struct http_speaker *h);       /* gives the call to the desk; the line is held meanwhile */
void http_begin_stream(struct http_speaker *h);  /* h->stream was opened */
void http_on_backlog(struct http_speaker *h);    /* the desk answered about h->stream */
void http_stream_tired(struct http_speaker *h);

/* Upgrades the line to a WebSocket with MQTT inside; h ends itself when OK. */
void http_upgrade(struct http_speaker *h);
void http_release(struct http_speaker *h); /* frees what has no line and no inquiry */
