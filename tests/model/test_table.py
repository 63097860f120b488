"""Tables name themselves as the network's attributes do."""

from __future__ import annotations

from aurigrid.model.network import Network


def test_table_names_are_the_networks_attributes() -> None:
    for name, kind in Network.table_types().items():
        assert kind.table_name() == name
