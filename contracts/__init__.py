"""What all services share: the events on the bus, the plan model, the local calendar."""
