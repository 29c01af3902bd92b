/* A certificate taken apart: forged ones of each kind, and OpenSSL's opinion about them and about each flipped bit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/authority.h"
#include "crypto/reference.h"

#define URI "urn:holdfast:device:"

/* ---- a forger */

/* What is NULL is as in a good certificate. Contents of elements, or whole ones where it says so. */
struct forgery {
    const char *rule;
    struct bytes version;      /* whole; "-": none */
    struct bytes serial;       /* contents */
    struct bytes from, until;  /* whole */
    struct bytes subject;      /* contents */
    struct bytes public_key;   /* whole */
    struct bytes extensions;   /* contents of the list; "-": none */
    struct bytes behind;       /* what follows the certificate */
    enum fault_kind read, uri; /* 0: OK */
    const char *common_name, *id;
};

#define HEX(literal) BYTES_ROW(literal)

static void put_element(struct buffer *out, uint8_t tag, struct bytes contents)
{
    put_u8(out, tag);
    if (contents.len < 128) {
        put_u8(out, (uint8_t)contents.len);
    } else if (contents.len < 256) {
        put_u8(out, 0x81);
        put_u8(out, (uint8_t)contents.len);
    } else {
        put_u8(out, 0x82);
        put_u16(out, (uint16_t)contents.len);
    }
    put_bytes(out, contents);
}

static void wrap(struct buffer *b, uint8_t tag)
{
    SCOPED(buffer_drop) struct buffer copy = {.max = 4096};
    put_bytes(&copy, buffer_view(b));
    buffer_clear(b);
    put_element(b, tag, buffer_view(&copy));
}

static struct bytes or_else(struct bytes given, struct bytes otherwise)
{
    return bytes_is(given, "-") ? (struct bytes){NULL, 0} : given.at ? given : otherwise;
}

/* CN=pump-1 */
#define NAME "\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06pump-1"
#define FROM                                                                                                           \
    "\x17\x0d"                                                                                                         \
    "270101000000Z"
#define UNTIL                                                                                                          \
    "\x17\x0d"                                                                                                         \
    "270201000000Z"
#define ALGORITHM "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define POINT                                                                                                          \
    "\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0"             \
    "\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"                 \
    "\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
#define PUBLIC_KEY                                                                                                     \
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00" POINT
#define SAN(len3, len2, len1, names) "\x30" len3 "\x06\x03\x55\x1d\x11\x04" len2 "\x30" len1 names
#define DEVICE_NAME                  "\x86\x1aurn:holdfast:device:pump-1"
#define GOOD_SAN                     SAN("\x25", "\x1e", "\x1c", DEVICE_NAME)
#define NOT_CA                       "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"

static void forge(const struct forgery *f, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer tbs = {.max = 4096}, part = {.max = 4096};
    put_bytes(&tbs, or_else(f->version, BYTES("\xa0\x03\x02\x01\x02")));
    put_element(&tbs, DER_INTEGER, or_else(f->serial, BYTES("\x01\x02\x03")));
    put_element(&tbs, DER_SEQUENCE, BYTES(ALGORITHM));
    put_element(&tbs, DER_SEQUENCE, BYTES(NAME));
    put_bytes(&part, or_else(f->from, BYTES(FROM)));
    put_bytes(&part, or_else(f->until, BYTES(UNTIL)));
    put_element(&tbs, DER_SEQUENCE, buffer_view(&part));
    put_element(&tbs, DER_SEQUENCE, or_else(f->subject, BYTES(NAME)));
    put_bytes(&tbs, or_else(f->public_key, BYTES(PUBLIC_KEY)));
    if (!bytes_is(f->extensions, "-")) {
        buffer_clear(&part);
        put_bytes(&part, or_else(f->extensions, BYTES(NOT_CA GOOD_SAN)));
        wrap(&part, DER_SEQUENCE);
        put_element(&tbs, DER_CONTEXT_IN | 3, buffer_view(&part));
    }
    wrap(&tbs, DER_SEQUENCE);
    put_element(&tbs, DER_SEQUENCE, BYTES(ALGORITHM));
    put_element(&tbs, DER_BIT_STRING, BYTES("\x00\x30\x06\x02\x01\x01\x02\x01\x01"));
    wrap(&tbs, DER_SEQUENCE);
    put_bytes(&tbs, f->behind);
    put_bytes(out, buffer_view(&tbs));
    assert_ok(buffer_finish(out));
}

static const struct forgery forgeries[] = {
    {.rule = "a good one", .common_name = "pump-1", .id = "pump-1"},

    {.rule = "version 1 has no extensions", .version = HEX("-"), .read = ERR_MALFORMED},
    {.rule = "version 1 without any", .version = HEX("-"), .extensions = HEX("-"), .uri = ERR_ABSENT},
    {.rule = "version 2 has no extensions", .version = HEX("\xa0\x03\x02\x01\x01"), .read = ERR_MALFORMED},
    {.rule = "version 1 is the default, and left out", .version = HEX("\xa0\x03\x02\x01\x00"), .read = ERR_MALFORMED},
    {.rule = "there is no version 4", .version = HEX("\xa0\x03\x02\x01\x03"), .read = ERR_MALFORMED},
    {.rule = "a version in two bytes", .version = HEX("\xa0\x04\x02\x02\x00\x02"), .read = ERR_MALFORMED},
    {.rule = "something behind the version", .version = HEX("\xa0\x05\x02\x01\x02\x05\x00"), .read = ERR_MALFORMED},

    {.rule = "20 bytes of serial number",
     .serial = HEX("\x7f"
                   "0123456789012345678")},
    {.rule = "20 bytes with the highest bit",
     .serial = HEX("\0\xff"
                   "0123456789012345678")},
    {.rule = "21 bytes of serial number",
     .serial = HEX("\x01"
                   "01234567890123456789"),
     .read = ERR_MALFORMED},
    {.rule = "serial number zero", .serial = HEX("\0"), .read = ERR_MALFORMED},
    {.rule = "a negative serial number", .serial = HEX("\xff\x01"), .read = ERR_MALFORMED},
    {.rule = "a zero too many", .serial = HEX("\0\x01"), .read = ERR_MALFORMED},
    {.rule = "an empty serial number", .serial = {(const uint8_t *)"", 0}, .read = ERR_MALFORMED},

    {.rule = "a GeneralizedTime",
     .until = HEX("\x18\x0f"
                  "20510201000000Z")},
    {.rule = "a leap day",
     .from = HEX("\x17\x0d"
                 "240229235959Z")},
    {.rule = "no leap day",
     .from = HEX("\x17\x0d"
                 "270229000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "month 13",
     .from = HEX("\x17\x0d"
                 "271301000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "day 0",
     .from = HEX("\x17\x0d"
                 "270100000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "hour 24",
     .from = HEX("\x17\x0d"
                 "270101240000Z"),
     .read = ERR_MALFORMED},
    {.rule = "second 60",
     .from = HEX("\x17\x0d"
                 "270101000060Z"),
     .read = ERR_MALFORMED},
    {.rule = "no seconds",
     .from = HEX("\x17\x0b"
                 "2701010000Z"),
     .read = ERR_MALFORMED},
    {.rule = "an offset",
     .from = HEX("\x17\x11"
                 "270101000000+0100"),
     .read = ERR_MALFORMED},
    {.rule = "a fraction",
     .from = HEX("\x18\x11"
                 "20270101000000.5Z"),
     .read = ERR_MALFORMED},
    {.rule = "no Z",
     .from = HEX("\x17\x0c"
                 "270101000000"),
     .read = ERR_MALFORMED},
    {.rule = "letters",
     .from = HEX("\x17\x0d"
                 "27o101000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "a blank",
     .from = HEX("\x17\x0d"
                 "27 101000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "a date as text",
     .from = HEX("\x0c\x0d"
                 "270101000000Z"),
     .read = ERR_MALFORMED},
    {.rule = "a third date", .until = HEX(UNTIL UNTIL), .read = ERR_MALFORMED},

    {.rule = "a name as PrintableString",
     .subject = HEX("\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x13\x03"
                    "abc"),
     .common_name = "abc"},
    {.rule = "a name as T61String",
     .subject = HEX("\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x14\x03"
                    "abc"),
     .common_name = ""},
    {.rule = "a name as BMPString",
     .subject = HEX("\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\0a"),
     .common_name = ""},
    {.rule = "a name that is no UTF-8",
     .subject = HEX("\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\xff"
                    "a"),
     .common_name = ""},
    {.rule = "a name with a NUL",
     .subject = HEX("\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
                    "a\0b"),
     .common_name = ""},
    {.rule = "two names", .subject = HEX(NAME NAME), .common_name = ""},
    {.rule = "no name", .subject = {(const uint8_t *)"", 0}, .common_name = ""},
    {.rule = "an organization beside it",
     .subject = HEX("\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01o" NAME),
     .common_name = "pump-1"},

    {.rule = "a key that nobody knows", .public_key = HEX("\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00\x01")},
    {.rule = "a key without an algorithm", .public_key = HEX("\x30\x04\x03\x02\x00\x01"), .read = ERR_MALFORMED},

    {.rule = "no extensions", .extensions = HEX("-"), .uri = ERR_ABSENT},
    {.rule = "no alternative names", .extensions = HEX(NOT_CA), .uri = ERR_ABSENT},
    {.rule = "alternative names twice", .extensions = HEX(GOOD_SAN GOOD_SAN), .read = ERR_MALFORMED},
    {.rule = "two devices",
     .extensions = HEX(SAN("\x41", "\x3a", "\x38", DEVICE_NAME DEVICE_NAME)),
     .uri = ERR_MALFORMED},
    {.rule = "a DNS name beside it",
     .extensions = HEX(SAN("\x28", "\x21", "\x1f",
                           "\x82\x01"
                           "a" DEVICE_NAME)),
     .id = "pump-1"},
    {.rule = "the URI as another kind of name",
     .extensions = HEX(SAN("\x25", "\x1e", "\x1c", "\x82\x1aurn:holdfast:device:pump-1")),
     .uri = ERR_ABSENT},
    {.rule = "an id with a NUL",
     .extensions = HEX(SAN("\x25", "\x1e", "\x1c",
                           "\x86\x1aurn:holdfast:device:pump\0"
                           "1")),
     .uri = ERR_MALFORMED},
    {.rule = "names that run over",
     .extensions = HEX(SAN("\x25", "\x1e", "\x1c", "\x86\x1burn:holdfast:device:pump-1")),
     .uri = ERR_MALFORMED},
    {.rule = "something behind the names",
     .extensions = HEX("\x30\x27\x06\x03\x55\x1d\x11\x04\x20\x30\x1c" DEVICE_NAME "\x05\x00"),
     .uri = ERR_MALFORMED},
    {.rule = "not critical, said aloud",
     .extensions = HEX("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\0\x04\x02\x30\x00"),
     .read = ERR_MALFORMED},
    {.rule = "a truth of 1",
     .extensions = HEX("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\x01\x04\x02\x30\x00"),
     .read = ERR_MALFORMED},

    {.rule = "a byte behind it", .behind = HEX("\0"), .read = ERR_MALFORMED},
};

static void forged_certificates(void **state)
{
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        const struct forgery *f = &forgeries[i];
        SCOPED(buffer_drop) struct buffer der = {.max = 8192};
        struct certificate_facts facts;
        char id[65] = "";
        forge(f, &der);
        err read = certificate_read(buffer_view(&der), &facts);
        err uri = certificate_uri(buffer_view(&der), URI, id, sizeof id);
        if ((read ? read->kind : 0) != f->read)
            fail_msg("%s: %s", f->rule, err_text(read));
        if (!f->read && (uri ? uri->kind : 0) != f->uri)
            fail_msg("%s: the URI: %s", f->rule, err_text(uri));
        if (f->common_name && strcmp(facts.common_name, f->common_name) != 0)
            fail_msg("%s: the name is \"%s\"", f->rule, facts.common_name);
        if (f->id)
            assert_string_equal(id, f->id);
        const char *differs = reference_disagrees(buffer_view(&der), URI);
        if (differs)
            fail_msg("%s: beside OpenSSL: %s", f->rule, differs);
    }
}

/* X.690, 8.1.3 and 10.1. */
static void lengths(void **state)
{
    static const struct {
        const char *rule;
        struct bytes der;
        size_t contents; /* 0: refused */
    } rows[] = {
        {"short", BYTES_ROW("\x04\x01x"), 1},
        {"128 in two bytes", BYTES_ROW("\x04\x82\0\x80"), 0},
        {"127 in the long form", BYTES_ROW("\x04\x81\x7f"), 0},
        {"indefinite", BYTES_ROW("\x24\x80\x04\x01x\0\0"), 0},
        {"reserved", BYTES_ROW("\x04\xff"), 0},
        {"four bytes", BYTES_ROW("\x04\x84\x01\0\0\0"), 0},
        {"longer than what there is", BYTES_ROW("\x04\x02x"), 0},
        {"a tag of two bytes", BYTES_ROW("\x1f\x81\x01\x01x"), 0},
        {"no length", BYTES_ROW("\x04"), 0},
        {"nothing", BYTES_ROW(""), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader r = reader_over(rows[i].der);
        struct der found = der_next(&r);
        if (found.contents.len != rows[i].contents || r.spoiled != !rows[i].contents)
            fail_msg("%s", rows[i].rule);
    }
    uint8_t long_one[3 + 200] = {0x04, 0x81, 200};
    struct reader r = reader_over(bytes_of(long_one, sizeof long_one));
    assert_int_equal(der_next(&r).contents.len, 200);
    assert_ok(reader_finish(&r));
}

static void issue(struct test_authority *authority, struct buffer *der)
{
    const struct certificate_name names[] = {{CERTIFICATE_NAME_DNS, BYTES("pump-1.example")},
                                             {CERTIFICATE_NAME_URI, BYTES(URI "pump-1")}};
    SCOPED(key_drop_scoped) struct key *key = NULL;
    assert_ok(key_generate(KEY_P256, &key));
    assert_ok(test_authority_issue(authority,
                                   (struct certificate_order){.role = CERTIFICATE_CLIENT,
                                                              .common_name = BYTES("pump-1"),
                                                              .names = names,
                                                              .name_count = 2,
                                                              .issuer_key = authority->issuing_key,
                                                              .issuer = buffer_view(&authority->issuing)},
                                   key, der));
}

static void every_flipped_bit(void **state)
{
    SCOPED(buffer_drop) struct buffer leaf = {.max = CERTIFICATE_MAX};
    struct test_authority authority;
    test_authority_open(&authority);
    issue(&authority, &leaf);
    struct buffer *const all[] = {&leaf, &authority.issuing};
    for (size_t i = 0; i < 2; i++) {
        struct bytes der = buffer_view(all[i]);
        assert_null(reference_disagrees(der, URI));
        for (size_t bit = 0; bit < der.len * 8; bit++) {
            all[i]->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            const char *differs = reference_disagrees(der, URI);
            if (differs)
                fail_msg("certificate %zu, bit %zu: %s", i, bit, differs);
            all[i]->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    test_authority_close(&authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_certificates),
        cmocka_unit_test(lengths),
        cmocka_unit_test(every_flipped_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
