"""pypowsybl as a tool: quiet import, units and variants left as found, and OpenLoadFlow's own solution to compare with.

The comparison needs the plain power flow that Aurigrid solves by default: one reference a synchronous component, no
distribution of the imbalance, no reactive limits, taps, shifters, shunts and HVDC set-points held.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

from aurigrid.errors import MissingExtraError

_TOLERANCE = "1e-11"
_VARIANT = "aurigrid-scratch"


def pypowsybl() -> ModuleType:
    """The package, imported without its note about missing extras.

    Raises:
        MissingExtraError: it is not installed.
    """
    logger = logging.getLogger("powsybl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import pypowsybl as module
        import pypowsybl.loadflow
        import pypowsybl.network
    except ImportError as error:
        raise MissingExtraError("pypowsybl", "grids", "reading CGMES, XIIDM, UCTE, PSS/E and IEEE-CDF") from error
    finally:
        logger.setLevel(level)
    return cast(ModuleType, module)


@contextmanager
def plain_units(network: Any) -> Iterator[None]:
    """Show the network in kV, ohm, siemens and MW, whatever its ``per_unit`` flag, and put the flag back."""
    was = bool(network.per_unit)
    network.per_unit = False
    try:
        yield
    finally:
        network.per_unit = was


@contextmanager
def scratch_variant(network: Any) -> Iterator[None]:
    """Work on a copy of the network's present variant, which is dropped at the end: the caller's stays as it was."""
    present = network.get_working_variant_id()
    network.clone_variant(present, _VARIANT, may_overwrite=True)
    network.set_working_variant(_VARIANT)
    try:
        yield
    finally:
        network.set_working_variant(present)
        network.remove_variant(_VARIANT)


def open_load_flow(network: Any, slack_views: Sequence[str], load_models: bool) -> tuple[str, ...]:
    """Solve the network's present variant with OpenLoadFlow, to mismatches of 1e-9 MW.

    Args:
        network: the live network; its variant is changed.
        slack_views: ids of the slack buses in the bus view, one a synchronous component.
        load_models: whether loads follow their ZIP or exponential models.

    Returns:
        What is wrong, one line for each synchronous component that did not converge; empty where all did.
    """
    module = pypowsybl()
    flow = module.loadflow
    provider = {
        "newtonRaphsonConvEpsPerEq": _TOLERANCE,
        "maxNewtonRaphsonIterations": "50",
        "slackBusSelectionMode": "NAME",
        "slackBusesIds": ",".join(slack_views),
        "useLoadModel": "true" if load_models else "false",
        "minPlausibleTargetVoltage": "0.5",
        "maxPlausibleTargetVoltage": "1.5",
    }
    parameters = flow.Parameters(
        distributed_slack=False,
        use_reactive_limits=False,
        transformer_voltage_control_on=False,
        phase_shifter_regulation_on=False,
        shunt_compensator_voltage_control_on=False,
        hvdc_ac_emulation=False,
        read_slack_bus=False,
        write_slack_bus=False,
        component_mode=flow.ComponentMode.ALL_CONNECTED,
        provider_parameters=provider,
    )
    try:
        results = flow.run_ac(network, parameters, provider="OpenLoadFlow")
    except module.PyPowsyblError as error:
        return (f"OpenLoadFlow refuses the network: {error}",)
    return tuple(
        f"synchronous component {r.synchronous_component_num}: {r.status_text or r.status}"
        for r in results
        if r.status not in (flow.ComponentStatus.CONVERGED, flow.ComponentStatus.NO_CALCULATION)
    )
