/* holdfast-agent enrol: the token, the root, and then the device room's enrolment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "base/text.h"
#include "device/enrol.h"
#include "os/clock.h"
#include "os/file.h"
#include "prog/agent/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const struct fault no_token = {ERR_ABSENT, "no token came"};
static const struct fault long_token = {ERR_TOO_LARGE, "the token is longer than a token can be"};
static const struct fault unreadable = {ERR_IO, "the token cannot be read"};

/* Up to the first line end, or the end of the input; blanks around it do not count. */
static err read_line(int fd, struct secret *out)
{
    uint8_t *at = out->at;
    out->len = 0;
    while (out->len < sizeof out->at - 1) {
        ssize_t got = read(fd, at + out->len, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return &unreadable;
        if (got == 0 || at[out->len] == '\n')
            break;
        out->len++;
    }
    if (out->len == sizeof out->at - 1)
        return &long_token;
    struct bytes line = bytes_trim(secret_view(out));
    if (line.len)
        memmove(at, line.at, line.len);
    out->len = line.len;
    at[out->len] = 0;
    return out->len && !memchr(at, 0, out->len) ? OK : &no_token;
}

/* The terminal shows nothing of what is typed; its settings come back whatever happens in between. */
static err ask_on_terminal(struct secret *out)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown))
        return &unreadable;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs("Token: ", stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    err e = read_line(STDIN_FILENO, out);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputs("\n", stderr);
    return e;
}

static err read_token(const struct options *options, struct secret *out)
{
    if (options->token_file) {
        SCOPED(fd_close) int fd = open(options->token_file, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? &unreadable : read_line(fd, out);
    }
    return isatty(STDIN_FILENO) && !options->token_stdin ? ask_on_terminal(out) : read_line(STDIN_FILENO, out);
}

static enum exit_code complain(const char *what, const char *why, enum exit_code code)
{
    fprintf(stderr, "holdfast-agent: %s%s%s\n", what, what[0] ? ": " : "", why);
    return code;
}

static enum exit_code enrol(const struct enrol_order *order)
{
    SCOPED(credentials_drop) struct credentials c = {0};
    char why[WHY_TEXT] = "", until[TIME_TEXT];
    err e = https_begin();
    if (e)
        return complain("", e->text, EXIT_FAILED);
    e = device_enrol(order, &c, why);
    https_end();
    if (err_is(e, ERR_MALFORMED))
        return complain("", why, EXIT_USAGE);
    if (e)
        return complain("not enrolled", why,
                        err_is(e, ERR_REFUSED) || err_is(e, ERR_EXISTS) ? EXIT_REFUSED : EXIT_FAILED);
    time_text(c.facts.not_after_us, until);
    printf("Enrolled as %s at %s.\nThe certificate is valid until %s; `holdfast-agent run` renews it.\n", c.id,
           c.server.url, until);
    return EXIT_DONE;
}

enum exit_code command_enrol(const struct options *options, const struct agent_settings *settings)
{
    SCOPED(secret_wipe) struct secret token = {.len = 0};
    SCOPED(buffer_drop) struct buffer ca = {.max = CREDENTIALS_FILE_MAX};
    SCOPED(fd_close) int lock = -1;
    char host[256] = "";
    if (!options->id && gethostname(host, sizeof host - 1))
        return complain("the host name", strerror(errno), EXIT_FAILED);
    err e = options->ca ? file_read(options->ca, &ca) : OK;
    if (e)
        return complain(options->ca, e->text, EXIT_USAGE);
    e = folder_lock(settings->folder, &lock);
    if (err_is(e, ERR_EXISTS))
        return complain(settings->folder, "an agent runs in this folder; stop it first", EXIT_FAILED);
    if (e)
        return complain(settings->folder, e->text, EXIT_FAILED);
    if (!options->new_key && credentials_exist(settings->folder))
        return complain(settings->folder, "holds an identity already; with --new-key it is replaced", EXIT_REFUSED);
    e = read_token(options, &token);
    if (e)
        return complain("token", e->text, EXIT_USAGE);
    return enrol(&(struct enrol_order){
        .folder = settings->folder,
        .server = bytes_of_text(options->server),
        .id = bytes_of_text(options->id ? options->id : host),
        .token = (const char *)token.at,
        .ca_pem = buffer_view(&ca),
        .ca_sha256 = options->ca_sha256,
        .key = options->new_key ? ENROL_ANEW : ENROL_ONCE,
        .clock = machine_clock(),
    });
}
