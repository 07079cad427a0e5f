"""From the lines to the outbox: lines, the queues behind them, the pipeline."""
