/* Readers of /proc and /sys. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/proc.h"

#include "base/text.h"

#include <string.h>

static const struct fault bad_stat = {ERR_MALFORMED, "proc: /proc/stat has no usable cpu line"};
static const struct fault bad_meminfo = {ERR_MALFORMED, "proc: /proc/meminfo has no usable MemTotal and MemAvailable"};
static const struct fault bad_net = {ERR_MALFORMED,
                                     "proc: /proc/net/dev has a line that is not an interface's counters"};
static const struct fault bad_number = {ERR_MALFORMED,
                                        "proc: the file does not start with the number that it should hold"};
static const struct fault bad_temperature = {ERR_MALFORMED,
                                             "proc: a temperature is no number, or not one of this world"};
static const struct fault bad_statm = {ERR_MALFORMED, "proc: /proc/self/statm does not hold two numbers"};

/* The next word of a line; empty at its end. */
static struct bytes next_word(struct bytes *line)
{
    *line = bytes_trim(*line);
    size_t len = 0;
    while (len < line->len && line->at[len] != ' ' && line->at[len] != '\t' && line->at[len] != '\n')
        len++;
    struct bytes word = bytes_first(*line, len);
    *line = bytes_from(*line, len);
    return word;
}

/* proc(5): user nice system idle iowait irq softirq steal guest guest_nice. Kernels before 2.6.11 end earlier; the
 * guests' times are part of user and nice already. */
enum { FIELD_IDLE = 3, FIELD_IOWAIT = 4, FIELDS_LEAST = 4, FIELDS_MOST = 8 };

err proc_read_stat(struct bytes text, struct cpu_times *out)
{
    struct bytes line = bytes_cut(&text, '\n');
    struct cpu_times sum = {0, 0};
    if (!bytes_is(next_word(&line), "cpu"))
        return &bad_stat;
    for (int i = 0; i < FIELDS_MOST; i++) {
        uint64_t ticks;
        struct bytes word = next_word(&line);
        if (!word.len && i >= FIELDS_LEAST)
            break;
        if (text_to_u64(word, &ticks) || __builtin_add_overflow(sum.total, ticks, &sum.total))
            return &bad_stat;
        if (i != FIELD_IDLE && i != FIELD_IOWAIT)
            sum.busy += ticks;
    }
    *out = sum;
    return OK;
}

/* "MemTotal:       24684092 kB" */
static bool read_kilobytes(struct bytes line, uint64_t *out)
{
    uint64_t kilobytes;
    bytes_cut(&line, ':');
    struct bytes number = next_word(&line);
    return bytes_is(next_word(&line), "kB") && !text_to_u64(number, &kilobytes) &&
           !__builtin_mul_overflow(kilobytes, 1024, out);
}

err proc_read_meminfo(struct bytes text, struct memory_sizes *out)
{
    struct memory_sizes sizes = {0, 0};
    bool has_total = false, has_available = false;
    while (text.len && !(has_total && has_available)) {
        struct bytes line = bytes_cut(&text, '\n');
        if (bytes_starts(line, "MemTotal:"))
            has_total = read_kilobytes(line, &sizes.total);
        else if (bytes_starts(line, "MemAvailable:"))
            has_available = read_kilobytes(line, &sizes.available);
    }
    if (!has_total || !has_available || !sizes.total || sizes.available > sizes.total)
        return &bad_meminfo;
    *out = sizes;
    return OK;
}

/* Behind the name: eight counters of what was received, bytes first, then eight of what was sent, bytes first. */
enum { NET_FIELDS = 16, NET_RECEIVED = 0, NET_SENT = 8 };

static bool read_interface(struct bytes fields, uint64_t counter[NET_FIELDS])
{
    for (int i = 0; i < NET_FIELDS; i++)
        if (text_to_u64(next_word(&fields), &counter[i]))
            return false;
    return true;
}

err proc_read_net(struct bytes text, struct net_counts *out)
{
    struct net_counts sum = {0, 0, 0};
    uint64_t counter[NET_FIELDS];
    if (!bytes_starts(text, "Inter-|"))
        return &bad_net;
    bytes_cut(&text, '\n');
    bytes_cut(&text, '\n');
    while (text.len) {
        struct bytes line = bytes_cut(&text, '\n');
        if (!bytes_trim(line).len)
            continue;
        struct bytes name = bytes_trim(bytes_cut(&line, ':'));
        if (!name.len || !read_interface(line, counter))
            return &bad_net;
        if (bytes_is(name, "lo"))
            continue;
        sum.received += counter[NET_RECEIVED];
        sum.sent += counter[NET_SENT];
        sum.interfaces++;
    }
    *out = sum;
    return OK;
}

static err read_first_number(struct bytes text, double *out)
{
    double value;
    if (text_to_double(next_word(&text), &value) || value < 0)
        return &bad_number;
    *out = value;
    return OK;
}

err proc_read_uptime(struct bytes text, double *seconds_out)
{
    return read_first_number(text, seconds_out);
}

err proc_read_load(struct bytes text, double *one_minute_out)
{
    return read_first_number(text, one_minute_out);
}

err proc_read_temperature(struct bytes text, double *celsius_out)
{
    int64_t thousandths;
    if (text_to_i64(bytes_trim(text), &thousandths) || thousandths < -100000 || thousandths > 250000)
        return &bad_temperature;
    *celsius_out = (double)thousandths / 1000;
    return OK;
}

err proc_read_resident(struct bytes text, uint64_t *pages_out)
{
    uint64_t size, resident;
    if (text_to_u64(next_word(&text), &size) || text_to_u64(next_word(&text), &resident))
        return &bad_statm;
    *pages_out = resident;
    return OK;
}

/* Who names the processor how; the first that is there wins. */
static const char *const model_keys[] = {"model name", "cpu model", "cpu", "uarch", "Hardware", "Model"};

static size_t rank_of(struct bytes key)
{
    size_t rank = 0;
    while (rank < sizeof model_keys / sizeof *model_keys && !bytes_is(key, model_keys[rank]))
        rank++;
    return rank;
}

void proc_read_cpuinfo(struct bytes text, struct processors *out)
{
    size_t best = sizeof model_keys / sizeof *model_keys;
    *out = (struct processors){.cores = 0};
    while (text.len) {
        struct bytes value = bytes_cut(&text, '\n');
        struct bytes key = bytes_trim(bytes_cut(&value, ':'));
        value = bytes_first(bytes_trim(value), sizeof out->model - 1);
        size_t rank = rank_of(key);
        out->cores += bytes_is(key, "processor");
        if (rank < best && value.len && !text_copy(value, out->model, sizeof out->model))
            best = rank;
    }
}
