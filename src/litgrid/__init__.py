"""LitGrid: trains, compares and certifies controllers of sites with PV, a battery and electric-vehicle sockets.

Importing it registers ``litgrid/Site-v0`` with gymnasium; what makes the environment is imported when it is made.
"""

from gymnasium.envs.registration import register

register("litgrid/Site-v0", entry_point="litgrid.sim.gym:make_site", vector_entry_point="litgrid.sim.gym:make_sites")
