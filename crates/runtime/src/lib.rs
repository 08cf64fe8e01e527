//! System containers, and the monitor that holds one.
