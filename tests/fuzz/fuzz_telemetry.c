/* fuzz: guard */
/* SPDX-License-Identifier: Apache-2.0 */
/* What devices send: telemetry in both formats, events, documents. What is taken keeps every bound; what is refused
 * says why, in text that is safe to show. */
#include "guard/report.h"
#include "guard/telemetry.h"

#include "base/text.h"
#include "core/principal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t now_us = INT64_C(1767225600000000);

static void hold(int claim)
{
    if (!claim)
        abort();
}

static void check_text(struct bytes text, size_t max)
{
    hold(text.len <= max && utf8_valid(text));
    for (size_t i = 0; i < text.len; i++)
        hold(text.at[i] >= 0x20 && text.at[i] != 0x7F);
}

static void check_why(const char why[WHY_TEXT])
{
    hold(why[0] != 0);
    check_text(bytes_of_text(why), WHY_TEXT - 1);
}

static void check_sample(const struct sample *s)
{
    hold(s->metric.len > 0);
    check_text(s->metric, METRIC_MAX);
    check_text(s->unit, UNIT_MAX);
    hold(s->time_us >= TELEMETRY_EARLIEST_US && s->time_us <= now_us + INT64_C(86400000000));
    if (s->kind == SAMPLE_NUMBER)
        hold(isfinite(s->value.number));
    if (s->kind == SAMPLE_TEXT)
        check_text(s->value.text, SAMPLE_TEXT_MAX);
}

static void read_telemetry(struct bytes payload, struct bytes stream)
{
    SCOPED(telemetry_drop) struct telemetry t = {0};
    char why[WHY_TEXT] = "";
    if (telemetry_decode(payload, stream, now_us, &t, why)) {
        check_why(why);
        return;
    }
    hold(t.samples.count >= 1 && t.samples.count <= SAMPLES_MAX);
    for (size_t i = 0; i < t.samples.count; i++)
        check_sample(&t.samples.at[i]);
}

static void read_reports(struct bytes payload)
{
    SCOPED(report_event_drop) struct report_event event = {.severity = SEVERITY_INFO};
    SCOPED(report_documents_drop) struct report_documents documents = {.count = 0};
    char why[WHY_TEXT] = "";
    if (report_event_decode(payload, &event, why))
        check_why(why);
    else
        hold(event.detail.len > 0 && event.detail.len <= DETAIL_MAX);
    why[0] = 0;
    if (report_documents_decode(payload, &documents, why))
        check_why(why);
    for (size_t i = 0; i < documents.count; i++)
        hold(id_is_valid(documents.at[i].name) && documents.at[i].json.len <= DOCUMENT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes payload = bytes_of(data, size);
    read_telemetry(payload, BYTES(""));
    read_telemetry(payload, BYTES("boiler/2"));
    read_reports(payload);
    return 0;
}
