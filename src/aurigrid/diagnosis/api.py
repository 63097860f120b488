"""`diagnose`: what is wrong with a grid's state, and the smallest set of changes that restores it."""

from __future__ import annotations

from aurigrid.diagnosis.conditions import network_at
from aurigrid.diagnosis.operate import missing_power
from aurigrid.diagnosis.plausibility import implausible
from aurigrid.diagnosis.result import Diagnosis
from aurigrid.diagnosis.search import find_repairs
from aurigrid.diagnosis.symptoms import symptoms
from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios

_SUSPECTS = 10


def diagnose(net: Network, scenarios: Scenarios | None = None) -> list[Diagnosis]:
    """Say of each scenario whether it can be run, and if not, why not and what to change.

    A state can be run if its power flow has a solution within reactive limits and is not severely outside other limits. Where
    it cannot, repairs are tried one by one on the whole problem, by an exact power flow each: of what is invalid, of data
    that are implausible beside their peers, of what is out of service, of everything near buses that lack power, and last
    the least load that no dispatch can serve. See docs/diagnosis.md.

    Args:
        net: the network; it need not be valid.
        scenarios: n conditions of it; the network as it is where absent.

    Returns:
        One diagnosis a scenario, in order.

    Raises:
        InputError: scenarios of another network, or of none that is valid.
    """
    if scenarios is None:
        return [_diagnose(net, net.name or "network", None)]
    if scenarios.net is not net and scenarios.net.digest != net.digest:
        raise InputError(Issue("scenarios", "", "belong to another network", hint="build them with this one"))
    names = scenarios.label if scenarios.label is not None else [f"scenario {i}" for i in range(scenarios.n)]
    return [_diagnose(network_at(net, scenarios, i), str(names[i]), scenarios[i]) for i in range(scenarios.n)]


def _diagnose(net: Network, label: str, at: Scenarios | None) -> Diagnosis:
    sick = symptoms(net)
    if not sick.severe:
        return Diagnosis(label, net, sick, None, (), (), at)
    if sick.invalid:
        return Diagnosis(label, net, sick, None, (), tuple(find_repairs(net, sick, None)), at)
    if not sick.solved:
        sick = symptoms(net, thorough=True)
    missing = missing_power(net)
    suspects = tuple(implausible(net)[:_SUSPECTS])
    return Diagnosis(label, net, sick, missing, suspects, tuple(find_repairs(net, sick, missing)), at)
