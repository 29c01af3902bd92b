/* Views of bytes that somebody else owns, and the reader that walks them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view: borrowed, never freed through, not NUL-terminated. {NULL, 0} is the empty view. */
struct bytes {
    const uint8_t *at;
    size_t len;
};

/* A view of a string literal, embedded NULs included, its own NUL not. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})
/* The same as an initialiser, for static tables: C17 does not call a compound literal constant. */
#define BYTES_ROW(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

struct bytes bytes_of(const void *at, size_t len);
struct bytes bytes_of_text(const char *text);              /* borrows text; NULL gives the empty view */
bool bytes_equal(struct bytes a, struct bytes b);          /* not for secrets: see bytes_equal_secret */
bool bytes_equal_secret(struct bytes a, struct bytes b);   /* time depends on the lengths only */
bool bytes_equal_nocase(struct bytes a, struct bytes b);   /* ASCII */
bool bytes_is(struct bytes a, const char *text);
bool bytes_starts(struct bytes a, const char *prefix);
int bytes_compare(struct bytes a, struct bytes b);         /* as memcmp, shorter first */
struct bytes bytes_from(struct bytes b, size_t skip);      /* what is left behind skip bytes; empty when past the end */
struct bytes bytes_first(struct bytes b, size_t len);      /* at most the first len bytes */
struct bytes bytes_trim(struct bytes b);                   /* without ASCII blanks at both ends */
/* Cuts *rest at the first sep: returns what stands before, leaves what stands behind. Without sep: all, and {NULL,0}. */
struct bytes bytes_cut(struct bytes *rest, uint8_t sep);
bool bytes_find(struct bytes b, uint8_t what, size_t *at);

/* Reads network-order fields off a view. The first failed read spoils the reader and every later read yields zero, so
 * a decoder reads straight down and asks once at the end. Borrows the view for its life. */
struct reader {
    struct bytes left;
    bool spoiled;
};

struct reader reader_over(struct bytes in);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct bytes read_view(struct reader *r, size_t len); /* lends from the view the reader was made over */
MUST err reader_finish(const struct reader *r);       /* OK: every read fitted, nothing is left */
