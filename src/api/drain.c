/* Maintenance: sending all clients away, and letting them in again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/record.h"
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>

enum { PER_S_DEFAULT = 100, PER_S_MAX = 100000 };

static void put_order(struct buffer *out, const struct drain_order *order)
{
    put_format(out, "{\"drains\":%s,\"reference\":", order->drains ? "true" : "false");
    render_text_or_null(out, bytes_of_text(order->reference));
    put_format(out, ",\"per_second\":%" PRIu32 "}", order->per_s);
}

err drain_show(struct visit *v)
{
    struct drain_order order;
    v->api->board->draining(v->api->board, &order);
    put_order(&v->answer->body, &order);
    return OK;
}

/* MQTT 5.0, 4.11 asks for references with blanks between, and leaves open what each is; clients read host[:port]. */
static bool is_reference(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] >= 0x7F)
            return false;
    return true;
}

static err read_reference(struct visit *v, const json_t *value, struct drain_order *order)
{
    struct bytes text = json_text(value);
    if (!is_reference(text) || text_copy(text, order->reference, sizeof order->reference))
        return visit_refuse(v, &visit_bad_request,
                            "Member 'reference' must be host:port, or several with blanks between: at most %zu ASCII "
                            "characters.",
                            sizeof order->reference - 1);
    return OK;
}

static err read_order(struct visit *v, json_t **root, struct drain_order *order)
{
    json_t *drains, *reference, *per_second;
    const struct json_member members[] = {
        {"drains", MEMBER_TRUTH, MEMBER_REQUIRED, &drains},
        {"reference", MEMBER_TEXT, MEMBER_OPTIONAL, &reference},
        {"per_second", MEMBER_INTEGER, MEMBER_OPTIONAL, &per_second},
    };
    char why[WHY_TEXT];
    int64_t per_s = PER_S_DEFAULT;
    TRY(body_read(v, members, sizeof members / sizeof members[0], root));
    if (per_second) {
        err e = json_integer_within(per_second, "per_second", (struct json_bounds){1, PER_S_MAX}, &per_s, why);
        if (e)
            return visit_refuse(v, e, "%s", why);
    }
    *order = (struct drain_order){.drains = json_is_true(drains), .per_s = (uint32_t)per_s};
    return reference ? read_reference(v, reference, order) : OK;
}

static void record_order(struct visit *v, const struct drain_order *order)
{
    SCOPED(buffer_drop) struct buffer members = {.max = DETAIL_MAX};
    if (!order->drains) {
        record_act(v, EVENT_SERVER_DRAINED, "", NULL);
        return;
    }
    put_format(&members, "\"per_second\":%" PRIu32 ",\"reference\":", order->per_s);
    render_text_or_null(&members, bytes_of_text(order->reference));
    record_act(v, EVENT_SERVER_DRAINING, "", buffer_text(&members));
}

err drain_change(struct visit *v)
{
    SCOPED(json_drop) json_t *root = NULL;
    struct drain_order order;
    TRY(read_order(v, &root, &order));
    TRY(v->api->board->drain(v->api->board, &order));
    record_order(v, &order);
    put_order(&v->answer->body, &order);
    return OK;
}
