//! Configuration options, declared once as typed structs.
