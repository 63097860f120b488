"""Standard figures with Matplotlib (extra ``plot``): each function returns (figure, axes) and shows nothing.

Colours are told apart with every common kind of colour blindness: the palette of Okabe and Ito (2008) for categories,
``cividis`` (Nuñez et al. 2018, doi:10.1371/journal.pone.0199239) and a ramp of falling lightness for quantities; what is over
a limit is also thicker.
"""

from aurigrid.plots.curves import loading_duration, price_timeline, voltage_profile
from aurigrid.plots.maps import grid_map
from aurigrid.plots.plans import daily_fan, dispatch_stack, nodal_prices
from aurigrid.plots.runs import generation_stack, severity_matrix, violation_timeline

__all__ = [
    "daily_fan",
    "dispatch_stack",
    "generation_stack",
    "grid_map",
    "loading_duration",
    "nodal_prices",
    "price_timeline",
    "severity_matrix",
    "violation_timeline",
    "voltage_profile",
]
