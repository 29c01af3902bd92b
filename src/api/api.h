/* The API: routes over the ports of the core. It answers calls (core/call.h) on threads that may block, and knows no
 * socket. One table (routes.c) says which paths there are, who may call them and where they run. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/health.h"
#include "base/clock.h"
#include "core/board.h"
#include "core/call.h"
#include "core/herald.h"
#include "core/issuer.h"
#include "core/recorder.h"
#include "core/request.h"
#include "core/store.h"
#include "trust/notice.h"

struct signin_limit; /* trust/signin_limit.h */

/* What stays the same while the server runs. */
struct api_facts {
    const char *public_url;     /* "https://host:8443", without a slash at its end: the origin that browsers see */
    const char *version;        /* "0.1.0" */
    int64_t started_us;         /* wall clock */
    struct bytes root_pem;      /* the root certificate: GET /api/v1/ca.pem */
    struct bytes chain_pem;     /* issuing certificate first, then the root: EST cacerts */
    const char *mqtt_address;   /* "host:8883": where devices send to */
    char root_sha256[65];       /* of the root certificate's DER, lower-case hex: what a device pins */
    uint32_t device_lifetime_s; /* of device certificates */
};

/* One for each query thread, which owns `reader`. Everything is borrowed and outlives it. */
struct api {
    struct store_reader *reader; /* this thread's own */
    struct recorder *recorder;
    struct issuer *issuer;
    struct herald *herald;
    struct board *board;
    const struct clock *clock;
    const struct dice *dice;
    struct signin_limit *signin_limit; /* only on the thread that serves API_SIGN_IN; NULL on all others */
    struct health_source *health;
    const struct api_facts *facts;
    struct notice_budget refusals; /* this thread's own: of enrolments */
};

/* Where a route runs. */
enum api_service {
    API_QUERY = 0, /* any query thread */
    /* One query thread that is chosen once and for all: password hashes cost much on purpose, so a flood of sign-ins
     * holds up sign-ins only, and the limit that counts them needs no lock. */
    API_SIGN_IN,
    API_STREAM, /* any query thread for its beginning (api_stream_backlog); then the loop keeps the connection */
};

/* Who may call it: the flow asks before it lets a call pass, and api_answer holds to it once more. For a path or method
 * without a route: AUDIENCE_ANYBODY and API_QUERY, because api_answer says 404 or 405 to everybody. */
enum audience api_route_audience(enum call_method method, struct bytes path);
enum api_service api_route_service(enum call_method method, struct bytes path);

/* Answers the call; may block on the store, the keeper, the herald and the board. `answer` was opened by the caller,
 * who drops it. Always yields a whole answer: a failure is a problem document with its status. For HEAD the body is
 * that of GET, so that its length can be told; the door does not send it. The door also says that answers are not to be
 * cached. */
void api_answer(struct api *api, const struct call *call, struct answer *answer);

/* A problem document (RFC 9457) in place of whatever the answer held. `detail` is a sentence that says what was wrong;
 * copied. For refusals by the flow and the door: 401, 403, 413, 429, 503 and the like. */
void api_problem(struct answer *answer, unsigned status, const char *detail);

/* One event as a JSON object, as GET /events and GET /events/stream show it. */
void api_render_event(struct buffer *out, const struct event *event);

/* The name of the session cookie; its value is the session's secret, as POST /session gives it. */
#define API_COOKIE "__Host-holdfast"
/* The session secret that the call carries, in its cookie or as "Authorization: Bearer"; lends from the headers. Empty:
 * none. */
struct bytes api_session_secret(const struct call *call);

/* One listener of GET /events/stream: what it wants to hear, and how far it has heard. Its loop keeps back the events
 * of the moment until the backlog has come; what comes both ways is sent once. */
struct api_stream {
    char device[DEVICE_ID_MAX + 1]; /* "": of all */
    bool one_kind;
    enum event_kind kind; /* when one_kind */
    enum severity at_least;
    bool resumes;     /* it said Last-Event-ID */
    bool behind;      /* it missed more than one backlog holds: the loop ends the stream behind what it got, and the
                         client comes back with its last id for more, so that nothing is left out */
    int64_t after_id; /* it has heard events up to this id */
};

/* Reads the stream's parameters and Last-Event-ID. On a fault `answer` is a problem document already. No I/O. */
MUST err api_stream_open(const struct call *call, struct api_stream *out, struct answer *answer);
/* When the stream resumes: appends what it missed to out, oldest first, and moves after_id. At most STREAM_BACKLOG_MAX
 * events at once, and not another page of them past STREAM_BACKLOG_BYTES, so that the largest still fit into an answer;
 * see `behind`. Blocks on the store. */
enum { STREAM_BACKLOG_MAX = 10000, STREAM_BACKLOG_BYTES = ANSWER_BODY_MAX / 2 };
MUST err api_stream_backlog(struct api *api, struct api_stream *stream, struct buffer *out);
/* Appends the event in the form of text/event-stream when the stream wants it and has not heard it, and moves after_id.
 * No I/O. */
void api_stream_event(struct api_stream *stream, const struct event *event, struct buffer *out);
