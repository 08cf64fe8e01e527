//! What the cloud does, one verb a file.
