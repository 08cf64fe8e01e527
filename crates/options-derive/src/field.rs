//! One field: its entry in the table and how it is read.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Field, Ident, LitStr, Result, Type};

use crate::attributes::{OfField, OfStruct};
use crate::{docs, pattern};

/// What a field becomes.
pub(crate) enum Part {
    /// An entry of the table, and the expression that reads it.
    Option { entry: TokenStream, read: TokenStream },
    /// Another struct of options, and the expression that reads it.
    Nested { entry: TokenStream, read: TokenStream },
}

pub(crate) fn expand(field: &Field, of_struct: &OfStruct) -> Result<Part> {
    let of_field = OfField::read(&field.attrs)?;
    if of_field.nested {
        return Ok(nested(field, &of_field));
    }
    let (shown, family) = match (&of_field.key, &of_field.pattern) {
        (Some(key), None) => (key, None),
        (None, Some(pattern)) => (pattern, Some(family(pattern)?)),
        _ => return Err(Error::new_spanned(field, "either key, pattern or nested")),
    };
    let entry = entry(field, of_struct, &of_field, shown, family.as_ref())?;
    let read = if let Some(family) = family {
        quote!(reader.family(#shown, #family))
    } else if is_option(&field.ty) {
        quote!(reader.optional(#shown))
    } else {
        let default = wrapped(of_field.default.as_ref());
        quote!(reader.value(#shown, #default))
    };
    Ok(Part::Option { entry, read })
}

fn nested(field: &Field, of_field: &OfField) -> Part {
    let ty = &field.ty;
    let prefix = of_field.prefix.as_ref().map(LitStr::value).unwrap_or_default();
    Part::Nested {
        entry: quote! {
            ::options::Nested { prefix: #prefix, table: &<#ty as ::options::Options>::TABLE }
        },
        read: quote!(reader.nested::<#ty>(#prefix)),
    }
}

fn entry(
    field: &Field,
    of_struct: &OfStruct,
    of_field: &OfField,
    shown: &LitStr,
    family: Option<&TokenStream>,
) -> Result<TokenStream> {
    let (short, long) = docs::texts(&field.attrs);
    let group = of_field.group.as_ref().or(of_struct.group.as_ref());
    let group = group.ok_or_else(|| Error::new_spanned(field, "group: here or on the struct"))?;
    let family = wrapped(family);
    let kind = value_type(&field.ty);
    let default = wrapped(of_field.default.as_ref());
    let default_text = wrapped(of_field.default_text.as_ref());
    let initial = wrapped(of_field.initial.as_ref());
    let condition = wrapped(of_field.condition.as_ref());
    let since = wrapped(of_field.since.as_ref());
    let apply = apply(of_field.apply.as_ref().or(of_struct.apply.as_ref()))?;
    let scope = scope(of_field.scope.as_ref().or(of_struct.scope.as_ref()))?;
    Ok(quote! {
        ::options::Opt {
            key: #shown, family: #family, group: #group, kind: <#kind as ::options::Value>::KIND,
            default: #default, default_text: #default_text, initial: #initial, scope: #scope,
            apply: #apply, condition: #condition, since: #since, short: #short, long: #long,
        }
    })
}

fn family(pattern: &LitStr) -> Result<TokenStream> {
    let (head, tail) = pattern::split(&pattern.value())
        .ok_or_else(|| Error::new_spanned(pattern, "one part: *, <name> or NAME"))?;
    Ok(quote!(::options::Family { head: #head, tail: #tail }))
}

fn wrapped<T: ToTokens>(value: Option<&T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn apply(word: Option<&Ident>) -> Result<TokenStream> {
    let Some(word) = word else { return Ok(quote!(::options::Apply::Live)) };
    match word.to_string().as_str() {
        "live" => Ok(quote!(::options::Apply::Live)),
        "restart" => Ok(quote!(::options::Apply::Restart)),
        "create" => Ok(quote!(::options::Apply::Create)),
        _ => Err(Error::new_spanned(word, "live, restart or create")),
    }
}

fn scope(word: Option<&Ident>) -> Result<TokenStream> {
    let Some(word) = word else { return Ok(quote!(::options::Scope::Global)) };
    match word.to_string().as_str() {
        "global" => Ok(quote!(::options::Scope::Global)),
        "local" => Ok(quote!(::options::Scope::Local)),
        _ => Err(Error::new_spanned(word, "global or local")),
    }
}

fn is_option(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Option")
}

/// The type that parses one value: `T` of `T`, `Option<T>` and `BTreeMap<String, T>`.
fn value_type(ty: &Type) -> &Type {
    let Some(segment) = last_segment(ty) else { return ty };
    if segment.ident != "Option" && segment.ident != "BTreeMap" {
        return ty;
    }
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return ty };
    match arguments.args.last() {
        Some(syn::GenericArgument::Type(inner)) => inner,
        _ => ty,
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}
