/* JSON in: a thin and strict lid on jansson. Values are read with jansson's own functions. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "wire/why.h"

#include <jansson.h>

enum { JSON_DEPTH_MAX = 16 };

/* Draws the secret that keeps a peer from choosing members whose hashes collide. jansson reads it from /dev/urandom at
 * first use and takes the time of day when it may not: call this once per process, before threads and the sandbox. */
void json_seed(void);

/* Gives a reference; drop it with json_drop. The text must be one object or array in UTF-8 of at most `max` bytes, no
 * deeper than JSON_DEPTH_MAX, without duplicate members and without \u0000. ERR_MALFORMED (why has line and column,
 * and quotes no value), ERR_TOO_LARGE. */
MUST err json_parse(struct bytes text, size_t max, json_t **out, char why[WHY_TEXT]);
void json_drop(json_t **root); /* for SCOPED(json_drop) json_t *root = NULL; */

enum json_member_kind {
    MEMBER_TEXT,
    MEMBER_INTEGER,
    MEMBER_NUMBER,
    MEMBER_TRUTH,
    MEMBER_OBJECT,
    MEMBER_ARRAY,
    MEMBER_ANY,
};
enum json_member_need { MEMBER_REQUIRED = 0, MEMBER_OPTIONAL };

/* One member that a document may have. */
struct json_member {
    const char *name;
    enum json_member_kind kind; /* MEMBER_NUMBER also takes an integer */
    enum json_member_need need;
    json_t **out; /* lends the value; NULL when an optional member is absent */
};

/* Holds `object` against the table: it must be an object, every required member is there, each is of its kind, and
 * there is no other. ERR_MALFORMED: why names the member. */
MUST err json_members(json_t *object, const struct json_member *table, size_t count, char why[WHY_TEXT]);

struct bytes json_text(const json_t *value); /* lends; empty when value is NULL or no text */

/* Bounds of a value that json_members let pass. `name` is for the sentence. ERR_MALFORMED. */
struct json_bounds {
    int64_t min, max;
};
MUST err json_integer_within(const json_t *value, const char *name, struct json_bounds bounds, int64_t *out,
                             char why[WHY_TEXT]);
