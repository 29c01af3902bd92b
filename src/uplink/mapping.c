/* Rules: checking them, and what they make of a topic. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/mapping.h"

#include "core/topic.h"

#include <stdio.h>
#include <string.h>

static const struct fault bad_rule = {ERR_MALFORMED, "mapping: a rule is not acceptable"};
static const struct fault echo = {ERR_REFUSED, "mapping: what is published would come back"};
static const struct fault no_rule = {ERR_ABSENT, "mapping: no rule takes this topic"};
static const struct fault too_long = {ERR_TOO_LARGE, "mapping: the topic is too long on the other side"};
static const struct fault nothing = {ERR_MALFORMED, "mapping: nothing is left of the topic on the other side"};

enum { JOINED_TEXT = 2 * MAPPING_TEXT_MAX + 1 };
_Static_assert(JOINED_TEXT <= TOPIC_MAX + 1, "a prefix and a filter together are at most a topic");

static bool takes_from(const struct mapping *rule, enum mapping_side side)
{
    return rule->direction == MAPPING_BOTH || (rule->direction == MAPPING_OUT) == (side == MAPPING_LOCAL);
}

static const char *prefix_on(const struct mapping *rule, enum mapping_side side)
{
    return side == MAPPING_LOCAL ? rule->local_prefix : rule->remote_prefix;
}

static enum mapping_side other(enum mapping_side side)
{
    return side == MAPPING_LOCAL ? MAPPING_REMOTE : MAPPING_LOCAL;
}

/* The rule's filter as a side knows it. */
static struct bytes joined(const struct mapping *rule, enum mapping_side side, char out[JOINED_TEXT])
{
    int len = snprintf(out, JOINED_TEXT, "%s%s", prefix_on(rule, side), rule->filter);
    return bytes_of(out, len < JOINED_TEXT ? (size_t)len : JOINED_TEXT - 1);
}

/* ---- Checking */

static const char *side_name(enum mapping_side side)
{
    return side == MAPPING_LOCAL ? "local" : "remote";
}

static err check_side(const struct mapping *rule, enum mapping_side side, char why[WHY_TEXT])
{
    char text[JOINED_TEXT];
    const char *prefix = prefix_on(rule, side);
    struct bytes filter = joined(rule, side, text);
    err e = strpbrk(prefix, "+#") ? &bad_rule : OK;
    if (e)
        why_say(why, "%s-prefix \"%s\" has a wildcard: only the filter may have one", side_name(side), prefix);
    else if ((e = topic_check_filter(filter)))
        why_say(why, "\"%s\" is no filter on the %s side: %s", text, side_name(side), e->text);
    else if (bytes_starts(filter, "$share/") && (e = &bad_rule))
        why_say(why, "\"%s\" is a shared subscription, which has no No Local: a bridge needs its own", text);
    return e ? &bad_rule : OK;
}

static err check_rule(const struct mapping *rule, char why[WHY_TEXT])
{
    if (!rule->filter[0] && (!rule->local_prefix[0] || !rule->remote_prefix[0])) {
        why_say(why, "filter is missing (without one, local-prefix and remote-prefix must be the two topics)");
        return &bad_rule;
    }
    TRY(check_side(rule, MAPPING_LOCAL, why));
    return check_side(rule, MAPPING_REMOTE, why);
}

/* The second of two rules that take the same messages would never have any. */
static err check_pair(const struct mapping *former, const struct mapping *rule, char why[WHY_TEXT])
{
    static const enum mapping_side sides[] = {MAPPING_LOCAL, MAPPING_REMOTE};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        char a[JOINED_TEXT], b[JOINED_TEXT];
        if (!takes_from(former, sides[i]) || !takes_from(rule, sides[i]))
            continue;
        if (!bytes_equal(joined(former, sides[i], a), joined(rule, sides[i], b)))
            continue;
        why_say(why, "\"%s\" on the %s side is taken by a rule before this one", b, side_name(sides[i]));
        return &bad_rule;
    }
    return OK;
}

err mappings_check(const struct mappings *m, size_t *wrong, char why[WHY_TEXT])
{
    for (*wrong = 0; *wrong < m->count; ++*wrong) {
        TRY(check_rule(&m->at[*wrong], why));
        for (size_t i = 0; i < *wrong; i++)
            TRY(check_pair(&m->at[i], &m->at[*wrong], why));
    }
    return OK;
}

err mappings_check_echo(const struct mappings *m, size_t *wrong, char why[WHY_TEXT])
{
    for (*wrong = 0; *wrong < m->count; ++*wrong)
        for (size_t i = 0; i < m->count; i++) {
            char out[JOINED_TEXT], in[JOINED_TEXT];
            if (!takes_from(&m->at[*wrong], MAPPING_LOCAL) || !takes_from(&m->at[i], MAPPING_REMOTE) ||
                !filters_overlap(joined(&m->at[*wrong], MAPPING_REMOTE, out), joined(&m->at[i], MAPPING_REMOTE, in)))
                continue;
            why_say(why,
                    "what goes out to \"%s\" would come back in by \"%s\": MQTT 3.1.1 has no No Local; use prefixes "
                    "that keep the two apart",
                    out, in);
            return &echo;
        }
    return OK;
}

bool filters_overlap(struct bytes a, struct bytes b)
{
    bool wild_a = a.at[0] == '+' || a.at[0] == '#', wild_b = b.at[0] == '+' || b.at[0] == '#';
    if ((a.at[0] == '$' && wild_b) || (b.at[0] == '$' && wild_a))
        return false; /* 4.7.2 */
    while (a.at && b.at) {
        struct bytes one = bytes_cut(&a, '/'), two = bytes_cut(&b, '/');
        if (bytes_is(one, "#") || bytes_is(two, "#"))
            return true;
        if (!bytes_equal(one, two) && !bytes_is(one, "+") && !bytes_is(two, "+"))
            return false;
    }
    /* 4.7.1.2: "#" also matches the level above it. */
    return bytes_equal(a, b) || bytes_is(a, "#") || bytes_is(b, "#");
}

/* ---- Using */

err mappings_filters(const struct mappings *m, enum mapping_side side, struct buffer *texts,
                     struct mapping_filters *out)
{
    char text[JOINED_TEXT];
    size_t start[MAPPINGS_MAX];
    out->count = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (!takes_from(&m->at[i], side))
            continue;
        start[out->count] = texts->len;
        put_bytes(texts, joined(&m->at[i], side, text));
        out->at[out->count++] = (struct mqtt_filter){
            .qos = m->at[i].qos ? 1 : 0, .no_local = true, .retain_as_published = true, .retain_handling = 1};
    }
    TRY(buffer_finish(texts));
    /* The buffer moved while it grew. */
    for (size_t i = 0; i < out->count; i++) {
        size_t end = i + 1 < out->count ? start[i + 1] : texts->len;
        out->at[i].filter = bytes_of(texts->at + start[i], end - start[i]);
    }
    return OK;
}

static bool takes(const struct mapping *rule, enum mapping_side from, struct bytes topic)
{
    char text[JOINED_TEXT];
    return takes_from(rule, from) && bytes_starts(topic, prefix_on(rule, from)) &&
           topic_matches(joined(rule, from, text), topic);
}

static err rename_topic(const struct mapping *rule, enum mapping_side from, struct bytes topic,
                        struct crossing_topic *out)
{
    const char *prefix = prefix_on(rule, other(from));
    struct bytes rest = bytes_from(topic, strlen(prefix_on(rule, from)));
    size_t len = strlen(prefix);
    if (rest.len > TOPIC_MAX - len)
        return &too_long;
    if (!rest.len && !len)
        return &nothing;
    memcpy(out->topic, prefix, len);
    if (rest.len)
        memcpy(out->topic + len, rest.at, rest.len);
    out->len = len + rest.len;
    out->topic[out->len] = 0;
    out->qos = rule->qos ? 1 : 0;
    return OK;
}

err mappings_translate(const struct mappings *m, enum mapping_side from, struct bytes topic, struct crossing_topic *out)
{
    for (size_t i = 0; topic.len && i < m->count; i++)
        if (takes(&m->at[i], from, topic))
            return rename_topic(&m->at[i], from, topic, out);
    return &no_rule;
}
