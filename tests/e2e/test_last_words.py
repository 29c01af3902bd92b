# SPDX-License-Identifier: Apache-2.0
"""What the server says last reaches the peer: one that still sends, and one that has said all it wanted to say."""
import socket
import ssl

import pytest

from harness.device import Device
from harness.mqtt_client import DISCONNECT, PATIENCE_S, client, tls_socket, variable

MUCH = 8 << 20
PACKET_TOO_LARGE = 0x95


def read_all(stream):
    text = b""
    try:
        while piece := stream.recv(65536):
            text += piece
    except ssl.SSLEOFError:
        pass
    return text


def test_a_body_that_is_too_large_is_sent_whole_and_answered(server):
    with tls_socket(server, port=server.http_port) as stream:
        head = f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MUCH}\r\n\r\n"
        stream.sendall(head.encode())
        stream.sendall(b"x" * MUCH)
        assert read_all(stream).startswith(b"HTTP/1.1 413 ")


def test_a_packet_that_is_too_large_is_sent_whole_and_answered(server, tmp_path):
    device = Device(tmp_path, "talker", server).enrol()
    with client(server, device) as one:
        one.send(b"\x30" + variable(MUCH) + b"x" * MUCH)
        assert one.expect(DISCONNECT).reason == PACKET_TOO_LARGE


def ask_and_close_half(server, request):
    """Sends the request and TLS's close_notify at once, then reads: as a client that has nothing more to say."""
    context = ssl.create_default_context(cafile=server.ca)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    answer = b""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_S) as raw:
        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        raw.sendall(outgoing.read())
                    piece = raw.recv(65536)
                    incoming.write(piece) if piece else incoming.write_eof()

        until_done(tls.do_handshake)
        tls.write(request)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        raw.sendall(outgoing.read())
        raw.shutdown(socket.SHUT_WR)
        try:
            while piece := until_done(lambda: tls.read(65536)):
                answer += piece
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
    return answer


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_one_that_sends_no_more_is_answered(server, path):
    answer = ask_and_close_half(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    assert len(body) == int(length.split(b":")[1])


def test_head_of_a_stream_has_no_body(server):
    with tls_socket(server, port=server.http_port) as stream:
        stream.sendall(f"HEAD /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.api.token}"
                       "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        first, second, body = read_all(stream).split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ") and second.startswith(b"HTTP/1.1 200 "), (first, second)
    assert body.startswith(b"{"), body


def test_a_stream_that_ends_says_so(server):
    """A signed-out operator's stream ends with its last chunk, and is not cut."""
    assert server.api.sign_in().status == 200
    with tls_socket(server, port=server.http_port) as stream:
        stream.sendall(f"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.api.token}"
                       "\r\n\r\n".encode())
        head = stream.recv(65536)
        assert server.api.ask("DELETE", "/api/v1/session").status == 204
        assert (head + read_all(stream)).endswith(b"\r\n0\r\n\r\n")
    assert server.api.sign_in().status == 200
