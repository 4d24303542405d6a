"""The latency report and the machine's name."""

import getpass
import platform
from pathlib import Path

import pytest

import qlab
from qlab.system import machine
from qlab.tflite import timing


def test_a_row_for_each_number_of_threads_beside_the_machine():
    report = timing.latency_report(qlab.pretrained("baseline-int8"), threads=(1, 2, 3), runs=20)
    assert [row.threads for row in report.rows] == [1, 2, 3]
    assert all(0 < row.median_ms <= row.p95_ms for row in report.rows)
    assert {(row.runs, row.batch) for row in report.rows} == {(20, 1)}
    lines = str(report).splitlines()
    assert lines[0] == f"{machine.machine_name()}; 20 warm runs of one image"
    assert lines[1].startswith("1 thread : median 0.") and len(lines) == 4


def test_more_threads_than_cores_are_said(monkeypatch):
    report = timing.latency_report(qlab.pretrained("baseline-int8"), threads=(2,), runs=2)
    monkeypatch.setattr(timing, "cores", lambda: 1)
    assert report.notes == ("This process may use 1 of the 2 cores that were asked for.",)
    monkeypatch.setattr(timing, "cores", lambda: 2)
    assert report.notes == ()


def test_no_threads_is_an_error_in_words():
    with pytest.raises(ValueError, match="at least one number of threads"):
        timing.latency_report(qlab.pretrained("baseline-int8"), threads=())
    with pytest.raises(ValueError, match="threads 0"):
        timing.latency_report(qlab.pretrained("baseline-int8"), threads=(0,))


def test_the_machine_is_a_kind_and_no_person():
    words = str(machine.about_machine()) + machine.machine_name() + str(machine.versions())
    assert str(Path.home()) not in words
    assert getpass.getuser() not in words.split()
    assert platform.node() not in words or not platform.node()


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("model name\t: Fast CPU @ 3 GHz\nmodel name\t: Fast CPU @ 3 GHz\n", "Fast CPU @ 3 GHz"),
        ("BogoMIPS : 48\nFeatures : asimd\n", platform.processor() or platform.machine()),
        (None, platform.processor() or platform.machine()),
    ],
)
def test_the_processor_has_a_name_everywhere(tmp_path, monkeypatch, cpuinfo, expected):
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    monkeypatch.setattr(machine, "CPUINFO", path)
    machine._cpu.cache_clear()
    try:
        assert machine.about_machine()["cpu"] == expected
    finally:
        machine._cpu.cache_clear()


def test_versions_name_what_is_installed_and_nothing_else():
    found = machine.versions(("numpy", "no-such-package"))
    assert list(found) == ["python", "qlab", "numpy"]
    assert found["qlab"] == qlab.__version__
