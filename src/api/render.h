/* Values as JSON text. Every function appends to out; api_render_event is in api.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"
#include "core/sample.h"

void render_time(struct buffer *out, int64_t time_us);          /* "2026-01-31T08:15:00.123Z" with its quotes */
void render_time_or_null(struct buffer *out, int64_t time_us);  /* null for 0: never */
void render_time_exact(struct buffer *out, int64_t time_us);    /* with microseconds: to go on behind a sample */
void render_text_or_null(struct buffer *out, struct bytes text); /* null for the empty text */
void render_value(struct buffer *out, const struct sample *sample);
void render_device(struct buffer *out, const struct device *device);
void render_token(struct buffer *out, const struct token *token);
