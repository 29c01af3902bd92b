/* HTTP/1.1 responses: the head, chunks, dates. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* How the client finds the end of the body (RFC 9112, 6.3). */
enum http_framing {
    HTTP_SIZED = 0,   /* Content-Length */
    HTTP_CHUNKED,     /* for a stream to a client that speaks HTTP/1.1; see http_put_chunk */
    HTTP_UNTIL_CLOSE, /* for a stream to a client that speaks HTTP/1.0; the connection ends behind it */
};

enum http_connection { HTTP_CLOSE = 0, HTTP_KEEP_ALIVE };

struct http_head {
    unsigned status;
    int64_t now_us; /* for Date */
    enum http_connection connection;
    enum http_framing framing;
    uint64_t length;          /* of the body, HTTP_SIZED; in an answer to HEAD: what GET would have sent */
    const char *content_type; /* NULL: none */
    struct bytes lines;       /* further header lines, each with its CRLF; trusted; borrowed */
};

/* Appends the status line and all header lines. 1xx and 204 get no Content-Length (RFC 9110, 8.6). */
void http_put_head(struct buffer *out, const struct http_head *head);
void http_put_chunk(struct buffer *out, struct bytes data); /* RFC 9112, 7.1; an empty chunk is not written: it would
                                                               end the body */
void http_put_last_chunk(struct buffer *out);
const char *http_reason(unsigned status); /* "Not Found"; "Unknown" for a status that the table does not have */

/* IMF-fixdate (RFC 9110, 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT", with its NUL. */
enum { HTTP_DATE_TEXT = 30 };
void http_date_text(int64_t wall_us, char out[HTTP_DATE_TEXT]);
