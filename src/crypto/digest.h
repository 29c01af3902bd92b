/* Digests of whole views. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum { DIGEST_SHA256 = 32, DIGEST_SHA256_TEXT = 65, DIGEST_SHA1 = 20 };

/* All of them: ERR_IO when OpenSSL itself fails (no memory, provider not loaded); out is then undefined. */
MUST err digest_sha256(struct bytes in, uint8_t out[DIGEST_SHA256]);
MUST err digest_sha256_text(struct bytes in, char out[DIGEST_SHA256_TEXT]); /* lower-case hex with its NUL */
/* For Sec-WebSocket-Accept alone (RFC 6455, 4.2.2), where SHA-1 is no security function. Nothing else may use it. */
MUST err digest_sha1_websocket_accept(struct bytes in, uint8_t out[DIGEST_SHA1]);
