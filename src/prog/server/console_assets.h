/* The console's files, packed into the program by tools/embed.py: the sandboxed server opens no files. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* Constant for the life of the program; everything is lent. */
struct console_asset {
    const char *path; /* as requested: "/index.html", "/vendor/uplot.js"; the page at "/" is "/index.html" */
    const char *type; /* Content-Type, with its charset where it is text */
    const char *etag; /* strong validator of `body`, in its quotes (RFC 9110, 8.8.3) */
    const char *gzip_etag; /* the same for `gzip`: another encoding is another representation (RFC 9110, 8.8.3.3) */
    struct bytes body;
    struct bytes gzip; /* empty when packing gains nothing */
};

/* Sorted by path, as strcmp orders; no path stands twice. */
extern const struct console_asset console_assets[];
extern const size_t console_assets_count;
