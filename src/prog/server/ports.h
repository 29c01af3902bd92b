/* The ports that the server listens on, in one table: bound by the launcher, handed down by their place in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/server/settings.h"

enum port {
    PORT_MQTT,
    PORT_HTTP,
    PORT_MQTT_WEBSOCKET,  /* mqtt.websocket: MQTT inside a WebSocket inside TLS, with a client certificate */
    PORT_PLAIN,           /* mqtt.plain: MQTT over TCP, which proves and hides nothing */
    PORT_PLAIN_WEBSOCKET, /* mqtt.plain-websocket */
    PORTS
};

struct port_wish {
    const char *name;    /* for people: "MQTT over TLS" */
    const char *address; /* to bind; lent by the settings, as the next */
    const char *host;    /* to tell clients */
    uint16_t number;
    bool open;
};

void port_wishes(const struct server_settings *settings, struct port_wish out[PORTS]);
/* Binds what is wished for; the others become -1. All are -1 or the caller's to close, also after a failure; *at is
 * then the one that failed. */
MUST err ports_bind(const struct port_wish wishes[PORTS], int fds[PORTS], enum port *at);
