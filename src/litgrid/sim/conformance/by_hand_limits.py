"""Steps by hand in which a building's limits or an outage decide."""

from __future__ import annotations

from litgrid.sim.conformance.by_hand import ALWAYS, V2G
from litgrid.sim.conformance.data_set import Case

GROUPS = {"building_limit_kw": 12.0, "phases": [{"name": "one", "limit_kw": 3.0, "chargers": ["charger_0"]}]}
ONE_PHASE = {"mode": "single_phase", "limits": {"total": {"import_kw": 10.0, "export_kw": 9.0}}}
THREE_PHASES = {
    "mode": "three_phase",
    "default_split": "balanced",
    "limits": {"total": {"import_kw": 12.0, "export_kw": 12.0}, "per_phase": {"L1": {"import_kw": 2.0}}},
}

LIMITS = (
    Case(
        "charging limits of a building and of a phase",
        # 1: 16 kW are asked, 12 allowed: 6 each, of which the phase allows 3. That counts though the second charger is
        # free.  2: 2 + 4 kW are within both.
        actions=((0.0, 1.0, 1.0), (0.0, 0.25, 0.5)),
        chargers=({}, {}),
        stays=ALWAYS,
        building={"charging_constraints": GROUPS},
        expected={
            ("commanded_kwh", 0): (3.0, 2.0),
            ("commanded_kwh", 1): (6.0, 4.0),
            ("charger_kwh", 0): (3.0, 2.0),
            ("charger_kwh", 1): (0.0, 0.0),
            ("violation_kwh", 0): (7.0, 0.0),
            ("vehicle_soc", 0): (0.635, 0.725),
        },
    ),
    Case(
        "import and export limits of a building",
        # 1: 6 + 5 + 5 kW are asked of 10: battery and charger get 2 each.  2: 1 - 8 - 5 = -12 kW of -9: the battery
        # gives 2, which draw 2 / 0.9.
        actions=((1.0, 0.625), (-1.0, 0.0)),
        load=(6.0, 1.0),
        pv=(0.0, 8.0),
        chargers=({},),
        stays=ALWAYS,
        building={"electrical_service": ONE_PHASE},
        expected={
            ("bess_kwh", 0): (2.0, -2.0),
            ("bess_soc", 0): (0.68, 0.4577778),
            ("charger_kwh", 0): (2.0, 0.0),
            ("net_kwh", 0): (10.0, -9.0),
            ("violation_kwh", 0): (6.0, 3.0),
        },
    ),
    Case(
        "import limit of a phase",
        # The load is 1 kW on each phase; on L1 there are 5 kW of one charger and a third of the other's 3 kW: 6 of
        # them have 1 kW left, so each gets a sixth.
        actions=((0.0, 0.625, 0.375),),
        load=(3.0,),
        chargers=({"phase_connection": "L1"}, {"phase_connection": "all_phases"}),
        stays=ALWAYS,
        building={"electrical_service": THREE_PHASES},
        expected={
            ("commanded_kwh", 0): (0.8333333,),
            ("commanded_kwh", 1): (0.5,),
            ("charger_kwh", 0): (0.8333333,),
            ("net_kwh", 0): (3.8333333,),
            ("violation_kwh", 0): (5.0,),
        },
    ),
    Case(
        "an outage",
        # 1: of 6 kWh the load leaves 2 to the battery.  2: the battery gives the 4 that PV lacks.  3: the charger gets
        # the 6 that are over.  4: vehicles do not discharge.  5: what nobody takes is lost.  6: the grid is back.
        actions=((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.0, 0.0), (0.0, -1.0)),
        load=(4.0, 6.0, 4.0, 4.0, 1.0, 4.0),
        pv=(6.0, 2.0, 10.0, 1.0, 3.0, 1.0),
        outage=(1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
        chargers=(V2G | {"efficiency": 1.0},),
        stays=ALWAYS,
        expected={
            ("bess_kwh", 0): (2.0, -4.0, 0.0, 0.0, 0.0, 0.0),
            ("bess_soc", 0): (0.68, 0.2355556, 0.2355556, 0.2355556, 0.2355556, 0.2355556),
            ("charger_kwh", 0): (0.0, 0.0, 6.0, 0.0, 0.0, -4.0),
            ("vehicle_soc", 0): (0.5, 0.5, 0.77, 0.77, 0.77, 0.5477778),
            ("load_kwh", 0): (4.0, 6.0, 4.0, 1.0, 1.0, 4.0),
            ("net_kwh", 0): (0.0, 0.0, 0.0, 0.0, 0.0, -1.0),
            ("cost", 0): (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        },
    ),
)
