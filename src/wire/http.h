/* HTTP/1.1 requests (RFC 9110, RFC 9112), byte by byte: a lid on llhttp that refuses whatever two readers could read
 * in two ways. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* Happy path: feed bytes as they come; the parser stops behind each request, so that pipelined bytes stay with the
 * caller; answer; call http_parser_next; feed the rest.
 *
 *     while (in.len) {
 *         size_t used;
 *         err e = http_request_feed(parser, in, &used);
 *         in = bytes_from(in, used);
 *         if (e) ... answer http_parser_status(parser), then close
 *         if (http_wants_continue(parser)) ... write HTTP_CONTINUE
 *         if (http_parser_stage(parser) == HTTP_WHOLE) ... answer http_request(parser), then http_parser_next(parser)
 *     }
 *
 * Failure modes: a request that breaks a rule is refused with a fault and a status, and the parser stays broken, for
 * nobody knows where the next request would begin. A slow peer is the caller's to time. */

enum {
    HTTP_HEAD_MAX = 16384,   /* bytes of request line and header lines; over it: 431 */
    HTTP_TARGET_MAX = 8192,  /* bytes of the request target; over it: 414 */
    HTTP_HEADERS_MAX = 64,   /* header lines; over it: 431 */
    HTTP_BODY_MAX = 1048576, /* the usual bound of a body; over the parser's own bound: 413 */
};

/* In the order of core/call.h. A method that is none of these is refused with 501. */
enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHODS
};

struct http_header {
    struct bytes name, value; /* the name in lower case, the value without blanks around it */
};

/* Views are lent until http_parser_next or http_parser_drop. */
struct http_request {
    enum http_method method;
    unsigned minor;     /* the version is HTTP/1.minor: 0 or 1 */
    struct bytes host;  /* host[:port] from the absolute target or from Host; empty in HTTP/1.0 without Host */
    struct bytes path;  /* starts with "/"; still percent-encoded; every % is followed by two hexadecimal digits, no
                           segment is "." or "..", and nothing decodes to a control character */
    struct bytes query; /* raw, without "?" */
    const struct http_header *headers;
    size_t header_count;
    struct bytes body; /* empty before the stage is HTTP_WHOLE */
    bool keep_alive;   /* the client wishes to send another request */
    bool upgrade;      /* the client asks for another protocol (Upgrade and Connection: upgrade); may be ignored */
};

enum http_stage {
    HTTP_IN_HEAD = 0, /* the head is not complete; http_request() is not to be asked */
    HTTP_IN_BODY,     /* the head is complete and checked, the body is not complete */
    HTTP_WHOLE,       /* the request is complete */
    HTTP_BROKEN,      /* refused; see http_parser_status */
};

struct http_parser;

struct http_parser *http_parser_make(size_t body_max); /* gives; NULL: no memory */
void http_parser_drop(struct http_parser *p);          /* takes; NULL is fine */

/* Reads on in `in`, at most to the end of the request, and says how many bytes it used. It also stops at the end of
 * the head when a body follows, so that a request can be judged before its body is read. Uses nothing once the stage is
 * HTTP_WHOLE. A fault is final: ERR_MALFORMED, ERR_TOO_LARGE, ERR_UNSUPPORTED or ERR_MEMORY. */
MUST err http_request_feed(struct http_parser *p, struct bytes in, size_t *used);

enum http_stage http_parser_stage(const struct http_parser *p);
bool http_parser_is_idle(const struct http_parser *p); /* no byte of a request has come: closing loses nothing */
/* What to answer when it is broken: 400, 413, 414, 417, 431, 500, 501 or 505; 0 otherwise. */
unsigned http_parser_status(const struct http_parser *p);
const struct http_request *http_request(const struct http_parser *p); /* lends; from stage HTTP_IN_BODY on */
/* True once per request: the client waits for "100 Continue" (RFC 9110, 10.1.1) and no byte of its body came yet. */
bool http_wants_continue(struct http_parser *p);
void http_parser_next(struct http_parser *p); /* forgets the request, lends no more, and reads the next one */

/* The value of the first header of that name; empty: none. */
struct bytes http_request_header(const struct http_request *r, const char *lower_case_name);
const char *http_method_text(enum http_method method);
