/* The built-in policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy.h"

#include "core/topic.h"

static const struct fault denied_publish = {ERR_REFUSED, "policy: it may not publish to this topic"};
static const struct fault denied_watch = {ERR_REFUSED, "policy: it may not subscribe to this filter"};
static const struct fault denied_hello = {ERR_REFUSED,
                                          "policy: a session needs a device certificate or a signed-in operator"};
static const struct fault denied_call = {ERR_REFUSED, "policy: it may not make this call"};

/* Where a row reaches. A filter is inside a place when everything that it can ever match is. */
enum place {
    PLACE_ANY = 0,
    PLACE_OWN,    /* devices/<the principal's id>/... */
    PLACE_FLEET,  /* devices/... */
    PLACE_EVENTS, /* $holdfast/events/... */
};

/* A table is read by its columns: */
/* clang-format off */
static const struct row {
    enum principal_kind who;
    enum verb may;
    enum place where;
} rows[] = {
    {PRINCIPAL_DEVICE,   VERB_HELLO,   PLACE_ANY},
    {PRINCIPAL_OPERATOR, VERB_HELLO,   PLACE_ANY},
    {PRINCIPAL_DEVICE,   VERB_PUBLISH, PLACE_OWN},
    {PRINCIPAL_DEVICE,   VERB_WATCH,   PLACE_OWN},
    {PRINCIPAL_OPERATOR, VERB_WATCH,   PLACE_FLEET},
    {PRINCIPAL_OPERATOR, VERB_WATCH,   PLACE_EVENTS},
};
/* clang-format on */

/* A wildcard never equals an id (principal.h), so comparing levels as text is enough for filters too. */
static bool inside(enum place where, const struct request *r)
{
    struct device_topic topic;
    switch (where) {
    case PLACE_ANY:
        return true;
    case PLACE_OWN:
        return topic_is_device(r->resource, &topic) && bytes_is(topic.id, r->who->id);
    case PLACE_FLEET:
        return bytes_starts(r->resource, "devices/");
    case PLACE_EVENTS:
        return bytes_starts(r->resource, "$holdfast/events/");
    }
    return false;
}

static bool audience_holds(enum audience audience, enum principal_kind kind)
{
    switch (audience) {
    case AUDIENCE_NOBODY:
        return false;
    case AUDIENCE_ANYBODY:
        return true;
    case AUDIENCE_DEVICE:
        return kind == PRINCIPAL_DEVICE;
    case AUDIENCE_OPERATOR:
        return kind == PRINCIPAL_OPERATOR;
    }
    return false;
}

static err allows(const struct rule *self, const struct request *r)
{
    static const struct fault *const denied[VERBS] = {
        [VERB_HELLO] = &denied_hello, [VERB_PUBLISH] = &denied_publish, [VERB_WATCH] = &denied_watch,
        [VERB_CALL] = &denied_call,   [VERB_BYE] = &denied_hello,
    };
    if (r->verb == VERB_CALL)
        return audience_holds(r->audience, r->who->kind) ? OK : denied[VERB_CALL];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].who == r->who->kind && rows[i].may == r->verb && inside(rows[i].where, r))
            return OK;
    return denied[r->verb];
}

const struct rule *policy_built_in(void)
{
    static const struct rule built_in = {allows};
    return &built_in;
}
