/* Records of TLS 1.3: the vectors of RFC 8448, every way in which a record or what it carries can be wrong, and the
 * order of things behind a handshake. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "os/tls_content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 8448, 3 */
static const char client_secret[] = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
static const char server_secret[] = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

struct desk {
    struct record_ciphers ciphers;
    struct record_keys *keys[2]; /* one secret, as its two ends have it */
};

static struct buffer from_hex(const char *text)
{
    struct buffer out = {.max = 65536};
    assert_null(hex_decode(bytes_of_text(text), &out));
    return out;
}

static void set_secret(struct desk *d, const char *hex)
{
    struct buffer secret = from_hex(hex);
    for (int i = 0; i < 2; i++)
        assert_null(record_keys_set(&d->ciphers, RECORD_AES_128_GCM_SHA256, d->keys[i], buffer_view(&secret)));
    buffer_drop(&secret);
}

static int desk_make(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    assert_null(record_ciphers_open(&d->ciphers));
    for (int i = 0; i < 2; i++)
        d->keys[i] = calloc(1, record_keys_size(RECORD_CHACHA20_POLY1305_SHA256) + 64);
    *state = d;
    return 0;
}

static int desk_drop(void **state)
{
    struct desk *d = *state;
    record_ciphers_close(&d->ciphers);
    free(d->keys[0]);
    free(d->keys[1]);
    free(d);
    return 0;
}

static struct record_run begin(struct desk *d, int end, enum record_act act)
{
    struct record_run run;
    assert_null(record_run_begin(&d->ciphers, RECORD_AES_128_GCM_SHA256, d->keys[end], act, &run));
    return run;
}

/* ---- RFC 8448 */

static void keys_follow_from_secrets(void **state)
{
    struct desk *d = *state;
    static const struct {
        const char *secret, *key_and_iv;
    } rows[] = {{client_secret, "17422dda596ed5d9acd890e3c63f50515b78923dee08579033e523d9"},
                {server_secret, "9f02283b6c9c07efc26bb9f2ac92e356cf782b88dd83549aadf1e984"}};
    for (size_t i = 0; i < 2; i++) {
        struct buffer expected = from_hex(rows[i].key_and_iv);
        set_secret(d, rows[i].secret);
        assert_memory_equal(d->keys[0]->material + 32, expected.at, 28);
        buffer_drop(&expected);
    }
}

static const struct vector {
    const char *rule, *secret;
    uint64_t number;
    enum record_content content;
    const char *plain, *wire;
} vectors[] = {
    {"the client's data", client_secret, 0, RECORD_DATA,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031",
     "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a29"
     "770"
     "14bd1e3deae63aeebb21694915e4"},
    {"the server's data, behind a ticket", server_secret, 1, RECORD_DATA,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031",
     "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21"
     "c00"
     "47c2abf332540dd032e167c2955d"},
    {"the client's close_notify", client_secret, 1, RECORD_ALERT, "0100",
     "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"},
    {"the server's close_notify", server_secret, 2, RECORD_ALERT, "0100",
     "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"},
};

static void records_are_as_published(void **state)
{
    struct desk *d = *state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        struct buffer plain = from_hex(v->plain), wire = from_hex(v->wire);
        struct record_plain opened;
        uint8_t out[256];
        set_secret(d, v->secret);
        d->keys[0]->number = d->keys[1]->number = v->number;
        struct record_run run = begin(d, 0, RECORD_SEAL);
        assert_null(record_seal(&run, v->content, buffer_view(&plain), out));
        if (memcmp(out, wire.at, wire.len) != 0)
            fail_msg("%s: sealed otherwise", v->rule);
        run = begin(d, 1, RECORD_OPEN);
        if (record_open(&run, buffer_view(&wire), out, &opened))
            fail_msg("%s: not opened", v->rule);
        assert_int_equal(opened.content, v->content);
        assert_true(bytes_equal(opened.bytes, buffer_view(&plain)));
        assert_int_equal(d->keys[1]->number, v->number + 1);
        buffer_drop(&plain);
        buffer_drop(&wire);
    }
}

static void every_suite_agrees_with_itself_over_updates(void **state)
{
    static const uint16_t numbers[] = {0x1301, 0x1302, 0x1303};
    struct desk *d = *state;
    enum record_suite suite;
    assert_true(err_is(record_suite_of(0x1304, &suite), ERR_UNSUPPORTED));
    for (size_t i = 0; i < 3; i++) {
        uint8_t secret[RECORD_SECRET_MAX] = {7}, out[64], opened[64], first[64];
        struct record_run run;
        struct record_plain plain;
        assert_null(record_suite_of(numbers[i], &suite));
        struct bytes given = bytes_of(secret, record_secret_size(suite));
        for (int end = 0; end < 2; end++)
            assert_null(record_keys_set(&d->ciphers, suite, d->keys[end], given));
        assert_non_null(record_keys_set(&d->ciphers, suite, d->keys[0], bytes_of(secret, 5)));
        for (int update = 0; update < 3; update++) {
            for (int n = 0; n < 3; n++) {
                assert_null(record_run_begin(&d->ciphers, suite, d->keys[0], RECORD_SEAL, &run));
                assert_null(record_seal(&run, RECORD_DATA, BYTES("pump"), out));
                assert_true(update + n == 0 || memcmp(first, out, 30) != 0);
                memcpy(first, out, 30);
                assert_null(record_run_begin(&d->ciphers, suite, d->keys[1], RECORD_OPEN, &run));
                assert_null(record_open(&run, bytes_of(out, 4 + RECORD_OVERHEAD), opened, &plain));
                assert_true(bytes_is(plain.bytes, "pump"));
            }
            for (int end = 0; end < 2; end++)
                assert_null(record_keys_update(&d->ciphers, suite, d->keys[end]));
            assert_int_equal(d->keys[0]->number, 0);
        }
    }
}

/* ---- heads */

static void heads_are_judged(void **state)
{
    static const struct {
        const char *rule;
        struct bytes head;
        err says;
        size_t len;
    } rows[] = {
        {"the shortest", BYTES_ROW("\x17\x03\x03\x00\x11"), OK, 22},
        {"the longest", BYTES_ROW("\x17\x03\x03\x41\x00"), OK, RECORD_WIRE_MAX},
        {"any version", BYTES_ROW("\x17\x00\xff\x00\x20"), OK, 37},
        {"one byte too long", BYTES_ROW("\x17\x03\x03\x41\x01"), &record_overflow, 0},
        {"as long as the field says", BYTES_ROW("\x17\x03\x03\xff\xff"), &record_overflow, 0},
        {"a tag and no type", BYTES_ROW("\x17\x03\x03\x00\x10"), &record_bad_mac, 0},
        {"nothing", BYTES_ROW("\x17\x03\x03\x00\x00"), &record_bad_mac, 0},
        {"change_cipher_spec behind a handshake", BYTES_ROW("\x14\x03\x03\x00\x01"), &record_unexpected, 0},
        {"an alert in the clear", BYTES_ROW("\x15\x03\x03\x00\x02"), &record_unexpected, 0},
        {"a handshake in the clear", BYTES_ROW("\x16\x03\x01\x00\x20"), &record_unexpected, 0},
        {"no TLS", BYTES_ROW("GET / HTTP/1.1"), &record_unexpected, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = 0;
        err e = record_length(rows[i].head, &len);
        if (e != rows[i].says || (!e && len != rows[i].len))
            fail_msg("%s: %s, %zu", rows[i].rule, err_text(e), len);
        for (size_t part = 0; part < 5; part++) {
            e = record_length(bytes_first(rows[i].head, part), &len);
            assert_true(err_is(e, ERR_AGAIN) || e == &record_unexpected);
        }
    }
}

/* ---- bodies */

/* Seals any inner plaintext with the client's first key and number 0, by OpenSSL alone. */
static size_t seal_inner(const struct desk *d, const uint8_t *inner, size_t len, uint8_t *wire)
{
    int n;
    const uint8_t *key = d->keys[0]->material + 32;
    size_t body = len + RECORD_TAG;
    const uint8_t head[] = {23, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    memcpy(wire, head, sizeof head);
    assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, key + 16), 1);
    assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, head, sizeof head), 1);
    assert_int_equal(EVP_EncryptUpdate(c, wire + RECORD_HEAD, &n, inner, (int)len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(c, wire + RECORD_HEAD + len, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, wire + RECORD_HEAD + len), 1);
    EVP_CIPHER_CTX_free(c);
    return RECORD_HEAD + body;
}

static void inner_plaintexts_are_judged(void **state)
{
    struct desk *d = *state;
    static const struct {
        const char *rule;
        size_t content, padding; /* bytes before and behind the type */
        uint8_t type;
        err says;
    } rows[] = {
        {"data", 3, 0, 23, OK},
        {"empty data", 0, 0, 23, OK},
        {"as much as there may be", 16384, 0, 23, OK},
        {"an alert with padding", 2, 100, 21, OK},
        {"padding up to the bound", 0, 16384, 23, OK},
        {"one byte too much", 16385, 0, 23, &record_overflow},
        {"one byte of padding too much", 16384, 1, 23, &record_overflow},
        {"all that the record may hold", 16384, 239, 23, &record_overflow},
        {"zeroes alone", 0, 40, 0, &record_unexpected},
        {"change_cipher_spec inside", 1, 0, 20, &record_unexpected},
        {"a heartbeat", 3, 0, 24, &record_unexpected},
        {"type 255", 3, 0, 255, &record_unexpected},
    };
    uint8_t *inner = malloc(RECORD_BODY_MAX), *wire = malloc(RECORD_WIRE_MAX), *out = malloc(RECORD_WIRE_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = rows[i].content + 1 + rows[i].padding;
        struct record_plain plain;
        set_secret(d, client_secret);
        memset(inner, 0, RECORD_BODY_MAX);
        memset(inner, 0xaa, rows[i].content);
        memset(out, 0, RECORD_WIRE_MAX);
        inner[rows[i].content] = rows[i].type;
        size_t wire_len = seal_inner(d, inner, len, wire);
        struct record_run run = begin(d, 1, RECORD_OPEN);
        err e = record_open(&run, bytes_of(wire, wire_len), out, &plain);
        if (e != rows[i].says)
            fail_msg("%s: %s", rows[i].rule, err_text(e));
        if (!e)
            assert_int_equal(plain.bytes.len, rows[i].content);
        for (size_t k = 0; e && k < len; k++)
            assert_int_equal(out[k], 0); /* what is refused leaves nothing */
    }
    free(inner);
    free(wire);
    free(out);
}

static void what_was_touched_is_refused(void **state)
{
    struct desk *d = *state;
    uint8_t wire[64], changed[64], out[64];
    struct record_plain plain;
    set_secret(d, client_secret);
    struct record_run run = begin(d, 0, RECORD_SEAL);
    assert_null(record_seal(&run, RECORD_DATA, BYTES("open the valve"), wire));
    size_t len = 14 + RECORD_OVERHEAD;
    for (size_t bit = 8; bit < len * 8; bit++) { /* the first byte is the type: judged before */
        memcpy(changed, wire, len);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        d->keys[1]->number = 0;
        run = begin(d, 1, RECORD_OPEN);
        assert_non_null(record_open(&run, bytes_of(changed, len), out, &plain));
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_non_null(record_open(&run, bytes_of(wire, cut), out, &plain));
    d->keys[1]->number = 0;
    run = begin(d, 1, RECORD_OPEN);
    assert_null(record_open(&run, bytes_of(wire, len), out, &plain));
    assert_ptr_equal(record_open(&run, bytes_of(wire, len), out, &plain), &record_bad_mac); /* played twice */
}

static void numbers_end(void **state)
{
    struct desk *d = *state;
    uint8_t wire[64], out[64];
    struct record_plain plain;
    set_secret(d, client_secret);
    d->keys[0]->number = d->keys[1]->number = RECORDS_MAX - 1;
    struct record_run run = begin(d, 0, RECORD_SEAL);
    assert_null(record_seal(&run, RECORD_DATA, BYTES("last"), wire));
    assert_ptr_equal(record_seal(&run, RECORD_DATA, BYTES("none"), wire), &record_exhausted);
    static const uint8_t large[RECORD_PLAIN_MAX + 1];
    assert_ptr_equal(record_seal(&run, RECORD_DATA, bytes_of(large, sizeof large), wire), &record_overflow);
    run = begin(d, 1, RECORD_OPEN);
    d->keys[1]->number = RECORDS_MAX;
    assert_ptr_equal(record_open(&run, bytes_of(wire, 4 + RECORD_OVERHEAD), out, &plain), &record_exhausted);
}

/* ---- what records carry */

#define RECORD(type, text)                                                                                             \
    {                                                                                                                  \
        type,                                                                                                          \
        {                                                                                                              \
            (const uint8_t *)(text), sizeof(text) - 1                                                                  \
        }                                                                                                              \
    }
#define UPDATE         "\x18\x00\x00\x01\x00"
#define UPDATE_AND_ASK "\x18\x00\x00\x01\x01"

static const struct story {
    const char *rule;
    struct record_plain records[4]; /* all but the last one bring CONTENT_NOTHING or data */
    enum content_event event;       /* of the last */
    enum content_fault fault;
} stories[] = {
    {"data", {RECORD(23, "x")}, CONTENT_DATA, FAULT_NONE},
    {"empty data", {RECORD(23, "")}, CONTENT_NOTHING, FAULT_NONE},
    {"close_notify", {RECORD(21, "\x01\x00")}, CONTENT_CLOSED, FAULT_NONE},
    {"close_notify called fatal", {RECORD(21, "\x02\x00")}, CONTENT_CLOSED, FAULT_NONE},
    {"user_canceled, then close_notify", {RECORD(21, "\x01\x5a"), RECORD(21, "\x01\x00")}, CONTENT_CLOSED, FAULT_NONE},
    {"a fatal alert", {RECORD(21, "\x02\x2a")}, CONTENT_NOTHING, FAULT_PEER},
    {"a fatal alert called a warning", {RECORD(21, "\x01\x2a")}, CONTENT_NOTHING, FAULT_PEER},
    {"an alert that nobody knows", {RECORD(21, "\x01\xfe")}, CONTENT_NOTHING, FAULT_PEER},
    {"an alert of one byte", {RECORD(21, "\x01")}, CONTENT_NOTHING, FAULT_DECODE},
    {"two alerts in a record", {RECORD(21, "\x01\x5a\x01\x00")}, CONTENT_NOTHING, FAULT_DECODE},
    {"an empty alert", {RECORD(21, "")}, CONTENT_NOTHING, FAULT_DECODE},
    {"KeyUpdate", {RECORD(22, UPDATE)}, CONTENT_UPDATED, FAULT_NONE},
    {"KeyUpdate that asks", {RECORD(22, UPDATE_AND_ASK)}, CONTENT_UPDATED_AND_ASKS, FAULT_NONE},
    {"KeyUpdate in pieces",
     {RECORD(22, "\x18"), RECORD(22, "\x00\x00"), RECORD(22, "\x01"), RECORD(22, "\x01")},
     CONTENT_UPDATED_AND_ASKS,
     FAULT_NONE},
    {"two KeyUpdates, a record each", {RECORD(22, UPDATE), RECORD(22, UPDATE)}, CONTENT_UPDATED, FAULT_NONE},
    {"two KeyUpdates in a record", {RECORD(22, UPDATE UPDATE)}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"a piece of the next one behind a KeyUpdate", {RECORD(22, UPDATE "\x18")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"KeyUpdate with another value", {RECORD(22, "\x18\x00\x00\x01\x02")}, CONTENT_NOTHING, FAULT_ILLEGAL},
    {"KeyUpdate of two bytes", {RECORD(22, "\x18\x00\x00\x02\x00\x00")}, CONTENT_NOTHING, FAULT_DECODE},
    {"an empty KeyUpdate", {RECORD(22, "\x18\x00\x00\x00")}, CONTENT_NOTHING, FAULT_DECODE},
    {"KeyUpdate that says it is long", {RECORD(22, "\x18\x01")}, CONTENT_NOTHING, FAULT_DECODE},
    {"an empty piece", {RECORD(22, "")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"data between the pieces", {RECORD(22, "\x18\x00"), RECORD(23, "x")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"an alert between the pieces",
     {RECORD(22, "\x18\x00"), RECORD(21, "\x01\x00")},
     CONTENT_NOTHING,
     FAULT_UNEXPECTED},
    {"a ticket from a client", {RECORD(22, "\x04\x00\x00\x05")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"ClientHello again", {RECORD(22, "\x01\x00\x00\x40")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"Finished again", {RECORD(22, "\x14\x00\x00\x20")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
    {"a certificate that nobody asked for", {RECORD(22, "\x0b\x00\x00\x04")}, CONTENT_NOTHING, FAULT_UNEXPECTED},
};

static void what_a_client_may_say(void **state)
{
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        const struct story *s = &stories[i];
        struct tls_content content = {0};
        enum content_event event = CONTENT_NOTHING;
        err e = OK;
        for (int k = 0; k < 4 && s->records[k].content && !e; k++)
            e = content_take(&content, s->records[k], &event);
        if (event != s->event || e != content_fault(s->fault))
            fail_msg("%s: event %d, %s", s->rule, (int)event, err_text(e));
    }
}

static void what_brings_nothing_is_bounded(void **state)
{
    static const struct record_plain idle[] = {RECORD(23, ""), RECORD(22, UPDATE_AND_ASK), RECORD(21, "\x01\x5a")};
    const struct record_plain data = RECORD(23, "x");
    for (size_t i = 0; i < 3; i++) {
        struct tls_content content = {0};
        enum content_event event;
        for (int n = 0; n < 31; n++)
            assert_null(content_take(&content, idle[i], &event));
        assert_ptr_equal(content_take(&content, idle[i], &event), content_fault(FAULT_NUISANCE));
        content = (struct tls_content){0};
        for (int n = 0; n < 1000; n++) { /* with eight records of data to each it may go on for ever */
            assert_null(content_take(&content, idle[i], &event));
            for (int k = 0; k < NUISANCE_MORE; k++)
                assert_null(content_take(&content, data, &event));
        }
    }
}

static void faults_have_alerts(void **state)
{
    static const uint8_t alerts[CONTENT_FAULTS] = {0, 20, 22, 10, 80, 50, 47, 10, 0, 80};
    const struct fault foreign = {ERR_MEMORY, "other"};
    for (unsigned i = 0; i < CONTENT_FAULTS; i++) {
        assert_int_equal(content_alert((enum content_fault)i), alerts[i]);
        assert_int_equal(content_fault_of(content_fault((enum content_fault)i)), i);
    }
    assert_int_equal(content_fault_of(&foreign), FAULT_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_follow_from_secrets),
        cmocka_unit_test(records_are_as_published),
        cmocka_unit_test(every_suite_agrees_with_itself_over_updates),
        cmocka_unit_test(heads_are_judged),
        cmocka_unit_test(inner_plaintexts_are_judged),
        cmocka_unit_test(what_was_touched_is_refused),
        cmocka_unit_test(numbers_end),
        cmocka_unit_test(what_a_client_may_say),
        cmocka_unit_test(what_brings_nothing_is_bounded),
        cmocka_unit_test(faults_have_alerts),
    };
    return cmocka_run_group_tests(tests, desk_make, desk_drop);
}
