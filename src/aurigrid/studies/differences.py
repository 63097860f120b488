"""Why a source's state may not balance in its own model: causes that the numbers themselves betray, by name."""

from __future__ import annotations

import numpy as np

from aurigrid.io.report import SourceState
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.studies.balance import Balance, nodes, power_balance

_BALANCED_MVA = 1e-3
_HELD_PU = 1e-5
_MOST_DECIMALS = 5
_EXACT = 1e-9


def explain(net: Network, state: SourceState, balance: Balance, off_set_point_pu: float) -> tuple[str, ...]:
    """Named causes for what does not balance.

    Args:
        net: our network.
        state: the source's state.
        balance: its balance in our network.
        off_set_point_pu: largest distance of its voltages from our set-points, pu.
    """
    out = []
    if off_set_point_pu > _HELD_PU:
        out.append(
            f"voltages stand up to {off_set_point_pu:.3g} pu off the set-points: "
            "the state enforces reactive limits, or belongs to other set-points"
        )
    if not balance.worst_mva > _BALANCED_MVA:
        return tuple(out)
    causes = (_rounded(net, state, balance), _unshifted(net, state, balance), _distributed(net, balance))
    out.extend(cause for cause in causes if cause)
    return tuple(out)


def _decimals(values: Array) -> int | None:
    """The fewest decimals that write all values, or None where five do not."""
    finite = values[np.isfinite(values)]
    for digits in range(_MOST_DECIMALS + 1):
        if np.abs(finite - np.round(finite, digits)).max(initial=0.0) < _EXACT:
            return digits
    return None


def _rounded(net: Network, state: SourceState, balance: Balance) -> str:
    """Rounded voltages: an error (dv, dtheta) at each bus moves a flow by about 2 |y| v^2 (dv + dtheta) at most."""
    magnitude, angle = _decimals(state.v_mag_pu), _decimals(state.v_ang_deg)
    if magnitude is None or angle is None:
        return ""
    step = 0.5 * 10.0**-magnitude + np.radians(0.5 * 10.0**-angle)
    branch, root = net.branch, nodes(net)
    y = (
        np.where(branch.in_service, 1 / np.abs(branch.r_pu + 1j * branch.x_pu), 0)
        / np.minimum(branch.tap_ratio, 1.0) ** 2
    )
    reach = np.zeros(net.n_bus)
    for end in (branch.from_bus, branch.to_bus):
        np.add.at(reach, root[end], y)
    v = np.nan_to_num(state.v_mag_pu, nan=1.0).max()
    allowed = 2 * reach * v**2 * step * net.base_mva + _BALANCED_MVA
    gap = np.fmax(np.abs(balance.p_mw), np.abs(balance.q_mvar))
    known = np.isfinite(gap)
    within = int((gap[known] <= allowed[known]).sum())
    return (
        f"its voltages carry {magnitude} decimals (pu) and {angle} (degrees): "
        f"rounding alone can explain the mismatch at {within} of {int(known.sum())} buses"
    )


def _unshifted(net: Network, state: SourceState, balance: Balance) -> str:
    """Phase shifts left out, as some tools do by default."""
    shifted = np.flatnonzero((net.branch.shift_deg != 0) & net.branch.in_service)
    if not len(shifted):
        return ""
    plain = net.replace(branch=net.branch.replace(shift_deg=0.0))
    without = power_balance(plain, state.v_mag_pu, state.v_ang_deg).worst_mva
    if without < 0.01 * balance.worst_mva:
        return f"its angles leave out the phase shift of {len(shifted)} transformers (without it: {without:.3g} MVA)"
    return ""


def _distributed(net: Network, balance: Balance) -> str:
    """Active power off target at units only: the imbalance was spread over them."""
    gap = np.nan_to_num(np.abs(balance.p_mw))
    unit = np.zeros(net.n_bus, dtype=bool)
    unit[nodes(net)[net.gen.bus[net.gen.in_service]]] = True
    if gap[unit].max(initial=0.0) > _BALANCED_MVA and gap[~unit].max(initial=0.0) <= _BALANCED_MVA:
        total = float(np.nansum(balance.p_mw[unit]))
        return (
            f"active power is off target only where units stand ({total:.3f} MW in all): the imbalance was distributed"
        )
    return ""
