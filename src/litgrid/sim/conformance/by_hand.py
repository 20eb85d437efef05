"""Steps whose results are written out, each with its calculation: ``data_set`` has what is not stated here."""

from __future__ import annotations

from litgrid.sim.conformance.data_set import Case, Stay

V2G = {"max_discharging_power": 4.0, "efficiency": 0.8}
ALWAYS = (Stay(charger=0, vehicle=0, first=0, end=9),)
SLOPED = {
    "initial_soc": 0.4,
    "power_efficiency_curve": [[0.0, 0.64], [1.0, 1.0]],
    "capacity_power_curve": [[0.0, 1.0], [0.5, 1.0], [1.0, 0.2]],
}
LOSING = {"loss_coefficient": 0.1, "capacity_loss_coefficient": 0.1}

BATTERIES = (
    Case(
        "a battery with curves",
        # 1: 5 kW at share 1 without loss: 4 + 5 kWh.  2: at SOC 0.9 the limit is 5 (1 - 0.8 x 0.8) = 1.8 kW, of share
        # 0.36 and efficiency 0.7696; the room of 1 kWh takes 1 / root(0.7696) = 1.139902, of share 0.227980 and
        # efficiency 0.722073; so it takes 1 / root(0.722073).  3: at SOC 1 the limit is 1 kW, 1 / root(0.712) is drawn.
        actions=((1.0,), (1.0,), (-0.5,)),
        battery=SLOPED,
        expected={
            ("bess_soc", 0): (0.9, 1.0, 0.8814886),
            ("bess_kwh", 0): (5.0, 1.1768183, -1.0),
            ("net_kwh", 0): (6.0, 2.1768183, 0.0),
        },
    ),
    Case(
        "a battery that loses and wears",
        # 1: 5 + 4 x 0.9 kWh; a full cycle of 20 kWh costs 1 kWh, 4 kWh cost 0.2.  2: 0.86 x 0.9.
        # 3: 0.774 x 0.9 = 0.6966; up to the 9.8 kWh that are left it takes 2.834 / 0.9 = 3.148889, which cost
        # 3.148889 / (2 x 9.8).
        actions=((0.8,), (0.0,), (1.0,)),
        battery=LOSING,
        expected={
            ("bess_soc", 0): (0.86, 0.774, 0.98),
            ("bess_kwh", 0): (4.0, 0.0, 3.1488889),
            ("bess_capacity_kwh", 0): (9.8, 9.8, 9.6393424),
        },
    ),
    Case(
        "steps of 900 s",
        # 1: 4 kW x 0.25 h = 1 kWh, 0.9 stored; 8 kW x 0.25 h = 2 kWh, 2 x 0.8 x 0.9 = 1.44 of 20 stored.
        # 2: 0.59 x (1 - 0.1 x 0.25).
        actions=((0.8, 1.0), (0.0, 0.0)),
        step_seconds=900,
        battery={"loss_coefficient": 0.1},
        chargers=({"efficiency": 0.8},),
        stays=ALWAYS,
        expected={
            ("bess_soc", 0): (0.59, 0.57525),
            ("vehicle_soc", 0): (0.572, 0.572),
            ("charger_kwh", 0): (2.0, 0.0),
            ("net_kwh", 0): (4.0, 1.0),
            ("cost", 0): (2.0, 0.5),
            ("co2_kg", 0): (1.6, 0.4),
        },
    ),
    Case(
        "full, empty, and asked for more than all",
        # 1: 5 kWh x 0.9 stored.  2: the room of 0.5 kWh takes 0.5 / 0.9.  3: 5 kWh drawn as 5 / 0.9.
        # 4: what is left above SOC 0.2 gives (4.444444 - 2) x 0.9.
        actions=((5.0,), (1.0,), (-7.0,), (-1.0,)),
        expected={
            ("bess_soc", 0): (0.95, 1.0, 0.4444444, 0.2),
            ("bess_kwh", 0): (5.0, 0.5555556, -5.0, -2.2),
            ("net_kwh", 0): (6.0, 1.5555556, -4.0, -1.2),
            ("cost", 0): (3.0, 0.7777778, 0.0, 0.0),
            ("co2_kg", 0): (2.4, 0.6222222, 0.0, 0.0),
        },
    ),
)

VEHICLES = (
    Case(
        "vehicle to grid",
        # 1: 2 kWh are asked, the car gives 2 / 0.8 = 2.5 and loses 2.5 / 0.9.  2: 4 kWh, 4 x 0.8 x 0.9 stored.
        # 3: 4 kWh, the car loses 4 / 0.8 / 0.9.
        actions=((0.0, -0.5), (0.0, 0.5), (0.0, -1.0)),
        chargers=(V2G,),
        stays=ALWAYS,
        expected={
            ("vehicle_soc", 0): (0.3611111, 0.5051111, 0.2273333),
            ("charger_kwh", 0): (-2.0, 4.0, -4.0),
            ("commanded_kwh", 0): (-2.0, 4.0, -4.0),
            ("net_kwh", 0): (-1.0, 5.0, -3.0),
            ("cost", 0): (0.0, 2.5, 0.0),
        },
    ),
    Case(
        "no vehicle to grid",
        actions=((0.0, -1.0),),
        chargers=({},),
        stays=ALWAYS,
        expected={("vehicle_soc", 0): (0.5,), ("charger_kwh", 0): (0.0,), ("commanded_kwh", 0): (0.0,)},
    ),
    Case(
        "curves of a charger",
        # 1: share 0.5, 4 kWh x 0.8 x 0.9.  2: beyond the curve's end at 0.8 it stays 0.9: 8 x 0.9 x 0.9.
        # 3: discharging at share 0.5 has 0.6: 2 / 0.6 / 0.9.
        actions=((0.0, 0.5), (0.0, 1.0), (0.0, -0.5)),
        car={"initial_soc": 0.3},
        chargers=(
            V2G
            | {
                "charge_efficiency_curve": [[0.0, 0.7], [0.5, 0.8], [0.8, 0.9]],
                "discharge_efficiency_curve": [[0.0, 0.5], [1.0, 0.7]],
            },
        ),
        stays=ALWAYS,
        expected={("vehicle_soc", 0): (0.444, 0.768, 0.5828148), ("charger_kwh", 0): (4.0, 8.0, -2.0)},
    ),
    Case(
        "a dead-band",
        # 1.6 kW is below 2, 2 kW is not; 0.8 kW is below 1, 1 kW is not.
        actions=((0.0, 0.2), (0.0, 0.25), (0.0, -0.2), (0.0, -0.25)),
        chargers=(V2G | {"efficiency": 1.0, "min_charging_power": 2.0, "min_discharging_power": 1.0},),
        stays=ALWAYS,
        expected={
            ("vehicle_soc", 0): (0.5, 0.59, 0.59, 0.5344444),
            ("charger_kwh", 0): (0.0, 2.0, 0.0, -1.0),
            ("commanded_kwh", 0): (0.0, 2.0, 0.0, -1.0),
        },
    ),
    Case(
        "arrivals with and without a SOC",
        # The first comes with 0.3, is given 3.6 of 20 kWh a step, and comes back with the SOC with which it left;
        # the second is announced with 0.1, which it has from the row before. Nothing flows while nobody is there.
        actions=((0.0, 0.5),) * 7,
        chargers=({},),
        stays=(Stay(0, 0, 0, 2, soc=0.3), Stay(0, 0, 4, 5), Stay(0, 1, 6, 7, soc=0.1, announced=True)),
        expected={
            ("vehicle_soc", 0): (0.48, 0.66, 0.66, 0.66, 0.84, 0.84, 0.84),
            ("vehicle_soc", 1): (None, None, None, None, None, 0.1, 0.28),
            ("charger_kwh", 0): (4.0, 4.0, 0.0, 0.0, 4.0, 0.0, 4.0),
            ("commanded_kwh", 0): (4.0,) * 7,
        },
    ),
    Case(
        "a vehicle that moves between chargers",
        # 0.5 + 2 x 0.18 at the first; at the second 4 kW x 0.8 x 0.9 would be 0.144: the 2.8 kWh to full take
        # 2.8 / 0.9 / 0.8.
        actions=((0.0, 0.5, 1.0),) * 5,
        chargers=({}, {"max_charging_power": 4.0, "efficiency": 0.8}),
        stays=(Stay(0, 0, 0, 2), Stay(1, 0, 3, 5)),
        expected={
            ("vehicle_soc", 0): (0.68, 0.86, 0.86, 1.0, 1.0),
            ("charger_kwh", 0): (4.0, 4.0, 0.0, 0.0, 0.0),
            ("charger_kwh", 1): (0.0, 0.0, 0.0, 3.8888889, 0.0),
        },
    ),
    Case(
        "a vehicle that loses",
        # 0.9 with every row in which it is connected or comes with the next; none while it is away.
        actions=((0.0, 0.0),) * 6,
        car=LOSING,
        chargers=({},),
        stays=(Stay(0, 0, 0, 2), Stay(0, 0, 5, 6)),
        expected={("vehicle_soc", 0): (0.5, 0.45, 0.45, 0.45, 0.405, 0.3645)},
    ),
    Case(
        "an arrival below the depth of discharge",
        # CityLearn lifts it to 0.1 in its first step, without energy.
        actions=((0.0, 0.0), (0.0, 0.5)),
        car={"depth_of_discharge": 0.9},
        chargers=({},),
        stays=(Stay(0, 0, 0, 2, soc=0.02),),
        expected={("vehicle_soc", 0): (0.1, 0.28), ("charger_kwh", 0): (0.0, 4.0)},
    ),
    Case(
        "an episode that begins within a stay",
        # The row states no SOC, so the vehicle has its initial one; load and PV are those of rows 1 and 2.
        actions=((0.0, 0.5), (0.2, 0.5)),
        first=1,
        load=(1.0, 2.0, 3.0),
        pv=(0.0, 5.0, 0.5),
        chargers=({},),
        stays=(Stay(0, 0, 0, 4, soc=0.3),),
        expected={
            ("vehicle_soc", 0): (0.68, 0.86),
            ("bess_soc", 0): (0.5, 0.59),
            ("net_kwh", 0): (1.0, 7.5),
        },
    ),
)
