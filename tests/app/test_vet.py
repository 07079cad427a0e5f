"""What only the whole house can say of a site is found at the desk, too."""

from pathlib import Path

from gateway.app.site.last_good import load_and_vet

SITE = """\
version: 1
gateway: {{id: gw, site: s}}
sinks: {{p: {{dialect: {dialect}, url: "mqtt://127.0.0.1:1883"}}}}
buses: {{a: {{port: by-id/x, line: 1200 8N1}}}}
devices:
  - id: "em-{{n}}"
    each: {{n: 1..30}}
    profile: eastron/sdm120
    bus: a
    address: "{{n}}"
    poll: 2s
"""


def test_a_dialect_that_does_not_exist_is_an_error_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(dialect="natve"), encoding="utf-8")
    result = load_and_vet(file)
    assert result.site is None
    (problem,) = [one for one in result.problems if one.severity == "error"]
    assert (problem.code, problem.line) == ("LG-SINK-01", 3)
    assert "native" in problem.remedy


def test_a_period_that_cannot_be_met_is_a_warning_with_the_load(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(dialect="native"), encoding="utf-8")
    result = load_and_vet(file)
    assert result.site is not None
    (problem,) = [one for one in result.problems if one.code == "LG-PLAN-01"]
    assert problem.severity == "warning"
    assert "%" in problem.message


def test_a_wrong_option_of_a_dialect_is_reported_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    sink = "{hz: {dialect: jetlinks, url: mqtt://localhost, options: {auth: sha1}}}"
    file.write_text(
        f"version: 1\ngateway: {{id: gw, site: s}}\nbuses: {{}}\ndevices: []\nsinks: {sink}\n",
        encoding="utf-8",
    )
    (problem,) = load_and_vet(file).problems
    assert (problem.line, problem.path, problem.code) == (5, "sinks.hz.options.auth", "LG-VAL-01")
