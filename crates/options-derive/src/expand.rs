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

#[cfg(test)]
mod tests {
    use syn::{DeriveInput, parse_quote};

    use super::expand;

    fn errors(input: &DeriveInput) -> Vec<String> {
        let error = expand(input).expect_err("nothing wrong was found");
        error.into_iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let input: DeriveInput = parse_quote! {
            #[options(entity = "pond")]
            struct Pond {
                #[option(key = "a", group = "g")]
                right: bool,
                #[option(key = "b")]
                no_group: bool,
                #[option(group = "g")]
                no_key: bool,
                #[option(pattern = "x.*.y.*", group = "g")]
                two_names: BTreeMap<String, bool>,
                #[option(key = "c", group = "g", apply = later)]
                wrong_word: bool,
                #[option(key = "d", colour = "red")]
                unknown_word: bool,
            }
        };
        let errors = errors(&input);
        let starts = [
            "group: here or on the struct",
            "either key, pattern or nested",
            "one part: *, <name> or NAME",
            "live, restart or create",
            "known here: key, pattern",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn only_structs_with_names_and_an_entity() {
        let of = |input: DeriveInput| errors(&input).join("");
        assert_eq!(
            of(parse_quote!(
                enum Pond {}
            )),
            "a struct"
        );
        assert_eq!(
            of(parse_quote!(
                struct Pond(bool);
            )),
            "a struct with named fields"
        );
        assert_eq!(
            of(parse_quote!(
                struct Pond {}
            )),
            "#[options(entity = \"..\")]"
        );
    }
}
