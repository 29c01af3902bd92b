/* The buffer: its bound, its sticky error, what it holds when memory runs out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_in_network_order(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 15};
    put_u8(&b, 0x01);
    put_u16(&b, 0x0203);
    put_u32(&b, 0x04050607);
    put_u64(&b, 0x08090a0b0c0d0e0f);
    assert_null(buffer_finish(&b));
    assert_true(bytes_equal(buffer_view(&b), BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")));
}

static void put_four_bytes(struct buffer *b)
{
    put_bytes(b, BYTES("abcd"));
}

static void put_four_of_text(struct buffer *b)
{
    put_text(b, "abcd");
}

static void put_four_by_format(struct buffer *b)
{
    put_format(b, "%s%d", "abc", 4);
}

static void put_a_field(struct buffer *b)
{
    put_u32(b, 0x61626364);
}

static void put_in_reserve(struct buffer *b)
{
    uint8_t *at = buffer_reserve(b, 4);
    if (at)
        memcpy(at, "abcd", 4);
    buffer_filled(b, at ? 4 : 0);
}

/* Whatever writes four bytes: it fits up to the bound exactly, and one byte more writes nothing at all. */
static void the_bound_is_exact(void **state)
{
    static void (*const writers[])(struct buffer *) = {put_four_bytes, put_four_of_text, put_four_by_format, put_a_field,
                                                       put_in_reserve};
    for (size_t w = 0; w < sizeof writers / sizeof *writers; w++)
        for (size_t before = 0; before <= 100; before++) {
            SCOPED(buffer_drop) struct buffer b = {.max = before + 4};
            for (size_t i = 0; i < before; i++)
                put_u8(&b, 'x');
            writers[w](&b);
            if (buffer_finish(&b) || b.len != before + 4)
                fail_msg("writer %zu behind %zu bytes: %s", w, before, err_text(buffer_finish(&b)));
            writers[w](&b);
            assert_true(err_is(buffer_finish(&b), ERR_TOO_LARGE));
            assert_int_equal(b.len, before + 4);
        }
}

static void the_first_fault_stays(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 3};
    put_text(&b, "ab");
    put_text(&b, "cd");
    put_u8(&b, 'e'); /* would fit */
    put_format(&b, "%s", "");
    assert_null(buffer_reserve(&b, 0));
    assert_true(err_is(buffer_finish(&b), ERR_TOO_LARGE));
    assert_true(bytes_is(buffer_view(&b), "ab"));
    assert_string_equal(buffer_text(&b), "");
    buffer_clear(&b);
    assert_null(buffer_finish(&b));
    put_text(&b, "cde");
    assert_null(buffer_finish(&b));
    assert_true(bytes_is(buffer_view(&b), "cde"));
}

static void without_a_bound_nothing_fits(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 0};
    put_text(&b, "");
    assert_null(buffer_finish(&b));
    assert_string_equal(buffer_text(&b), "");
    assert_null(buffer_finish(&b));
    put_u8(&b, 0);
    assert_true(err_is(buffer_finish(&b), ERR_TOO_LARGE));
}

/* The NUL behind a text is not counted: a buffer that is filled to its bound still is a text. */
static void a_full_buffer_is_a_text(void **state)
{
    for (size_t max = 0; max <= 130; max++) {
        SCOPED(buffer_drop) struct buffer b = {.max = max};
        for (size_t i = 0; i < max; i++)
            put_u8(&b, 'x');
        assert_int_equal(strlen(buffer_text(&b)), max);
        assert_null(buffer_finish(&b));
        assert_int_equal(b.len, max);
    }
}

static void consuming(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 8};
    put_text(&b, "abcdef");
    buffer_consume(&b, 0);
    assert_true(bytes_is(buffer_view(&b), "abcdef"));
    buffer_consume(&b, 4);
    assert_true(bytes_is(buffer_view(&b), "ef"));
    put_text(&b, "ghijkl");
    assert_null(buffer_finish(&b));
    assert_true(bytes_is(buffer_view(&b), "efghijkl"));
    buffer_consume(&b, SIZE_MAX);
    assert_int_equal(b.len, 0);
}

static void more_than_was_reserved_is_never_counted(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 10};
    assert_non_null(buffer_reserve(&b, 10));
    buffer_filled(&b, SIZE_MAX);
    assert_true(b.len <= 10);
    assert_null(buffer_reserve(&b, SIZE_MAX));
    assert_true(err_is(buffer_finish(&b), ERR_TOO_LARGE));
}

static void dropping(void **state)
{
    struct buffer b = {.max = 100};
    put_text(&b, "secret");
    buffer_wipe(&b);
    assert_null(b.at);
    assert_int_equal(b.max, 100);
    put_text(&b, "again");
    assert_true(bytes_is(buffer_view(&b), "again"));
    buffer_drop(&b);
    buffer_drop(&b);
    assert_int_equal(b.len, 0);
}

static void write_much(struct buffer *b)
{
    for (size_t i = 0; i < 100; i++) {
        put_format(b, "%zu,", i);
        put_u64(b, i);
        put_text(b, "text");
    }
}

/* The Nth allocation fails, for every N: what was written before stays, and the fault says what it was. */
static void every_allocation_may_fail(void **state)
{
    struct buffer whole = {.max = 65536};
    mem_trial(0);
    write_much(&whole);
    unsigned long count = mem_trial(0);
    assert_true(count > 3);
    for (unsigned long n = 1; n <= count; n++) {
        struct buffer b = {.max = 65536};
        mem_trial(n);
        write_much(&b);
        mem_trial(0);
        assert_true(err_is(buffer_finish(&b), ERR_MEMORY));
        assert_true(b.len < whole.len);
        assert_memory_equal(b.len ? b.at : (const uint8_t *)"", whole.at, b.len);
        buffer_clear(&b);
        write_much(&b);
        assert_null(buffer_finish(&b));
        assert_true(bytes_equal(buffer_view(&b), buffer_view(&whole)));
        buffer_drop(&b);
    }
    buffer_drop(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(the_first_fault_stays),
        cmocka_unit_test(without_a_bound_nothing_fits),
        cmocka_unit_test(a_full_buffer_is_a_text),
        cmocka_unit_test(consuming),
        cmocka_unit_test(more_than_was_reserved_is_never_counted),
        cmocka_unit_test(dropping),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
