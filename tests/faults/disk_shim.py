"""A library that stands between a process and its disk: slow, failing, or cut at the n-th change.

Compiled with gcc when it is wanted, loaded with LD_PRELOAD. Only files below `SHIM_PREFIX` are
meant. The file `SHIM_CONTROL`, where it is there, says what happens now: `fsync_ms=500`, or `eio`.
`shim_arm(n)` kills the process before its n-th change of the disk from then on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int die_at = 0, changes = 0;
void shim_arm(int at) { die_at = at; changes = 0; }
int shim_changes(void) { return changes; }

static int is_ours_path(const char *path) {
    const char *prefix = getenv("SHIM_PREFIX");
    return prefix && path && strncmp(path, prefix, strlen(prefix)) == 0;
}
static int is_ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_ours_path(path);
}
static void control(char *text, size_t size) {
    const char *path = getenv("SHIM_CONTROL");
    text[0] = 0;
    if (!path) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    size_t got = fread(text, 1, size - 1, file);
    text[got] = 0;
    fclose(file);
}
static int change(void) {
    char text[64];
    changes++;
    if (die_at && changes == die_at) kill(getpid(), SIGKILL);
    control(text, sizeof text);
    if (strstr(text, "eio")) { errno = EIO; return -1; }
    return 0;
}
static void be_slow(void) {
    char text[64];
    control(text, sizeof text);
    char *found = strstr(text, "fsync_ms=");
    if (!found) return;
    long ms = atol(found + 9);
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}
#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define ON_FD(name, ret, params, args) \
    ret name params { REAL(name); if (is_ours(fd) && change()) return -1; return real args; }
#define ON_PATH(name, params, args) \
    int name params { REAL(name); if (is_ours_path(path) && change()) return -1; return real args; }

ON_FD(write, ssize_t, (int fd, const void *b, size_t n), (fd, b, n))
ON_FD(pwrite, ssize_t, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
ON_FD(pwrite64, ssize_t, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
ON_FD(writev, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n))
ON_FD(ftruncate, int, (int fd, off_t n), (fd, n))
ON_FD(ftruncate64, int, (int fd, off64_t n), (fd, n))
ON_FD(posix_fallocate, int, (int fd, off_t o, off_t n), (fd, o, n))
ON_FD(posix_fallocate64, int, (int fd, off64_t o, off64_t n), (fd, o, n))
ON_FD(sendfile, ssize_t, (int fd, int in, off_t *o, size_t n), (fd, in, o, n))
ON_FD(sendfile64, ssize_t, (int fd, int in, off64_t *o, size_t n), (fd, in, o, n))
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rmdir, (const char *path), (path))
int link(const char *path, const char *to) {
    REAL(link); if (is_ours_path(to) && change()) return -1; return real(path, to);
}
int fsync(int fd) {
    REAL(fsync);
    if (is_ours(fd)) { be_slow(); if (change()) return -1; }
    return real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    if (is_ours(fd)) { be_slow(); if (change()) return -1; }
    return real(fd);
}
"""


class NoShim(Exception):
    """There is no compiler here."""


@dataclass(frozen=True, slots=True)
class Shim:
    """The compiled library and the file that controls it."""

    library: Path
    control: Path
    prefix: Path

    def environment(self) -> Mapping[str, str]:
        """Return what a process must be started with."""
        return {
            "LD_PRELOAD": str(self.library),
            "SHIM_PREFIX": str(self.prefix),
            "SHIM_CONTROL": str(self.control),
        }

    def say(self, what: str) -> None:
        """Let something happen from now on; "" for nothing."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text(what, encoding="utf-8")
        fresh.replace(self.control)


def make_shim(folder: Path, prefix: Path) -> Shim:
    """Return the library for files below `prefix`, built in `folder`.

    Raises:
        NoShim: it cannot be built here.
    """
    compiler = which("gcc") or which("cc")
    if compiler is None:
        raise NoShim("no C compiler")
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(SOURCE, encoding="utf-8")
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(source), "-ldl"],
        check=False,
        capture_output=True,
        text=True,
    )
    if built.returncode != 0:
        raise NoShim(f"the shim does not compile: {built.stderr.strip()[-300:]}")
    return Shim(library, folder / "shim.control", prefix)
