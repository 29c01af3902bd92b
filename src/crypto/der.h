/* Walks DER (X.690, 10 and 11.1): tags of one byte, definite lengths in their shortest form, and nothing else. A walk
 * is a struct reader over the contents of one element; what does not fit spoils it. For this room alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OBJECT = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,    /* | number: [number], primitive */
    DER_CONTEXT_IN = 0xa0, /* | number: [number] around other elements */
};

/* An element: all of its bytes, and of them its contents. Views of what is walked. */
struct der {
    uint8_t tag;
    struct bytes whole, contents;
};

struct der der_next(struct reader *r);                  /* the next element, whatever it is; {0} spoils */
bool der_follows(const struct reader *r, unsigned tag); /* whether the next element has this tag */
/* The contents of the next element, which must have this tag. */
struct bytes der_take(struct reader *r, unsigned tag);
/* The same, to be walked. An element that is not as it must be spoils r, and the walk as well. */
struct reader der_enter(struct reader *r, unsigned tag);
void der_skip(struct reader *r, unsigned tag); /* if it follows */
/* What was walked ends here and is not spoiled; otherwise r, around it, is spoiled. */
void der_leave(struct reader *r, const struct reader *inner);
