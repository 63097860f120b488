"""Training: taken up again it gives the same weights; the exported network gives the same answers; a model end to end."""

import json
from dataclasses import replace

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from learn.grids import made, small

pytest.importorskip("torch", reason="trains with torch, which is in the extra 'learn'")
pytest.importorskip("onnx", reason="exports ONNX")
pytest.importorskip("onnxruntime", reason="runs ONNX")
pytest.importorskip("safetensors", reason="exports safetensors")
from safetensors.numpy import load

from aurigrid.learn.baselines import compared
from aurigrid.learn.calibrate import AIM, allowed_misses
from aurigrid.learn.export import to_onnx, to_safetensors
from aurigrid.learn.mlp import Plan, fit, use_threads
from aurigrid.learn.train import Rows, calibrated, train
from aurigrid.registry import Card, named
from aurigrid.registry.pairs import PairModel

use_threads(1)
PLAN = Plan(seed=3, epochs=4, batch=64, hidden=8)


@pytest.fixture(scope="module")
def toy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5)).astype(np.float32)
    return x, x[:, 0] * x[:, 1] > 0.3, np.ones(1000, np.float32)


def same(a, b):
    return all(
        np.array_equal(x, y) for p, q in zip(a.weights, b.weights, strict=True) for x, y in zip(p, q, strict=True)
    )


def test_stopped_training_goes_on_to_the_same_weights(toy, tmp_path):
    whole = fit(*toy, PLAN)

    def stop(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(*toy, PLAN, (), file, stop)
    assert file.exists()
    assert same(fit(*toy, PLAN, (), file), whole)
    assert same(fit(*toy, PLAN, (), file), whole), "a finished checkpoint is only read"
    assert not list(tmp_path.glob(".*tmp*"))
    assert not same(fit(*toy, Plan(seed=4, epochs=4, batch=64, hidden=8)), whole)


def test_a_checkpoint_of_something_else_is_refused(toy, tmp_path):
    file = tmp_path / "checkpoint.pt"
    fit(*toy, PLAN, (), file)
    with pytest.raises(InputError, match="other data or another plan"):
        fit(*toy, Plan(seed=5, epochs=4, batch=64, hidden=8), (), file)
    with pytest.raises(InputError, match="other data"):
        fit(toy[0] * 2, *toy[1:], PLAN, (), file)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        fit(*toy, PLAN, (), file)


def test_the_exported_network_gives_the_same_scores(toy):
    trained = fit(*toy, PLAN)
    s = trained.scaling
    onnx = to_onnx(trained.weights, s.centre, s.scale, s.mean, s.spread)
    card = Card("a", "n-2", {}, {}, (), (), (), (), 0.0, 0.0, 3.0, 0.0, {}, {}, {}, {}, {})
    ours, theirs = trained.scores(toy[0]), PairModel(card, onnx, onnx).scores(toy[0])
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)
    tensors = load(to_safetensors(trained.weights, s.centre, s.scale, s.mean, s.spread))
    np.testing.assert_array_equal(tensors["0.weight"], trained.weights[0][0])
    assert trained.samples_per_s > 0
    assert 0 < trained.share_of_peak < 1


def test_a_model_from_data_to_use(tmp_path, monkeypatch, run):
    monkeypatch.setenv("AURIGRID_MODELS_DIR", str(tmp_path / "models"))
    data = made(tmp_path / "set", scenarios=60)
    card = train(data, Plan(seed=0, epochs=15, batch=256, hidden=16), name="small")
    assert Card.read(named("small")) == card
    c = card.calibration
    assert c["violating"] >= 50
    assert c["missed"] <= 0.02 * c["violating"]
    assert c["checked"] < 1.0
    assert set(card.evaluation) <= {"usual", "held_out_outages", "held_out_region", "held_out_both"}
    # a gate that rules everything out is not believed, and the promise holds all the same
    model, rows = PairModel.read(named("small")), Rows.of(data)
    shut = calibrated(replace(model, card=replace(card, gate=1e9)), rows)
    open_ = calibrated(replace(model, card=replace(card, gate=-1e9)), rows)
    assert shut.threshold < shut.trust < open_.threshold
    assert shut.calibration["missed"] <= allowed_misses(shut.calibration["violating"], AIM)
    assert shut.calibration["checked"] >= open_.calibration["checked"]
    found = ag.security_analysis(small(), None, "n-2:branches", engine="learned", threads=1)
    assert found.passed.by == "learned, small"
    told = {label for label, _ in compared(Rows.of(data), Plan(epochs=3, batch=256), ("usual",))}
    assert {"DC model", "linear", "nearest stored neighbour"} <= told
    ag.save(small(), tmp_path / "grid")
    args = ["train", str(tmp_path / "grid"), "--data", str(data.folder), "--epochs", "2", "--name", "again", "--json"]
    done = run(args)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["name"] == "again"
    assert (data.folder / "checkpoint-n-2-0-2.pt").exists()
    other = run(["train", str(tmp_path / "grid"), "--data", str(data.folder), "--q-limits"])
    assert other.exit_code == 2
    assert "was made with q_limits False" in other.output
    # a set that was left is gone on with, under its own options
    left = made(tmp_path / "left", scenarios=60)
    whole = left.card()["hashes"]
    for file in (*left.folder.glob("*/shard=0014.parquet"), left.folder / "card.json"):
        file.unlink()
    done = run(
        ["train", str(tmp_path / "grid"), "--data", str(left.folder), "--epochs", "2", "--name", "left", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert "going on with it" in done.stderr
    assert left.card()["hashes"] == whole
    ag.save(ag.load("case9"), tmp_path / "other")
    assert run(["train", str(tmp_path / "other"), "--data", str(data.folder)]).exit_code == 2


def test_too_little_that_breaks_limits_is_refused(tmp_path):
    with pytest.raises(InputError, match="fewer than"):
        train(made(tmp_path / "set", scenarios=2), PLAN)
