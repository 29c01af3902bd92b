/* SenML in JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/senml.h"

#include <math.h>
#include <string.h>

static const struct fault bad_record = {ERR_MALFORMED, "senml: a malformed record"};
static const struct fault not_done = {ERR_UNSUPPORTED, "senml: a field that is not supported"};

enum { VERSION_MAX = 10 };
#define ABSOLUTE_FROM_S 268435456.0 /* 2**28: a smaller time counts from now (RFC 8428, 4.5.3) */
#define TIME_LIMIT_S    1e12        /* far past the year 9999, and safe to count in microseconds */

/* The base fields, which hold from their record on (RFC 8428, 4.1). */
struct base {
    struct bytes name, unit;
    double time_s;
    const json_t *value;
    int64_t version;
};

struct record {
    json_t *object;
    size_t number; /* from 1, for people */
};

/* ---- Fields */

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_INTEGER, FIELD_TRUTH, FIELD_NOT_DONE };

static const struct field {
    const char *name;
    enum field_kind kind;
} fields[] = {
    {"bn", FIELD_TEXT},  {"bt", FIELD_NUMBER}, {"bu", FIELD_TEXT},     {"bv", FIELD_NUMBER},  {"bver", FIELD_INTEGER},
    {"n", FIELD_TEXT},   {"u", FIELD_TEXT},    {"v", FIELD_NUMBER},    {"vs", FIELD_TEXT},    {"vb", FIELD_TRUTH},
    {"t", FIELD_NUMBER}, {"ut", FIELD_NUMBER}, {"vd", FIELD_NOT_DONE}, {"s", FIELD_NOT_DONE}, {"bs", FIELD_NOT_DONE},
};

static err refuse(const struct record *r, const char *field, const char *what, char why[WHY_TEXT])
{
    why_say(why, "record %zu: \"%s\" %s", r->number, field, what);
    return &bad_record;
}

static err check_field(const struct record *r, const struct field *field, const json_t *value, char why[WHY_TEXT])
{
    switch (field->kind) {
    case FIELD_TEXT:
        return json_is_string(value) ? OK : refuse(r, field->name, "must be a text", why);
    case FIELD_NUMBER:
        return json_is_number(value) ? OK : refuse(r, field->name, "must be a number", why);
    case FIELD_INTEGER:
        return json_is_integer(value) ? OK : refuse(r, field->name, "must be an integer", why);
    case FIELD_TRUTH:
        return json_is_boolean(value) ? OK : refuse(r, field->name, "must be true or false", why);
    case FIELD_NOT_DONE:
        IGNORE(refuse(r, field->name, "is not supported (data values and sums)", why));
        return &not_done;
    }
    return OK;
}

static err check_fields(const struct record *r, char why[WHY_TEXT])
{
    const char *name;
    json_t *value;
    json_object_foreach(r->object, name, value)
    {
        size_t i = 0, len = strlen(name);
        while (i < sizeof fields / sizeof fields[0] && strcmp(fields[i].name, name) != 0)
            i++;
        if (i < sizeof fields / sizeof fields[0])
            TRY(check_field(r, &fields[i], value, why));
        else if (len && name[len - 1] == '_') { /* RFC 8428, 4.4: must be understood */
            IGNORE(refuse(r, name, "must be understood, and is not", why));
            return &not_done;
        }
    }
    return OK;
}

/* ---- Base fields */

static err take_version(const struct record *r, struct base *base, char why[WHY_TEXT])
{
    const json_t *version = json_object_get(r->object, "bver");
    int64_t number = json_integer_value(version);
    if (!version)
        return OK;
    if (number < 1 || number > VERSION_MAX)
        return refuse(r, "bver", "must be 1 to 10", why);
    if (r->number > 1 && number != base->version) /* RFC 8428, 4.4: the same in all records */
        return refuse(r, "bver", "must be the same in all records", why);
    base->version = number;
    return OK;
}

static err take_base(const struct record *r, struct base *base, char why[WHY_TEXT])
{
    const json_t *name = json_object_get(r->object, "bn"), *unit = json_object_get(r->object, "bu");
    const json_t *time = json_object_get(r->object, "bt"), *value = json_object_get(r->object, "bv");
    TRY(take_version(r, base, why));
    if (name)
        base->name = json_text(name);
    if (unit)
        base->unit = json_text(unit);
    if (time)
        base->time_s = json_number_value(time);
    if (value)
        base->value = value;
    return OK;
}

/* ---- Names, times, values */

static bool is_name_byte(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-:./_", c));
}

/* RFC 8428, 4.5.1: letters, digits and - : . / _, and a letter or digit first. */
static err check_name(const struct record *r, const struct bytes parts[2], char why[WHY_TEXT])
{
    size_t seen = 0;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p].len; i++, seen++)
            if (!is_name_byte(parts[p].at[i]) || (!seen && strchr("-:./_", parts[p].at[i])))
                return refuse(r, "n",
                              "with its \"bn\" may hold letters, digits and - : . / _ and must begin with a "
                              "letter or digit",
                              why);
    return seen ? OK : refuse(r, "n", "is missing, and there is no \"bn\"", why);
}

static err read_time(const struct record *r, const struct base *base, int64_t now_us, int64_t *out, char why[WHY_TEXT])
{
    double time_s = base->time_s + json_number_value(json_object_get(r->object, "t"));
    if (!(fabs(time_s) < TIME_LIMIT_S))
        return refuse(r, "t", "with its \"bt\" is no time", why);
    *out = (int64_t)llround(time_s * 1e6) + (time_s < ABSOLUTE_FROM_S ? now_us : 0);
    return OK;
}

static err read_number(const struct record *r, const struct base *base, const json_t *v, struct sample *out,
                       char why[WHY_TEXT])
{
    int64_t sum;
    bool whole = json_is_integer(v) && (!base->value || json_is_integer(base->value));
    if (whole && !__builtin_add_overflow(json_integer_value(v), json_integer_value(base->value), &sum)) {
        out->kind = SAMPLE_INTEGER;
        out->value.integer = sum;
        return OK;
    }
    out->kind = SAMPLE_NUMBER;
    out->value.number = json_number_value(v) + json_number_value(base->value);
    return isfinite(out->value.number) ? OK : refuse(r, "v", "with its \"bv\" is not a finite number", why);
}

static err read_value(const struct record *r, const struct base *base, struct sample *out, char why[WHY_TEXT])
{
    const json_t *v = json_object_get(r->object, "v"), *vs = json_object_get(r->object, "vs");
    const json_t *vb = json_object_get(r->object, "vb");
    if ((v != NULL) + (vs != NULL) + (vb != NULL) != 1)
        return refuse(r, "v", "or \"vs\" or \"vb\" must stand in it, and only one of them", why);
    if (v)
        return read_number(r, base, v, out, why);
    out->kind = vs ? SAMPLE_TEXT : SAMPLE_TRUTH;
    if (vs)
        out->value.text = json_text(vs);
    else
        out->value.truth = json_is_true(vb);
    return OK;
}

static err take_record(const struct record *r, struct base *base, struct telemetry_sink *sink, char why[WHY_TEXT])
{
    const json_t *unit = json_object_get(r->object, "u");
    struct sample sample = {.time_us = sink->now_us};
    TRY(check_fields(r, why));
    TRY(take_base(r, base, why));
    const struct bytes parts[2] = {base->name, json_text(json_object_get(r->object, "n"))};
    TRY(check_name(r, parts, why));
    TRY(read_time(r, base, sink->now_us, &sample.time_us, why));
    TRY(read_value(r, base, &sample, why));
    sample.unit = unit ? json_text(unit) : base->unit;
    return sink_take(sink, (struct telemetry_name){parts, 2}, &sample, why);
}

err senml_decode(json_t *array, struct telemetry_sink *sink, char why[WHY_TEXT])
{
    struct base base = {.version = VERSION_MAX};
    size_t count = json_array_size(array);
    TRY(sink_open(sink, count, why));
    for (size_t i = 0; i < count; i++) {
        const struct record r = {json_array_get(array, i), i + 1};
        if (!json_is_object(r.object)) {
            why_say(why, "record %zu is not an object", r.number);
            return &bad_record;
        }
        TRY(take_record(&r, &base, sink, why));
    }
    return OK;
}
