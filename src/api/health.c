/* The health of the server: for operators, and for whoever watches that it lives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum { SECOND_US = 1000000, MS_US = 1000 };

static const struct {
    const char *status, *detail;
} store_says[] = {
    [HEALTH_STORE_FAILED] = {"failed", "The last batch could not be committed."},
    [HEALTH_STORE_FULL] = {"full", "The disk has no room: nothing is acknowledged until it has."},
    [HEALTH_STORE_OK] = {"ok", "The last batch reached the disk."},
};

/* The numbers as members of an object, one for each family: the sum of its labels. */
struct number_list {
    struct metric_rows rows;
    struct buffer *out;
    const struct metric *family; /* the last one that was told; NULL before the first */
    uint64_t sum;                /* of it so far */
    size_t shown;
};

static void end_family(struct number_list *list)
{
    if (list->family)
        put_format(list->out, "%s\"%s\":%" PRIu64, list->shown++ ? "," : "", list->family->family, list->sum);
    list->sum = 0;
}

static void sum_number(struct metric_rows *self, const struct metric *metric, uint64_t value)
{
    struct number_list *list = (struct number_list *)self;
    if (!list->family || strcmp(list->family->family, metric->family) != 0)
        end_family(list);
    list->family = metric;
    list->sum += value;
}

static void skip_number(struct metric_rows *self, const struct metric *metric, uint64_t value)
{
}

static void skip_latency(struct metric_rows *self, const struct metric *metric, const struct latency_sum *sum)
{
}

static void put_latency(struct metric_rows *self, const struct metric *metric, const struct latency_sum *sum)
{
    struct number_list *list = (struct number_list *)self;
    put_format(list->out, "%s\"%s\":{\"sum_us\":%" PRIu64 ",\"bounds_us\":[", list->shown++ ? "," : "", metric->family,
               sum->sum_us);
    for (size_t i = 0; i < LATENCY_BOUNDS; i++)
        put_format(list->out, "%s%" PRIu32, i ? "," : "", latency_bounds_us[i]);
    put_text(list->out, "],\"counts\":[");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        put_format(list->out, "%s%" PRIu64, i ? "," : "", sum->buckets[i]);
    put_text(list->out, "]}");
}

static void put_numbers(struct buffer *out, struct health_source *health)
{
    struct number_list numbers = {{sum_number, skip_latency}, .out = out};
    struct number_list latencies = {{skip_number, put_latency}, .out = out};
    put_text(out, ",\"numbers\":{");
    health->tell(health, &numbers.rows);
    end_family(&numbers);
    put_text(out, "},\"latencies\":{");
    health->tell(health, &latencies.rows);
    put_text(out, "}");
}

/* A store that cannot be read is a finding, not a failure of this call: that is what it is called for. */
err health_show(struct visit *v)
{
    struct health_source *health = v->api->health;
    enum health_store store = health->store(health);
    struct store_counts counts = {.devices = 0};
    struct buffer *out = &v->answer->body;
    const struct api_facts *facts = v->api->facts;
    err unread = v->api->reader->counts(v->api->reader, &counts);
    const char *status = unread ? "failed" : store_says[store].status;
    const char *detail = unread ? "The store could not be read." : store_says[store].detail;
    put_format(out, "{\"status\":\"%s\",\"version\":", !unread && store == HEALTH_STORE_OK ? "ok" : "degraded");
    put_json_text(out, bytes_of_text(facts->version));
    put_text(out, ",\"started\":");
    render_time(out, facts->started_us);
    put_format(out, ",\"uptime_s\":%" PRId64 ",\"store\":{\"status\":\"%s\",\"detail\":\"%s\"}",
               (wall_us(v->api->clock) - facts->started_us) / SECOND_US, status, detail);
    put_format(out, ",\"devices\":%" PRIu64, counts.devices);
    put_numbers(out, health);
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
    enum health_store store = v->api->health->store(v->api->health);
    if (store == HEALTH_STORE_OK)
        put_text(&v->answer->body, "{\"status\":\"ready\"}");
    else
        api_problem(v->answer, 503, store_says[store].detail);
    return OK;
}
