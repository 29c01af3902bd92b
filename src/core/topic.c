/* Topic names and filters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/topic.h"

#include "base/text.h"

static const struct fault empty = {ERR_MALFORMED, "topic: empty (MQTT 5.0, 4.7.3)"};
static const struct fault too_long = {ERR_TOO_LARGE, "topic: longer than 1,024 bytes"};
static const struct fault too_deep = {ERR_TOO_LARGE, "topic: more than 32 levels"};
static const struct fault not_text = {ERR_MALFORMED, "topic: not UTF-8, or a U+0000 in it (MQTT 5.0, 1.5.4)"};
static const struct fault wildcard_in_name = {ERR_MALFORMED, "topic: a wildcard in a topic name (MQTT 5.0, 3.3.2.1)"};
static const struct fault bad_plus = {ERR_MALFORMED, "topic: + must be a whole level (MQTT 5.0, 4.7.1.3)"};
static const struct fault bad_hash = {ERR_MALFORMED, "topic: # must be the whole last level (MQTT 5.0, 4.7.1.2)"};

static const struct fault bad_share = {
    ERR_MALFORMED, "topic: a shared subscription is $share/{name without + # /}/{filter} (MQTT 5.0, 4.8.2)"};

err topic_check_bounds(struct bytes name)
{
    size_t levels = 1;
    if (!name.len)
        return &empty;
    if (name.len > TOPIC_MAX)
        return &too_long;
    if (name.len < TOPIC_LEVELS_MAX) /* so many levels need as many bytes between them */
        return OK;
    for (size_t i = 0; i < name.len; i++)
        levels += name.at[i] == '/';
    return levels > TOPIC_LEVELS_MAX ? &too_deep : OK;
}

static err check_text(struct bytes text)
{
    size_t at;
    if (text.len > TOPIC_MAX)
        return &too_long;
    if (!utf8_valid(text) || bytes_find(text, 0, &at))
        return &not_text;
    return topic_check_bounds(text);
}

err topic_check_name(struct bytes name)
{
    size_t at;
    TRY(check_text(name));
    return bytes_find(name, '+', &at) || bytes_find(name, '#', &at) ? &wildcard_in_name : OK;
}

err topic_share(struct bytes filter, struct topic_share *out)
{
    size_t at;
    *out = (struct topic_share){.filter = filter};
    if (!bytes_starts(filter, "$share") || (filter.len > 6 && filter.at[6] != '/'))
        return OK;
    out->filter = bytes_from(filter, sizeof "$share/" - 1);
    out->name = bytes_cut(&out->filter, '/');
    return !out->name.len || !out->filter.len || bytes_find(out->name, '+', &at) || bytes_find(out->name, '#', &at)
               ? &bad_share
               : OK;
}

err topic_check_filter(struct bytes filter)
{
    size_t at;
    struct topic_share share;
    TRY(check_text(filter));
    TRY(topic_share(filter, &share));
    for (struct bytes rest = share.filter; rest.at;) {
        struct bytes level = bytes_cut(&rest, '/');
        if (bytes_find(level, '+', &at) && level.len != 1)
            return &bad_plus;
        if (bytes_find(level, '#', &at) && (level.len != 1 || rest.at))
            return &bad_hash;
    }
    return OK;
}

bool topic_matches(struct bytes filter, struct bytes name)
{
    if (name.at[0] == '$' && (filter.at[0] == '+' || filter.at[0] == '#'))
        return false;
    while (filter.at) {
        struct bytes wanted = bytes_cut(&filter, '/');
        if (bytes_is(wanted, "#"))
            return true; /* also for the parent level itself: "a/#" matches "a" */
        if (!name.at)
            return false;
        struct bytes level = bytes_cut(&name, '/');
        if (!bytes_is(wanted, "+") && !bytes_equal(wanted, level))
            return false;
    }
    return !name.at;
}

bool topic_is_device(struct bytes name, struct device_topic *out)
{
    if (!bytes_starts(name, "devices/"))
        return false;
    out->rest = bytes_from(name, sizeof "devices/" - 1);
    out->id = bytes_cut(&out->rest, '/');
    return out->id.len && out->rest.len;
}
