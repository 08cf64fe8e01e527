//! Images of servers that speak simplestreams: JSON files that say which images there are, beside the images.
//!
//! ```text
//! SERVER/streams/v1/index.json     which lists there are
//! SERVER/streams/v1/images.json    products (a release for a processor) > versions > files
//! ```
//! An image is a file of metadata and a root; its fingerprint stands in the list, made of both.

mod catalog;
mod product;
mod web;

pub use self::{
    catalog::{Catalog, Listed, Part},
    web::Web,
};
