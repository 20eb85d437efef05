"""LitGrid: trains, compares and certifies controllers of sites with PV, a battery and electric-vehicle sockets."""
