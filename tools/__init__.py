"""What the developers of qlab run: bench, faults, retraining of what ships, set-up."""
