/* Events and documents that devices report. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/report.h"

#include "base/memory.h"
#include "base/text.h"
#include "core/principal.h"
#include "wire/json.h"

#include <string.h>

static const struct fault bad_event = {ERR_MALFORMED, "report: a malformed event"};
static const struct fault bad_documents = {ERR_MALFORMED, "report: malformed documents"};
static const struct fault too_large = {ERR_TOO_LARGE, "report: more than there is room for"};
static const struct fault no_memory = {ERR_MEMORY, "report: no memory"};

static err starve(char why[WHY_TEXT])
{
    why_say(why, "%s", no_memory.text);
    return &no_memory;
}

static int put_piece(const char *piece, size_t len, void *buffer)
{
    struct buffer *out = buffer;
    put_bytes(out, bytes_of(piece, len));
    return out->spoiled ? -1 : 0;
}

/* Compact JSON in the order in which it came. */
static err put_json(struct buffer *out, const json_t *value)
{
    int failed = json_dump_callback(value, put_piece, out, JSON_COMPACT | JSON_ENCODE_ANY);
    TRY(buffer_finish(out));
    return failed ? &no_memory : OK;
}

/* ---- Events */

static bool kind_is_valid(struct bytes kind)
{
    for (size_t i = 0; i < kind.len; i++) {
        bool letter = kind.at[i] >= 'a' && kind.at[i] <= 'z', digit = kind.at[i] >= '0' && kind.at[i] <= '9';
        if (!letter && (!i || (!digit && !strchr("._-", kind.at[i]))))
            return false;
    }
    return kind.len && kind.len <= REPORT_KIND_MAX;
}

static err write_detail(struct bytes kind, const json_t *detail, struct buffer *out, char why[WHY_TEXT])
{
    err failed = OK;
    put_text(out, "{\"kind\":");
    put_json_text(out, kind);
    put_text(out, ",\"detail\":");
    if (detail)
        failed = put_json(out, detail);
    else
        put_text(out, "{}");
    put_text(out, "}");
    if (!failed)
        failed = buffer_finish(out);
    if (!failed)
        return OK;
    if (err_is(failed, ERR_MEMORY))
        return starve(why);
    why_say(why, "the event is longer than %d bytes", DETAIL_MAX);
    return &too_large;
}

err report_event_decode(struct bytes payload, struct report_event *out, char why[WHY_TEXT])
{
    SCOPED(json_drop) json_t *root = NULL;
    SCOPED(report_event_drop) struct report_event made = {.severity = SEVERITY_INFO, .detail = {.max = DETAIL_MAX}};
    json_t *kind, *severity, *detail;
    const struct json_member members[] = {
        {"kind", MEMBER_TEXT, MEMBER_REQUIRED, &kind},
        {"severity", MEMBER_TEXT, MEMBER_OPTIONAL, &severity},
        {"detail", MEMBER_OBJECT, MEMBER_OPTIONAL, &detail},
    };
    TRY(json_parse(payload, PAYLOAD_MAX, &root, why));
    TRY(json_members(root, members, sizeof members / sizeof members[0], why));
    if (!kind_is_valid(json_text(kind))) {
        why_say(why, "the member \"kind\" must be 1 to %d of a-z 0-9 . _ - and begin with a letter", REPORT_KIND_MAX);
        return &bad_event;
    }
    if (severity && severity_from(json_text(severity), &made.severity)) {
        why_say(why, "the member \"severity\" must be info, warning or error");
        return &bad_event;
    }
    TRY(write_detail(json_text(kind), detail, &made.detail, why));
    *out = made;
    memset(&made, 0, sizeof made);
    return OK;
}

void report_event_drop(struct report_event *e)
{
    buffer_drop(&e->detail);
}

/* ---- Documents */

static err refuse(struct bytes name, const char *what, char why[WHY_TEXT])
{
    why_say(why, "the document \"%.*s\" %s", (int)bytes_first(name, 64).len, (const char *)name.at, what);
    return &bad_documents;
}

/* Names and documents are written one behind the other; views are made when nothing moves any more. */
struct places {
    size_t name_end[REPORT_DOCUMENTS_MAX], json_end[REPORT_DOCUMENTS_MAX];
};

static err write_document(struct report_documents *out, struct bytes name, const json_t *value, struct places *places,
                          char why[WHY_TEXT])
{
    if (!id_is_valid(name))
        return refuse(name, "has a name that is not allowed (1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first)",
                      why);
    if (json_is_null(value))
        return refuse(name, "is null", why);
    put_bytes(&out->text, name);
    places->name_end[out->count] = out->text.len;
    err failed = put_json(&out->text, value);
    if (err_is(failed, ERR_MEMORY))
        return starve(why);
    if (failed || out->text.len - places->name_end[out->count] > DOCUMENT_MAX) {
        IGNORE(refuse(name, "is too large", why));
        return &too_large;
    }
    places->json_end[out->count++] = out->text.len;
    return OK;
}

static void lend_documents(struct report_documents *out, const struct places *places)
{
    struct bytes text = buffer_view(&out->text);
    size_t start = 0;
    for (size_t i = 0; i < out->count; i++) {
        out->at[i].name = bytes_of(text.at + start, places->name_end[i] - start);
        out->at[i].json = bytes_of(text.at + places->name_end[i], places->json_end[i] - places->name_end[i]);
        start = places->json_end[i];
    }
}

err report_documents_decode(struct bytes payload, struct report_documents *out, char why[WHY_TEXT])
{
    SCOPED(json_drop) json_t *root = NULL;
    SCOPED(report_documents_drop) struct report_documents made = {.text = {.max = (size_t)2 * DOCUMENT_MAX}};
    struct places places;
    const char *name;
    size_t name_len;
    json_t *value;
    TRY(json_parse(payload, PAYLOAD_MAX, &root, why));
    if (!json_is_object(root) || !json_object_size(root) || json_object_size(root) > REPORT_DOCUMENTS_MAX) {
        why_say(why, "the payload must be an object of 1 to %d documents", REPORT_DOCUMENTS_MAX);
        return &bad_documents;
    }
    json_object_keylen_foreach(root, name, name_len, value)
        TRY(write_document(&made, bytes_of(name, name_len), value, &places, why));
    lend_documents(&made, &places);
    *out = made;
    memset(&made, 0, sizeof made);
    return OK;
}

void report_documents_drop(struct report_documents *d)
{
    buffer_drop(&d->text);
    d->count = 0;
}
