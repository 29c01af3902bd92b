/* The built-in policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy.h"

#include "base/list.h"
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
    PLACE_PLAIN,  /* all but what begins with $, which no wildcard matches (MQTT 5.0, 4.7.2-1) */
    PLACE_COMMON, /* all but $holdfast/... and devices/... */
    PLACE_EVENTS, /* $holdfast/events/... */
};

enum condition {
    ALWAYS = 0,
    IF_ANONYMOUS, /* POLICY_ANONYMOUS is set */
    IF_BRIDGE,    /* the device is one of the bridges */
};

/* A table is read by its columns: */
/* clang-format off */
static const struct row {
    enum principal_kind who;
    enum verb may;
    enum place where;
    enum condition when;
} rows[] = {
    {PRINCIPAL_DEVICE,    VERB_HELLO,   PLACE_ANY,    ALWAYS},
    {PRINCIPAL_OPERATOR,  VERB_HELLO,   PLACE_ANY,    ALWAYS},
    {PRINCIPAL_ANONYMOUS, VERB_HELLO,   PLACE_ANY,    IF_ANONYMOUS},
    {PRINCIPAL_DEVICE,    VERB_PUBLISH, PLACE_OWN,    ALWAYS},
    {PRINCIPAL_DEVICE,    VERB_PUBLISH, PLACE_COMMON, IF_BRIDGE},
    {PRINCIPAL_ANONYMOUS, VERB_PUBLISH, PLACE_COMMON, IF_ANONYMOUS},
    {PRINCIPAL_DEVICE,    VERB_WATCH,   PLACE_OWN,    ALWAYS},
    {PRINCIPAL_DEVICE,    VERB_WATCH,   PLACE_PLAIN,  IF_BRIDGE},
    {PRINCIPAL_OPERATOR,  VERB_WATCH,   PLACE_PLAIN,  ALWAYS},
    {PRINCIPAL_OPERATOR,  VERB_WATCH,   PLACE_EVENTS, ALWAYS},
    {PRINCIPAL_ANONYMOUS, VERB_WATCH,   PLACE_COMMON, IF_ANONYMOUS},
};
/* clang-format on */

/* An anonymous "#" is common ground: what a session hears is judged by its topic as well (core/principal.h). A wildcard
 * never equals an id (principal.h), so comparing levels as text is enough for filters too. */
static bool inside(enum place where, const struct request *r)
{
    struct device_topic topic;
    switch (where) {
    case PLACE_ANY:
        return true;
    case PLACE_OWN:
        return topic_is_device(r->resource, &topic) && bytes_is(topic.id, r->who->id);
    case PLACE_PLAIN:
        return !bytes_starts(r->resource, "$");
    case PLACE_COMMON:
        return !bytes_starts(r->resource, "$holdfast/") && !bytes_starts(r->resource, "$share/") &&
               !bytes_starts(r->resource, "devices/");
    case PLACE_EVENTS:
        return bytes_starts(r->resource, "$holdfast/events/");
    }
    return false;
}

static bool is_bridge(const struct policy *p, const char *id)
{
    for (struct bytes rest = bytes_of_text(p->bridges); rest.len;)
        if (bytes_is(bytes_cut(&rest, ' '), id))
            return true;
    return false;
}

static bool holds(enum condition when, const struct policy *p, const struct request *r)
{
    switch (when) {
    case ALWAYS:
        return true;
    case IF_ANONYMOUS:
        return p->options & POLICY_ANONYMOUS;
    case IF_BRIDGE:
        return is_bridge(p, r->who->id);
    }
    return false;
}

static bool may_begin(const struct policy *p, enum principal_kind kind)
{
    return kind == PRINCIPAL_DEVICE || kind == PRINCIPAL_OPERATOR ||
           (kind == PRINCIPAL_ANONYMOUS && p->options & POLICY_ANONYMOUS);
}

static bool audience_holds(const struct policy *p, enum audience audience, enum principal_kind kind)
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
    case AUDIENCE_MEMBER:
        return may_begin(p, kind);
    }
    return false;
}

static err allows(const struct rule *self, const struct request *r)
{
    static const struct fault *const denied[VERBS] = {
        [VERB_HELLO] = &denied_hello, [VERB_PUBLISH] = &denied_publish, [VERB_WATCH] = &denied_watch,
        [VERB_CALL] = &denied_call,   [VERB_BYE] = &denied_hello,
    };
    const struct policy *p = CONTAINER(self, const struct policy, rule);
    if (r->verb == VERB_CALL)
        return audience_holds(p, r->audience, r->who->kind) ? OK : denied[VERB_CALL];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].who == r->who->kind && rows[i].may == r->verb && inside(rows[i].where, r) &&
            holds(rows[i].when, p, r))
            return OK;
    return denied[r->verb];
}

void policy_open(struct policy *policy, enum policy_options options, const char *bridges)
{
    *policy = (struct policy){.rule = {allows}, .options = options, .bridges = bridges};
}

const struct rule *policy_built_in(void)
{
    static const struct policy built_in = {.rule = {allows}};
    return &built_in.rule;
}
