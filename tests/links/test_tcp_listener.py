"""DTUs that dial in on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.links.contract import Link, LinkDown
from gateway.links.listening_port import UnknownCaller
from gateway.links.tcp_listener import ListenerHub
from gateway.settings.site import TcpListener

HOST = "127.0.0.1"
NORTH = TcpListener(HOST, 0, b"dtu-north", heartbeat=b"PING")
SOUTH = TcpListener(HOST, 0, b"dtu-south", heartbeat=b"PING")
IMEI = TcpListener(HOST, 0, b"IMEI:", is_prefix=True)
ANYBODY = TcpListener(HOST, 0)
REPLY = bytes.fromhex("01 03 04 00 E6 00 32 DB D4")


def soon() -> float:
    return asyncio.get_running_loop().time() + 5.0


class Strangers(asyncio.Queue[UnknownCaller]):
    """Unknown callers, in order."""


@pytest.fixture
def strangers() -> Strangers:
    return Strangers()


@pytest.fixture
async def hub(strangers: Strangers) -> AsyncIterator[ListenerHub]:
    async with ListenerHub(strangers.put_nowait, register_within_s=5.0) as one:
        yield one


def dial(hub: ListenerHub, line: TcpListener, says: bytes = b"") -> socket.socket:
    sock = socket.create_connection((HOST, hub.listen(line)))
    if says:
        sock.send(says)
    return sock


async def received(link: Link, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = await link.receive(soon())
        assert piece, f"only {got!r} came"
        got += piece
    return got


async def test_a_registered_dtu_becomes_the_line(hub: ListenerHub) -> None:
    link = hub.link(NORTH)
    with dial(hub, NORTH, b"dtu-north") as dtu:
        await link.open()
        link.send(b"ask")
        assert dtu.recv(10) == b"ask"
        dtu.send(b"PING" + REPLY)
        assert await received(link, len(REPLY)) == REPLY
        await link.close()


async def test_two_dtus_share_a_port(hub: ListenerHub) -> None:
    north, south = hub.link(NORTH), hub.link(SOUTH)
    hub.listen(NORTH)
    with dial(hub, SOUTH, b"dtu-south") as one, dial(hub, NORTH, b"dtu-north") as other:
        await north.open()
        await south.open()
        one.send(b"from the south")
        other.send(b"from the north")
        assert await received(south, 14) == b"from the south"
        assert await received(north, 14) == b"from the north"
        await north.close()
        await south.close()


async def test_a_dtu_may_call_before_its_line_is_opened(
    hub: ListenerHub, strangers: Strangers
) -> None:
    north, south = hub.link(NORTH), hub.link(SOUTH)
    with dial(hub, NORTH, b"dtu-south"), dial(hub, NORTH, b"dtu-north"):
        await north.open()
        await south.open()
        assert strangers.empty()
        await north.close()
        await south.close()


async def test_an_unknown_caller_is_closed_and_reported(
    hub: ListenerHub, strangers: Strangers
) -> None:
    with dial(hub, NORTH, b"GET / HTTP/1.1\r\n") as scanner:
        stranger = await strangers.get()
        assert stranger.received.startswith(b"GET")
        assert stranger.why == "no line has this registration"
        assert stranger.peer == f"{HOST}:{scanner.getsockname()[1]}"
        assert _is_closed(scanner)


def _is_closed(sock: socket.socket) -> bool:
    sock.settimeout(5)
    try:
        return sock.recv(10) == b""
    except ConnectionResetError:
        return True


async def test_a_silent_caller_is_closed_at_its_deadline(strangers: Strangers) -> None:
    async with ListenerHub(strangers.put_nowait, register_within_s=0.02) as hub:
        with dial(hub, NORTH) as silent:
            assert (await strangers.get()).why == "did not say who it is"
            assert _is_closed(silent)


async def test_a_caller_that_hangs_up_is_reported(hub: ListenerHub, strangers: Strangers) -> None:
    dial(hub, NORTH, b"dtu-").close()
    assert (await strangers.get()).why == "hung up before it said who it is"


async def test_a_newer_call_takes_the_place_of_the_older(hub: ListenerHub) -> None:
    link = hub.link(NORTH)
    with dial(hub, NORTH, b"dtu-north") as old:
        await link.open()
        with dial(hub, NORTH, b"dtu-north") as new:
            with pytest.raises(LinkDown, match="called again, its older connection was closed"):
                await link.receive(soon())
            assert _is_closed(old)
            await link.open()
            new.send(REPLY)
            assert await received(link, len(REPLY)) == REPLY
            await link.close()


async def test_of_two_waiting_calls_the_newer_is_taken(hub: ListenerHub) -> None:
    link = hub.link(NORTH)
    with dial(hub, NORTH, b"dtu-north") as old:
        async with asyncio.timeout(5):
            while hub.waiting(NORTH) == 0:
                await asyncio.sleep(0)
        with dial(hub, NORTH, b"dtu-northB") as new:
            loop = asyncio.get_running_loop()
            assert await loop.run_in_executor(None, _is_closed, old)
            await link.open()
            assert await received(link, 1) == b"B"
            assert new.fileno() >= 0
            await link.close()
    await loop.shutdown_default_executor()


async def test_a_call_that_ended_while_it_waited_is_not_taken(strangers: Strangers) -> None:
    async with ListenerHub(strangers.put_nowait, call_within_s=0.3) as hub:
        dial(hub, NORTH, b"dtu-north").close()
        with pytest.raises(LinkDown, match=r"the DTU dtu-north on 127\.0\.0\.1:0 has not called"):
            await hub.link(NORTH).open()


async def test_a_dtu_that_hangs_up_is_down_and_may_call_again(hub: ListenerHub) -> None:
    link = hub.link(NORTH)
    dtu = dial(hub, NORTH, b"dtu-north")
    await link.open()
    dtu.close()
    with pytest.raises(LinkDown, match="hung up"):
        await link.receive(soon())
    with dial(hub, NORTH, b"dtu-north"):
        await link.open()
        await link.close()


async def test_a_registration_known_by_its_beginning_ends_with_silence(hub: ListenerHub) -> None:
    link = hub.link(IMEI)
    with dial(hub, IMEI, b"IMEI:861234567890123") as dtu:
        await link.open()
        dtu.send(b"IMEI:861234567890123" + REPLY)  # said again as a heartbeat
        assert await received(link, len(REPLY)) == REPLY
        await link.close()


async def test_a_line_without_registration_takes_any_call(hub: ListenerHub) -> None:
    link = hub.link(ANYBODY)
    with dial(hub, ANYBODY) as dtu:
        await link.open()
        dtu.send(REPLY)
        assert await received(link, len(REPLY)) == REPLY
        await link.close()


async def test_an_unknown_registration_goes_to_the_line_without_one(hub: ListenerHub) -> None:
    link = hub.link(ANYBODY)
    hub.listen(NORTH)
    with dial(hub, ANYBODY, b"who knows"):
        await link.open()
        assert await received(link, 9) == b"who knows"
        await link.close()


async def test_a_held_end_comes_after_a_moment(hub: ListenerHub) -> None:
    link = hub.link(NORTH)
    with dial(hub, NORTH, b"dtu-north") as dtu:
        await link.open()
        dtu.send(b"\x01\x03PI")
        assert await received(link, 4) == b"\x01\x03PI"
        await link.close()


async def test_a_forgotten_line_gives_its_port_back(hub: ListenerHub) -> None:
    port = hub.listen(NORTH)
    hub.forget(NORTH)
    hub.forget(NORTH)
    with socket.create_server((HOST, port)):
        taken = TcpListener(HOST, port, b"x")
        with pytest.raises(LinkDown, match="another program has it"):
            await hub.link(taken).open()


async def test_a_port_without_room_says_so(hub: ListenerHub) -> None:
    with pytest.raises(LinkDown, match="this machine has no such address"):
        await hub.link(TcpListener("192.0.2.1", 0)).open()


@settings(max_examples=25, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    beats=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_registration_and_heartbeats_vanish_in_any_cut(pieces: list[int], beats: list[int]) -> None:
    stream = b"PING" * beats[0] + b"dtu-north"
    for count in beats[1:]:
        stream += b"PING" * count + REPLY

    async def call() -> None:
        async with ListenerHub() as hub:
            link = hub.link(NORTH)
            with dial(hub, NORTH) as dtu:
                dtu.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(link.open())
                    at = 0
                    for turn in range(len(stream)):
                        size = pieces[turn % len(pieces)]
                        dtu.send(stream[at : at + size])
                        at += size
                        await asyncio.sleep(0)
                assert await received(link, 3 * len(REPLY)) == REPLY * 3
                await link.close()

    asyncio.run(call())
