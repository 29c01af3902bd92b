/* Settings: every type, files that are taken and files that are not, the environment, the pages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "settings_sample.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sample_settings defaults(void)
{
    struct sample_settings s;
    char why[WHY_TEXT] = "";
    if (settings_defaults(&sample_table, &s, why))
        fail_msg("%s", why);
    return s;
}

static void defaults_hold(void **state)
{
    struct sample_settings s = defaults();
    assert_string_equal(s.data, "/var/lib/holdfast");
    assert_string_equal(s.name, "");
    assert_string_equal(s.address, "::");
    assert_int_equal(s.port, 8883);
    assert_int_equal(s.connections, 10000);
    assert_int_equal(s.keep_alive, 300);
    assert_int_equal(s.body, 1048576);
    assert_string_equal(s.names, "localhost");
    assert_false(s.tls_early);
    assert_int_equal(s.level, 2);
}

static void values(void **state)
{
    static const struct {
        const char *name, *text;
        const char *why; /* NULL: taken */
    } rows[] = {
        {"mqtt.port", "1", NULL},
        {"mqtt.port", "65535", NULL},
        {"mqtt.port", "0", "mqtt.port: \"0\" is not a port from 1 to 65535"},
        {"mqtt.port", "65536", "mqtt.port: \"65536\" is not a port from 1 to 65535"},
        {"mqtt.port", "-1", "mqtt.port: \"-1\" is not a port from 1 to 65535"},
        {"mqtt.port", "", "mqtt.port: \"\" is not a port from 1 to 65535"},
        {"mqtt.port", "80s", "mqtt.port: \"80s\" is not a port from 1 to 65535"},
        {"mqtt.port", "\x1B[2J", "mqtt.port: \"?[2J\" is not a port from 1 to 65535"},
        {"mqtt.connections", "0x10", "mqtt.connections: \"0x10\" is not a number from 1 to 1000000 connections"},
        {"mqtt.connections", "18446744073709551616",
         "mqtt.connections: \"18446744073709551616\" is not a number from 1 to 1000000 connections"},
        {"mqtt.keep-alive", "30", NULL},
        {"mqtt.keep-alive", "30 s", NULL},
        {"mqtt.keep-alive", "24h", NULL},
        {"mqtt.keep-alive", "1d", NULL},
        {"mqtt.keep-alive", "2d", "mqtt.keep-alive: \"2d\" is not a time from 10 to 86400 seconds (30s, 15m, 24h, 7d)"},
        {"mqtt.keep-alive", "300000000000000000d",
         "mqtt.keep-alive: \"300000000000000000d\" is not a time from 10 to 86400 seconds (30s, 15m, 24h, 7d)"},
        {"mqtt.keep-alive", "s", "mqtt.keep-alive: \"s\" is not a time from 10 to 86400 seconds (30s, 15m, 24h, 7d)"},
        {"mqtt.keep-alive", "5M", "mqtt.keep-alive: \"5M\" is not a time from 10 to 86400 seconds (30s, 15m, 24h, 7d)"},
        {"http.body", "64KiB", NULL},
        {"http.body", "1 MB", NULL},
        {"http.body", "1GiB", NULL},
        {"http.body", "2GiB", "http.body: \"2GiB\" is not a size from 1024 to 1073741824 bytes (64KiB, 16MiB, 2GiB)"},
        {"http.body", "1.5MiB",
         "http.body: \"1.5MiB\" is not a size from 1024 to 1073741824 bytes (64KiB, 16MiB, 2GiB)"},
        {"mqtt.address", "192.0.2.1", NULL},
        {"mqtt.address", "2001:db8::1", NULL},
        {"mqtt.address", "localhost", "mqtt.address: \"localhost\" is not an IPv4 or IPv6 address"},
        {"mqtt.address", "", "mqtt.address: \"\" is not an IPv4 or IPv6 address"},
        {"name", "0123456789", NULL},
        {"name", "", NULL},
        {"name", "0123456789a", "name: \"0123456789a\" is not a text of 0 to 10 bytes"},
        {"name", "a\tb", "name: \"a?b\" is not a text of 0 to 10 bytes"},
        {"name", "\xFF", "name: \"?\" is not a text of 0 to 10 bytes"},
        {"data", "", "data: \"\" is not a path of 1 to 100 bytes"},
        {"http.names", " a,b  c ", NULL},
        {"http.names", "0123456789 0123456789 0123456789 0123456789",
         "http.names: \"0123456789 0123456789 0123456789 "
         "0123456789\" is not a list of 0 to 40 bytes in all"},
        {"http.tls.early", "Yes", NULL},
        {"http.tls.early", "off", NULL},
        {"http.tls.early", "1", "http.tls.early: \"1\" is not true or false"},
        {"log.level", "debug", NULL},
        {"log.level", "Debug", "log.level: \"Debug\" is not error, warn, info or debug"},
        {"log.level", "", "log.level: \"\" is not error, warn, info or debug"},
        {"log.depth", "1", "log.depth is not a setting"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample_settings s = defaults(), before = s;
        char why[WHY_TEXT] = "";
        err e = settings_override(&sample_table, rows[i].name, rows[i].text, &s, why);
        if (rows[i].why ? !e || strcmp(why, rows[i].why) != 0 : e != OK)
            fail_msg("%s=%s: %s; %s", rows[i].name, rows[i].text, err_text(e), why);
        if (e)
            assert_memory_equal(&s, &before, sizeof s);
    }
}

static void values_are_kept(void **state)
{
    struct sample_settings s = defaults();
    char why[WHY_TEXT];
    assert_ptr_equal(settings_override(&sample_table, "mqtt.keep-alive", "15m", &s, why), OK);
    assert_ptr_equal(settings_override(&sample_table, "http.body", "2MB", &s, why), OK);
    assert_ptr_equal(settings_override(&sample_table, "http.names", " a,b\tc ,", &s, why), OK);
    assert_ptr_equal(settings_override(&sample_table, "http.tls.early", "on", &s, why), OK);
    assert_ptr_equal(settings_override(&sample_table, "log.level", "error", &s, why), OK);
    assert_int_equal(s.keep_alive, 900);
    assert_int_equal(s.body, 2000000);
    assert_string_equal(s.names, "a b c");
    assert_true(s.tls_early);
    assert_int_equal(s.level, 0);
}

static void a_file_is_read(void **state)
{
    struct sample_settings s = defaults();
    char why[WHY_TEXT] = "";
    struct bytes file = BYTES("# ours\n"
                              "data: /srv\n"
                              "mqtt:\n"
                              "  port: 1884\n"
                              "  keep-alive: 30s\n"
                              "http.body: 64KiB\n"
                              "http:\n"
                              "  names: [one, two]\n"
                              "  tls:\n"
                              "    early: yes\n"
                              "log: {level: \"warn\"}\n"
                              "name: 'it''s'\n");
    if (settings_read_yaml(&sample_table, file, "f", &s, why))
        fail_msg("%s", why);
    assert_string_equal(s.data, "/srv");
    assert_int_equal(s.port, 1884);
    assert_int_equal(s.keep_alive, 30);
    assert_int_equal(s.body, 65536);
    assert_string_equal(s.names, "one two");
    assert_true(s.tls_early);
    assert_int_equal(s.level, 1);
    assert_string_equal(s.name, "it's");
    assert_string_equal(s.address, "::"); /* what the file does not name stays */
}

static void files(void **state)
{
    static const struct {
        const char *rule, *file;
        const char *why; /* NULL: taken */
    } rows[] = {
        {"an empty file", "", NULL},
        {"only comments", "# nothing\n", NULL},
        {"an empty document", "---\n...\n", NULL},
        {"an empty list", "http:\n  names: []\n", NULL},
        {"a list as a text", "http:\n  names: a, b\n", NULL},
        {"a group twice", "mqtt:\n  port: 1\nhttp:\n  body: 2048\nmqtt:\n  connections: 1\n", NULL},
        {"an unknown name", "\nmqtt:\n  prot: 1\n",
         "f:3: mqtt.prot: there is no such setting; did you mean mqtt.port?"},
        {"an unknown group", "mqttt:\n  x: 1\n", "f:2: mqttt: there is no such setting"},
        {"an unknown name far from all", "zzzzzzzzzz: 1\n", "f:1: zzzzzzzzzz: there is no such setting"},
        {"a value out of bounds", "mqtt:\n  port: 70000\n", "f:2: mqtt.port: \"70000\" is not a port from 1 to 65535"},
        {"no value", "mqtt:\n  port:\n", "f:2: mqtt.port: \"\" is not a port from 1 to 65535"},
        {"twice", "mqtt:\n  port: 1\n  port: 2\n", "f:3: mqtt.port: is set twice"},
        {"twice in two ways", "mqtt.port: 1\nmqtt:\n  port: 2\n", "f:3: mqtt.port: is set twice"},
        {"a value for a group", "mqtt: 1\n", "f:1: mqtt: settings are expected below this name, not a value"},
        {"a map for a value", "data:\n  x: 1\n", "f:2: data: a value is expected, not a map"},
        {"a list for a value", "mqtt:\n  port: [1, 2]\n", "f:2: mqtt.port: one value is expected, not a list"},
        {"a list in a list", "http:\n  names: [[a]]\n", "f:2: http.names: a list is not allowed here"},
        {"a map in a list", "http:\n  names: [{a: b}]\n", "f:2: http.names: a map is not allowed here"},
        {"a blank in an entry", "http:\n  names: [\"a b\"]\n",
         "f:2: http.names: an entry of the list has a blank or a comma inside"},
        {"a list for the file", "- a\n", "f:1: a list is not allowed here"},
        {"a text for the file", "hello\n", "f:1: the file must be a map of settings"},
        {"a map for a key", "? {a: b}\n: c\n", "f:1: a map is not allowed here"},
        {"an anchor", "data: &a /srv\n", "f:1: data: anchors and tags are not taken"},
        {"an alias", "data: *a\n", "f:1: data: aliases are not taken"},
        {"a tag", "data: !!str /srv\n", "f:1: data: anchors and tags are not taken"},
        {"two documents", "data: /a\n---\ndata: /b\n", "f:2: the file holds a second document"},
        {"a tab", "mqtt:\n\tport: 1\n",
         "f:2: found character that cannot start any token while scanning for the next token"},
        {"an open quote", "data: \"abc\n", "f:2: found unexpected end of stream while scanning a quoted scalar"},
        {"a NUL in a value", "name: \"a\\0b\"\n", "f:1: name: \"a\" is not a text of 0 to 10 bytes"},
        {"a NUL in a key", "\"na\\0me\": b\n", "f:1: a key that is empty or too long"},
        {"an empty key", "\"\": b\n", "f:1: a key that is empty or too long"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample_settings s = defaults(), before = s;
        char why[WHY_TEXT] = "";
        err e = settings_read_yaml(&sample_table, bytes_of_text(rows[i].file), "f", &s, why);
        if (rows[i].why ? !e || strcmp(why, rows[i].why) != 0 : e != OK)
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
        if (e)
            assert_memory_equal(&s, &before, sizeof s); /* never half */
    }
}

static void files_are_bounded(void **state)
{
    SCOPED(buffer_drop) struct buffer file = {.max = 1 << 20};
    struct sample_settings s = defaults();
    char why[WHY_TEXT];
    for (size_t i = 0; i < 1000; i++)
        put_text(&file, "{mqtt: ");
    assert_non_null(settings_read_yaml(&sample_table, buffer_view(&file), "f", &s, why));
    buffer_clear(&file);
    while (file.len <= SETTINGS_FILE_MAX)
        put_text(&file, "# a comment\n");
    assert_non_null(settings_read_yaml(&sample_table, buffer_view(&file), "f", &s, why));
}

static void no_memory_is_a_fault(void **state)
{
    struct sample_settings s = defaults();
    char why[WHY_TEXT];
    mem_trial(1);
    err e = settings_read_yaml(&sample_table, BYTES("data: /a\n"), "f", &s, why);
    mem_trial(0);
    assert_true(err_is(e, ERR_MEMORY));
}

static void the_environment_overrides(void **state)
{
    static char port[] = "HOLDFAST_MQTT_PORT=1", keep[] = "HOLDFAST_MQTT_KEEP_ALIVE=20", other[] = "HOLDFAST_FOO=1",
                longer[] = "HOLDFAST_MQTT_PORTS=x", bad[] = "HOLDFAST_LOG_LEVEL=loud";
    char *good_ones[] = {port, other, longer, keep, NULL}, *bad_ones[] = {port, bad, NULL};
    struct sample_settings s = defaults();
    char why[WHY_TEXT] = "";
    assert_non_null(settings_read_environment(&sample_table, bad_ones, &s, why));
    assert_string_equal(why, "log.level: \"loud\" is not error, warn, info or debug");
    assert_int_equal(s.port, 8883);
    assert_ptr_equal(settings_read_environment(&sample_table, good_ones, &s, why), OK);
    assert_int_equal(s.port, 1);
    assert_int_equal(s.keep_alive, 20);
}

static void a_restart_is_asked_for_when_needed(void **state)
{
    struct sample_settings before = defaults(), now = before;
    char why[WHY_TEXT];
    assert_null(settings_needs_restart(&sample_table, &before, &now));
    assert_ptr_equal(settings_override(&sample_table, "log.level", "debug", &now, why), OK);
    now.data[50] = 'x'; /* behind the NUL */
    assert_null(settings_needs_restart(&sample_table, &before, &now));
    assert_ptr_equal(settings_override(&sample_table, "mqtt.port", "1", &now, why), OK);
    assert_string_equal(settings_needs_restart(&sample_table, &before, &now), "mqtt.port");
}

static void the_written_file_is_the_defaults(void **state)
{
    SCOPED(buffer_drop) struct buffer file = {.max = 10000};
    struct sample_settings s = defaults(), before = s;
    char why[WHY_TEXT] = "";
    settings_put_yaml(&sample_table, &file);
    assert_ptr_equal(buffer_finish(&file), OK);
    if (settings_read_yaml(&sample_table, buffer_view(&file), "f", &s, why))
        fail_msg("%s", why);
    assert_memory_equal(&s, &before, sizeof s);
    assert_non_null(strstr(buffer_text(&file), "\nhttp:\n"
                                               "  # The largest body. Allowed: a size from 1024 to 1073741824 bytes "
                                               "(64KiB, 16MiB, 2GiB).\n"
                                               "  body: 1MiB\n"));
}

static void the_reference_has_every_row(void **state)
{
    SCOPED(buffer_drop) struct buffer page = {.max = 10000};
    settings_put_reference(&sample_table, &page);
    assert_ptr_equal(buffer_finish(&page), OK);
    for (size_t i = 0; i < sample_table.count; i++)
        assert_non_null(strstr(buffer_text(&page), sample_rows[i].name));
    assert_non_null(strstr(buffer_text(&page),
                           "| `mqtt.port`<br>`HOLDFAST_MQTT_PORT` | `8883` | a port from 1 to 65535 | "
                           "restart | The port that devices connect to. |\n"));
    assert_non_null(
        strstr(buffer_text(&page), "| empty | a text of 0 to 10 bytes | reload | A name \\| for people. |\n"));
}

static void a_bad_default_is_told(void **state)
{
    static const struct setting rows[] = {
        {"a", SETTING_PORT, 0, 1, 65535, "0", "", SETTING_RELOAD, "A port."},
    };
    static const struct settings_table table = {rows, 1, sizeof(uint16_t)};
    uint16_t port;
    char why[WHY_TEXT];
    assert_non_null(settings_defaults(&table, &port, why));
    assert_string_equal(why, "a: \"0\" is not a port from 1 to 65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(values),
        cmocka_unit_test(values_are_kept),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(files),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(no_memory_is_a_fault),
        cmocka_unit_test(the_environment_overrides),
        cmocka_unit_test(a_restart_is_asked_for_when_needed),
        cmocka_unit_test(the_written_file_is_the_defaults),
        cmocka_unit_test(the_reference_has_every_row),
        cmocka_unit_test(a_bad_default_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
