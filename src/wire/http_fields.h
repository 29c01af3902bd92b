/* The values of header fields: lists, ranges, entity tags, cookies, credentials. All borrow and never fail loudly: a
 * field that says nothing usable counts as absent. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

bool http_list_has(struct bytes field, const char *token); /* a comma-separated list of tokens; ASCII case is ignored */
/* True when the media type of Content-Type is `type`, whatever its parameters ("application/json"). */
bool http_media_type_is(struct bytes field, const char *type);
/* True when Accept-Encoding allows the coding by name with a weight above 0 (RFC 9110, 12.5.3). "*" is not enough. */
bool http_accepts_coding(struct bytes field, const char *coding);

/* Range (RFC 9110, 14.1.2). Several ranges, another unit and malformed text mean the whole, as the standard permits. */
enum http_range_kind { HTTP_RANGE_WHOLE = 0, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE };
struct http_range {
    uint64_t first, length; /* the part; with HTTP_RANGE_WHOLE all of it; with HTTP_RANGE_UNSATISFIABLE 0, 0 */
};
enum http_range_kind http_range(struct bytes field, uint64_t size, struct http_range *out);
/* Appends the Content-Range line with its CRLF: the part and the size, or the size alone when nothing was satisfiable;
 * nothing for HTTP_RANGE_WHOLE (RFC 9110, 14.4). */
void http_put_content_range(struct buffer *out, enum http_range_kind kind, struct http_range range, uint64_t size);

/* `etag` is the current one with its quotes. If-None-Match: weak comparison over the list, or "*" (RFC 9110,
 * 13.1.2). */
bool http_none_match_hits(struct bytes field, struct bytes etag);
/* If-Range: strong comparison (RFC 9110, 13.1.5); a date never holds, so that the whole is sent. Absent: holds. */
bool http_if_range_holds(struct bytes field, struct bytes etag);

struct bytes http_cookie(struct bytes field, const char *name); /* lends from the Cookie field; empty: none */

/* Authorization: Bearer (RFC 6750, 2.1): lends the token; empty when the scheme or its syntax is another. */
struct bytes http_bearer(struct bytes field);
/* Authorization: Basic (RFC 7617). Decodes into `room` (cleared first; wipe it afterwards) and lends views into it.
 * ERR_ABSENT: another scheme. ERR_MALFORMED: not base64 of name ":" password in UTF-8 without control characters. */
struct http_basic {
    struct bytes name, password;
};
MUST err http_basic(struct bytes field, struct buffer *room, struct http_basic *out);

/* True when Origin (RFC 6454, 7) is https://<host>: what a browser's own page sends. For requests that are signed in by
 * a cookie and cannot be told from another site's otherwise: WebSocket upgrades and changes. */
bool http_origin_is(struct bytes origin, struct bytes host);
