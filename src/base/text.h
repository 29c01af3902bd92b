/* Text encodings: numbers, hex, base64, UTF-8. Everything is bounded by the views and buffers that it is given. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

/* The whole view must be the number; no blanks, no sign for unsigned. ERR_MALFORMED otherwise, also on overflow. */
MUST err text_to_u64(struct bytes text, uint64_t *out);
MUST err text_to_i64(struct bytes text, int64_t *out);
MUST err text_to_double(struct bytes text, double *out); /* finite, "." as the point whatever the locale */

void put_hex(struct buffer *b, struct bytes bytes);                /* lower case */
MUST err hex_decode(struct bytes text, struct buffer *out);        /* appends */
void put_base64(struct buffer *b, struct bytes bytes);             /* RFC 4648, 4, with padding, one line */
void put_base64url(struct buffer *b, struct bytes bytes);          /* RFC 4648, 5, without padding */
MUST err base64_decode(struct bytes text, struct buffer *out);     /* appends; blanks and line ends are skipped */
MUST err base64url_decode(struct bytes text, struct buffer *out);  /* appends; strict, without padding */
MUST err percent_decode(struct bytes text, struct buffer *out);    /* RFC 3986, 2.1; appends */

bool utf8_valid(struct bytes text); /* RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF */

/* A JSON string literal with its quotes (RFC 8259, 7). Bytes that are no UTF-8 become U+FFFD. */
void put_json_text(struct buffer *b, struct bytes text);

/* Copies text and a NUL into out; ERR_TOO_LARGE when it does not fit, ERR_MALFORMED on an embedded NUL. */
MUST err text_copy(struct bytes text, char *out, size_t room);
