"""The model of a billion instances: it finds the constants of runs that follow it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("psutil")

from run_figures import Figures
from scale_model import BEGIN, END, part_of_page, with_model
from scaling import Cloud, Job, Line, Model, job_like

CLOUD = Cloud(cores=16, network=1e9, request=0.05, core_hour=0.05, gb=0.0)


def run(shards: int, cores: int = 2) -> Figures:
    """A run of shards of a million instances that does what the model says."""
    instances, images, waves = shards * 10**6, shards * 140_000, math.ceil(shards / cores)
    return Figures(
        instances=instances,
        images=images,
        shards=shards,
        cores=cores,
        read=instances * 134,
        counts=instances * 9,
        scores=images * 12,
        lists=images * 20,
        start=0.5 + 0.001 * shards,
        pass1=1.0 + waves * 1.6,
        merge=0.01 * shards,
        pass2=waves * 0.2,
        choose=40e-9 * images,
        end=0.1,
        tasks1=0.4 + instances * 1.5e-6,
        tasks2=instances * 0.2e-6,
        peak=800 * 10**6,
        driver=10**8 + 20_000 * shards,
        worker=350 * 10**6,
    )


@given(
    st.floats(0, 100), st.floats(0, 100), st.lists(st.integers(1, 1000), min_size=2, max_size=9, unique=True)
)
def test_line(base: float, each: float, amounts: list[int]) -> None:
    line = Line.through(amounts, [base + each * amount for amount in amounts])
    for amount in (0, 2000):
        assert line.at(amount) == pytest.approx(base + each * amount, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("values", "base", "each"), [((1, 3), 0, 1.4), ((3, 1), 2, 0), ((0, 0), 0, 0)])
def test_line_is_never_negative(values: tuple[float, float], base: float, each: float) -> None:
    line = Line.through([1, 2], values)
    assert (line.base, line.each) == pytest.approx((base, each))


def test_one_point_is_a_proportion() -> None:
    assert Line.through([4], [2.0]) == Line(0.0, 0.5)


@given(st.integers(1, 500))
def test_model_finds_what_runs_follow(shards: int) -> None:
    shards += shards % 2  # else a core is idle in the last wave, and the runs it was fitted to had none
    real = run(shards)
    parts = Model.fitted([run(2), run(20)]).here(Job(real.instances, real.images, shards, real.read))
    assert parts.start == pytest.approx(real.start)
    assert parts.pass1 == pytest.approx(real.pass1)
    assert parts.merge == pytest.approx(real.merge)
    assert parts.pass2 == pytest.approx(real.pass2)
    assert parts.choose == pytest.approx(real.choose + real.end)
    assert parts.seconds == pytest.approx(real.seconds)


def test_what_a_shard_costs_is_seen_where_there_are_many() -> None:
    few = [replace(run(2), start=0.9, driver=103 * 10**6), replace(run(20), start=0.7, driver=10**8)]
    many = replace(run(2000), tasks1=0.0, pass1=9.0)
    model = Model.fitted(few, [many])
    assert model.start.each == pytest.approx(0.001, rel=0.2)
    assert model.driver_memory.each == pytest.approx(20_000, rel=0.2)
    assert model.merge.each == pytest.approx(0.01)
    assert (model.task1, model.idle1) == (Model.fitted(few).task1, Model.fitted(few).idle1)


def test_more_machines() -> None:
    model = Model.fitted([run(2), run(20)])
    job = job_like(run(20), 10**9, 10**6)
    assert (job.shards, job.images, job.read) == (1000, 140_000_000, 134e9)
    seconds = [model.on(job, machines, CLOUD).seconds for machines in (1, 2, 4, 64, 128)]
    assert seconds == sorted(seconds, reverse=True)
    assert model.on(job, 63, CLOUD).pass2 == model.on(job, 128, CLOUD).pass2  # a shard is not divided
    assert model.on(job, 1, replace(CLOUD, network=1e6)).pass1 == 134e9 / 1e6
    assert model.on(job, 1, CLOUD).driver == pytest.approx(0.5 + 1 + 10 + 5.6 + 0.1 + 3 * 63 * 0.05)
    assert model.memory(1000, 16) == pytest.approx(1e8 + 20e6 + 16 * 350e6)


def test_page() -> None:
    fit = [run(2), run(20)]
    job = job_like(fit[-1], 10**9, 10**6)
    text = "\n\n".join(part_of_page(fit, [], run(100), job, CLOUD, "A billion"))
    assert "| **all of it** | 93 s | 93 s | +0 % |" in text
    assert "| memory | 802 MB | 800 MB | +0 % |" in text
    assert "1.0 billion instances of 140 million images, 1,000 shards, 134 GB:" in text
    assert "| 128 | 2,048 |" in text
    page = with_model(f"before\n{BEGIN}\nold\n{END}\nafter\n", text)
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    with pytest.raises(SystemExit, match="marks"):
        with_model("a page without them", text)
