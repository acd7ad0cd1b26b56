"""DB Bench: tables and questions, the databases that they lie in, and AgentBench's scoring."""
