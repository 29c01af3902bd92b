/* A route, and a visit to it: what the handlers of this room share. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"

enum { VISIT_DETAIL = 256, PARAMETERS_MAX = 8 };

struct parameter {
    struct bytes name, value; /* name: lent from the route; value: decoded, lent from visit.decoded */
};

/* One call on its way through its route. Lives on the stack of api_answer. */
struct visit {
    struct api *api;
    const struct call *call;
    struct answer *answer;
    char id[DEVICE_ID_MAX + 1]; /* the path's {id}, decoded, obeying the rule for ids; "" for routes without one */
    struct parameter parameters[PARAMETERS_MAX];
    size_t parameter_count;
    struct buffer decoded;
    char detail[VISIT_DETAIL]; /* what was wrong, when the fault's own text does not name it */
};

/* Fills v->answer. A fault becomes a problem document: its status by the table in problem.c, its detail v->detail or,
 * when that is empty, the fault's own text. */
typedef err route_handler(struct visit *v);

struct route {
    enum call_method method;
    const char *pattern; /* one segment may be "{id}" */
    enum audience who;
    enum api_service service;
    route_handler *handle;
    const char *parameters; /* names of the query parameters that it knows, with blanks between; NULL: none */
};

/* The table, for the matcher and for the test that holds the OpenAPI document against it. */
extern const struct route routes[];
extern const size_t route_count;

enum route_match {
    ROUTE_NO_PATH = 0, /* no route has this path */
    ROUTE_NO_METHOD,   /* a route has this path, but none with this method */
    ROUTE_FOUND,
};
/* HEAD finds the route of GET. *segment lends the raw bytes of {id} from path; empty without one. */
enum route_match route_find(enum call_method method, struct bytes path, const struct route **out, struct bytes *segment);
void route_allowed(struct bytes path, struct buffer *out); /* appends the methods of a path: "GET, HEAD, DELETE" */
const char *route_nearest(struct bytes path);               /* a pattern that begins as path does; NULL: none near */

/* Puts the sentence into v->detail and gives the fault back, so that a refusal is one line of a handler. */
MUST err visit_refuse(struct visit *v, err fault, const char *format, ...) __attribute__((format(printf, 3, 4)));
extern const struct fault visit_bad_request; /* ERR_MALFORMED, for visit_refuse */

/* Decodes the path's {id} and the query parameters: an unknown, repeated or undecodable one is refused by name. */
MUST err visit_open(struct visit *v, const struct route *route, struct bytes segment);
void visit_close(struct visit *v);

/* Query parameters. An absent or empty one is {NULL, 0} or `otherwise`; a value that does not read is refused by name. */
struct whole_range {
    int64_t least, most, otherwise;
};
struct bytes visit_text(const struct visit *v, const char *name);
MUST err visit_whole(struct visit *v, const char *name, struct whole_range range, int64_t *out);
MUST err visit_time(struct visit *v, const char *name, int64_t otherwise_us, int64_t *out_us); /* RFC 3339, or ms */
MUST err visit_id(struct visit *v, const char *name, struct bytes *out); /* obeys the rule for ids, when present */
