/* JSON in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <inttypes.h>
#include <string.h>

static const struct fault too_large = {ERR_TOO_LARGE, "json: larger than its bound"};
static const struct fault too_deep = {ERR_MALFORMED, "json: deeper than its bound"};
static const struct fault not_json = {ERR_MALFORMED, "json: not JSON, or not an object or array"};
static const struct fault bad_member = {ERR_MALFORMED, "json: a member is missing, unknown, or of another kind"};
static const struct fault out_of_bounds = {ERR_MALFORMED, "json: a value out of its bounds"};

void json_seed(void)
{
    json_object_seed(0);
}

/* jansson recurses up to 2,048 deep; the depth is bounded before it starts. Brackets inside of strings do not count,
 * and text that is not JSON may be counted in any way: jansson refuses it. */
static bool depth_is_fine(struct bytes text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && depth)
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return false;
    }
    return true;
}

/* jansson quotes what it read last ("invalid token near 'secret'"). Of a duplicate that is the member's name, which the
 * sentence needs; of anything else it may be a value, and those are not for logs and events. */
static void say_mistake(const json_error_t *error, char why[WHY_TEXT])
{
    const char *quote = json_error_code(error) == json_error_duplicate_key ? NULL : strstr(error->text, " near '");
    size_t len = quote ? (size_t)(quote - error->text) : strlen(error->text);
    why_say(why, "line %d, column %d: %.*s", error->line, error->column, (int)len, error->text);
}

err json_parse(struct bytes text, size_t max, json_t **out, char why[WHY_TEXT])
{
    json_error_t error;
    if (text.len > max) {
        why_say(why, "the document has %zu bytes; at most %zu are allowed", text.len, max);
        return &too_large;
    }
    if (!depth_is_fine(text)) {
        why_say(why, "objects and arrays are nested deeper than %d", JSON_DEPTH_MAX);
        return &too_deep;
    }
    json_t *root = json_loadb(text.at ? (const char *)text.at : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        say_mistake(&error, why);
        return &not_json;
    }
    *out = root;
    return OK;
}

void json_drop(json_t **root)
{
    json_decref(*root);
    *root = NULL;
}

static const char *const kind_names[] = {
    [MEMBER_TEXT] = "a text",         [MEMBER_INTEGER] = "an integer", [MEMBER_NUMBER] = "a number",
    [MEMBER_TRUTH] = "true or false", [MEMBER_OBJECT] = "an object",   [MEMBER_ARRAY] = "an array",
    [MEMBER_ANY] = "a value",
};

static bool is_of_kind(const json_t *value, enum json_member_kind kind)
{
    switch (kind) {
    case MEMBER_TEXT:
        return json_is_string(value);
    case MEMBER_INTEGER:
        return json_is_integer(value);
    case MEMBER_NUMBER:
        return json_is_number(value);
    case MEMBER_TRUTH:
        return json_is_boolean(value);
    case MEMBER_OBJECT:
        return json_is_object(value);
    case MEMBER_ARRAY:
        return json_is_array(value);
    case MEMBER_ANY:
        return true;
    }
    return false;
}

static err take_member(json_t *object, const struct json_member *row, char why[WHY_TEXT])
{
    *row->out = json_object_get(object, row->name);
    if (!*row->out && row->need == MEMBER_OPTIONAL)
        return OK;
    if (!*row->out) {
        why_say(why, "the member \"%s\" is missing", row->name);
        return &bad_member;
    }
    if (is_of_kind(*row->out, row->kind))
        return OK;
    why_say(why, "the member \"%s\" must be %s", row->name, kind_names[row->kind]);
    *row->out = NULL;
    return &bad_member;
}

static bool is_known(const char *name, const struct json_member *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_is(bytes_of_text(name), table[i].name))
            return true;
    return false;
}

err json_members(json_t *object, const struct json_member *table, size_t count, char why[WHY_TEXT])
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        why_say(why, "the document must be an object");
        return &bad_member;
    }
    for (size_t i = 0; i < count; i++)
        TRY(take_member(object, &table[i], why));
    json_object_foreach(object, name, value)
    {
        if (is_known(name, table, count))
            continue;
        why_say(why, "the member \"%s\" is unknown", name);
        return &bad_member;
    }
    return OK;
}

struct bytes json_text(const json_t *value)
{
    return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value))
                                 : (struct bytes){NULL, 0};
}

err json_integer_within(const json_t *value, const char *name, struct json_bounds bounds, int64_t *out,
                        char why[WHY_TEXT])
{
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < bounds.min || number > bounds.max) {
        why_say(why, "the member \"%s\" must be an integer from %" PRId64 " to %" PRId64, name, bounds.min, bounds.max);
        return &out_of_bounds;
    }
    *out = number;
    return OK;
}
