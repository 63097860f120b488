"""Time axes of profiles: evenly spaced steps, and the clock of a zone with its changes in spring and autumn."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.table import Array, read_only

_MAX_STEPS = 50_000_000
_SHOWN = 10
_DAY = np.timedelta64(1, "D")


def zone_of(zone: str, issues: IssueList) -> ZoneInfo | None:
    """The zone of an IANA name, None for ``""`` or, with an issue, where the name is unknown."""
    if not zone:
        return None
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        issues.add(
            "profiles", "zone", f"{zone!r} is not a time zone", hint="give an IANA name, e.g. Europe/Berlin, or ''"
        )
        return None


def read_stamps(time: object, issues: IssueList) -> Array | None:
    """Time stamps of any kind as (n,) datetime64[s], or None with an issue."""
    hint = "give datetime64 values or ISO texts, one per step"
    try:
        raw = np.asarray(time)
        if raw.dtype == object and any(getattr(one, "tzinfo", None) is not None for one in raw.ravel()):
            issues.add(
                "profiles", "time", "time stamps carry a zone", hint="convert them to UTC and give the zone by name"
            )
            return None
        if raw.dtype.kind not in "MUO":
            raise ValueError(f"{raw.dtype} is not a kind of time")
        stamps = raw.astype("datetime64[s]")
        finer = raw.dtype.kind == "M" and bool((stamps != raw).any() and not np.isnat(stamps).any())
    except (TypeError, ValueError) as error:
        issues.add("profiles", "time", f"cannot be read as times ({error})", hint=hint)
        return None
    if stamps.ndim != 1 or not len(stamps):
        issues.add("profiles", "time", f"has shape {stamps.shape}, not (n,) with at least one step", hint=hint)
        return None
    if np.isnat(stamps).any():
        at = np.flatnonzero(np.isnat(stamps)).tolist()
        issues.add("profiles", "time", f"{len(at)} steps have no time", [f"row {i}" for i in at], hint)
        return None
    if finer:
        issues.add("profiles", "time", "has fractions of a second", hint="steps are whole seconds")
        return None
    return stamps


def complete_axis(time: object, step_min: float | None, filling: bool, issues: IssueList) -> tuple[Array, Array, float]:
    """An evenly spaced axis that holds all given time stamps.

    Args:
        time: time stamps, strictly increasing.
        step_min: length of a step, minutes, or None for the smallest distance of two time stamps.
        filling: whether missing time stamps may be added; they are issues otherwise.
        issues: takes what is wrong.

    Returns:
        The axis (n,) datetime64[s], for each of its steps the row of the source or -1 where it is missing, and the
        step in minutes. Not usable where there are issues.
    """
    nothing = (np.zeros(0, dtype="datetime64[s]"), np.zeros(0, dtype=np.int64), 0.0)
    stamps = read_stamps(time, issues)
    if stamps is None:
        return nothing
    gap_s = np.diff(stamps).astype(np.int64)
    if (gap_s <= 0).any():
        late = stamps[1:][gap_s <= 0]
        hint = "local clock times that repeat in autumn go through Profiles.from_local"
        issues.add("profiles", "time", f"must strictly increase, {len(late)} do not", late[:_SHOWN].tolist(), hint)
        return nothing
    step_s = _step_seconds(step_min, gap_s, issues)
    if step_s is None:
        return nothing
    if (gap_s % step_s).any():
        odd = stamps[1:][gap_s % step_s != 0]
        what = f"must be evenly spaced by {step_s / 60:g} min, {len(odd)} time stamps are not"
        issues.add("profiles", "time", what, odd[:_SHOWN].tolist(), "resample the source")
        return nothing
    place = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(gap_s // step_s)])
    if place[-1] >= _MAX_STEPS:
        issues.add("profiles", "time", f"spans {place[-1] + 1} steps of {step_s / 60:g} min", hint="check the years")
        return nothing
    axis = stamps[0] + np.arange(place[-1] + 1) * np.timedelta64(step_s, "s")
    source_row = np.full(len(axis), -1, dtype=np.int64)
    source_row[place] = np.arange(len(stamps))
    missing = axis[source_row < 0]
    if len(missing) and not filling:
        what = f"lacks {len(missing)} time stamps"
        hint = "complete the source, or ask for fill='linear' or fill='previous'"
        issues.add("profiles", "time", what, missing[:_SHOWN].tolist(), hint)
    return read_only(axis), read_only(source_row), step_s / 60


def _step_seconds(step_min: float | None, gap_s: Array, issues: IssueList) -> int | None:
    if step_min is None:
        if len(gap_s):
            return int(gap_s.min())
        issues.add("profiles", "step_min", "is missing", hint="one time stamp alone does not tell the length of a step")
        return None
    seconds = step_min * 60
    if not (np.isfinite(seconds) and seconds >= 1 and seconds == round(seconds)):
        issues.add("profiles", "step_min", f"must be a positive number of whole seconds, is {step_min} min")
        return None
    return round(seconds)


def _offset_s(zone: ZoneInfo, utc: Array) -> Array:
    """Offset of a zone's clock from UTC at UTC instants, s."""
    epoch = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))

    def one(seconds: int) -> int:
        offset = (epoch + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0

    # The clock changes at most once a day: only the days whose ends differ are looked at step by step.
    day = utc.astype("datetime64[D]")
    first = day.min(initial=day[0])
    ends = (
        np.arange(first, day.max(initial=day[0]) + 2 * _DAY, dtype="datetime64[D]")
        .astype("datetime64[s]")
        .astype(np.int64)
    )
    at_end = np.array([one(s) for s in ends.tolist()])
    number = (day - first).astype(np.int64)
    out: Array = at_end[number]
    for i in np.flatnonzero(at_end[number] != at_end[number + 1]):
        out[i] = one(int(utc[i].astype(np.int64)))
    return out


def local_times(utc: Array, zone: str) -> Array:
    """(n,) datetime64[s] clock times of a zone at UTC instants; the instants themselves where the zone is ``""``."""
    utc = utc.astype("datetime64[s]", copy=False)
    if not zone or not len(utc):
        return utc
    return read_only(utc + _offset_s(ZoneInfo(zone), utc).astype("timedelta64[s]"))


def to_utc(time: object, zone: str, issues: IssueList) -> Array:
    """UTC instants (n,) of clock times of a zone.

    Times that occur twice (the clock is put back) are told apart by their order: after the first step back they are
    winter time. Times that do not occur (the clock is put forward) are an issue.
    """
    stamps = read_stamps(time, issues)
    if not zone:
        issues.add("profiles", "zone", "is missing", hint="give an IANA name, e.g. Europe/Berlin")
    tz = zone_of(zone, issues)
    if stamps is None or tz is None:
        return np.zeros(0, dtype="datetime64[s]")
    early, late = (_local_offset_s(tz, stamps, fold) for fold in (0, 1))
    skipped = early < late
    if skipped.any():
        what = f"{int(skipped.sum())} times do not occur in {zone}, the clock is put forward"
        issues.add("profiles", "time", what, stamps[skipped][:_SHOWN].tolist(), "check the zone")
    offset = early.copy()
    repeated = early > late
    back = np.concatenate([[False], np.diff(stamps).astype(np.int64) <= 0])
    second = False
    for i in np.flatnonzero(repeated):
        if i == 0 or not repeated[i - 1]:
            second = False
        second = second or bool(back[i])
        if second:
            offset[i] = late[i]
    return np.asarray(stamps - offset.astype("timedelta64[s]"))


def _local_offset_s(zone: ZoneInfo, local: Array, fold: int) -> Array:
    """Offset from UTC at clock times of a zone; `fold` 1 is the second of two equal times."""

    def one(when: datetime) -> int:
        offset = when.replace(tzinfo=zone, fold=fold).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0

    day = local.astype("datetime64[D]")
    first = day.min()
    ends = np.arange(first, day.max() + 2 * _DAY, dtype="datetime64[D]")
    at_end = np.array([one(when) for when in ends.astype("datetime64[s]").tolist()])
    number = (day - first).astype(np.int64)
    out: Array = at_end[number]
    for i in np.flatnonzero(at_end[number] != at_end[number + 1]):
        out[i] = one(local[i].item())
    return out
