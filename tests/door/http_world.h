/* What the tests of the HTTP door share: a peer that asks in plain text. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "play.h"

#define HOST  "Host: hub.example:8443\r\n"
#define BADGE "Cookie: session=ada\r\n"

static const struct principal nobody = {PRINCIPAL_NOBODY, ""};

static inline void arrive(struct play *p, size_t line, const struct principal *who)
{
    fake_line_drop(&p->lines[line]);
    fake_line_open(&p->lines[line], &p->lobbies[0], who, http_protocol());
}

/* Says it all, lets happen what can, and lends what came since the last time. */
static inline const char *ask(struct play *p, size_t line, const char *text)
{
    struct fake_line *l = &p->lines[line];
    size_t from = l->read;
    fake_line_say(l, bytes_of_text(text));
    play_settle(p);
    l->read = l->taken;
    const char *all = buffer_text(&l->out);
    return all + from;
}

#define assert_has(text, part)                                                                                         \
    do {                                                                                                               \
        const char *text_ = (text);                                                                                    \
        if (!strstr(text_, part))                                                                                      \
            fail_msg("no \"%s\" in: %s", part, text_);                                                                 \
    } while (0)
