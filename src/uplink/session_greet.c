/* The beginning of a session: CONNECT, then what is subscribed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/session_parts.h"

/* 3.1.2.4: Clean Start 0 goes on with the session that the server has kept. 3.1.1 has no expiry, and keeps it for as
 * long as the server likes. */
err session_greet(struct session *s)
{
    const struct link_options *o = s->options;
    struct mqtt_connect connect = {
        .version = s->version,
        .client_id = bytes_of_text(o->client_id),
        .clean_start = o->session_expiry == 0,
        .keep_alive = s->keep_alive,
        .has_username = o->user_name != NULL,
        .username = bytes_of_text(o->user_name),
        .has_password = o->password != NULL,
        .properties = {.present = MQTT_HAS(MAXIMUM_PACKET_SIZE), .maximum_packet_size = o->packet_max},
    };
    if (o->password)
        connect.password = secret_view(o->password);
    if (o->session_expiry) {
        connect.properties.present |= MQTT_HAS(SESSION_EXPIRY);
        connect.properties.session_expiry = o->session_expiry;
    }
    if (o->receive_max) {
        connect.properties.present |= MQTT_HAS(RECEIVE_MAXIMUM);
        connect.properties.receive_maximum = o->receive_max;
    }
    s->greeted = true;
    return session_say(s, &(struct mqtt_packet){MQTT_CONNECT, .as.connect = connect});
}

/* One packet with the filters from `first` on, FILTERS_AT_ONCE at most. */
struct filter_list {
    enum mqtt_type type;
    const struct mqtt_filter *at;
    size_t count;
};

static err say_some(struct session *s, const struct filter_list *list, size_t first, uint16_t packet_id)
{
    SCOPED(buffer_drop) struct buffer filters = {.max = OUT_HIGH};
    size_t end = list->count - first < FILTERS_AT_ONCE ? list->count : first + FILTERS_AT_ONCE;
    for (size_t i = first; i < end; i++) {
        struct mqtt_filter filter = list->at[i];
        if (s->version != MQTT_5) {
            filter.no_local = filter.retain_as_published = false;
            filter.retain_handling = 0;
        }
        TRY(mqtt_put_filter(&filters, list->type, &filter));
    }
    return session_say(s, &(struct mqtt_packet){
                              list->type, .as.subscribe = {.packet_id = packet_id, .filters = buffer_view(&filters)}});
}

/* Each packet has an identifier of its own, counted down; a SUBACK's says which filters it is about. */
err session_subscribe(struct session *s)
{
    const struct link_options *o = s->options;
    const struct filter_list today = {MQTT_SUBSCRIBE, o->filters, o->filter_count};
    const struct filter_list former = {MQTT_UNSUBSCRIBE, o->former, s->present ? o->former_count : 0};
    uint16_t id = SUBSCRIBE_ID - LINK_FILTERS_MAX;
    for (size_t first = 0; first < former.count; first += FILTERS_AT_ONCE)
        TRY(say_some(s, &former, first, id--));
    id = SUBSCRIBE_ID;
    for (size_t first = 0; first < today.count; first += FILTERS_AT_ONCE)
        TRY(say_some(s, &today, first, id--));
    return OK;
}

err session_take_suback(struct session *s, const struct mqtt_suback *in)
{
    size_t first = (size_t)(SUBSCRIBE_ID - in->packet_id) * FILTERS_AT_ONCE;
    for (size_t i = 0; i < in->reasons.len && first + i < s->options->filter_count; i++) {
        enum mqtt_reason reason = (enum mqtt_reason)in->reasons.at[i];
        struct bytes filter = s->options->filters[first + i].filter;
        if (reason >= MQTT_UNSPECIFIED_ERROR)
            log_line(s->options->log, LOG_WARN, "subscription refused", "filter=\"%.*s\" reason=\"%s\"",
                     (int)filter.len, (const char *)filter.at, mqtt_reason_text(reason));
        if (s->options->owner->granted)
            s->options->owner->granted(s->options->owner, first + i, reason);
    }
    return OK;
}
