//! Tasks of several steps with undo, their journal, operations, events.
