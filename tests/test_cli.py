"""The command: what it prints, what it writes."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import finetti
from finetti.cli import main

SOURCE = Path(__file__).resolve().parents[1] / "src"
PICTURES = ("funnel_as_written.png", "funnel_non_centred.png", "funnel.png", "forest.png", "trace.png")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, "-m", "finetti", *words], capture_output=True, text=True, env=environment, timeout=300
    )


@pytest.fixture(scope="module")
def schools(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo") / "new"
    return command("schools", "--draws", "200", "--output", str(folder)), folder


def test_the_version():
    done = command("--version")
    assert done.returncode == 0 and done.stdout.strip() == f"finetti {finetti.__version__}"


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 0
    assert "schools" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["scools"])
    assert stopped.value.code == 2 and "schools" in capsys.readouterr().err


def test_the_schools_are_told_from_the_table_to_the_last_fit(schools):
    done, folder = schools
    assert done.returncode == 0, done.stderr
    for promised in ("A      28  +/- 15", "theta ~ Normal(mu=mu, sigma=tau)", "theta = mu + tau * eta", "ess_bulk"):
        assert promised in done.stdout
    assert len(re.findall(r"sampled in \d+\.\d\d s", done.stdout)) == 4
    for name in (*PICTURES, "eight_schools.nc"):
        assert f"wrote {folder / name}" in done.stdout


def test_nothing_but_warnings_goes_to_standard_error(schools):
    warnings = ("diverged", "E-BFMI is", "ESS is", "R-hat is")
    lines = [line for line in schools[0].stderr.splitlines() if not any(words in line for words in warnings)]
    assert lines == []


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_show_something(schools, name):
    """PNG of at least 600 x 300 pixels in which thousands of pixels are neither white nor of one colour."""
    import matplotlib.image

    path = schools[1] / name
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    assert width >= 600 and height >= 300
    pixels = matplotlib.image.imread(path)[..., :3].reshape(-1, 3)
    assert (pixels.min(axis=1) < 0.9).sum() > 3000
    assert len({tuple(p) for p in (pixels[::7] * 8).astype(int)}) > 5


def test_its_draws_can_be_loaded(schools):
    trace = finetti.load(schools[1] / "eight_schools.nc")
    assert dict(trace.posterior.sizes) == {"chain": 4, "draw": 200, "school": 8}


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def stopped(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("finetti.demo.run", stopped)
    assert main(["schools"]) == 130
    assert "Stopped" in capsys.readouterr().err
