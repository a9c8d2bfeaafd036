"""The agent: takes desired state from the drivers, compares it with what exists and converges."""
