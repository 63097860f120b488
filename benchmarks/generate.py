"""Operating points of a year: steps a second, memory, labels.

    python benchmarks/generate.py --out runs/year --seconds 390

works for so many seconds and says where it stands; the same command continues, until the year is done and its labels are
printed. ``--every N`` takes every Nth step only. Steps a second are those of the call, reading and writing included; kernels
are compiled beforehand.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

import aurigrid as ag
from aurigrid.model.profiles import Profiles
from aurigrid.store import open_run
from aurigrid.studies.day import peak_mb
from aurigrid.studies.tally import tally

GRID = "1-EHV-mixed--0-no_sw"


class Enough(KeyboardInterrupt):
    """The time of this call is up."""


def main() -> None:
    """Run one slice and print the state of the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/year"))
    parser.add_argument("--seconds", type=float, default=390)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    imported = ag.load_with_report(GRID)
    net, profiles = imported.network, imported.profiles
    assert profiles is not None
    with tempfile.TemporaryDirectory() as folder:
        ag.generate(net, profiles, 0, 8, Path(folder) / "warm", threads=options.threads)
    if options.every > 1:
        profiles = thinned(profiles, options.every)
    began, first = time.perf_counter(), []

    def look(done: int, total: int) -> None:
        first.append(done)
        used = time.perf_counter() - began
        if done < total and used > options.seconds:
            raise Enough

    with contextlib.suppress(Enough):
        ag.generate(net, profiles, out=options.out, threads=options.threads, progress=look)
    used = time.perf_counter() - began
    new = first[-1] - first[0]
    print(f"{first[-1]:,} of {len(profiles):,} steps; this call {new:,} in {used:.1f} s")
    print(f"{new / used:.0f} steps/s, peak memory {peak_mb():.0f} MB")
    clock = time.perf_counter()
    found = tally(open_run(options.out))
    assert found is not None
    took = time.perf_counter() - clock
    size = sum(f.stat().st_size for f in options.out.rglob("*.parquet")) / 1e6
    print(f"summary read in {took:.2f} s; the run takes {size:.0f} MB")
    for sentence in found.sentences():
        print("-", sentence)
    print("| kind | element | steps | largest | unit |\n|---|---|---|---|---|")
    for row in found.reasons:
        print(
            f"| {row['kind']} | {row['table']} {row['element']} | {row['steps']} | {row['largest']:.4g} | {row['unit']} |"
        )
    print("| period | steps | kept | short MW | curtailed GWh | cost M | CO2 kt |\n|---|---|---|---|---|---|---|")
    for p in found.periods:
        figures = f"{p['short_mw']:.1f} | {p['curtailed_gwh']:.2f} | {p['cost_m']:.2f} | {p['carbon_kt']:.1f}"
        print(f"| {p['period']} | {p['steps']} | {p['kept']} | {figures} |")


def thinned(profiles: Profiles, every: int) -> Profiles:
    """Every nth step."""
    series = {key: (s.read(0, len(profiles))[::every], s.position) for key, s in profiles.series.items()}
    return Profiles(profiles.time[::every], series, zone=profiles.zone)


if __name__ == "__main__":
    main()
