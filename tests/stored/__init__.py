"""Files of this and of older versions."""
