"""What tests share: databases, rows, processes."""
