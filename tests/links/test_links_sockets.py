"""TCP and UDP links against sockets of our own on loopback."""

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from gateway.links import sockets
from gateway.links.contract import LinkDown
from gateway.links.inbox import LIMIT_BYTES
from gateway.links.tcp_client import tcp_link
from gateway.links.udp import udp_link
from gateway.settings.site import TcpClient, UdpPeer


def soon() -> float:
    return asyncio.get_running_loop().time() + 5.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


def _settings(server: socket.socket) -> TcpClient:
    return TcpClient("127.0.0.1", server.getsockname()[1])


async def test_bytes_go_out_and_come_back_over_tcp(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    peer, _ = server.accept()
    with peer:
        link.send(b"ask")
        assert peer.recv(10) == b"ask"
        peer.send(b"answer")
        assert await link.receive(soon()) == b"answer"
        assert link.char_s == 0
        await link.close()
        assert peer.recv(10) == b""


async def test_the_socket_is_tuned_for_short_frames(server: socket.socket) -> None:
    with socket.create_connection(server.getsockname()) as sock:
        sockets.tune(sock, 10.0)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


async def test_a_closed_connection_is_down_after_its_last_byte(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    peer, _ = server.accept()
    peer.send(b"last words")
    peer.close()
    assert await link.receive(soon()) == b"last words"
    with pytest.raises(LinkDown, match="closed the connection"):
        await link.receive(soon())
    with pytest.raises(LinkDown, match="closed the connection"):
        link.send(b"ask")
    await link.open()  # the same server still listens
    assert link.is_open
    await link.close()


async def test_a_reset_says_that_the_device_broke_it_off(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    peer, _ = server.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    peer.close()
    with pytest.raises(LinkDown, match="the device broke it off"):
        await link.receive(soon())


async def test_nobody_listening_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        settings = _settings(one)
    link = tcp_link(settings)
    with pytest.raises(LinkDown, match="connection refused: nobody listens on that port"):
        await link.open()
    with pytest.raises(LinkDown, match="not open"):
        await link.receive(soon())


async def test_a_link_that_was_never_opened_is_down(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    with pytest.raises(LinkDown):
        link.send(b"ask")
    await link.close()


async def test_a_sender_that_nobody_reads_is_held_by_its_own_side(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    peer, _ = server.accept()
    peer.setblocking(False)
    sent = 0
    with peer:
        for _ in range(2000):
            try:
                sent += peer.send(b"x" * 65536)
            except BlockingIOError:
                await asyncio.sleep(0)
        got = len(await link.receive(soon()))
        assert got <= LIMIT_BYTES * 2
        while got < sent:
            got += len(await link.receive(soon()))
        assert got == sent
        await link.close()


async def test_a_lost_device_is_found_by_its_deadline(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.02
    assert await link.receive(until) == b""
    assert loop.time() >= until - 0.001
    await link.close()


async def test_a_shorter_wait_after_a_longer_one_ends_in_time(server: socket.socket) -> None:
    link = tcp_link(_settings(server))
    await link.open()
    peer, _ = server.accept()
    loop = asyncio.get_running_loop()
    with peer:
        for wait_s in (60.0, 0.01, 60.0, 0.02):
            if wait_s > 1:
                peer.send(b"answer")
                assert await link.receive(loop.time() + wait_s) == b"answer"
            else:
                assert await link.receive(loop.time() + wait_s) == b""
        await link.close()


async def test_datagrams_go_out_and_come_back() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        link = udp_link(UdpPeer("127.0.0.1", peer.getsockname()[1]))
        await link.open()
        link.send(b"ask")
        ask, address = peer.recvfrom(100)
        assert ask == b"ask"
        peer.sendto(b"", address)
        peer.sendto(b"answer", address)
        assert await link.receive(soon()) == b"answer"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"lie", address)
        peer.sendto(b"truth", address)
        assert await link.receive(soon()) == b"truth"
        await link.close()


async def test_a_datagram_to_nobody_brings_the_link_down() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        settings = UdpPeer("127.0.0.1", peer.getsockname()[1])
    link = udp_link(settings)
    await link.open()
    link.send(b"ask")
    with pytest.raises(LinkDown, match="nobody listens on that port"):
        await link.receive(soon())
    await link.open()
    await link.close()


async def test_a_taken_udp_port_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        taken = other.getsockname()[1]
        link = udp_link(UdpPeer("127.0.0.1", 9, local_port=taken))
        with pytest.raises(LinkDown, match=f"our UDP port {taken} is taken"):
            await link.open()


def test_every_error_has_words() -> None:
    down = sockets.explain("tcp a:1", OSError(errno.EHOSTUNREACH, "No route to host"))
    assert str(down) == "tcp a:1: no route to host: look at cable and address of the device"
    assert "closed the connection" in sockets.explain("tcp a:1", None).why
