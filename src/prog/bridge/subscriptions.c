/* Remembering filters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/bridge/subscriptions.h"

#include "os/file.h"

#include <stdio.h>

static bool is_among(const struct mapping_filters *list, struct bytes filter)
{
    for (size_t i = 0; i < list->count; i++)
        if (bytes_equal(list->at[i].filter, filter))
            return true;
    return false;
}

static void put_filters(struct buffer *out, const struct mapping_filters *list)
{
    for (size_t i = 0; i < list->count; i++) {
        put_bytes(out, list->at[i].filter);
        put_u8(out, '\n');
    }
}

/* A file that is not there, or that somebody filled with too much, names no former filter: at worst some message
 * arrives that no rule takes, which is counted. */
static void read_former(struct subscriptions *s)
{
    if (file_read(s->path, &s->former_texts))
        buffer_clear(&s->former_texts);
    for (struct bytes rest = buffer_view(&s->former_texts); rest.len && s->former.count < MAPPINGS_MAX;) {
        struct bytes filter = bytes_cut(&rest, '\n');
        if (filter.len && filter.len <= TOPIC_MAX && !is_among(&s->today, filter) && !is_among(&s->former, filter))
            s->former.at[s->former.count++] = (struct mqtt_filter){.filter = filter};
    }
}

static err write_file(const struct subscriptions *s, const struct mapping_filters *also)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SUBSCRIPTIONS_FILE_MAX};
    put_filters(&text, &s->today);
    put_filters(&text, also);
    TRY(buffer_finish(&text));
    return file_replace(s->path, buffer_view(&text), 0600);
}

err subscriptions_open(struct subscriptions *s, const char *folder, const struct mappings *m, enum mapping_side side)
{
    *s = (struct subscriptions){.texts = {.max = SUBSCRIPTIONS_FILE_MAX},
                                .former_texts = {.max = SUBSCRIPTIONS_FILE_MAX}};
    snprintf(s->path, sizeof s->path, "%s/filters.%s", folder, side == MAPPING_LOCAL ? "local" : "remote");
    TRY(mappings_filters(m, side, &s->texts, &s->today));
    read_former(s);
    return write_file(s, &s->former);
}

err subscriptions_settled(struct subscriptions *s)
{
    static const struct mapping_filters none = {.count = 0};
    return s->former.count ? write_file(s, &none) : OK;
}

void subscriptions_drop(struct subscriptions *s)
{
    buffer_drop(&s->texts);
    buffer_drop(&s->former_texts);
}
