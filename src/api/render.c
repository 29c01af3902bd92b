/* Values as JSON text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MILLISECONDS_END = 23, MS_US = 1000 };

void render_time(struct buffer *out, int64_t time_us)
{
    char text[TIME_TEXT];
    time_text(time_us, text);
    put_format(out, "\"%s\"", text);
}

void render_time_or_null(struct buffer *out, int64_t time_us)
{
    if (time_us)
        render_time(out, time_us);
    else
        put_text(out, "null");
}

void render_text_or_null(struct buffer *out, struct bytes text)
{
    if (text.len)
        put_json_text(out, text);
    else
        put_text(out, "null");
}

void render_time_exact(struct buffer *out, int64_t time_us)
{
    char text[TIME_TEXT];
    int64_t micros = (time_us % MS_US + MS_US) % MS_US; /* behind the millisecond that time_text rounds down to */
    time_text(time_us, text);
    put_format(out, "\"%.*s%03dZ\"", MILLISECONDS_END, text, (int)micros);
}

/* The shortest of 15 to 17 digits that reads back as the same number. */
static void render_number(struct buffer *out, double number)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    put_text(out, text);
}

void render_value(struct buffer *out, const struct sample *sample)
{
    switch (sample->kind) {
    case SAMPLE_NUMBER:
        render_number(out, sample->value.number);
        break;
    case SAMPLE_INTEGER:
        put_format(out, "%" PRId64, sample->value.integer);
        break;
    case SAMPLE_TRUTH:
        put_text(out, sample->value.truth ? "true" : "false");
        break;
    case SAMPLE_TEXT:
        put_json_text(out, sample->value.text);
        break;
    }
}

/* Ids, serial numbers and fingerprints need no escaping: their rules leave only harmless characters. */
void render_device(struct buffer *out, const struct device *device)
{
    put_format(out, "{\"id\":\"%s\",\"group\":\"%s\",\"state\":\"%s\",\"enrolled\":", device->id, device->group,
               device_state(device));
    render_time(out, device->enrolled_us);
    put_text(out, ",\"last_seen\":");
    render_time_or_null(out, device->last_seen_us);
    put_format(out, ",\"connected\":%s,\"connected_since\":", device->connected_us ? "true" : "false");
    render_time_or_null(out, device->connected_us);
    put_format(out, ",\"certificate\":{\"serial\":\"%s\",\"expires\":", device->certificate_serial);
    render_time(out, device->certificate_expires_us);
    put_format(out, "},\"key\":{\"fingerprint\":\"%s\"}}", device->key_fingerprint);
}

void render_token(struct buffer *out, const struct token *token)
{
    put_format(out, "{\"id\":\"%s\",\"group\":\"%s\",\"uses_left\":%" PRIu32 ",\"uses_total\":%" PRIu32 ",\"made\":",
               token->id, token->group, token->uses_left, token->uses_total);
    render_time(out, token->made_us);
    put_format(out, ",\"made_by\":\"%s\",\"expires\":", token->made_by);
    render_time(out, token->expires_us);
    put_text(out, "}");
}

void api_render_event(struct buffer *out, const struct event *event)
{
    put_format(out, "{\"id\":%" PRId64 ",\"time\":", event->id);
    render_time(out, event->time_us);
    put_format(out, ",\"kind\":\"%s\",\"severity\":\"%s\",\"device\":", event_kind_text(event->kind),
               severity_text(event->severity));
    render_text_or_null(out, bytes_of_text(event->device));
    put_text(out, ",\"detail\":");
    put_bytes(out, event->detail.len ? event->detail : BYTES("{}"));
    put_text(out, "}");
}
