/* Reason codes and packet types: their names, who may use which where, and what 3.1.1 makes of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

enum who { BOTH = 0, CLIENT, SERVER_DISCONNECTS }; /* the last: anybody may say it, but in DISCONNECT the server only */

struct row {
    const char *text;
    uint16_t packets;
    uint8_t by;
};

enum { ROWS = 256 };

static const struct row rows[ROWS] = {
#define REASON(value, name, sentence, where, who) [value] = {.text = (sentence), .packets = (where), .by = (who)},
#include "wire/mqtt_reason.def"
};

static const char *const types[] = {
    [MQTT_CONNECT] = "CONNECT",         [MQTT_CONNACK] = "CONNACK",       [MQTT_PUBLISH] = "PUBLISH",
    [MQTT_PUBACK] = "PUBACK",           [MQTT_PUBREC] = "PUBREC",         [MQTT_PUBREL] = "PUBREL",
    [MQTT_PUBCOMP] = "PUBCOMP",         [MQTT_SUBSCRIBE] = "SUBSCRIBE",   [MQTT_SUBACK] = "SUBACK",
    [MQTT_UNSUBSCRIBE] = "UNSUBSCRIBE", [MQTT_UNSUBACK] = "UNSUBACK",     [MQTT_PINGREQ] = "PINGREQ",
    [MQTT_PINGRESP] = "PINGRESP",       [MQTT_DISCONNECT] = "DISCONNECT", [MQTT_AUTH] = "AUTH",
};

/* 3.1.1, 3.2.2.3. The first row of a code is what the code means; the others are what is nearest to a newer reason. */
static const struct {
    enum mqtt_reason reason;
    uint8_t code;
} return_codes[] = {
    {MQTT_SUCCESS, 0},
    {MQTT_UNSUPPORTED_PROTOCOL_VERSION, 1},
    {MQTT_CLIENT_IDENTIFIER_NOT_VALID, 2},
    {MQTT_SERVER_UNAVAILABLE, 3},
    {MQTT_BAD_USER_NAME_OR_PASSWORD, 4},
    {MQTT_NOT_AUTHORIZED, 5},
    {MQTT_SERVER_BUSY, 3},
    {MQTT_QUOTA_EXCEEDED, 3},
    {MQTT_CONNECTION_RATE_EXCEEDED, 3},
    {MQTT_BANNED, 5},
};
enum { RETURN_CODES = sizeof return_codes / sizeof return_codes[0] };

const char *mqtt_reason_text(enum mqtt_reason reason)
{
    return (unsigned)reason < ROWS && rows[reason].text ? rows[reason].text : "unknown reason";
}

const char *mqtt_type_text(enum mqtt_type type)
{
    return type >= MQTT_CONNECT && type <= MQTT_AUTH ? types[type] : "unknown packet";
}

bool reason_fits(enum mqtt_reason reason, enum mqtt_type type, enum mqtt_sender sender)
{
    if ((unsigned)reason >= ROWS || !(rows[reason].packets & 1u << type))
        return false;
    if (rows[reason].by == CLIENT)
        return sender == MQTT_FROM_CLIENT;
    return rows[reason].by == BOTH || type != MQTT_DISCONNECT || sender == MQTT_FROM_SERVER;
}

bool return_code_from(enum mqtt_reason reason, uint8_t *out)
{
    for (size_t i = 0; i < RETURN_CODES; i++) {
        if (return_codes[i].reason == reason) {
            *out = return_codes[i].code;
            return true;
        }
    }
    return false;
}

bool return_code_to(uint8_t code, enum mqtt_reason *out)
{
    for (size_t i = 0; i < RETURN_CODES; i++) {
        if (return_codes[i].code == code) {
            *out = return_codes[i].reason;
            return true;
        }
    }
    return false;
}

enum mqtt_reason mqtt_reason_for(err fault)
{
    if (!fault)
        return MQTT_SUCCESS;
    switch (fault->kind) {
    case ERR_MALFORMED:
        return MQTT_MALFORMED_PACKET;
    case ERR_REFUSED:
        return MQTT_PROTOCOL_ERROR;
    case ERR_UNSUPPORTED:
        return MQTT_UNSUPPORTED_PROTOCOL_VERSION;
    case ERR_TOO_LARGE:
        return MQTT_PACKET_TOO_LARGE;
    case ERR_FULL:
    case ERR_ABSENT:
    case ERR_EXISTS:
    case ERR_EXPIRED:
    case ERR_AGAIN:
    case ERR_CLOSED:
    case ERR_IO:
    case ERR_MEMORY:
        break;
    }
    return MQTT_UNSPECIFIED_ERROR;
}
