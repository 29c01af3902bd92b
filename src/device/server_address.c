/* Taking the server's address apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/server_address.h"

#include "base/text.h"

#include <stdio.h>

static const struct fault not_https = {ERR_MALFORMED, "address: the server's address must begin with https://"};
static const struct fault bad_address = {ERR_MALFORMED,
                                         "address: not HOST:PORT with a name, an IPv4 or a bracketed IPv6 address"};

enum { PORT_NONE = 0, PORT_HTTPS = 8443 };

static bool may_stand_in_host(struct bytes host, const char *others)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.at[i], letter = c | 0x20;
        bool plain = (c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'z');
        if (!plain && !bytes_find(bytes_of_text(others), c, &(size_t){0}))
            return false;
    }
    return host.len > 0 && host.len <= SERVER_HOST_MAX;
}

static err read_port(struct bytes text, uint16_t *out)
{
    uint64_t port;
    if (text_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
        return &bad_address;
    *out = (uint16_t)port;
    return OK;
}

/* usual: the port where none is given; PORT_NONE: one must be. */
static err read_host_and_port(struct bytes text, uint16_t usual, struct server_address *out)
{
    bool bracketed = bytes_starts(text, "[");
    struct bytes rest = bracketed ? bytes_from(text, 1) : text;
    size_t at;
    if (bracketed && !bytes_find(rest, ']', &at))
        return &bad_address;
    struct bytes host = bytes_cut(&rest, bracketed ? ']' : ':');
    bool has_port = rest.at && (!bracketed || rest.len);
    if (bracketed && has_port && bytes_cut(&rest, ':').len)
        return &bad_address;
    if (!may_stand_in_host(host, bracketed ? ":.%" : ".-_") || (!has_port && !usual))
        return &bad_address;
    out->port = usual;
    if (has_port)
        TRY(read_port(rest, &out->port));
    return text_copy(host, out->host, sizeof out->host);
}

err server_address_read(struct bytes text, struct server_address *out)
{
    *out = (struct server_address){.port = 0};
    if (!bytes_starts(text, "https://"))
        return &not_https;
    text = bytes_from(text, 8);
    if (text.len && text.at[text.len - 1] == '/')
        text.len--;
    TRY(read_host_and_port(text, PORT_HTTPS, out));
    bool bracketed = text.at[0] == '[';
    snprintf(out->url, sizeof out->url, "https://%s%s%s:%u", bracketed ? "[" : "", out->host, bracketed ? "]" : "",
             out->port);
    return OK;
}

err server_address_read_pair(struct bytes text, struct server_address *out)
{
    *out = (struct server_address){.port = 0};
    return read_host_and_port(text, PORT_NONE, out);
}
