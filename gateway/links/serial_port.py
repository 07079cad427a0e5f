"""A serial port: pyserial opens and sets it, the event loop reads its descriptor."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import termios
from pathlib import Path
from typing import Any

import serial

from gateway.links.contract import Link, LinkDown
from gateway.links.descriptor import DescriptorLink, Opened
from gateway.links.serial_names import SERIAL_ROOT, port_path
from gateway.model.link import SerialPort

_TIOCGSERIAL, _TIOCSSERIAL = 0x541E, 0x541F  # linux/asm-generic/ioctls.h
_TIOCSRS485 = 0x542F
_ASYNC_LOW_LATENCY = 0x2000  # linux/tty_flags.h, bit 13
_SERIAL_STRUCT_INTS = 32  # struct serial_struct is 60 or 72 bytes; `flags` is its fifth int
_FLAGS = 4
_RS485_ENABLED, _RS485_RTS_ON_SEND = 1, 2  # linux/serial.h; RTS after send stays off
_RS485_STRUCT_INTS = 8
_VMIN, _VTIME = 6, 5  # index in the control characters of termios (asm-generic/termbits.h)
_CONTROL_CHARACTERS = 6  # index of them in what tcgetattr gives
_IN_USE = ("is in use by another program", "find it with `fuser {path}`, and end it")
_FORBIDDEN = (
    "may not be opened by this user",
    "add the user to the group dialout: `sudo usermod -aG dialout $USER`",
)
_REFUSALS = {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EAGAIN: _IN_USE,
    errno.EBUSY: _IN_USE,
    errno.ENOTTY: ("is not a serial port", "give the path of a port below /dev"),
    errno.EINVAL: (
        "cannot be set as the site file says",
        "the adapter knows no such baud rate, parity or bits: choose others",
    ),
}
_OTHERWISE = "plug the adapter out and in again"
_PTY_MAJORS = range(136, 144)  # Documentation/admin-guide/devices.txt: Unix98 PTY slaves


def serial_link(settings: SerialPort, *, serial_root: Path = SERIAL_ROOT) -> Link:
    """Return a link over a serial port, whose name is followed anew at each `open`.

    So an adapter that comes back under another name is found again by its by-id or by-path name.
    """
    return DescriptorLink(_SerialOpener(settings, serial_root))


class _SerialOpener:
    """Opens and sets one port."""

    is_stream = True

    def __init__(self, settings: SerialPort, serial_root: Path) -> None:
        self._settings = settings
        self._root = serial_root
        self.char_s = settings.char_s
        self._port: serial.Serial | None = None
        self._is_pty = False

    async def open(self) -> Opened:
        """Open the port for us alone, set as the site says, as far as it can hold that.

        Opening blocks the loop for the time of a few system calls.
        """
        path = port_path(self._settings.port, self._root)
        if not path.exists():
            raise self._gone()
        self._is_pty = is_pty = _is_pty(path)
        self._port = port = self._configured(path, is_pty=is_pty)
        is_ready = False
        try:
            fd = port.fileno()
            os.set_blocking(fd, False)
            _let_empty_read_mean_the_end(fd)
            set_low_latency(fd)
            if self._settings.rs485 and not is_pty:
                self._switch_rs485_on(fd)
            is_ready = True
        except (OSError, termios.error) as error:
            raise self._refusal(_errno(error), str(error)) from error
        finally:
            if not is_ready:
                port.close()
        return Opened(fd, port.close)

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what an error of read or write means: mostly that the adapter was pulled out."""
        if error is None or error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF):
            return self._gone()
        return self._refusal(error.errno, str(error))

    def switch(self, setting: str | None) -> float:
        """Set the open port anew.

        Raises:
            LinkDown: the port is gone, or its adapter knows no such setting.
        """
        one = self._settings if setting is None else self._settings.on(setting)
        port = self._port
        if port is None:
            raise self._gone()
        try:
            port.apply_settings(_held_by(port, one, is_pty=self._is_pty))
            _let_empty_read_mean_the_end(port.fileno())
        except (OSError, termios.error) as error:
            raise self._refusal(_errno(error), str(error)) from error
        except (ValueError, OverflowError) as error:
            raise LinkDown(
                f"{self.describe()} cannot be switched to {setting}: {error}",
                "the adapter knows no such setting: choose another one",
            ) from error
        return one.char_s

    def describe(self) -> str:
        """Return the port with its setting, such as `serial port by-path/x (9600 8E1)`."""
        one = self._settings
        return f"serial port {one.port} ({one.baud} {one.data_bits}{one.parity}{one.stop_bits})"

    def _configured(self, path: Path, *, is_pty: bool) -> serial.Serial:
        one = self._settings
        # A pty holds neither parity nor 7 bits, and glibc answers EINVAL when it is asked to.
        # The bytes are the same without them, and `char_s` keeps the time they would take.
        try:
            return serial.Serial(
                str(path),
                baudrate=one.baud,
                bytesize=8 if is_pty else one.data_bits,
                parity="N" if is_pty else one.parity,
                stopbits=one.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except (OSError, termios.error) as error:  # SerialException is an OSError
            raise self._refusal(_errno(error), str(error)) from error
        except (ValueError, OverflowError) as error:
            raise LinkDown(
                f"{self.describe()} cannot be set so: {error}", "choose another baud rate"
            ) from error

    def _switch_rs485_on(self, fd: int) -> None:
        setting = array.array("I", [0] * _RS485_STRUCT_INTS)
        setting[0] = _RS485_ENABLED | _RS485_RTS_ON_SEND
        try:
            fcntl.ioctl(fd, _TIOCSRS485, setting)
        except OSError as error:
            raise LinkDown(
                f"the driver of port {self._settings.port} cannot switch the direction of an"
                f" RS-485 line (TIOCSRS485: {error.strerror})",
                "take `rs485` out of the bus: most USB adapters switch by themselves",
            ) from error

    def _gone(self) -> LinkDown:
        port = self._settings.port
        listing = port_path("by-path/x", self._root).parent
        return LinkDown(
            f"port {port} is not there",
            f"plug the adapter in, or list the ports with `ls {listing}`",
        )

    def _refusal(self, number: int | None, text: str) -> LinkDown:
        port = self._settings.port
        if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return self._gone()
        why, remedy = _REFUSALS.get(number or 0, (f"failed: {text}", _OTHERWISE))
        path = port_path(port, self._root)
        return LinkDown(f"port {port} {why}", remedy.format(path=path))


def _held_by(port: serial.Serial, one: SerialPort, *, is_pty: bool) -> dict[str, Any]:
    """Return the settings of a port as pyserial has them; a pty holds neither parity nor 7 bits."""
    return port.get_settings() | {
        "baudrate": one.baud,
        "bytesize": 8 if is_pty else one.data_bits,
        "parity": "N" if is_pty else one.parity,
        "stopbits": one.stop_bits,
    }


def set_low_latency(fd: int) -> bool:
    """Ask the driver to hand bytes over at once; False where it has no such switch.

    FTDI adapters otherwise collect bytes for 16 ms.
    """
    setting = array.array("i", [0] * _SERIAL_STRUCT_INTS)
    try:
        fcntl.ioctl(fd, _TIOCGSERIAL, setting)
        setting[_FLAGS] |= _ASYNC_LOW_LATENCY
        fcntl.ioctl(fd, _TIOCSSERIAL, setting)
    except OSError:
        return False
    return True


def _let_empty_read_mean_the_end(fd: int) -> None:
    """Set VMIN 1: pyserial's VMIN 0 reads "nothing yet" and "unplugged" alike, as b""."""
    setting = termios.tcgetattr(fd)
    setting[_CONTROL_CHARACTERS][_VMIN] = 1
    setting[_CONTROL_CHARACTERS][_VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, setting)


def _is_pty(path: Path) -> bool:
    """Whether the path leads to the slave side of a pty."""
    try:
        return os.major(path.stat().st_rdev) in _PTY_MAJORS
    except OSError:  # pulled out just now: opening it will say so
        return False


def _errno(error: BaseException | None) -> int | None:
    """Return the system's number; pyserial hides some behind an error of its own."""
    if isinstance(error, OSError):
        return error.errno if error.errno is not None else _errno(error.__context__)
    if isinstance(error, termios.error):
        number = error.args[0] if error.args else None
        return number if isinstance(number, int) else None
    return None
