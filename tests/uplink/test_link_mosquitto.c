/* The link against mosquitto, which knows nothing of us: mutual TLS, publishing, subscribing, a broker that is killed
 * and comes back, and new credentials. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/world.h"

#include "os/socket.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

struct broker {
    struct world world;
    uint16_t port;
    pid_t process;
    char config[PATH_ROOM + 32];
};

static void keep(const struct broker *b, const char *name, struct bytes content)
{
    char path[2 * PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", b->world.folder, name);
    assert_null(file_replace(path, content, 0600));
}

/* A port that was free a moment ago: mosquitto cannot be told to pick one. */
static uint16_t free_port(void)
{
    uint16_t port = 0;
    SCOPED(fd_close) int fd = -1;
    assert_null(socket_listen("127.0.0.1", 0, &fd));
    assert_null(socket_port(fd, &port));
    return port;
}

static void start_broker(struct broker *b)
{
    b->process = fork();
    if (b->process)
        return;
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    execl("/usr/sbin/mosquitto", "mosquitto", "-c", b->config, (char *)NULL);
    _exit(127);
}

static void kill_broker(struct broker *b)
{
    if (b->process <= 0)
        return;
    kill(b->process, SIGKILL);
    waitpid(b->process, NULL, 0);
    b->process = 0;
}

static int set_up(void **state)
{
    struct broker *b = calloc(1, sizeof *b);
    world_open(&b->world);
    b->port = free_port();
    const char *folder = b->world.folder;
    SCOPED(buffer_drop) struct buffer text = {.max = 8192};
    put_format(
        &text,
        "listener %u 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/server.pem\nkeyfile %s/server.key\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\nmax_inflight_messages 0\n",
        b->port, folder, folder, folder);
    if (getuid() == 0)
        put_text(&text, "user root\n"); /* it would give up the right to read its key otherwise */
    keep(b, "ca.pem", buffer_view(&b->world.authority.chain_pem));
    keep(b, "server.pem", buffer_view(&b->world.server.chain_pem));
    keep(b, "server.key", buffer_view(&b->world.server.key_pem));
    keep(b, "mosquitto.conf", buffer_view(&text));
    snprintf(b->config, sizeof b->config, "%s/mosquitto.conf", folder);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct broker *b = *state;
    kill_broker(b);
    world_close(&b->world);
    free(b);
    return 0;
}

/* Everything that was kept is acknowledged, and came back over the subscription. */
static bool all_came_back(struct world *w)
{
    return !still_waiting(w) && w->arrived_next > w->appended;
}

static bool is_down(struct world *w)
{
    return w->note.state != LINK_CONNECTED && w->downs > 0;
}

static void test_real_broker(void **state)
{
    struct broker *b = *state;
    struct world *w = &b->world;
    static const struct mqtt_filter filters[] = {{.filter = BYTES_ROW("devices/device/#"), .qos = 1}};
    append_numbers(w, 500);
    link_up(w, (struct link_options){.port = b->port, .filters = filters, .filter_count = 1});
    start_broker(b); /* the link knocks until it is there */
    run_until(w, all_came_back, "500 messages there and back");
    assert_true(w->arrived_in_order);

    kill_broker(b);
    w->downs = 0;
    run_until(w, is_down, "the end was noticed");
    append_numbers(w, 200);
    assert_true(still_waiting(w) >= 200);
    start_broker(b);
    run_until(w, all_came_back, "what was kept while it was away");
    assert_true(w->arrived_in_order);

    uint64_t before = counts_of(w).connected;
    struct tls_context *tls = client_context(w, &w->renewed);
    link_use_tls(w->link, tls);
    tls_context_drop(tls);
    append_numbers(w, 100);
    run_until(w, all_came_back, "over a new connection");
    assert_int_equal(counts_of(w).connected, before + 1);
    assert_int_equal(counts_of(w).refused, 0);
}

static bool was_turned_away(struct world *w)
{
    return w->downs >= 2 && strstr(w->why, "the other side says");
}

static void test_no_certificate(void **state)
{
    struct broker *b = *state;
    struct world *w = &b->world;
    struct tls_context *tls = NULL;
    const struct tls_options options = {.anchors_pem = buffer_view(&w->authority.chain_pem),
                                        .server_name = "127.0.0.1"};
    assert_null(tls_context_client(&options, &tls));
    tls_context_drop(w->tls);
    w->tls = tls;
    append_numbers(w, 1);
    link_up(w, (struct link_options){.port = b->port});
    start_broker(b);
    run_until(w, was_turned_away, "turned away for want of a certificate");
    assert_int_equal(w->ups, 0);
    assert_int_equal(still_waiting(w), 1);
}

int main(void)
{
    if (access("/usr/sbin/mosquitto", X_OK) != 0) {
        print_message("mosquitto is not installed\n");
        return 77; /* meson: skipped */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_real_broker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_certificate, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
