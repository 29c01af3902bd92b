/* Enrolment tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/token.h"

#include "base/text.h"
#include "core/principal.h"
#include "trust/bearer.h"

static const struct fault bad_group = {
    ERR_MALFORMED, "group: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"};
static const struct fault bad_uses = {ERR_MALFORMED, "uses: 1 to 100000"};
static const struct fault bad_minutes = {ERR_MALFORMED, "minutes: 1 to 43200"};
static const struct fault expired = {ERR_EXPIRED, "the enrolment token has expired"};
static const struct fault spent = {ERR_REFUSED, "the enrolment token's uses are spent"};

enum { TOKEN_ID_BYTES = 8 };

static err token_name(const struct dice *dice, char out[TOKEN_ID_TEXT])
{
    uint8_t id[TOKEN_ID_BYTES];
    SCOPED(buffer_drop) struct buffer hex = {.max = TOKEN_ID_TEXT};
    dice->fill(dice, id, sizeof id);
    put_hex(&hex, bytes_of(id, sizeof id));
    TRY(buffer_finish(&hex));
    return text_copy(buffer_view(&hex), out, TOKEN_ID_TEXT);
}

err token_make(const struct token_order *order, const struct clock *clock, const struct dice *dice, struct token *out,
               struct secret *text)
{
    if (!id_is_valid(order->group))
        return &bad_group;
    if (order->uses < 1 || order->uses > TOKEN_USES_MAX)
        return &bad_uses;
    if (order->minutes < 1 || order->minutes > TOKEN_MINUTES_MAX)
        return &bad_minutes;
    *out = (struct token){.uses_left = (uint32_t)order->uses, .uses_total = (uint32_t)order->uses};
    out->made_us = wall_us(clock);
    out->expires_us = out->made_us + (int64_t)order->minutes * 60 * 1000000;
    TRY(text_copy(order->group, out->group, sizeof out->group));
    TRY(text_copy(order->made_by, out->made_by, sizeof out->made_by));
    TRY(token_name(dice, out->id));
    return bearer_make(dice, text, out->hash);
}

err token_check(const struct token *token, int64_t now_us)
{
    if (now_us >= token->expires_us)
        return &expired;
    return token->uses_left ? OK : &spent;
}
