"""The demo's site: a copy of `config/sites/demo` with ports and addresses of this run."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gateway.settings.load import load_site
from gateway.settings.site import Site
from simulators.demo.broker import free_port
from simulators.script import Script, load_script

SITE_FILE = "gateway.yaml"
SCRIPT_FILE = "simulation.json"
# What the site file says, so that it is a site file like any other, and what a run puts there.
PORTS_FOLDER = "/run/linli-demo/"
TCP_PORT = "127.0.0.1:15502"
BROKER_URL = "mqtt://127.0.0.1:1883"


class DemoSiteMissing(Exception):
    """The demo's site file is not there or is refused; the text says which and why."""


@dataclass(frozen=True, slots=True)
class DemoSite:
    """The site of this run."""

    path: Path
    site: Site
    script: Script


def prepare(runtime: Path, broker_port: int) -> DemoSite:
    """Write this run's copy of the demo site below `runtime` and load it.

    Raises:
        DemoSiteMissing: there is none, or it has errors.
    """
    folder = demo_folder()
    text = (folder / SITE_FILE).read_text(encoding="utf-8")
    for said, put in (
        (PORTS_FOLDER, f"{runtime}/ports/"),
        (TCP_PORT, f"127.0.0.1:{free_port()}"),
        (BROKER_URL, f"mqtt://127.0.0.1:{broker_port}"),
    ):
        if said not in text:
            raise DemoSiteMissing(f"{folder / SITE_FILE} does not say {said}")
        text = text.replace(said, put)
    (runtime / "ports").mkdir(exist_ok=True)
    path = runtime / SITE_FILE
    path.write_text(text, encoding="utf-8")
    loaded = load_site(path)
    if loaded.site is None:
        problems = "\n".join(str(problem) for problem in loaded.problems)
        raise DemoSiteMissing(f"the demo's site file is refused:\n{problems}")
    return DemoSite(path, loaded.site, load_script(folder / SCRIPT_FILE))


def demo_folder() -> Path:
    """Return the folder of the demo's site: of the checkout, else of the installed package.

    Raises:
        DemoSiteMissing: neither is there.
    """
    checkout = Path(__file__).resolve().parents[2] / "config" / "sites" / "demo"
    installed = Path(str(resources.files("gateway"))) / "config" / "sites" / "demo"
    for folder in (checkout, installed):
        if (folder / SITE_FILE).is_file():
            return folder
    raise DemoSiteMissing(f"no {SITE_FILE} in {checkout} or {installed}")
