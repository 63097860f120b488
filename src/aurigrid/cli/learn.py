"""The commands ``dataset``, ``train`` and ``models``: exact answers to learn from, training, and the models at hand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    Grid,
    Json,
    QLimits,
    Slack,
    SlackOption,
    Threads,
    compiling_notice,
    guarded,
    print_json,
    say,
)

if TYPE_CHECKING:
    from aurigrid.learn import Dataset, Recipe
    from aurigrid.learn.recipe import Points


class Kind(StrEnum):
    """How operating points are found."""

    secure = "secure"
    opf = "opf"
    profiles = "profiles"


class Task(StrEnum):
    """What a model is to answer."""

    n2 = "n-2"


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the data set; a second call goes on with it.")]
Count = Annotated[int, typer.Option(min=1, help="Operating points.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")]
Load = Annotated[str, typer.Option(help="Factor of all loads, least:most.")]
Region = Annotated[str, typer.Option(help="Factor of one region's loads on top, least:most.")]
PointsOption = Annotated[
    Kind,
    typer.Option(
        help="Optimal points that survive single outages, plain ones, or those of steps of the grid's series."
    ),
]
Share = Annotated[float, typer.Option(help="Share of the ratings that points keep before outages.")]
Margin = Annotated[float, typer.Option(help="Distance from voltage bands that points keep before outages, pu.")]
Collapse = Annotated[
    str, typer.Option(help="Share of the way to voltage collapse by which all loads and outputs grow, least:most.")
]
Outage = Annotated[float, typer.Option(help="Share of the points that have one branch out of service.")]
_DRAWN = {"load": "0.75:1.0", "region": "0.8:1.1", "collapse": "0:0"}


@guarded
def dataset(
    grid: Grid,
    out: Out,
    scenarios: Count = 100,
    seed: Seed = 0,
    load: Load = _DRAWN["load"],
    region: Region = _DRAWN["region"],
    collapse: Collapse = _DRAWN["collapse"],
    outage: Outage = 0.0,
    points: PointsOption = Kind.secure,
    rating_share: Share = 0.85,
    band_margin: Margin = 0.0,
    q_limits: QLimits = False,
    slack: SlackOption = Slack.reference,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Solve every pair of branch outages of many operating points exactly: a data set to learn from.

    Loads by region, availability of wind and sun, dispatch, voltage set-points, branches out of service and nearness to collapse
    are drawn; the folder's card says in what ranges, how rows are split by outage and region, and what the exact answers are.
    """
    recipe = _recipe(
        {"--load": load, "--region": region, "--collapse": collapse}, points, outage, rating_share, band_margin
    )
    made = _made(grid, out, scenarios, seed, recipe, q_limits, slack, threads)
    if json:
        print_json(made.card())
        return
    card = made.card()
    headings = [("split", "l"), ("points", "r"), ("pairs", "r"), ("violating", "r")]
    rows = [(n.replace("_", " "), s["scenarios"], round(s["pairs"]), s["violating"]) for n, s in card["splits"].items()]
    show.table(f"Pairs of outages of {card['grid']['name']}", headings, rows)
    used, drawn = card["scenarios"]["used"], card["scenarios"]["drawn"]
    show.summary(
        [
            f"{used} of {drawn} operating points have a solution; {card['kinds']['violating']:,} pairs of them break limits."
        ],
        [f"less {out}/card.md", f"aurigrid train {grid} --data {out}"],
    )


def _recipe(given: dict[str, str], points: Kind, outage: float, share: float, margin: float) -> Recipe:
    from aurigrid.errors import IssueList
    from aurigrid.learn import Recipe

    issues, ranges = IssueList(), []
    for name, text in given.items():
        try:
            low, high = (float(part) for part in text.split(":"))
        except ValueError:
            issues.add(name, "", f"is {text!r}", hint="give the least and the most, as 0.75:1.0")
            low = high = 1.0
        ranges.append((low, high))
    issues.raise_if_any()
    loads, regions, collapse = ranges
    return Recipe(
        load=loads,
        region=regions,
        collapse=collapse,
        outage=outage,
        points=points.value,
        rating_share=share,
        band_margin=margin,
    )


def _made(
    grid: str,
    out: Path,
    scenarios: int,
    seed: int,
    recipe: Recipe,
    q_limits: bool,
    slack: Slack,
    threads: int | None,
    keep: float = 0.2,
) -> Dataset:
    from aurigrid.io.load import load as read
    from aurigrid.learn import make_dataset
    from aurigrid.studies.learning import points_of_profiles
    from aurigrid.studies.sources import load_with_profiles

    drawn = None
    if recipe.points == "profiles":
        net, profiles, _ = load_with_profiles(grid)
        drawn = points_of_profiles(net, profiles, recipe, seed, threads)
    else:
        net = read(grid)
    with compiling_notice(), show.progress("operating points") as advance:
        return make_dataset(
            net, out, scenarios=scenarios, seed=seed, recipe=recipe, q_limits=q_limits, slack=slack.value, keep=keep,
            threads=threads, progress=advance, drawn=drawn,
        )  # fmt: skip


@guarded
def train(
    grid: Grid,
    data: Annotated[
        Path,
        typer.Option(
            help="Data set of `aurigrid dataset`; if it is not there, one is made: of the grid's series if it has any."
        ),
    ],
    scenarios: Annotated[int, typer.Option(min=1, help="Operating points of a data set that is made.")] = 100,
    q_limits: Annotated[
        bool | None,
        typer.Option("--q-limits/--no-q-limits", help="As for dataset, where one is made.", show_default=False),
    ] = None,
    slack: Annotated[Slack | None, typer.Option(help="As for dataset, where one is made.", show_default=False)] = None,
    task: Annotated[
        Task, typer.Option(help="What the model answers: which pairs of outages have to be solved.")
    ] = Task.n2,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and order.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 12,
    name: Annotated[str | None, typer.Option(help="Name in the registry.", show_default=False)] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Train a model on exact answers, calibrate and test it, and add it to the registry.

    Stopped training goes on from the last epoch when the command is given again.
    """
    from aurigrid.errors import InputError, Issue
    from aurigrid.io.load import load_with_report
    from aurigrid.learn import Dataset, Recipe
    from aurigrid.learn.mlp import Plan, use_threads
    from aurigrid.learn.train import train as fit

    read = load_with_report(grid)
    net = read.network
    if not (data / "dataset.json").exists():
        say(f"no data set at {data} yet: making one")
        points: Points = "secure" if read.profiles is None else "profiles"
        _made(grid, data, scenarios, 0, Recipe(points=points), bool(q_limits), slack or Slack.reference, threads)
    made, asked = Dataset.read(data), {"q_limits": q_limits, "slack": slack}
    other = {k: made.record["options"][k] for k, v in asked.items() if v not in (None, made.record["options"][k])}
    if other:
        told = f"was made with {', '.join(f'{k} {v}' for k, v in other.items())}"
        raise InputError(Issue(str(data), "", told, hint="leave these options out, or name another data set"))
    if not made.complete and made.record["grid"]["digest"] == net.digest:
        o = made.record["options"]
        say(f"the data set at {data} is not complete: going on with it")
        recipe = Recipe.from_dict(o["recipe"])
        made = _made(
            grid, data, o["scenarios"], o["seed"], recipe, o["q_limits"], Slack(o["slack"]), threads, o["keep"]
        )
    if made.record["grid"]["digest"] != net.digest:
        told = f"is of another grid ({made.record['grid']['name']})"
        raise InputError(Issue(str(data), "", told, hint="name its grid, or another data set"))
    use_threads(threads)
    plan = Plan(seed=seed, epochs=epochs)
    with show.progress("epochs") as advance:
        card = fit(
            made, plan, name=name, checkpoint=data / f"checkpoint-{task.value}-{seed}-{epochs}.pt",
            told=lambda epoch, n, loss, rate: advance(epoch, n),
        )  # fmt: skip
    if json:
        print_json(card.__dict__)
        return
    t = card.training
    speed = f"{t['samples_per_s']:,.0f} samples/s, {t['share_of_peak']:.0%} of a large matrix product's rate on {t['device']}."
    commands = [f"aurigrid models explain {card.name}", f"aurigrid n1 {grid} -c n-2:branches --engine learned"]
    show.summary([*card.sentences(), speed], commands)


models = typer.Typer(
    add_completion=False, help="Models at hand: list, explain, remove.", no_args_is_help=True, rich_markup_mode=None
)
Name = Annotated[str, typer.Argument(help="Name of a model.", show_default=False)]


@models.command("list")
@guarded
def list_models(json: Json = False) -> None:
    """Every model of the registry, its grid, and what it misses."""
    from aurigrid.errors import InputError
    from aurigrid.registry import Card, entries, models_folder

    rows: list[dict[str, Any]] = []
    for folder in entries():
        try:
            card = Card.read(folder)
        except InputError as error:
            rows.append({"name": folder.name, "unusable": str(error)})
            continue
        rows.append({
            "name": card.name, "task": card.task, "grid": card.grid.get("name"), "digest": card.grid.get("digest"),
            "settings": dict(card.settings), "missed_at_most": card.calibration.get("bound"),
            "solved": card.calibration.get("checked"),
        })  # fmt: skip
    if json:
        print_json({"folder": str(models_folder()), "models": rows})
        return
    if not rows:
        print(f"no models in {models_folder()}")
        return
    headings = [("name", "l"), ("task", "l"), ("grid", "l"), ("missed at most", "r"), ("solved", "r")]
    cells = [
        (
            r["name"],
            r["task"],
            f"{r['grid']} {str(r['digest'])[:12]}",
            f"{r['missed_at_most']:.3%}",
            f"{r['solved']:.1%}",
        )
        for r in rows
        if "unusable" not in r
    ]
    show.table("Models", headings, cells)
    for r in rows:
        if "unusable" in r:
            say(f"{r['name']}: {r['unusable']}")


@models.command("explain")
@guarded
def explain(name: Name, json: Json = False) -> None:
    """A model's card: grid, options, data, training, calibration, what held-out data showed."""
    from aurigrid.registry import Card, named

    card = Card.read(named(name))
    if json:
        print_json(card.__dict__)
        return
    print("\n".join(card.sentences()))
    headings = [("input", "l"), ("least", "r"), ("most", "r")]
    show.table("Ranges of training", headings, list(zip(card.features, card.low, card.high, strict=True)))


@models.command("remove")
@guarded
def remove_model(name: Name) -> None:
    """Take a model out of the registry."""
    from aurigrid.registry import remove

    remove(name)
    print(f"removed {name}")
