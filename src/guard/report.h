/* What devices report beside telemetry: events, and documents about themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/event.h"
#include "wire/why.h"

enum { REPORT_KIND_MAX = 64, REPORT_DOCUMENTS_MAX = 32 };

/* A payload of devices/{id}/events: {"kind":"disk.low","severity":"info|warning|error","detail":{...}}. Severity and
 * detail may be absent: "info", {}. A kind is 1 to REPORT_KIND_MAX of a-z 0-9 . _ - and begins with a letter. */
struct report_event {
    enum severity severity;
    struct buffer detail; /* what to keep, at most DETAIL_MAX: {"kind":"disk.low","detail":{...}}; owned */
};
MUST err report_event_decode(struct bytes payload, struct report_event *out, char why[WHY_TEXT]);
void report_event_drop(struct report_event *e);

/* A payload of devices/{id}/twin/reported: an object of 1 to REPORT_DOCUMENTS_MAX members, each a named document. A
 * name obeys id_is_valid; a document is any JSON value but null, of at most DOCUMENT_MAX bytes as compact JSON. */
struct report_document {
    struct bytes name, json; /* lent from `text` below */
};
struct report_documents {
    struct report_document at[REPORT_DOCUMENTS_MAX];
    size_t count;
    struct buffer text; /* owned */
};
MUST err report_documents_decode(struct bytes payload, struct report_documents *out, char why[WHY_TEXT]);
void report_documents_drop(struct report_documents *d);
/* Both decoders: ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY; nothing is to be dropped after a fault. */
