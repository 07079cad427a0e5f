"""F5: noise before frames: on a line, and in volume through the decoder alone."""

from __future__ import annotations

from random import Random

from drivers.contract import DriverError
from drivers.modbus.crc import with_crc
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line
from tests.faults.modbus_exchange import exchange_for

LEAST_SHARE = 0.95
COUNT = 4


def run(stage: Stage) -> Verdict:
    """Put noise before every reply; nearly all must be decoded, none wrongly."""
    on_line = run_line(
        ("prefix", "noise"), rate=1.0, seed=stage.seed, transactions=stage.times(20_000, 1_500)
    )
    assert on_line.false == 0, f"{on_line.false} wrong values of {on_line.checked}"
    assert on_line.good_share >= LEAST_SHARE, f"{on_line.good_share:.1%} decoded on the line"
    frames = stage.times(1_000_000, 20_000)
    decoded, wrong = _decode(frames, Random(stage.seed))  # noqa: S311 - repeatable
    share = decoded / frames
    assert wrong == 0, f"{wrong} wrong of {frames}"
    assert share >= LEAST_SHARE, f"{share:.2%} decoded"
    return holds(
        f"on a line {on_line.good_share:.2%} of {on_line.transactions:,} decoded, 0 wrong; "
        f"decoder alone {share:.2%} of {frames:,}, 0 wrong",
        transactions=on_line.transactions,
        line_share=round(on_line.good_share, 5),
        frames=frames,
        share=round(share, 5),
        wrong=wrong + on_line.false,
    )


def _decode(frames: int, chance: Random) -> tuple[int, int]:
    """Return how many noisy frames were decoded, and how many of them to something else."""
    decoded = wrong = 0
    for _ in range(frames):
        unit = chance.randrange(1, 248)
        registers = chance.randbytes(2 * COUNT)
        frame = with_crc(bytes((unit, 3, 2 * COUNT)) + registers)
        is_prefix = chance.random() < 0.5
        noise = b"\xff\x00\x55" if is_prefix else chance.randbytes(chance.randrange(1, 9))
        exchange = exchange_for(unit, COUNT)
        try:
            reply = exchange.feed(noise + frame)
        except DriverError:
            continue
        if reply is not None:
            decoded += 1
            wrong += reply != registers
    return decoded, wrong


ROW = Row(
    id="F5",
    fault="noise before a frame (ff 00 55, and by chance)",
    tool="meters on a line in virtual time; the decoder alone for the volume",
    must_hold="the frame behind the noise is found",
    goal="decoded >= 95 %, 0 wrong of 10^6",
    run=run,
)
