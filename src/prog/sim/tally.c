/* What happened to a fleet, counted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/tally.h"

#include "base/text.h"

#include <string.h>

static void add_reason(struct tally_reasons *reasons, const char *why, uint64_t count)
{
    unsigned i = 0;
    while (i < TALLY_REASONS - 1 && reasons->rows[i].why && strcmp(reasons->rows[i].why, why) != 0)
        i++;
    if (!reasons->rows[i].why)
        reasons->rows[i].why = i < TALLY_REASONS - 1 ? why : "other reasons";
    reasons->rows[i].count += count;
}

void tally_reason(struct tally_reasons *reasons, const char *why)
{
    add_reason(reasons, why, 1);
}

static void merge_reasons(struct tally_reasons *into, const struct tally_reasons *from)
{
    for (unsigned i = 0; i < TALLY_REASONS && from->rows[i].why; i++)
        add_reason(into, from->rows[i].why, from->rows[i].count);
}

void tally_merge(struct tally *into, const struct tally *from)
{
    counter_add(&into->open, counter_read(&from->open));
    counter_add(&into->connects, counter_read(&from->connects));
    counter_add(&into->acknowledged, counter_read(&from->acknowledged));
    into->resumed += from->resumed;
    into->lost += from->lost;
    into->ended += from->ended;
    into->sent += from->sent;
    into->refused += from->refused;
    into->unanswered += from->unanswered;
    into->flood += from->flood;
    into->read += from->read;
    merge_reasons(&into->refusals, &from->refusals);
    merge_reasons(&into->losses, &from->losses);
    for (unsigned i = 0; i < MISCHIEFS; i++) {
        into->mischief[i].tried += from->mischief[i].tried;
        into->mischief[i].ended += from->mischief[i].ended;
        into->mischief[i].open += from->mischief[i].open;
        into->mischief[i].served += from->mischief[i].served;
    }
    histogram_merge(&into->connect_us, &from->connect_us);
    histogram_merge(&into->ack_us, &from->ack_us);
}

bool tally_is_good(const struct tally *t)
{
    uint64_t served = 0;
    for (unsigned i = 0; i < MISCHIEFS; i++)
        served += t->mischief[i].served;
    return !t->lost && !t->refused && !t->unanswered && !served && !t->refusals.rows[0].why;
}

static void put_reasons(struct buffer *out, const char *name, const struct tally_reasons *reasons)
{
    put_format(out, ",\"%s\":{", name);
    for (unsigned i = 0; i < TALLY_REASONS && reasons->rows[i].why; i++) {
        put_text(out, i ? "," : "");
        put_json_text(out, bytes_of_text(reasons->rows[i].why));
        put_format(out, ":%llu", (unsigned long long)reasons->rows[i].count);
    }
    put_text(out, "}");
}

static void put_histogram(struct buffer *out, const char *name, const struct histogram *h)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    put_format(out, ",\"%s\":{\"count\":%llu", name, (unsigned long long)h->count);
    for (unsigned i = 0; i < sizeof points / sizeof *points; i++)
        put_format(out, ",\"%s\":%llu", points[i].name, (unsigned long long)histogram_at(h, points[i].share));
    put_text(out, "}");
}

static void put_mischief(struct buffer *out, const struct tally *t)
{
    const char *comma = "";
    put_text(out, ",\"mischief\":{");
    for (unsigned i = 0; i < MISCHIEFS; i++) {
        if (!t->mischief[i].tried)
            continue;
        put_format(out, "%s\"%s\":{\"tried\":%llu,\"ended\":%llu,\"open\":%llu,\"served\":%llu}", comma,
                   mischiefs[i].name, (unsigned long long)t->mischief[i].tried,
                   (unsigned long long)t->mischief[i].ended, (unsigned long long)t->mischief[i].open,
                   (unsigned long long)t->mischief[i].served);
        comma = ",";
    }
    put_text(out, "}");
}

void tally_put_json(const struct tally *t, const char *head, struct buffer *out)
{
    put_format(out, "{%s\"connects\":%llu,\"resumed\":%llu,\"open\":%llu,\"lost\":%llu,\"slow_ended\":%llu", head,
               (unsigned long long)counter_read(&t->connects), (unsigned long long)t->resumed,
               (unsigned long long)counter_read(&t->open), (unsigned long long)t->lost, (unsigned long long)t->ended);
    put_format(out, ",\"messages\":{\"sent\":%llu,\"acknowledged\":%llu,\"refused\":%llu,\"unanswered\":%llu}",
               (unsigned long long)t->sent, (unsigned long long)counter_read(&t->acknowledged),
               (unsigned long long)t->refused, (unsigned long long)t->unanswered);
    put_format(out, ",\"slow\":{\"sent\":%llu,\"read\":%llu}", (unsigned long long)t->flood,
               (unsigned long long)t->read);
    put_reasons(out, "refusals", &t->refusals);
    put_reasons(out, "losses", &t->losses);
    put_mischief(out, t);
    put_histogram(out, "connect_us", &t->connect_us);
    put_histogram(out, "ack_us", &t->ack_us);
    put_text(out, "}\n");
}

static void put_reason_lines(struct buffer *out, const char *what, const struct tally_reasons *reasons)
{
    for (unsigned i = 0; i < TALLY_REASONS && reasons->rows[i].why; i++)
        put_format(out, "  %s %llu: %s\n", what, (unsigned long long)reasons->rows[i].count, reasons->rows[i].why);
}

void tally_put_text(const struct tally *t, struct buffer *out)
{
    put_format(out, "%llu connects (%llu resumed), half within %llu ms, 99 %% within %llu ms; %llu sessions lost\n",
               (unsigned long long)counter_read(&t->connects), (unsigned long long)t->resumed,
               (unsigned long long)histogram_at(&t->connect_us, .5) / 1000,
               (unsigned long long)histogram_at(&t->connect_us, .99) / 1000, (unsigned long long)t->lost);
    put_reason_lines(out, "refused", &t->refusals);
    put_reason_lines(out, "lost", &t->losses);
    put_format(
        out,
        "%llu messages, %llu acknowledged (half within %llu us, 99 %% within %llu us), %llu refused, %llu unanswered\n",
        (unsigned long long)t->sent, (unsigned long long)counter_read(&t->acknowledged),
        (unsigned long long)histogram_at(&t->ack_us, .5), (unsigned long long)histogram_at(&t->ack_us, .99),
        (unsigned long long)t->refused, (unsigned long long)t->unanswered);
    if (t->flood)
        put_format(out, "slow readers: %llu messages sent, %llu read, %llu sessions ended by the server\n",
                   (unsigned long long)t->flood, (unsigned long long)t->read, (unsigned long long)t->ended);
    for (unsigned i = 0; i < MISCHIEFS; i++)
        if (t->mischief[i].tried)
            put_format(out, "mischief: %-32s tried %llu, ended by the server %llu, still open %llu, served %llu\n",
                       mischiefs[i].name, (unsigned long long)t->mischief[i].tried,
                       (unsigned long long)t->mischief[i].ended, (unsigned long long)t->mischief[i].open,
                       (unsigned long long)t->mischief[i].served);
}
