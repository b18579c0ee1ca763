"""What touches the outside world: one class per outside party."""
