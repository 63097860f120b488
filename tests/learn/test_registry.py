"""Models in use, and attacked: wrong grid, other files, zeroed and perturbed weights, NaN, stale cards, inputs out of range."""

import json
from dataclasses import replace

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.console.findings import _read_outcomes
from aurigrid.console.library import Entry
from aurigrid.errors import InputError
from aurigrid.kernels.pairs import BAND, BAND_RISK, LOADING, LOADING_RISK
from aurigrid.model.profiles import Profiles
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.supply import splits_after
from aurigrid.registry import Card, entries, register
from aurigrid.registry.folder import hash_of
from aurigrid.registry.pairs import GATE_FILE, MODEL_FILE, TASK, PairModel, grid_digest
from aurigrid.security.analysis import begin
from aurigrid.security.contingencies import contingencies
from aurigrid.security.follow import followed
from aurigrid.security.limits import Limits
from aurigrid.security.pairs import Known
from aurigrid.security.settle import EARLY, FEATURES
from aurigrid.security.suspects import Group
from aurigrid.store import open_run
from aurigrid.studies.generate import generate
from aurigrid.studies.outlook import outlook
from aurigrid.studies.tally import tally
from learn.grids import small

pytest.importorskip("onnx", reason="builds a network as ONNX")
pytest.importorskip("onnxruntime", reason="runs it")
from aurigrid.learn.export import to_onnx

SETTINGS = {"q_limits": False, "slack": "reference", "v_step_pu": 0.1}
DATA = {"scenarios": 1, "rows": 1, "violating": 1, "options": {"recipe": {"outage": 0.0}}}
N = len(FEATURES)


def onnx_of(weights):
    return to_onnx(weights, np.zeros(N), np.ones(N), np.zeros(N), np.ones(N), bound=50.0)


def linear(values, bias=0.0):
    """A network of one layer."""
    row = np.zeros((1, N), np.float32)
    for at, value in values.items():
        row[0, at] = value
    return [(row, np.array([bias], np.float32))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AURIGRID_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


OPEN = to_onnx([(np.zeros((1, len(EARLY)), np.float32), np.zeros(1, np.float32))], *4 * [np.ones(len(EARLY))])
"""A gate that lets every pair pass: its score is 0 for all."""


def added(onnx, threshold, gate=OPEN, **changes):
    """A registered model of the small grid."""
    net = small()
    card = Card(
        "test", TASK, {"name": net.name, "digest": grid_digest(net)}, SETTINGS, FEATURES,
        (-100.0,) * N, (100.0,) * N, tuple(EARLY.tolist()),
        -1.0, threshold, 0.0, -np.inf, {MODEL_FILE: hash_of(onnx), GATE_FILE: hash_of(gate)}, DATA, {"seed": 0},
        {"missed": 0, "violating": 100, "checked": 0.1, "bound": 0.03, "confidence": 0.95, "supposes": "alike"}, {},
    )  # fmt: skip
    card = replace(card, **changes)
    register(card, {MODEL_FILE: onnx, GATE_FILE: gate})
    return card


def good():
    """A network that says how near the doubt of the estimate comes to a limit, and the score from which that is a breach."""
    return onnx_of(linear({LOADING_RISK: 1.0, BAND_RISK: 0.0})), float(np.arcsinh(1.0))


@pytest.fixture(scope="module")
def full():
    return ag.security_analysis(small(), None, "n-2:branches", threads=1)


def learned(**options):
    return ag.security_analysis(small(), None, "n-2:branches", engine="learned", threads=1, **options)


def same_where_solved(found, full):
    solved = found.status[0] != ag.Status.SKIPPED
    np.testing.assert_array_equal(found.status[0, solved], full.status[0, solved])
    np.testing.assert_allclose(found.worst_loading[0, solved], full.worst_loading[0, solved], atol=1e-6)
    return solved


def test_a_model_passes_pairs_over_and_every_state_told_is_exact(folder, full, monkeypatch):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 20)
    added(*good())
    found = learned()
    solved = same_where_solved(found, full)
    assert 0.2 < solved.mean() < 0.95
    assert found.passed.by == "learned, test"
    assert found.passed.audited == 20
    assert found.passed.distrusted == 0
    assert "at most 3.000% are missed" in found.screen


def test_zeroed_and_perturbed_weights_are_found_out(folder, full):
    for weights in (linear({}), linear({LOADING_RISK: -3.0})):
        onnx = onnx_of(weights)
        added(onnx, 0.5)
        found = learned()
        # it passes everything over that the estimate itself does not break; the audit sees pairs that break limits all the same,
        # or there are none among those passed over
        solved = same_where_solved(found, full)
        new = found.passed.distrusted == 1
        assert new == bool(solved.all())
        assert found.passed.audited > 0


def test_an_audit_that_finds_a_breach_has_everything_solved(folder, full, monkeypatch):
    added(onnx_of(linear({})), 0.5)
    monkeypatch.setattr(Known, "beyond", lambda *args: np.ones(len(args[2]), bool))
    found = learned()
    assert found.passed.distrusted == 1
    assert found.passed.estimated == 0
    assert same_where_solved(found, full)[full.contingencies.representative].mean() > 0.9
    assert "solved in full" in found.screen


def test_answers_that_are_no_numbers_are_not_believed(folder, full):
    added(onnx_of(linear({LOADING_RISK: np.nan})), 0.5)
    found = learned()
    assert found.passed.estimated == 0
    same_where_solved(found, full)


def test_what_lies_outside_training_is_solved(folder, full):
    onnx, threshold = good()
    added(onnx, threshold, low=(0.0,) * N, high=(1e-3,) * N)
    found = learned()
    assert found.passed.estimated == 0
    model = PairModel.find(small(), SETTINGS)
    assert (model.rated(np.full((2, N), np.nan, np.float32)) == np.inf).all()
    assert (model.rated(np.full((2, N), 5.0, np.float32)) == np.inf).all()
    assert model.rated(np.zeros((0, N), np.float32)).shape == (0,)
    below = np.zeros((N, N), np.float32)
    np.fill_diagonal(below, -1.0)
    farther = [name.startswith(("band", "loading")) for name in FEATURES]
    np.testing.assert_array_equal(model.rated(below) < np.inf, farther)


def test_a_changed_file_is_refused(folder):
    added(*good())
    file = folder / "test" / MODEL_FILE
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match="is not the file that its card was written for"):
        learned()
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        learned()


def test_other_grids_and_options_are_refused(folder):
    onnx, threshold = good()
    added(onnx, threshold)
    for change in ({"q_limits": True}, {"slack": "distributed"}, {"v_step_pu": 0.2}):
        with pytest.raises(InputError, match="was trained with"):
            learned(**change)
    other = small().replace(branch=small().branch.replace(rate_mva=2 * small().branch.rate_mva))
    with pytest.raises(InputError, match="bound to another grid"):
        ag.security_analysis(other, None, "n-2:branches", engine="learned")
    heavier = small().replace(load=small().load.replace(p_mw=1.01 * small().load.p_mw))
    assert ag.security_analysis(heavier, None, "n-2:branches", engine="learned").passed.by == "learned, test"
    added(onnx, threshold, task="other")
    with pytest.raises(InputError, match="for the task other"):
        learned()


def test_stale_and_broken_cards_are_refused(folder):
    added(*good())
    file = folder / "test" / "card.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "version": 0}))
    with pytest.raises(InputError, match="stale"):
        learned()
    file.write_text(json.dumps({k: v for k, v in data.items() if k not in ("low", "threshold")}))
    with pytest.raises(InputError) as error:
        learned()
    assert {"low", "threshold"} <= {i.field for i in error.value.issues}
    file.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        learned()


def test_without_a_model_the_way_to_one_is_told(folder):
    with pytest.raises(InputError, match="aurigrid train"):
        learned()
    with pytest.raises(InputError, match="without a screen"):
        learned(screen="pairs")


def test_scores_do_not_depend_on_what_lies_beside(folder):
    rng = np.random.default_rng(3)
    weights = [(rng.normal(size=(16, N)), rng.normal(size=16)), (rng.normal(size=(1, 16)), rng.normal(size=1))]
    onnx = onnx_of(weights)
    model = PairModel(added(onnx, 0.0), onnx, OPEN)
    x = rng.normal(size=(300, N)).astype(np.float32)
    together = model.scores(x)
    alone = np.array([model.scores(x[k : k + 1])[0] for k in range(0, 300, 37)])
    np.testing.assert_allclose(together[::37], alone, rtol=1e-5, atol=1e-5)
    hidden = np.maximum(np.arcsinh(x.astype(float)) @ weights[0][0].T + weights[0][1], 0)
    np.testing.assert_allclose(together, (hidden @ weights[1][0].T + weights[1][1])[:, 0], rtol=1e-4, atol=1e-4)


def test_a_gpu_is_used_in_full_precision_where_onnxruntime_has_it(folder, monkeypatch):
    import onnxruntime

    asked = []
    session = onnxruntime.InferenceSession

    def told(data, options, providers):
        asked.append(providers)
        return session(data, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", told)
    onnx = onnx_of(linear({}))
    x = np.zeros((2, N), np.float32)
    PairModel(added(onnx, 0.0), onnx, OPEN).scores(x)
    assert asked == [["CPUExecutionProvider"]] * 2
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    PairModel(added(onnx, 0.0), onnx, OPEN).scores(x)
    assert asked[2:] == [[("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]] * 2


def test_outages_that_are_no_pairs_are_solved(folder):
    added(*good())
    found = ag.security_analysis(small(), None, "n-1", engine="learned")
    assert not (found.status == ag.Status.SKIPPED).any()


def test_a_stored_state_says_which_engine_it_is_of(folder, tmp_path, run):
    ag.save(small(), tmp_path / "grid")
    args = ["n1", str(tmp_path / "grid"), "-c", "n-2:branches", "--out", str(tmp_path / "run")]
    for bad in (["--engine", "guess"], ["--screen", "guess"], ["--engine", "learned"]):
        assert run([*args, *bad]).exit_code == 2
        assert not (tmp_path / "run").exists(), "nothing is written"
    added(*good())
    assert run([*args, "--engine", "learned"]).exit_code == 0
    options = open_run(tmp_path / "run").info.options
    assert options["engine"] == "learned"
    assert options["model"]["model"] == "test"
    other = run(args)
    assert other.exit_code == 2
    assert "engine" in other.output


def test_models_are_listed_explained_and_removed(folder, run):
    assert "no models" in run(["models", "list"]).stdout
    added(*good())
    assert "test" in run(["models", "list"]).stdout
    listed = json.loads(run(["models", "list", "--json"]).stdout)["models"]
    assert listed[0]["digest"] == grid_digest(small())
    assert "Calibration" in run(["models", "explain", "test"]).stdout
    assert run(["models", "explain", "tset"]).exit_code == 2
    assert run(["models", "remove", "test"]).exit_code == 0
    assert entries() == []
    assert run(["models", "remove", "test"]).exit_code == 2


def conditions(**options):
    """The question of pairs of the small grid, one scenario."""
    net, how = small(), Settings(threads=1)
    sc = ag.Scenarios(net, n=1, **options)
    base = solve_cases(net, Cases.of(sc), "newton", how)
    outages = contingencies(net, "n-2:branches")
    solved = np.flatnonzero(outages.representative == np.arange(outages.n))
    return Group(net, sc, base, how, Limits(), begin(base), outages, solved).question(0)


def graded(at):
    """A gate whose score is the bent feature ``at`` of the early ones."""
    row = np.zeros((1, len(EARLY)), np.float32)
    row[0, at] = 1.0
    return to_onnx(
        [(row, np.zeros(1, np.float32))], *[np.full(len(EARLY), x) for x in (0.0, 1.0, 0.0, 1.0)], bound=50.0
    )


@pytest.mark.parametrize("ruled_out", [0.0, 0.5])
def test_what_is_found_brings_up_more(folder, monkeypatch, ruled_out):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 0)
    # scores that say little, so that pairs break limits below the threshold
    onnx, gate = (
        onnx_of(linear({FEATURES.index("loading"): -4.0, FEATURES.index("moved_high"): 3.0})),
        graded(LOADING_RISK),
    )
    asked = conditions()
    seen = asked.seen(asked.singles())
    which = seen.estimated
    early = asked.early(seen)
    told = asked.told(seen, early, which)
    violates = asked.breaks(seen, which)
    broken = (told[:, LOADING] > 1.0) | (told[:, BAND] > 0.0)
    score = np.where(broken, np.inf, PairModel(added(onnx, 0.0), onnx, OPEN).scores(told))
    threshold = float(np.sort(score[violates & ~broken])[-2])
    level = float(np.quantile(np.arcsinh(early[:, LOADING_RISK]), ruled_out))
    gated = ~broken & (np.arcsinh(early[:, LOADING_RISK]) < level)
    first, second = asked.pairs.first[which], asked.pairs.second[which]
    counts = []
    for margin in (0.0, 0.5, 1.5):
        for trust in (-np.inf, threshold - 0.4):
            added(onnx, threshold, gate, margin=margin, trust=trust)
            register(replace(Card.read(folder / "test"), gate=level), {MODEL_FILE: onnx, GATE_FILE: gate})
            found = learned()
            expected = followed(score, gated, first, second, violates, threshold, margin, trust)
            skipped = found.status[0, asked.pairs.outage[which]] == ag.Status.SKIPPED
            np.testing.assert_array_equal(~skipped, expected)
            assert found.passed.estimated == np.sum(~expected)
            counts.append(int(expected.sum()))
    assert counts[0] < counts[2] < counts[4]
    assert (counts[5] > counts[4]) == (ruled_out > 0), "without trust the gate is not believed"


WITH_OUTAGES = {**DATA, "options": {"recipe": {"outage": 0.5}}}


def test_a_branch_out_of_service_is_part_of_the_family_where_it_was_in_training(folder, monkeypatch):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 5)
    out = 12
    sc = ag.Scenarios(small(), n=1, branch_out=[[out]])
    plain = ag.security_analysis(small(), sc, "n-2:branches", threads=1)

    def asked(**changes):
        added(*good(), **changes)
        return ag.security_analysis(small(), sc, "n-2:branches", engine="learned", threads=1)

    assert not (asked().status == ag.Status.SKIPPED).any(), "training had no branch out of service"
    found = asked(data=WITH_OUTAGES)
    solved = found.status[0] != ag.Status.SKIPPED
    np.testing.assert_array_equal(found.status[0, solved], plain.status[0, solved])
    np.testing.assert_allclose(found.worst_loading[0, solved], plain.worst_loading[0, solved], atol=1e-6)
    ends = plain.contingencies.branch.idx.reshape(-1, 2)
    assert not solved[(ends == out).any(1)].any(), "a pair with it is one outage"
    assert found.passed.estimated > 10
    # the same as on the grid without that branch
    service = small().branch.in_service.copy()
    service[out] = False
    net = small().replace(branch=small().branch.replace(in_service=service))
    same = ag.security_analysis(net, None, "n-2:branches", threads=1)
    at = {tuple(p): k for k, p in enumerate(ends.tolist())}
    place = np.array([at[tuple(p)] for p in same.contingencies.branch.idx.reshape(-1, 2).tolist()])
    np.testing.assert_allclose(same.worst_loading[0], plain.worst_loading[0, place], atol=1e-6)


def test_what_training_never_had_out_is_solved_in_full(folder):
    added(*good(), data=WITH_OUTAGES)
    net = small()
    splits = np.flatnonzero(splits_after(compile_grid(net), np.array([-1]))[0])
    older = {k: v for k, v in WITH_OUTAGES["options"]["recipe"].items() if k != "outage"}
    assert not PairModel(added(*good(), data={**DATA, "options": {"recipe": older}}), b"", OPEN).base_outages
    added(*good(), data=WITH_OUTAGES)
    for own in ({"branch_out": [[1, 5]]}, {"gen_out": [[1]]}, {"branch_out": [[int(splits[0])]]}):
        found = ag.security_analysis(net, ag.Scenarios(net, n=1, **own), "n-2:branches", engine="learned", threads=1)
        assert not (found.status == ag.Status.SKIPPED).any()


def test_a_day_of_pairs(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 20)
    net = small()
    time = np.datetime64("2020-03-02T00:00:00") + np.arange(3) * np.timedelta64(15, "m")
    loads = np.outer([1.0, 1.02, 0.97], net.load.p_mw)
    profiles = Profiles(time, {("load", "p_mw"): (loads, range(net.n_load))})
    grid = ag.save(net, tmp_path / "grid", profiles=profiles)
    options = {"contingencies": "n-2:branches", "dispatch": "data", "slack": "reference", "q_limits": False}
    with pytest.raises(InputError, match="no model fits"):
        ag.run_day(grid, "2020-03-02", tmp_path / "none", engine="learned", **options)
    assert not (tmp_path / "none").exists()
    added(*good())
    asked = ag.run_day(grid, "2020-03-02", tmp_path / "asked", engine="learned", **options)
    full = ag.run_day(grid, "2020-03-02", tmp_path / "full", participation="grid", **options)
    asked_run, full_run = open_run(asked.run), open_run(full.run)
    query = "SELECT step, contingency, status, violations FROM contingencies ORDER BY step, contingency"
    told = {(r["step"], r["contingency"]): r for r in full_run.sql(query).to_pylist()}
    rows = asked_run.sql(query).to_pylist()
    assert len(told) == full.power_flows - 3 == 3 * 190
    assert len(rows) == asked.power_flows - 3 < 0.9 * len(told)
    assert all(told[row["step"], row["contingency"]] == row for row in rows)
    found = outlook(asked_run)
    assert found.totals["passed"] == 3 * 190 - len(rows)
    words = " ".join(found.sentences())
    assert "were passed over by the model test, which misses at most 3.000 % of the pairs that break something" in words
    assert not outlook(full_run).model
    passed = next(c for c in range(190) if (0, c) not in {(row["step"], row["contingency"]) for row in rows})
    ends = _read_outcomes(Entry("asked", asked.run), (0,))
    assert ends["status"][passed] == "skipped"
    assert (ends["status"] != "skipped").sum() == sum(row["step"] == 0 for row in rows)
    again = ag.run_day(grid, "2020-03-02", tmp_path / "asked", engine="learned", **options)
    assert again.new_steps == 0
    with pytest.raises(InputError, match="engine"):
        ag.run_day(grid, "2020-03-02", tmp_path / "other", engine="guess", **options)


def test_what_is_passed_over_is_ranked_by_its_estimate(folder, full, monkeypatch):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 5)
    added(*good())
    found = learned()
    table = found.ranked().to_pandas()
    assert len(table) == found.contingencies.n
    guessed = table[table.estimated]
    assert len(guessed) == found.passed.estimated > 10
    assert (guessed.status == "skipped").all()
    at = guessed.contingency.to_numpy()
    # what both outages alone keep, so that the estimate is of all limits
    assert (guessed.margin > 0).all()
    assert np.quantile(np.abs(guessed.v_min_pu - full.v_min_pu[0, at]), 0.8) < 2e-3
    near = full.worst_loading[0, at] < 1.0
    assert near.sum() > 5
    assert np.quantile(np.abs(guessed.worst_loading[near] - full.worst_loading[0, at][near]), 0.8) < 0.02
    exact = table[~table.estimated & (table.status != "skipped")]
    np.testing.assert_allclose(exact.worst_loading, full.worst_loading[0, exact.contingency], atol=1e-6)


def test_a_gate_passes_pairs_over_before_they_are_settled(folder, full, monkeypatch):
    monkeypatch.setattr("aurigrid.security.chase.AUDIT", 0)
    open_gate = (added(*good()), learned())[1]
    gate = graded(LOADING_RISK)
    early = conditions()
    told = early.early(early.seen(early.singles()))
    least = float(np.quantile(np.arcsinh(told[:, LOADING_RISK]), 0.8))
    added(*good(), gate=gate)
    folder_card = replace(Card.read(folder / "test"), gate=least)
    register(folder_card, {MODEL_FILE: good()[0], GATE_FILE: gate})
    found = learned()
    same_where_solved(found, full)
    assert found.passed.estimated > open_gate.passed.estimated
    table = found.ranked().to_pandas()
    guessed = table[table.estimated]
    assert guessed.v_min_pu.isna().any(), "pairs that are not settled have no voltage"
    assert not guessed.worst_loading.isna().any()
    model = PairModel.find(small(), SETTINGS)
    assert model.promising(np.full((2, len(EARLY)), np.nan, np.float32)).all()
    assert model.promising(np.full((2, len(EARLY)), 500.0, np.float32)).all()
    assert not model.promising(np.zeros((2, len(EARLY)), np.float32)).any()


def test_operating_points_checked_by_a_model(folder, tmp_path):
    net = small()
    time = np.datetime64("2020-03-02T00:00:00") + np.arange(3) * np.timedelta64(15, "m")
    loads = np.outer([0.6, 0.7, 0.5], net.load.p_mw)
    grid = ag.save(net, tmp_path / "grid", profiles=Profiles(time, {("load", "p_mw"): (loads, range(net.n_load))}))
    with pytest.raises(InputError, match="learned with contingencies"):
        generate(grid, out=tmp_path / "none", engine="learned")
    added(*good(), settings={**SETTINGS, "q_limits": True, "slack": "distributed"})
    asked = generate(grid, out=tmp_path / "asked", contingencies="n-2:branches", engine="learned")
    full = generate(grid, out=tmp_path / "full", contingencies="n-2:branches")
    query = "SELECT label, outages, outages_failed FROM points ORDER BY step"
    some, every = (open_run(r.run).sql(query).to_pylist() for r in (asked, full))
    assert [row["outages_failed"] for row in some] == [row["outages_failed"] for row in every]
    assert [row["label"] for row in some] == [row["label"] for row in every]
    assert all(a["outages"] <= b["outages"] == 190 for a, b in zip(some, every, strict=True))
    words = " ".join(tally(open_run(asked.run)).sentences())
    assert "All other outages were passed over by the model test" in words
    assert not tally(open_run(full.run)).model
