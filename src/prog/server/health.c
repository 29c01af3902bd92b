/* The server's health: what the doors counted, and what the store's and the query threads' queues say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/health.h"

#include "prog/server/compose.h"

#include <assert.h>
#include <stddef.h>

static enum health_store store_state(struct health_source *self)
{
    static const enum health_store states[] = {
        [CLERK_OK] = HEALTH_STORE_OK, [CLERK_FULL] = HEALTH_STORE_FULL, [CLERK_FAILED] = HEALTH_STORE_FAILED};
    struct clerk_health clerk;
    clerk_read_health(CONTAINER(self, struct server, health)->clerk, &clerk);
    return states[clerk.state];
}

/* Metrics are lent to whoever hears of them for longer than a call. */
static void tell_store(const struct clerk_health *clerk, struct metric_rows *rows)
{
    static const struct metric metrics[] = {
        {"store_commits", "", "Batches that the store committed.", METRIC_COUNTER},
        {"store_writes", "", "Writes that were committed.", METRIC_COUNTER},
        {"store_failures", "", "Batches that the store could not commit.", METRIC_COUNTER},
        {"store_waiting", "", "Errands that wait for the store.", METRIC_GAUGE},
        {"store_refused", "", "Errands that found the store's queue full.", METRIC_COUNTER},
    };
    const uint64_t values[] = {
        clerk->commits, clerk->writes, clerk->failed_batches, clerk->queue.waiting, clerk->queue.refused,
    };
    static_assert(sizeof values / sizeof *values == sizeof metrics / sizeof *metrics, "a value for each metric");
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        rows->number(rows, &metrics[i], values[i]);
    static const struct metric took = {"store_commit_seconds", "", "Commits of the store, the disk's answer included.",
                                       METRIC_COUNTER};
    rows->latency(rows, &took, &clerk->commit_times);
}

static void tell(struct health_source *self, struct metric_rows *rows)
{
    static const struct metric stalls = {
        "loop_stalls", "", "Turns of event loops that took longer than limits.loop-stall.", METRIC_COUNTER};
    static const struct metric waiting = {"queries_waiting", "", "Calls that wait for a query thread.", METRIC_GAUGE};
    struct server *s = CONTAINER(self, struct server, health);
    struct clerk_health clerk;
    clerk_read_health(s->clerk, &clerk);
    floor_tell_counts(s->floor, rows);
    tell_store(&clerk, rows);
    rows->number(rows, &stalls, counter_read(&s->loop_stalls));
    rows->number(rows, &waiting, query_desk_waiting(s->desk));
}

struct health_source server_health(void)
{
    return (struct health_source){store_state, tell};
}
