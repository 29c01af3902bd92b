/* A call and its answer: what HTTP (and later CoAP) asks of the API, free of any protocol's bytes. The door makes the
 * call on its loop; a query thread answers it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/principal.h"

enum call_method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHODS };

struct call_header {
    struct bytes name, value; /* names in lower case */
};

enum { CALL_HEADERS_MAX = 64, CALL_BODY_MAX = 1048576, ANSWER_BODY_MAX = 16777216, CALL_PEER_TEXT = 64 };

/* Borrowed by whoever answers it. */
struct call {
    enum call_method method;
    struct bytes path;  /* "/api/v1/devices/pump-1": percent-decoding is left to the route, segment by segment */
    struct bytes query; /* without "?"; raw */
    struct bytes body;
    const struct call_header *headers;
    size_t header_count;
    struct principal who;
    struct bytes peer_certificate; /* DER of the verified client certificate; empty when none was shown */
    uint8_t session_hash[32];      /* SHA-256 of the session's secret, when `who` is an operator */
    char peer[CALL_PEER_TEXT];     /* "192.0.2.7:41234" */
};

/* The body is the answerer's to fill; everything else has a default. */
struct answer {
    unsigned status;          /* 200 by default */
    const char *content_type; /* "application/json" by default; a constant */
    struct buffer body;       /* .max = ANSWER_BODY_MAX */
    struct buffer headers;    /* further header lines, each with its CRLF; .max = 4096 */
};

struct bytes call_header(const struct call *call, const char *lower_case_name); /* first of that name; empty: none */
const char *call_method_text(enum call_method method);

void answer_open(struct answer *answer); /* the defaults above */
void answer_drop(struct answer *answer);
/* Adds "name: value" to the headers; a value with a control character spoils the headers buffer. */
void answer_header(struct answer *answer, const char *name, const char *value);
