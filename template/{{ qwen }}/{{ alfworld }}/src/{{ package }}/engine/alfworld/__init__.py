"""ALFWorld: households and their games, the engine that holds them, and a player's view as AgentBench gives it."""
