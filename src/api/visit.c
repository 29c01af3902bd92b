/* A visit: the path's id and the query parameters, decoded and checked before a handler sees them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct fault visit_bad_request = {ERR_MALFORMED, "api: the request does not read"};
static const struct fault no_memory = {ERR_MEMORY, "api: no memory"};

enum { NAME_SHOWN = 40, MS_US = 1000 };

/* The years 0 to 9999, which is what RFC 3339 can say; arithmetic on such times cannot overflow. */
#define EARLIEST_MS (-62167219200000LL)
#define LATEST_MS   253402300799999LL

err visit_refuse(struct visit *v, err fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->detail, sizeof v->detail, format, args);
    va_end(args);
    return fault;
}

static int shown(struct bytes text)
{
    return text.len < NAME_SHOWN ? (int)text.len : NAME_SHOWN;
}

/* MQTT asks clients to leave control characters out of their names (5.0, 1.5.4) and does not forbid them. */
static bool has_control(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] == 0x7F)
            return true;
    return false;
}

/* Decodes into room that was reserved for the whole query, so that earlier views stay where they are. */
static err decode(struct visit *v, struct bytes raw, struct bytes *out)
{
    size_t start = v->decoded.len;
    while (raw.len) {
        struct bytes piece = bytes_cut(&raw, '+');
        TRY(percent_decode(piece, &v->decoded));
        if (raw.at)
            put_u8(&v->decoded, ' ');
    }
    TRY(buffer_finish(&v->decoded));
    *out = bytes_of(v->decoded.at + start, v->decoded.len - start);
    return OK;
}

/* The name as the route writes it; empty when the route does not know it. */
static struct bytes known_name(const struct route *route, struct bytes name)
{
    struct bytes names = bytes_of_text(route->parameters);
    while (names.len) {
        struct bytes known = bytes_cut(&names, ' ');
        if (bytes_equal(known, name))
            return known;
    }
    return (struct bytes){NULL, 0};
}

static err unknown_parameter(struct visit *v, const struct route *route, struct bytes name)
{
    if (!route->parameters)
        return visit_refuse(v, &visit_bad_request, "Parameter '%.*s' is not known; this path takes none.", shown(name),
                            (const char *)name.at);
    return visit_refuse(v, &visit_bad_request, "Parameter '%.*s' is not known; this path takes: %s.", shown(name),
                        (const char *)name.at, route->parameters);
}

static err take_parameter(struct visit *v, const struct route *route, struct bytes pair)
{
    struct bytes value = pair, name = bytes_cut(&value, '=');
    struct bytes known = known_name(route, name);
    if (!known.len)
        return unknown_parameter(v, route, name);
    for (size_t i = 0; i < v->parameter_count; i++)
        if (bytes_equal(v->parameters[i].name, known))
            return visit_refuse(v, &visit_bad_request, "Parameter '%.*s' is given twice.", shown(known),
                                (const char *)known.at);
    if (v->parameter_count == PARAMETERS_MAX)
        return visit_refuse(v, &visit_bad_request, "There are too many parameters.");
    struct parameter *p = &v->parameters[v->parameter_count++];
    p->name = known;
    if (decode(v, value, &p->value))
        return visit_refuse(v, &visit_bad_request,
                            "Parameter '%.*s' has a %% without two hexadecimal digits behind it.", shown(known),
                            (const char *)known.at);
    if (!utf8_valid(p->value) || (has_control(p->value) && !bytes_is(known, "client")))
        return visit_refuse(v, &visit_bad_request, "Parameter '%.*s' is not UTF-8 or has control characters.",
                            shown(known), (const char *)known.at);
    return OK;
}

static err take_id(struct visit *v, struct bytes segment)
{
    SCOPED(buffer_drop) struct buffer id = {.max = segment.len};
    if (percent_decode(segment, &id) || !id_is_valid(buffer_view(&id)))
        return visit_refuse(
            v, &visit_bad_request,
            "The id in the path must be 1 to %d letters, digits, '.', '_' or '-', the first a letter or "
            "a digit.",
            DEVICE_ID_MAX);
    return text_copy(buffer_view(&id), v->id, sizeof v->id);
}

err visit_open(struct visit *v, const struct route *route, struct bytes segment)
{
    if (segment.at)
        TRY(take_id(v, segment));
    struct bytes rest = v->call->query;
    v->decoded.max = rest.len;
    if (rest.len && !buffer_reserve(&v->decoded, rest.len))
        return &no_memory;
    while (rest.len) {
        struct bytes pair = bytes_cut(&rest, '&');
        if (pair.len)
            TRY(take_parameter(v, route, pair));
    }
    return OK;
}

void visit_close(struct visit *v)
{
    buffer_drop(&v->decoded);
}

struct bytes visit_text(const struct visit *v, const char *name)
{
    for (size_t i = 0; i < v->parameter_count; i++)
        if (bytes_is(v->parameters[i].name, name) && v->parameters[i].value.len)
            return v->parameters[i].value;
    return (struct bytes){NULL, 0};
}

err visit_whole(struct visit *v, const char *name, struct whole_range range, int64_t *out)
{
    struct bytes text = visit_text(v, name);
    *out = range.otherwise;
    if (!text.len)
        return OK;
    if (text_to_i64(text, out) || *out < range.least || *out > range.most)
        return visit_refuse(v, &visit_bad_request, "Parameter '%s' must be a whole number from %lld to %lld.", name,
                            (long long)range.least, (long long)range.most);
    return OK;
}

err visit_time(struct visit *v, const char *name, int64_t otherwise_us, int64_t *out_us)
{
    struct bytes text = visit_text(v, name);
    int64_t ms;
    *out_us = otherwise_us;
    if (!text.len || !time_parse(text, out_us))
        return OK;
    if (text_to_i64(text, &ms) || ms < EARLIEST_MS || ms > LATEST_MS)
        return visit_refuse(v, &visit_bad_request,
                            "Parameter '%s' must be a time like 2026-01-31T08:15:00Z or milliseconds since 1970.",
                            name);
    *out_us = ms * MS_US;
    return OK;
}

err visit_id(struct visit *v, const char *name, struct bytes *out)
{
    *out = visit_text(v, name);
    if (out->len && !id_is_valid(*out))
        return visit_refuse(v, &visit_bad_request,
                            "Parameter '%s' must be 1 to %d letters, digits, '.', '_' or '-', the first a letter or a "
                            "digit.",
                            name, DEVICE_ID_MAX);
    return OK;
}
