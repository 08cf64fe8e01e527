//! The API's types and the list of its endpoints.
