"""What all SQL providers share: model, configuration spelling, differ, operations, handlers."""
