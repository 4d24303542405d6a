"""What the developers of qlab run: bench, retraining of what ships, set-up."""
