/* The request target (RFC 9112, 3.2): which host, which path, which query. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

struct http_target {
    struct bytes host;  /* of an absolute target; empty otherwise */
    struct bytes path;  /* as struct http_request promises it */
    struct bytes query; /* without "?" */
};

/* Takes the origin form ("/a?b") and the absolute form ("https://host/a?b"). Views are lent from `target`.
 * ERR_MALFORMED: another form, a fragment, a byte that must be encoded, a bad %, a dot segment, a control character. */
MUST err http_target_split(struct bytes target, struct http_target *out);

/* uri-host [":" port], as far as its characters go (RFC 9110, 7.2); not empty. */
bool http_host_is_valid(struct bytes host);
