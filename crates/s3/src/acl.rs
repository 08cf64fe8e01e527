//! Access by lists, as S3 had it before policies: here only by the names that it gives to the usual ones.

use s3s::{
    S3Result,
    dto::{AccessControlPolicy, Grant, Grantee, Owner, Permission, Type},
    s3_error,
};

const ANYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const SIGNED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// Who owns buckets and objects: whoever has the server.
const OWNER: &str = "microcloud";

/// Who has access beside the bucket's own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Acl {
    /// Nobody.
    #[default]
    Private,
    /// Anybody reads.
    PublicRead,
    /// Anybody reads and writes.
    PublicReadWrite,
    /// Whoever has a key to any bucket reads.
    AuthenticatedRead,
}

impl Acl {
    const ALL: [(Acl, &str); 4] = [
        (Acl::Private, "private"),
        (Acl::PublicRead, "public-read"),
        (Acl::PublicReadWrite, "public-read-write"),
        (Acl::AuthenticatedRead, "authenticated-read"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Acl::ALL.iter().find(|(acl, _)| *acl == self).map_or("", |(_, word)| word)
    }

    /// As it is kept; nothing is private.
    pub(crate) fn kept(word: &str) -> Acl {
        Acl::ALL.iter().find(|(_, known)| *known == word).map_or(Acl::Private, |(acl, _)| *acl)
    }

    /// As a client says it; nothing is private.
    pub(crate) fn read(word: Option<&str>) -> S3Result<Acl> {
        match word {
            // The owner of a bucket owns what is in it.
            None | Some("bucket-owner-read" | "bucket-owner-full-control") => Ok(Acl::Private),
            Some(word) => match Acl::ALL.iter().find(|(_, known)| *known == word) {
                Some((acl, _)) => Ok(*acl),
                None => Err(s3_error!(
                    InvalidArgument,
                    "acl {word:?}: private, public-read, public-read-write or authenticated-read"
                )),
            },
        }
    }

    pub(crate) fn reads(self, signed: bool) -> bool {
        match self {
            Acl::Private => false,
            Acl::PublicRead | Acl::PublicReadWrite => true,
            Acl::AuthenticatedRead => signed,
        }
    }

    pub(crate) fn writes(self) -> bool {
        self == Acl::PublicReadWrite
    }

    /// It as a list.
    pub(crate) fn grants(self) -> Vec<Grant> {
        let group = |uri: &str, permission: &'static str| {
            let uri = Some(uri.to_owned());
            grant(Grantee { uri, ..grantee(Type::GROUP) }, permission)
        };
        let mut grants = vec![grant(
            Grantee {
                id: Some(OWNER.to_owned()),
                display_name: Some(OWNER.to_owned()),
                ..grantee(Type::CANONICAL_USER)
            },
            Permission::FULL_CONTROL,
        )];
        grants.extend(match self {
            Acl::Private => Vec::new(),
            Acl::PublicRead => vec![group(ANYBODY, Permission::READ)],
            Acl::PublicReadWrite => {
                vec![group(ANYBODY, Permission::READ), group(ANYBODY, Permission::WRITE)]
            }
            Acl::AuthenticatedRead => vec![group(SIGNED, Permission::READ)],
        });
        grants
    }

    /// What a list says, if it is one that has a name.
    pub(crate) fn of_list(list: &AccessControlPolicy) -> S3Result<Acl> {
        let mut given = Vec::new();
        for one in list.grants.iter().flatten() {
            let (Some(to), Some(permission)) = (&one.grantee, &one.permission) else {
                return Err(s3_error!(MalformedACLError));
            };
            match (to.type_.as_str(), to.id.as_deref(), to.uri.as_deref()) {
                (Type::CANONICAL_USER, Some(OWNER), _) => {}
                (Type::GROUP, _, Some(uri)) => given.push((uri, permission.as_str())),
                (Type::CANONICAL_USER, ..) => return Err(s3_error!(InvalidArgument, "Invalid id")),
                _ => return Err(s3_error!(NotImplemented, "access for one grantee: use a policy")),
            }
        }
        given.sort_unstable();
        given.dedup();
        match given.as_slice() {
            [] => Ok(Acl::Private),
            [(ANYBODY, "READ")] => Ok(Acl::PublicRead),
            [(ANYBODY, "READ"), (ANYBODY, "WRITE")] => Ok(Acl::PublicReadWrite),
            [(SIGNED, "READ")] => Ok(Acl::AuthenticatedRead),
            _ => Err(s3_error!(NotImplemented, "a list that has no name: use a policy")),
        }
    }
}

/// Who owns a bucket and what is in it.
pub(crate) fn owner() -> Owner {
    Owner { id: Some(OWNER.to_owned()), display_name: Some(OWNER.to_owned()) }
}

/// Refuses headers that give access to somebody by name.
pub(crate) fn no_grants(given: &[&Option<String>]) -> S3Result<()> {
    match given.iter().any(|one| one.is_some()) {
        true => Err(s3_error!(NotImplemented, "x-amz-grant-...: use x-amz-acl or a policy")),
        false => Ok(()),
    }
}

fn grantee(kind: &'static str) -> Grantee {
    Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_: Type::from_static(kind),
        uri: None,
    }
}

fn grant(to: Grantee, permission: &'static str) -> Grant {
    Grant { grantee: Some(to), permission: Some(Permission::from_static(permission)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_their_names() {
        for (acl, word) in Acl::ALL {
            assert_eq!(Acl::read(Some(word)).unwrap(), acl);
            assert_eq!(Acl::kept(acl.word()), acl);
            let list = AccessControlPolicy { grants: Some(acl.grants()), owner: None };
            assert_eq!(Acl::of_list(&list).unwrap(), acl);
        }
        assert!(Acl::read(Some("aws-exec-read")).is_err());
        let mut odd = Acl::PublicReadWrite.grants();
        odd.remove(1);
        assert!(Acl::of_list(&AccessControlPolicy { grants: Some(odd), owner: None }).is_err());
    }
}
