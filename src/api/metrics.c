/* The numbers of health.def and of the store in the Prometheus text format, version 0.0.4. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"

#include <inttypes.h>

enum { SECOND_US = 1000000 };

enum family_type { GAUGE, COUNTER };

struct family {
    const char *name, *sentence;
    enum family_type type;
};

static void put_family(struct buffer *out, struct family f, uint64_t value)
{
    const char *suffix = f.type == COUNTER ? "_total" : "";
    put_format(out, "# HELP holdfast_%s%s %s\n", f.name, suffix, f.sentence);
    put_format(out, "# TYPE holdfast_%s%s %s\n", f.name, suffix, f.type == COUNTER ? "counter" : "gauge");
    put_format(out, "holdfast_%s%s %" PRIu64 "\n", f.name, suffix, value);
}

static void put_health(struct buffer *out, const struct health *health)
{
#define HEALTH(name, type, sentence) put_family(out, (struct family){#name, sentence, type}, health->name);
#include "api/health.def"
#undef HEALTH
    put_family(out, (struct family){"store_up", "1 when the last batch reached the disk.", GAUGE},
               health->store == HEALTH_STORE_OK);
}

static void put_counts(struct buffer *out, const struct store_counts *counts)
{
    put_family(out, (struct family){"devices", "Devices that are enrolled.", GAUGE}, counts->devices);
    put_family(out, (struct family){"devices_connected", "Devices with an open session.", GAUGE}, counts->connected);
    put_family(out, (struct family){"devices_active", "Devices that were seen at least once.", GAUGE}, counts->active);
    put_family(out, (struct family){"events", "Events that are kept.", GAUGE}, counts->events);
    put_family(out, (struct family){"samples", "Samples that are kept.", GAUGE}, counts->samples);
}

/* Families that cannot be read now are left out, which is how a scraper tells "unknown" from zero. */
err metrics_show(struct visit *v)
{
    struct health health = {.store = HEALTH_STORE_FAILED};
    struct store_counts counts;
    struct buffer *out = &v->answer->body;
    const struct api_facts *facts = v->api->facts;
    v->answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    put_text(out, "# HELP holdfast_info The server's version.\n# TYPE holdfast_info gauge\n");
    put_format(out, "holdfast_info{version=\"%s\"} 1\n", facts->version);
    put_family(out, (struct family){"start_time_seconds", "When the server started, in seconds since 1970.", GAUGE},
               (uint64_t)(facts->started_us / SECOND_US));
    v->api->health->read(v->api->health, &health);
    put_health(out, &health);
    if (!v->api->reader->counts(v->api->reader, &counts))
        put_counts(out, &counts);
    return OK;
}
