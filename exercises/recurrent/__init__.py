"""Session 2: recurrent networks: memories, and forecasts that feed on themselves."""
