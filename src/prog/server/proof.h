/* The methods of MQTT's enhanced authentication that this server offers: one, HOLDFAST-TOKEN, whose data is the token
 * of a signed-in operator (POST /api/v1/session), so that tools without a cookie and a certificate may watch over MQTT.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/authenticator.h"
#include "guard/session_table.h"

struct proof {
    struct authenticator authenticator; /* hand this to the lobby */
    struct session_table *sessions;     /* of the same loop */
    const struct clock *clock;
};

void proof_open(struct proof *proof, struct session_table *sessions, const struct clock *clock); /* borrows */
