"""What `heed demo` shows: the bundled translator, its attention, and a training to watch."""
