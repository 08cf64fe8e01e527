//! The derive macro of the crate `options`.
//!
//! `#[derive(Options)]` turns a struct into a table of options and a parser. It reads three things:
//! the struct's `#[options(..)]`, each field's doc comment (first paragraph: short text, the rest:
//! long text), and each field's `#[option(..)]`. What the attributes mean stands in the head of the
//! crate `options`.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod attributes;
mod docs;
mod expand;
mod field;
mod pattern;

/// Makes a struct a set of declared options; see the head of the crate `options`.
#[proc_macro_derive(Options, attributes(options, option))]
pub fn derive_options(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
