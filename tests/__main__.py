"""`python -m tests`: the whole suite in two halves side by side.

Most of the time a test waits: for a line of 9600 baud, a broker, a second of the clock. One half is
the end-to-end tests, the other everything else; the second one's words follow the first one's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

HALVES = (
    ("tests/e2e", "--ignore-glob=*/e2e/test_t*"),
    ("tests", "--ignore-glob=*/e2e/test_[!t]*"),
)
NO_TESTS = 5
"""What pytest ends with when none was chosen (`-k`)."""


def main(words: list[str]) -> int:
    """Run both halves with these further words for pytest; return the worse exit status."""
    command = [sys.executable, "-m", "pytest", *words]
    with tempfile.TemporaryFile() as said:
        other = subprocess.Popen([*command, *HALVES[1]], stdout=said, stderr=subprocess.STDOUT)
        try:
            first = subprocess.run([*command, *HALVES[0]], check=False).returncode
            second = other.wait()
        finally:
            other.terminate()
        said.seek(0)
        sys.stdout.buffer.write(said.read())
        sys.stdout.flush()
    found = [status for status in (first, second) if status != NO_TESTS]
    return max(found, default=NO_TESTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
