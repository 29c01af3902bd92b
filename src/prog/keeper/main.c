/* holdfast-keeper: holds the issuing key in a process of its own. It starts with the rights of its user, makes or loads
 * the authority, gives up files and everything else for good, says that it is ready, and answers until the server ends.
 * What it signs is decided by trust/keeper_desk alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/channel.h"
#include "os/clock.h"
#include "os/sandbox.h"
#include "prog/keeper/arguments.h"
#include "prog/keeper/folder.h"
#include "trust/keeper_desk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { KEEPER_CHANNEL = 3, FOREVER = -1 };

static const struct fault no_channel = {
    ERR_ABSENT, "keeper: descriptor 3 is no SOCK_SEQPACKET socket; holdfastd starts this program"};
static const struct fault not_sound = {ERR_IO, "keeper: a trial certificate could not be issued"};

/* Memory holds keys from the first moment on, and the sandbox comes later. */
static void guard_memory(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    key_memory_protect();
}

/* The server ends the keeper by closing the channel, after its own last certificate; a signal to the whole group (^C,
 * systemd) must not come before that. */
static void ignore_signals(void)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

/* Signs once before the sandbox closes: OpenSSL loads what it needs on first use, and an authority that cannot sign is
 * found out now. */
static err prove_signing(const struct keeper_desk *desk)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer public_key = {.max = KEY_PUBLIC_MAX};
    SCOPED(buffer_drop) struct buffer request = {.max = KEEPER_REQUEST_MAX};
    SCOPED(buffer_drop) struct buffer answer = {.max = KEEPER_ANSWER_MAX};
    enum keeper_refusal refused;
    TRY(key_generate(KEY_P256, &key));
    TRY(key_put_public(key, &public_key));
    const struct keeper_request trial = {.kind = KEEPER_ISSUE_DEVICE,
                                         .device_id = BYTES("trial"),
                                         .public_key = buffer_view(&public_key),
                                         .lifetime_s = keeper_permit(PROFILE_DEVICE)->lifetime_min_s};
    TRY(keeper_request_encode(&trial, &request));
    TRY(keeper_desk_answer(desk, buffer_view(&request), &answer, &refused));
    return refused ? &not_sound : OK;
}

/* For whoever starts this program by hand. */
static err check_channel(void)
{
    int type = 0;
    socklen_t len = sizeof type;
    bool good = getsockopt(KEEPER_CHANNEL, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
    return good ? OK : &no_channel;
}

/* Leaves the next request in `request`; one over its bound is left empty, which the desk does not understand either. */
static err take_request(struct buffer *request)
{
    buffer_clear(request);
    err failed = channel_receive(KEEPER_CHANNEL, request, FOREVER);
    if (!err_is(failed, ERR_TOO_LARGE))
        return failed;
    buffer_clear(request);
    return OK;
}

static err serve(const struct keeper_desk *desk, const struct log *log)
{
    SCOPED(buffer_drop) struct buffer request = {.max = KEEPER_REQUEST_MAX};
    SCOPED(buffer_drop) struct buffer answer = {.max = KEEPER_ANSWER_MAX};
    enum keeper_refusal refused = KEEPER_NOTHING_REFUSED;
    TRY(keeper_desk_greet(desk, &answer));
    for (;;) {
        TRY(channel_send(KEEPER_CHANNEL, buffer_view(&answer), FOREVER));
        TRY(take_request(&request));
        buffer_clear(&answer);
        TRY(keeper_desk_answer(desk, buffer_view(&request), &answer, &refused));
        if (refused)
            log_line(log, LOG_WARN, "request refused", "reason=\"%s\"", err_text(keeper_refusal_fault(refused)));
    }
}

static err run(const struct keeper_arguments *arguments, const struct log *log)
{
    SCOPED(authority_drop) struct authority authority = {0};
    const struct keeper_folder folder = {arguments->folder, getenv("HOLDFAST_ROOT_PASSPHRASE_FILE"), machine_clock(),
                                         machine_dice(), log};
    const struct sandbox_options sandbox = {.profile = SANDBOX_KEEPER, .strictness = arguments->strictness};
    const struct keeper_desk desk = {&authority, arguments->names, arguments->name_count, machine_clock(),
                                     machine_dice()};
    char ends[TIME_TEXT];
    TRY(check_channel());
    TRY(keeper_folder_load(&folder, &authority));
    TRY(prove_signing(&desk));
    TRY(sandbox_enter(&sandbox));
    time_text(authority.issuing_expires_us, ends);
    log_line(log, LOG_INFO, "ready", "issuing_certificate_ends=%s", ends);
    err ended = serve(&desk, log);
    return err_is(ended, ERR_CLOSED) ? OK : ended;
}

int main(int count, char **arguments)
{
    struct keeper_arguments read;
    guard_memory();
    ignore_signals();
    if (count == 2 && strcmp(arguments[1], "--help") == 0) {
        printf("%s", KEEPER_USAGE);
        return 0;
    }
    err failed = keeper_arguments_read(count, arguments, &read);
    if (failed) {
        fprintf(stderr, "%s\n%s", err_text(failed), KEEPER_USAGE);
        return 2;
    }
    const struct log log = {machine_clock(), "keeper", read.log_level};
    failed = run(&read, &log);
    if (failed)
        log_line(&log, LOG_ERROR, "stopped", "reason=\"%s\"", err_text(failed));
    return failed ? 1 : 0;
}
