/* Taking a certificate apart.
 *
 *   Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
 *   tbsCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject,
 *                                 subjectPublicKeyInfo, [1] issuerUniqueID, [2] subjectUniqueID, [3] extensions } */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_fields.h"

#include "base/text.h"

#include <string.h>
#include <time.h>

static const struct fault not_a_certificate = {ERR_MALFORMED, "certificate: not the DER of one certificate"};
static const struct fault bad_serial = {ERR_MALFORMED, "certificate: the serial number is not 1 to 20 bytes, positive"};
static const struct fault bad_date = {ERR_MALFORMED, "certificate: a date is not in RFC 5280's form"};
static const struct fault two_names = {ERR_MALFORMED, "certificate: alternative names twice"};
static const struct fault no_common_name = {ERR_ABSENT, "name: there is no common name in it"};
static const struct fault bad_common_name = {ERR_MALFORMED, "name: there must be one common name of 1 to 64 bytes"};

enum { SERIAL_BYTES_MAX = 20, SIGN = 0x80, VERSION_2 = 1, VERSION_3 = 2 };

/* ---- extensions */

/* OBJECT IDENTIFIERs as they are encoded. */
static const struct bytes id_alternative_names = BYTES_ROW("\x55\x1d\x11"), id_common_name = BYTES_ROW("\x55\x04\x03");

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static bool take_extension(struct reader *list, struct bytes *id, struct bytes *value)
{
    struct reader r = der_enter(list, DER_SEQUENCE);
    *id = der_take(&r, DER_OBJECT);
    if (der_follows(&r, DER_BOOLEAN) && !bytes_equal(der_take(&r, DER_BOOLEAN), BYTES("\xff")))
        r.spoiled = true; /* X.690, 11.1 and 11.5: true is 0xff, and what is the default is left out */
    *value = der_take(&r, DER_OCTET_STRING);
    der_leave(list, &r);
    return !list->spoiled;
}

static err take_extensions(struct reader *tbs, struct bytes *names)
{
    struct reader around = der_enter(tbs, DER_CONTEXT_IN | 3);
    struct reader list = der_enter(&around, DER_SEQUENCE);
    struct bytes id, value;
    bool found = false;
    while (!list.spoiled && list.left.len)
        if (take_extension(&list, &id, &value) && bytes_equal(id, id_alternative_names)) {
            if (found)
                return &two_names;
            found = true;
            *names = value;
        }
    der_leave(&around, &list);
    der_leave(tbs, &around);
    return OK;
}

/* ---- the certificate */

/* [0] EXPLICIT INTEGER DEFAULT v1: what stands there is v2 or v3. */
static uint8_t take_version(struct reader *tbs)
{
    if (!der_follows(tbs, DER_CONTEXT_IN))
        return 0;
    struct reader r = der_enter(tbs, DER_CONTEXT_IN);
    struct bytes number = der_take(&r, DER_INTEGER);
    uint8_t version = number.len == 1 ? number.at[0] : 0;
    der_leave(tbs, &r);
    if (version != VERSION_2 && version != VERSION_3)
        tbs->spoiled = true;
    return version;
}

/* An INTEGER's contents are the shortest in two's complement (X.690, 8.3.2): a zero in front only below a sign. */
static err take_serial(struct reader *tbs, struct bytes *out)
{
    struct bytes number = der_take(tbs, DER_INTEGER);
    if (tbs->spoiled)
        return OK; /* told at the end */
    if (!number.len || number.at[0] & SIGN)
        return &bad_serial;
    if (!number.at[0]) {
        number = bytes_from(number, 1);
        if (!number.len || !(number.at[0] & SIGN))
            return &bad_serial;
    }
    *out = number;
    return number.len <= SERIAL_BYTES_MAX ? OK : &bad_serial;
}

static struct der take_time(struct reader *validity)
{
    struct der time = der_next(validity);
    if (time.tag != DER_UTC_TIME && time.tag != DER_GENERALIZED_TIME)
        validity->spoiled = true;
    return time;
}

static struct bytes take_public_key(struct reader *tbs)
{
    struct der info = der_next(tbs);
    struct reader r = reader_over(info.contents);
    (void)der_take(&r, DER_SEQUENCE);
    (void)der_take(&r, DER_BIT_STRING);
    der_leave(tbs, &r);
    if (info.tag != DER_SEQUENCE)
        tbs->spoiled = true;
    return info.whole;
}

static err take_body(struct reader *tbs, struct certificate_fields *out)
{
    uint8_t version = take_version(tbs);
    TRY(take_serial(tbs, &out->serial));
    (void)der_take(tbs, DER_SEQUENCE); /* the signature's algorithm */
    (void)der_take(tbs, DER_SEQUENCE); /* the issuer */
    struct reader validity = der_enter(tbs, DER_SEQUENCE);
    out->from = take_time(&validity);
    out->until = take_time(&validity);
    der_leave(tbs, &validity);
    out->subject = der_take(tbs, DER_SEQUENCE);
    out->public_key = take_public_key(tbs);
    if (version) {
        der_skip(tbs, DER_CONTEXT | 1);
        der_skip(tbs, DER_CONTEXT | 2);
    }
    return version == VERSION_3 && der_follows(tbs, DER_CONTEXT_IN | 3) ? take_extensions(tbs, &out->names) : OK;
}

err certificate_take_apart(struct bytes der, struct certificate_fields *out)
{
    struct certificate_fields found = {.names = {NULL, 0}};
    struct reader all = reader_over(der);
    if (der.len > CERTIFICATE_MAX)
        return &not_a_certificate;
    struct reader certificate = der_enter(&all, DER_SEQUENCE);
    struct reader tbs = der_enter(&certificate, DER_SEQUENCE);
    TRY(take_body(&tbs, &found));
    der_leave(&certificate, &tbs);
    (void)der_take(&certificate, DER_SEQUENCE);
    (void)der_take(&certificate, DER_BIT_STRING);
    der_leave(&all, &certificate);
    if (reader_finish(&all))
        return &not_a_certificate;
    *out = found;
    return OK;
}

/* ---- dates */

/* Two digits; -1 when they are none. */
static int take_digits(struct reader *r)
{
    unsigned tens = (unsigned)read_u8(r) - '0', ones = (unsigned)read_u8(r) - '0';
    return tens > 9 || ones > 9 ? -1 : (int)(tens * 10 + ones);
}

/* A field out of its range would be carried over into the next. */
static bool is_as_written(const struct tm *written, const struct tm *made)
{
    return written->tm_year == made->tm_year && written->tm_mon == made->tm_mon && written->tm_mday == made->tm_mday &&
           written->tm_hour == made->tm_hour && written->tm_min == made->tm_min && written->tm_sec == made->tm_sec;
}

err certificate_date(struct der time, int64_t *us_out)
{
    enum { CENTURY_SPLIT = 50, EPOCH = 1900 };
    struct reader r = reader_over(time.contents);
    int high = time.tag == DER_GENERALIZED_TIME ? take_digits(&r) : 0, low = take_digits(&r);
    int year = time.tag == DER_GENERALIZED_TIME ? high * 100 + low : EPOCH + low + (low < CENTURY_SPLIT ? 100 : 0);
    struct tm written = {.tm_year = year - EPOCH};
    int *const fields[] = {&written.tm_mon, &written.tm_mday, &written.tm_hour, &written.tm_min, &written.tm_sec};
    bool all_digits = high >= 0 && low >= 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = take_digits(&r);
        all_digits &= *fields[i] >= 0;
    }
    written.tm_mon--;
    if (read_u8(&r) != 'Z' || reader_finish(&r) || !all_digits)
        return &bad_date;
    struct tm made = written;
    time_t seconds = timegm(&made);
    *us_out = (int64_t)seconds * 1000000;
    return is_as_written(&written, &made) ? OK : &bad_date;
}

/* ---- names */

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } */
static bool find_common_names(struct bytes subject, struct der *found, unsigned *count)
{
    struct reader name = reader_over(subject);
    while (!name.spoiled && name.left.len) {
        struct reader set = der_enter(&name, DER_SET);
        do {
            struct reader pair = der_enter(&set, DER_SEQUENCE);
            bool is_common_name = bytes_equal(der_take(&pair, DER_OBJECT), id_common_name);
            struct der value = der_next(&pair);
            der_leave(&set, &pair);
            if (is_common_name && !set.spoiled) {
                *found = value;
                ++*count;
            }
        } while (!set.spoiled && set.left.len);
        der_leave(&name, &set);
    }
    return !name.spoiled;
}

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= 0x80)
            return false;
    return true;
}

static bool is_readable(struct der value)
{
    switch (value.tag) {
    case DER_UTF8_STRING:
        return utf8_valid(value.contents);
    case DER_PRINTABLE_STRING:
    case DER_IA5_STRING:
        return is_ascii(value.contents);
    default: /* a tag is the sender's choice, no enum of ours */
        return false;
    }
}

err certificate_common_name(struct bytes subject, char *out, size_t room)
{
    struct der name = {.tag = 0};
    unsigned count = 0;
    if (!find_common_names(subject, &name, &count) || count > 1)
        return &bad_common_name;
    if (!count)
        return &no_common_name;
    return name.contents.len && is_readable(name) && !text_copy(name.contents, out, room) ? OK : &bad_common_name;
}
