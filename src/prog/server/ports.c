/* The table of ports. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/ports.h"

#include "os/socket.h"

void port_wishes(const struct server_settings *s, struct port_wish out[PORTS])
{
    const struct port_wish rows[PORTS] = {
        [PORT_MQTT] = {"MQTT over TLS", s->mqtt_address, s->public_host, s->mqtt_port, true},
        [PORT_HTTP] = {"HTTPS", s->http_address, s->public_host, s->http_port, true},
        [PORT_MQTT_WEBSOCKET] = {"MQTT over wss", s->mqtt_websocket_address, s->public_host, s->mqtt_websocket_port,
                                 s->mqtt_websocket},
        [PORT_PLAIN] = {"MQTT in the clear", s->mqtt_plain_address, s->mqtt_plain_address, s->mqtt_plain_port,
                        s->mqtt_plain},
        [PORT_PLAIN_WEBSOCKET] = {"MQTT over ws", s->mqtt_plain_address, s->mqtt_plain_address,
                                  s->mqtt_plain_websocket_port, s->mqtt_plain_websocket},
    };
    for (size_t i = 0; i < PORTS; i++)
        out[i] = rows[i];
}

err ports_bind(const struct port_wish wishes[PORTS], int fds[PORTS], enum port *at)
{
    for (size_t i = 0; i < PORTS; i++)
        fds[i] = -1;
    for (size_t i = 0; i < PORTS; i++) {
        *at = (enum port)i;
        if (wishes[i].open)
            TRY(socket_listen(wishes[i].address, wishes[i].number, &fds[i]));
    }
    return OK;
}
