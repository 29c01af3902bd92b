/* Asking for a password. A signal that arrives meanwhile is held back until the terminal echoes again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/secret_prompt.h"

#include "os/file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static OUTCOME keep_line(struct bytes line, struct secret *out)
{
    line = bytes_cut(&line, '\n');
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len && !secret_set(out, line))
        return DONE;
    complain(line.len ? "the password is too long" : "the password is empty");
    return USAGE;
}

/* Reads until a line ends, the input does, or a signal waits on `signals` (-1: none are looked at). */
static size_t read_line(int fd, int signals, struct secret *text)
{
    struct pollfd waits[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    while (text->len < sizeof text->at && !memchr(text->at, '\n', text->len)) {
        if (poll(waits, 2, -1) < 0 || waits[1].revents)
            break;
        ssize_t got = read(fd, text->at + text->len, sizeof text->at - text->len);
        if (got <= 0)
            break;
        text->len += (size_t)got;
    }
    return text->len;
}

OUTCOME secret_from_input(struct secret *out)
{
    SCOPED(secret_wipe) struct secret text = {.len = 0};
    read_line(STDIN_FILENO, -1, &text);
    return keep_line(secret_view(&text), out);
}

static void ask(int terminal, const char *question, struct secret *text)
{
    struct termios before, silent;
    sigset_t ends, old;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &old);
    SCOPED(fd_close) int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (!tcgetattr(terminal, &before)) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(terminal, TCSAFLUSH, &silent);
        if (write(terminal, question, strlen(question)) >= 0)
            read_line(terminal, signals, text);
        tcsetattr(terminal, TCSAFLUSH, &before);
        if (write(terminal, "\n", 1) < 0)
            text->len = 0;
    }
    sigprocmask(SIG_SETMASK, &old, NULL); /* a signal that waited takes effect here */
}

OUTCOME secret_ask(const char *question, struct secret *out)
{
    SCOPED(secret_wipe) struct secret text = {.len = 0};
    SCOPED(fd_close) int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) {
        complain("there is no terminal to ask for the password; use --password-stdin");
        return LOCAL;
    }
    ask(terminal, question, &text);
    return keep_line(secret_view(&text), out);
}
