//! Image formats, unpacking, building.
