/* Walking DER. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/der.h"

enum { LONG_TAG = 0x1f, LONG_LENGTH = 0x80, LENGTH_BYTES_MAX = 3 };

/* X.690, 8.1.3 and 10.1: below 128 in one byte; else their number and the bytes, the first of them not zero. What is
 * over 16 MiB is no certificate's. */
static size_t read_length(struct reader *r)
{
    uint8_t first = read_u8(r);
    if (first < LONG_LENGTH)
        return first;
    size_t count = first & ~(unsigned)LONG_LENGTH, len = 0;
    if (!count || count > LENGTH_BYTES_MAX)
        r->spoiled = true;
    for (size_t i = 0; i < count && !r->spoiled; i++) {
        len = len << 8 | read_u8(r);
        if (!len)
            r->spoiled = true;
    }
    if (len < LONG_LENGTH)
        r->spoiled = true;
    return r->spoiled ? 0 : len;
}

struct der der_next(struct reader *r)
{
    struct bytes from = r->left;
    struct der found = {.tag = read_u8(r)};
    if ((found.tag & LONG_TAG) == LONG_TAG)
        r->spoiled = true;
    found.contents = read_view(r, read_length(r));
    if (r->spoiled)
        return (struct der){.tag = 0};
    found.whole = bytes_first(from, from.len - r->left.len);
    return found;
}

bool der_follows(const struct reader *r, unsigned tag)
{
    return !r->spoiled && r->left.len && r->left.at[0] == tag;
}

struct bytes der_take(struct reader *r, unsigned tag)
{
    if (!der_follows(r, tag))
        r->spoiled = true;
    return der_next(r).contents;
}

struct reader der_enter(struct reader *r, unsigned tag)
{
    struct reader inner = reader_over(der_take(r, tag));
    inner.spoiled = r->spoiled;
    return inner;
}

void der_skip(struct reader *r, unsigned tag)
{
    if (der_follows(r, tag))
        (void)der_next(r);
}

void der_leave(struct reader *r, const struct reader *inner)
{
    if (inner->spoiled || inner->left.len)
        r->spoiled = true;
}
