/* The health of the server: for operators, and for whoever watches that it lives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>
#include <stddef.h>

enum { SECOND_US = 1000000, MS_US = 1000 };

static const struct {
    const char *status, *detail;
} store_says[] = {
    [HEALTH_STORE_FAILED] = {"failed", "The last batch could not be committed."},
    [HEALTH_STORE_FULL] = {"full", "The disk has no room: nothing is acknowledged until it has."},
    [HEALTH_STORE_OK] = {"ok", "The last batch reached the disk."},
};

#define HEALTH(name, type, sentence) {#name, offsetof(struct health, name)},
static const struct {
    const char *name;
    size_t at;
} numbers[] = {
#include "api/health.def"
};
#undef HEALTH

static void put_numbers(struct buffer *out, const struct health *health)
{
    put_text(out, ",\"numbers\":{");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t value = *(const uint64_t *)((const char *)health + numbers[i].at);
        put_format(out, "%s\"%s\":%" PRIu64, i ? "," : "", numbers[i].name, value);
    }
    put_text(out, "}");
}

/* A store that cannot be read is a finding, not a failure of this call: that is what it is called for. */
err health_show(struct visit *v)
{
    struct health health = {.store = HEALTH_STORE_FAILED};
    struct store_counts counts = {.devices = 0};
    struct buffer *out = &v->answer->body;
    const struct api_facts *facts = v->api->facts;
    v->api->health->read(v->api->health, &health);
    err unread = v->api->reader->counts(v->api->reader, &counts);
    const char *status = unread ? "failed" : store_says[health.store].status;
    const char *detail = unread ? "The store could not be read." : store_says[health.store].detail;
    put_format(out, "{\"status\":\"%s\",\"version\":", !unread && health.store == HEALTH_STORE_OK ? "ok" : "degraded");
    put_json_text(out, bytes_of_text(facts->version));
    put_text(out, ",\"started\":");
    render_time(out, facts->started_us);
    put_format(out, ",\"uptime_s\":%" PRId64 ",\"store\":{\"status\":\"%s\",\"detail\":\"%s\"}",
               (wall_us(v->api->clock) - facts->started_us) / SECOND_US, status, detail);
    put_format(out, ",\"connections\":%" PRIu64 ",\"devices\":%" PRIu64, health.connections, counts.devices);
    put_numbers(out, &health);
    put_text(out, "}");
    return OK;
}

/* Touches nothing that may wait: an answer means that a query thread runs. Devices set their clock offset by it. */
err alive_show(struct visit *v)
{
    int64_t now_us = wall_us(v->api->clock);
    put_text(&v->answer->body, "{\"status\":\"ok\",\"time\":");
    render_time(&v->answer->body, now_us);
    put_format(&v->answer->body, ",\"time_ms\":%" PRId64 "}", now_us / MS_US);
    return OK;
}

err ready_show(struct visit *v)
{
    struct health health = {.store = HEALTH_STORE_FAILED};
    v->api->health->read(v->api->health, &health);
    if (health.store == HEALTH_STORE_OK)
        put_text(&v->answer->body, "{\"status\":\"ready\"}");
    else
        api_problem(v->answer, 503, store_says[health.store].detail);
    return OK;
}
