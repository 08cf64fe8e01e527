//! What runs: the specification a monitor is given.
