"""Controllers put to the test: rollouts of whole years, their accounts, the CO2 ladder, table and picture."""
