/* The values of header fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_fields.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const struct bytes nothing = {NULL, 0};

/* ---- Lists of tokens */

bool http_list_has(struct bytes field, const char *token)
{
    while (field.len)
        if (bytes_equal_nocase(bytes_trim(bytes_cut(&field, ',')), bytes_of_text(token)))
            return true;
    return false;
}

bool http_media_type_is(struct bytes field, const char *type)
{
    return bytes_equal_nocase(bytes_trim(bytes_cut(&field, ';')), bytes_of_text(type));
}

/* A weight is "0" to "1" with at most three decimals (RFC 9110, 12.4.2): it is zero when no digit in it is not. */
static bool weight_is_zero(struct bytes parameters)
{
    struct bytes parameter = bytes_trim(bytes_cut(&parameters, ';'));
    if (!bytes_starts(parameter, "q=") && !bytes_starts(parameter, "Q="))
        return false;
    for (size_t i = 2; i < parameter.len; i++)
        if (parameter.at[i] != '0' && parameter.at[i] != '.')
            return false;
    return true;
}

bool http_accepts_coding(struct bytes field, const char *coding)
{
    while (field.len) {
        struct bytes entry = bytes_cut(&field, ',');
        struct bytes name = bytes_trim(bytes_cut(&entry, ';'));
        if (bytes_equal_nocase(name, bytes_of_text(coding)))
            return !weight_is_zero(entry);
    }
    return false;
}

/* ---- Ranges */

/* "first-last", "first-" or "-suffix". False: not one of them. */
struct range_spec {
    bool has_first, has_last;
    uint64_t first, last;
};

static bool range_spec_read(struct bytes text, struct range_spec *out)
{
    size_t dash;
    if (!bytes_find(text, '-', &dash))
        return false;
    struct bytes first = bytes_first(text, dash), last = bytes_from(text, dash + 1);
    *out = (struct range_spec){.has_first = first.len > 0, .has_last = last.len > 0};
    if ((out->has_first && text_to_u64(first, &out->first)) || (out->has_last && text_to_u64(last, &out->last)))
        return false;
    if (out->has_first && out->has_last && out->last < out->first)
        return false;
    return out->has_first || out->has_last;
}

enum http_range_kind http_range(struct bytes field, uint64_t size, struct http_range *out)
{
    struct range_spec spec;
    *out = (struct http_range){0, size};
    if (!bytes_equal_nocase(bytes_first(field, 6), BYTES("bytes=")) ||
        !range_spec_read(bytes_trim(bytes_from(field, 6)), &spec))
        return HTTP_RANGE_WHOLE;
    if (spec.has_first ? spec.first >= size : !spec.last || !size) {
        *out = (struct http_range){0, 0};
        return HTTP_RANGE_UNSATISFIABLE;
    }
    uint64_t first = spec.has_first ? spec.first : spec.last < size ? size - spec.last : 0;
    uint64_t end = spec.has_first && spec.has_last && spec.last < size ? spec.last + 1 : size;
    *out = (struct http_range){first, end - first};
    return HTTP_RANGE_PART;
}

void http_put_content_range(struct buffer *out, enum http_range_kind kind, struct http_range range, uint64_t size)
{
    if (kind == HTTP_RANGE_PART)
        put_format(out, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", range.first,
                   range.first + range.length - 1, size);
    else if (kind == HTTP_RANGE_UNSATISFIABLE)
        put_format(out, "Content-Range: bytes */%" PRIu64 "\r\n", size);
}

/* ---- Entity tags */

static struct bytes without_weakness(struct bytes etag)
{
    return bytes_starts(etag, "W/") ? bytes_from(etag, 2) : etag;
}

bool http_none_match_hits(struct bytes field, struct bytes etag)
{
    field = bytes_trim(field);
    if (bytes_is(field, "*"))
        return true;
    /* A comma inside of a tag cuts it in two, and it matches nothing: the client gets the whole, which is safe. */
    while (field.len)
        if (bytes_equal(without_weakness(bytes_trim(bytes_cut(&field, ','))), without_weakness(etag)))
            return etag.len > 0;
    return false;
}

bool http_if_range_holds(struct bytes field, struct bytes etag)
{
    return !field.len || (bytes_starts(field, "\"") && bytes_equal(field, etag));
}

/* ---- Cookies and credentials */

struct bytes http_cookie(struct bytes field, const char *name)
{
    while (field.len) {
        struct bytes value = bytes_trim(bytes_cut(&field, ';'));
        size_t equals;
        if (bytes_find(value, '=', &equals) && bytes_is(bytes_first(value, equals), name))
            return bytes_from(value, equals + 1);
    }
    return nothing;
}

/* What stands behind "<scheme> "; empty when the scheme is another. */
static struct bytes credentials(struct bytes field, const char *scheme)
{
    field = bytes_trim(field);
    struct bytes said = bytes_cut(&field, ' ');
    return bytes_equal_nocase(said, bytes_of_text(scheme)) ? bytes_trim(field) : nothing;
}

static bool is_token68(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~+/=", c));
}

struct bytes http_bearer(struct bytes field)
{
    struct bytes token = credentials(field, "bearer");
    for (size_t i = 0; i < token.len; i++)
        if (!is_token68(token.at[i]))
            return nothing;
    return token;
}

static const struct fault not_basic = {ERR_ABSENT, "http: no Basic credentials"};
static const struct fault bad_basic = {ERR_MALFORMED, "http: malformed Basic credentials"};

err http_basic(struct bytes field, struct buffer *room, struct http_basic *out)
{
    struct bytes packed = credentials(field, "basic"), decoded;
    size_t colon;
    buffer_clear(room);
    if (!packed.len)
        return &not_basic;
    if (base64_decode(packed, room))
        return &bad_basic;
    decoded = buffer_view(room);
    for (size_t i = 0; i < decoded.len; i++)
        if (decoded.at[i] < 0x20 || decoded.at[i] == 0x7F)
            return &bad_basic;
    if (!utf8_valid(decoded) || !bytes_find(decoded, ':', &colon))
        return &bad_basic;
    *out = (struct http_basic){bytes_first(decoded, colon), bytes_from(decoded, colon + 1)};
    return OK;
}

bool http_origin_is(struct bytes origin, struct bytes host)
{
    return host.len && bytes_starts(origin, "https://") && bytes_equal_nocase(bytes_from(origin, 8), host);
}
