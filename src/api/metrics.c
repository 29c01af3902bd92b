/* The server's numbers and the store's in the Prometheus text format, version 0.0.4. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"

#include <inttypes.h>
#include <string.h>

enum { SECOND_US = 1000000 };

struct exposition {
    struct metric_rows rows;
    struct buffer *out;
    const struct metric *last; /* NULL before the first */
};

static const char *suffix(const struct metric *metric)
{
    return metric->kind == METRIC_COUNTER ? "_total" : "";
}

/* What stands above the samples of a family, once. */
static void put_head(struct exposition *e, const struct metric *metric, const char *end, const char *type)
{
    if (e->last && !strcmp(e->last->family, metric->family))
        return;
    put_format(e->out, "# HELP holdfast_%s%s %s\n", metric->family, end, metric->sentence);
    put_format(e->out, "# TYPE holdfast_%s%s %s\n", metric->family, end, type);
    e->last = metric;
}

static void put_number(struct metric_rows *self, const struct metric *metric, uint64_t value)
{
    struct exposition *e = (struct exposition *)self;
    bool labelled = *metric->labels;
    put_head(e, metric, suffix(metric), metric->kind == METRIC_COUNTER ? "counter" : "gauge");
    put_format(e->out, "holdfast_%s%s%s%s%s %" PRIu64 "\n", metric->family, suffix(metric), labelled ? "{" : "",
               metric->labels, labelled ? "}" : "", value);
}

/* Prometheus wants base units, cumulated buckets and the bound among the labels. */
static void put_latency(struct metric_rows *self, const struct metric *metric, const struct latency_sum *sum)
{
    struct exposition *e = (struct exposition *)self;
    const char *labels = metric->labels, *comma = *labels ? "," : "";
    uint64_t so_far = 0;
    put_head(e, metric, "", "histogram");
    for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
        so_far += sum->buckets[i];
        put_format(e->out, "holdfast_%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", metric->family, labels, comma,
                   latency_bounds_us[i] / 1e6, so_far);
    }
    put_format(e->out, "holdfast_%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->family, labels, comma, sum->count);
    put_format(e->out, "holdfast_%s_sum%s%s%s %" PRIu64 ".%06u\n", metric->family, *labels ? "{" : "", labels,
               *labels ? "}" : "", sum->sum_us / SECOND_US, (unsigned)(sum->sum_us % SECOND_US));
    put_format(e->out, "holdfast_%s_count%s%s%s %" PRIu64 "\n", metric->family, *labels ? "{" : "", labels,
               *labels ? "}" : "", sum->count);
}

static void put_gauge(struct exposition *e, const char *name, const char *sentence, uint64_t value)
{
    e->last = NULL;
    put_number(&e->rows, &(struct metric){name, "", sentence, METRIC_GAUGE}, value);
    e->last = NULL;
}

static void put_counts(struct exposition *e, const struct store_counts *counts)
{
    put_gauge(e, "devices", "Devices that are enrolled.", counts->devices);
    put_gauge(e, "devices_connected", "Devices with an open session.", counts->connected);
    put_gauge(e, "devices_active", "Devices that were seen at least once.", counts->active);
    put_gauge(e, "events", "Events that are kept.", counts->events);
    put_gauge(e, "samples", "Samples that are kept.", counts->samples);
}

/* Families that cannot be read now are left out, which is how a scraper tells "unknown" from zero. */
err metrics_show(struct visit *v)
{
    struct health_source *health = v->api->health;
    struct store_counts counts;
    struct buffer *out = &v->answer->body;
    struct exposition e = {.rows = {put_number, put_latency}, .out = out};
    const struct api_facts *facts = v->api->facts;
    v->answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    put_text(out, "# HELP holdfast_info The server's version.\n# TYPE holdfast_info gauge\n");
    put_format(out, "holdfast_info{version=\"%s\"} 1\n", facts->version);
    put_gauge(&e, "start_time_seconds", "When the server started, in seconds since 1970.",
              (uint64_t)(facts->started_us / SECOND_US));
    health->tell(health, &e.rows);
    put_gauge(&e, "store_up", "1 when the last batch reached the disk.", health->store(health) == HEALTH_STORE_OK);
    if (!v->api->reader->counts(v->api->reader, &counts))
        put_counts(&e, &counts);
    return OK;
}
