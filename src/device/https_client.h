/* One HTTPS call to the server, a lid on libcurl. Blocks; for threads that may. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/count.h"
#include "wire/why.h"

enum { HTTPS_ANSWER_MAX = 131072, HTTPS_CONNECT_MS = 10000, HTTPS_CALL_MS = 30000 };

enum https_trust {
    HTTPS_VERIFIED = 0, /* the server must show a certificate for its name that chains to anchors_pem, and to nothing else */
    HTTPS_UNVERIFIED,   /* anybody may answer: only for what is checked by other means */
};

struct https_request {
    const char *base;         /* "https://host:8443" */
    const char *path;         /* "/healthz" */
    enum https_trust trust;
    struct bytes anchors_pem;
    struct bytes chain_pem;   /* own certificate and what stands above it; empty: the client shows none */
    struct bytes key_pem;
    struct bytes body;        /* empty: GET; otherwise POST */
    const char *content_type; /* of the body */
    const char *password;     /* for HTTP Basic; NULL: none */
    const struct counter *abandon; /* the call is given up within a second of this being raised; may be NULL */
};

/* Owns its body; drop it with buffer_drop. Zero is ready for a call. */
struct https_answer {
    unsigned status;
    struct buffer body;          /* at most HTTPS_ANSWER_MAX bytes */
    int64_t waited_us;           /* from the request's last byte to the answer's first */
    int64_t since_first_byte_us; /* from the answer's first byte to its last */
};

/* Once per process, while it has one thread. */
MUST err https_begin(void);
void https_end(void);

/* OK: an answer came, whatever its status. ERR_REFUSED: the server's certificate did not verify, or ours was not
 * taken; ERR_IO: not reached; ERR_AGAIN: it took too long, or was abandoned; ERR_TOO_LARGE. Redirects are not
 * followed. why has libcurl's words. */
MUST err https_call(const struct https_request *request, struct https_answer *out, char why[WHY_TEXT]);

/* OK for a status of 200; otherwise ERR_REFUSED (4xx) or ERR_AGAIN (everything else, and 429), and why has the status
 * and the first line of the answer. */
MUST err https_want_200(const struct https_answer *answer, char why[WHY_TEXT]);
