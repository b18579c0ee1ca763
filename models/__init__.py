"""Tables, and the values that cross the Temporal boundary."""
