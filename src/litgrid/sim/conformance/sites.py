"""Sites for the kit: small, with everything that a site has."""

from __future__ import annotations

from hypothesis import strategies as st

from litgrid.site.site import (
    Battery,
    DemandCharge,
    EnergyPrice,
    Fleet,
    Load,
    Location,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
)

BATTERY = Battery(capacity_kwh=40.0, power_kw=15.0)


def site(sockets: int, battery: Battery = BATTERY, step_seconds: int = 3600, v2g: bool = False) -> Site:
    """Motos on half of the sockets, cars on the others; PV, a battery, two demand charges."""
    motos = sockets // 2
    groups = [
        SocketGroup("moto", sockets=motos, power_kw=2.0, battery_kwh=2.0),
        SocketGroup("car", sockets=sockets - motos, power_kw=7.0, battery_kwh=30.0, efficiency_one_way=0.9, v2g=v2g),
    ]
    return _site(groups, battery, step_seconds)


def _site(groups: list[SocketGroup], battery: Battery, step_seconds: int) -> Site:
    return Site(
        name="conformance",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=60.0, ac_kw=50.0),
        battery=battery,
        fleet=Fleet(groups=groups, energy_kwh_per_day=60.0),
        load=Load(annual_kwh=120_000.0, peak_kw=30.0),
        tariff=Tariff(
            windows=[EnergyPrice(18.0, 23.0, 0.45)],
            demand=[DemandCharge(48.5, 18.0, 23.0), DemandCharge(22.8, 18.0, 23.0, outside=True)],
        ),
        step_seconds=step_seconds,
    )


_share = st.floats(0.3, 1.0)
_batteries = st.builds(
    Battery,
    capacity_kwh=st.floats(1.0, 5000.0),
    power_kw=st.floats(0.1, 3000.0),
    depth_of_discharge=_share,
    efficiency_one_way=_share,
    initial_soc=st.floats(0.7, 1.0),
)
_groups = st.builds(
    SocketGroup,
    name=st.just("any"),
    sockets=st.integers(1, 3),
    power_kw=st.floats(0.5, 50.0),
    battery_kwh=st.floats(1.0, 100.0),
    efficiency_one_way=_share,
    v2g=st.booleans(),
)
SITES = st.builds(
    _site,
    groups=_groups.map(lambda group: [group]),
    battery=_batteries,
    step_seconds=st.sampled_from([3600, 1200, 900]),
)
"""Any battery, any group of sockets, steps of 15, 20 and 60 minutes."""
