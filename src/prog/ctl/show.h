/* Values for people: times, numbers, what the server says of a device. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/ctl/table.h"

#include <jansson.h>

enum { SHOW_TEXT = 64 };

const char *member_text(const json_t *object, const char *name); /* lends; NULL: none, or no text */

void show_local(const char *rfc3339, char out[SHOW_TEXT]); /* "2026-01-31 09:15:00", in local time; "" for NULL */
void show_local_ms(int64_t ms, char out[SHOW_TEXT]);
void show_ago(const char *rfc3339, char out[SHOW_TEXT]); /* "12 s ago", "in 5 min", "never" for NULL */
void show_span(int64_t seconds, char out[SHOW_TEXT]);    /* "3 h" */
void put_value(struct buffer *out, const json_t *value); /* a number, text or truth as one reads it */

void print_json(struct bytes text); /* the server's JSON, as it is, on a line of its own */

void show_latest(const json_t *answer); /* the answer of GET /devices/{id}/latest; in telemetry.c */
