/* The MQTT door: 3.1.1 and 5.0, QoS 0 and 1, wildcards, wills, clean sessions; over TLS, or inside a WebSocket. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/connection.h"

const struct protocol *mqtt_protocol(void); /* a constant; for a listener whose peers must show a certificate */
/* For a line that is another protocol's inside: gives the speaker. */
MUST err mqtt_speak(struct line *line, struct speaker **out);
