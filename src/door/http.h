/* The HTTP door: HTTP/1.1 with keep-alive over TLS: the console's files, calls to the API, event streams, and the
 * upgrade to a WebSocket with MQTT inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/connection.h"

const struct protocol *http_protocol(void); /* a constant; for a listener whose peers may show a certificate */
/* Nothing but the upgrade to a WebSocket, at any path; a constant. For a listener whose peers must show a certificate, or
 * a plain one. */
const struct protocol *websocket_protocol(void);
