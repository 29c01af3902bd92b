/* Telemetry: samples are appended to `arrival` and folded into `sample` by the thousand (see schema.c for why).
 *
 * The usual sample is newer than every one of its series: it is appended, without a look at the tables, because the
 * caches know the series and its newest time. A sample that is not newer may replace one: the arrivals are folded
 * first, so that it can only be in `sample`, and it is written there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

#include "store/sample_bounds.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault many_metrics = {ERR_REFUSED,
                                          "store: the device has sent more different metrics than are kept"};

enum { SEEN_EVERY_US = 5000000, NEWEST_SPAN_US = 600000000 };

/* The start of the ten minutes around time_us. series.newest_us moves in these steps, so that it is written seldom, and
 * still finds the newest sample by a short walk. */
static int64_t span_of(int64_t time_us)
{
    int64_t into = time_us % NEWEST_SPAN_US;
    if (into < 0)
        into += NEWEST_SPAN_US;
    return time_us < INT64_MIN + into ? INT64_MIN : time_us - into;
}

static int64_t span_end(int64_t span)
{
    return span > INT64_MAX - (NEWEST_SPAN_US - 1) ? INT64_MAX : span + (NEWEST_SPAN_US - 1);
}

/* --- series --- */

static err add_series(struct sqlite_writer *w, int64_t device, struct bytes metric, int64_t *row)
{
    int64_t count;
    TRY(writer_number_for(w, WRITE_SQL_COUNT_SERIES, device, &count));
    if (count >= METRICS_MAX)
        return &many_metrics;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_SERIES, &s));
    bind_number(s, 1, device);
    bind_text(s, 2, metric);
    bind_number(s, 3, INT64_MIN);
    TRY(statement_run(&w->db, s));
    *row = sqlite3_last_insert_rowid(w->db.handle);
    return OK;
}

static err newest_in(struct sqlite_writer *w, int64_t device, int64_t series, int64_t span, int64_t *newest)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_NEWEST, &s));
    bind_number(s, 1, device);
    bind_number(s, 2, span);
    bind_number(s, 3, span_end(span));
    bind_number(s, 4, series);
    TRY(statement_row(&w->db, s, &got));
    *newest = got ? sqlite3_column_int64(s, 0) : INT64_MIN;
    return OK;
}

/* `arrival` holds nothing of this series: it would be in the cache. */
static err load_series(struct sqlite_writer *w, int64_t device, struct bytes metric, struct cache_entry *entry)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_SERIES, &s));
    bind_number(s, 1, device);
    bind_text(s, 2, metric);
    TRY(statement_row(&w->db, s, &got));
    entry->stamp = INT64_MIN;
    if (!got)
        return add_series(w, device, metric, &entry->row);
    entry->row = sqlite3_column_int64(s, 0);
    return newest_in(w, device, entry->row, sqlite3_column_int64(s, 1), &entry->stamp);
}

static err find_series(struct sqlite_writer *w, int64_t device, struct bytes metric, struct cache_entry **out)
{
    uint8_t key[sizeof device + METRIC_MAX];
    memcpy(key, &device, sizeof device);
    memcpy(key + sizeof device, metric.at, metric.len);
    struct bytes known_as = bytes_of(key, sizeof device + metric.len);
    *out = cache_find(&w->series, known_as);
    if (*out)
        return OK;

    struct cache_entry found;
    TRY(load_series(w, device, metric, &found));
    *out = cache_add(&w->series, known_as);
    if (!*out)
        return &no_memory;
    (*out)->row = found.row;
    (*out)->stamp = found.stamp;
    return OK;
}

/* --- samples --- */

static void bind_value(sqlite3_stmt *s, int place, const struct sample *sample)
{
    switch (sample->kind) {
    case SAMPLE_NUMBER:
        (void)sqlite3_bind_double(s, place, sample->value.number);
        return;
    case SAMPLE_INTEGER:
        bind_number(s, place, sample->value.integer);
        return;
    case SAMPLE_TRUTH:
        bind_blob(s, place, sample->value.truth ? BYTES("\1") : BYTES("\0"));
        return;
    case SAMPLE_TEXT:
        bind_text(s, place, sample->value.text);
        return;
    }
}

struct place {
    int64_t device, series;
};

static err put(struct sqlite_writer *w, enum write_statement which, const struct place *place,
               const struct sample *sample)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    bind_number(s, 1, place->device);
    bind_number(s, 2, place->series);
    bind_number(s, 3, sample->time_us);
    bind_value(s, 4, sample);
    if (sample->unit.len)
        bind_text(s, 5, sample->unit);
    return statement_run(&w->db, s);
}

static err append(struct sqlite_writer *w, const struct place *place, struct cache_entry *series,
                  const struct sample *sample)
{
    TRY(put(w, WRITE_SQL_ARRIVE, place, sample));
    w->arrivals++;
    if (series->stamp == INT64_MIN || span_of(series->stamp) != span_of(sample->time_us)) {
        SCOPED(statement_end) sqlite3_stmt *s = NULL;
        TRY(writer_statement(w, WRITE_SQL_MOVE_SERIES, &s));
        bind_number(s, 1, span_of(sample->time_us));
        bind_number(s, 2, place->series);
        TRY(statement_run(&w->db, s));
    }
    series->stamp = sample->time_us;
    return OK;
}

static err insert_or_replace(struct sqlite_writer *w, const struct place *place, const struct sample *sample)
{
    if (w->arrivals)
        TRY(writer_fold(w));
    TRY(put(w, WRITE_SQL_ADD_SAMPLE, place, sample));
    if (!database_changes(&w->db))
        return put(w, WRITE_SQL_REPLACE_SAMPLE, place, sample);
    w->tally++;
    return OK;
}

err writer_fold(struct sqlite_writer *w)
{
    if (w->arrivals) {
        TRY(writer_run(w, WRITE_SQL_FOLD));
        w->tally += database_changes(&w->db);
        TRY(writer_run(w, WRITE_SQL_CLEAR_ARRIVALS));
    }
    w->arrivals = 0;
    return OK;
}

/* --- the write --- */

/* After this, the stamps of the cache can be relied on, and a whole write fits into it. */
static err warm_up(struct sqlite_writer *w)
{
    if (w->series.max - w->series.table.count < SAMPLES_MAX) {
        cache_forget(&w->series);
        w->cold = true;
    }
    if (w->cold)
        TRY(writer_fold(w));
    w->cold = false;
    return OK;
}

static err seen(struct sqlite_writer *w, struct cache_entry *device, int64_t now_us)
{
    if (device->stamp && now_us - device->stamp < SEEN_EVERY_US)
        return OK;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_SEEN, &s));
    bind_number(s, 1, now_us);
    bind_number(s, 2, device->row);
    device->stamp = now_us;
    return statement_run(&w->db, s);
}

err apply_samples(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct samples *samples = &write->as.samples.samples;
    struct cache_entry *device, *series[SAMPLES_MAX];
    TRY(writer_device(w, write->as.samples.device, &device));
    TRY(samples_fit(samples));
    TRY(warm_up(w));
    for (size_t i = 0; i < samples->count; i++)
        TRY(find_series(w, device->row, samples->at[i].metric, &series[i]));
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->at[i];
        const struct place place = {device->row, series[i]->row};
        bool is_newest = sample->time_us > series[i]->stamp;
        TRY(is_newest ? append(w, &place, series[i], sample) : insert_or_replace(w, &place, sample));
    }
    return seen(w, device, write->now_us);
}
