/* Asking the API over fake ports. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ports.h"

struct asked {
    enum call_method method;
    const char *target; /* path, "?" and query */
    const char *body;   /* NULL: none. Said to be JSON */
    enum principal_kind who;
    const char *origin; /* the page that asks; NULL: none says so */
};

#define ASK(METHOD, TARGET, BODY, WHO)                                                                                 \
    {                                                                                                                  \
        .method = METHOD, .target = TARGET, .body = BODY, .who = WHO                                                   \
    }
#define ASK_FROM(METHOD, TARGET, BODY, WHO, ORIGIN)                                                                    \
    {                                                                                                                  \
        .method = METHOD, .target = TARGET, .body = BODY, .who = WHO, .origin = ORIGIN                                 \
    }

/* The caller drops the answer. */
static inline struct answer ask_api(struct ports *ports, const struct asked *asked)
{
    struct bytes query = bytes_of_text(asked->target), path = bytes_cut(&query, '?');
    struct call_header headers[3] = {{BYTES("host"), BYTES("hold.example:8443")}};
    struct call call = {.method = asked->method, .path = path, .query = query, .headers = headers, .header_count = 1};
    struct answer answer;
    if (asked->body) {
        call.body = bytes_of_text(asked->body);
        headers[call.header_count++] = (struct call_header){BYTES("content-type"), BYTES("application/json")};
    }
    if (asked->origin)
        headers[call.header_count++] = (struct call_header){BYTES("origin"), bytes_of_text(asked->origin)};
    call.who.kind = asked->who;
    snprintf(call.who.id, sizeof call.who.id, "%s", asked->who == PRINCIPAL_NOBODY ? "" : "ada");
    snprintf(call.peer, sizeof call.peer, "192.0.2.7:41234");
    memcpy(call.session_hash, ports->session.hash, TOKEN_HASH);
    answer_open(&answer);
    api_answer(&ports->api, &call, &answer);
    return answer;
}

static inline bool holds(struct buffer *in, const char *part)
{
    return strstr(buffer_text(in), part) != NULL;
}
