"""From a folder of pictures to pixel batches, and back to `results.csv`: the agent and its ledger."""
