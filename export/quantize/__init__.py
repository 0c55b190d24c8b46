"""From a proven graph in float32 to one in 8-bit integers: ranges, sensitivity, accuracy and its budget."""
