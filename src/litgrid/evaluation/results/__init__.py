"""The page of results of an experiment: every site's controllers and agents, with their seeds, bounds and checks."""
