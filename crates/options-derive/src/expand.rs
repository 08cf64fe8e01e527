//! The struct as a whole: `impl Options`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, FieldsNamed, Result};

use crate::attributes::OfStruct;
use crate::field::{self, Part};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let of_struct = OfStruct::read(&input.attrs)?;
    let entity = of_struct
        .entity
        .as_ref()
        .ok_or_else(|| Error::new_spanned(&input.ident, "#[options(entity = \"..\")]"))?;

    let (mut options, mut nested, mut reads, mut builds) = (vec![], vec![], vec![], vec![]);
    let mut errors: Option<Error> = None;
    for (i, field) in fields.named.iter().enumerate() {
        let read = match field::expand(field, &of_struct) {
            Ok(Part::Option { entry, read }) => {
                options.push(entry);
                read
            }
            Ok(Part::Nested { entry, read }) => {
                nested.push(entry);
                read
            }
            Err(error) => {
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
                continue;
            }
        };
        let (name, local) = (&field.ident, format_ident!("field_{i}"));
        reads.push(quote!(let #local = #read;));
        builds.push(quote!(#name: #local?));
    }
    if let Some(errors) = errors {
        return Err(errors);
    }

    let name = &input.ident;
    let check = of_struct.check.as_ref().map(|path| {
        quote! { fn check(&self) -> ::std::vec::Vec<::options::Problem> { (#path)(self) } }
    });
    Ok(quote! {
        impl ::options::Options for #name {
            const TABLE: ::options::Table = ::options::Table {
                entity: #entity, options: &[#(#options),*], nested: &[#(#nested),*],
            };

            fn read(reader: &mut ::options::Reader<'_>) -> ::core::option::Option<Self> {
                #(#reads)*
                ::core::option::Option::Some(Self { #(#builds),* })
            }

            #check
        }
    })
}

fn named_fields(input: &DeriveInput) -> Result<&FieldsNamed> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields),
            _ => Err(Error::new_spanned(&input.ident, "a struct with named fields")),
        },
        _ => Err(Error::new_spanned(&input.ident, "a struct")),
    }
}
