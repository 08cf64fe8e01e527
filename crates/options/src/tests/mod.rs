//! What holds for all tables.

use std::collections::BTreeSet;

use crate::{Opt, Options, TABLES, Table};

mod devices;
mod missing;
mod parse;
mod snapshots;

fn each_option(mut check: impl FnMut(&Table, &Opt)) {
    for table in TABLES {
        for opt in table.own() {
            check(table, opt);
        }
    }
}

#[test]
fn keys_are_declared_once() {
    for table in TABLES {
        let mut seen = BTreeSet::new();
        for (prefix, opt) in table.all() {
            let key = format!("{prefix}{}", opt.key);
            assert!(seen.insert(key.clone()), "{}: {key} twice", table.entity);
        }
    }
}

#[test]
fn every_key_is_found_as_itself() {
    for table in TABLES {
        for (prefix, opt) in table.all() {
            let own = opt.family.map_or(opt.key.to_owned(), |family| family.key("x1"));
            let key = format!("{prefix}{own}");
            let found = table.find(&key).unwrap_or_else(|| panic!("{}: {key}", table.entity));
            assert_eq!(found.opt.key, opt.key, "{}: {key} belongs to another", table.entity);
            assert_eq!(found.prefix, prefix);
            assert_eq!(found.name, opt.family.map(|_| "x1"));
        }
    }
}

#[test]
fn texts_are_short_sentences() {
    each_option(|table, opt| {
        let place = format!("{} {}: {:?}", table.entity, opt.key, opt.short);
        assert!(opt.short.chars().count() < 80, "{place} is too long");
        assert!(opt.short.ends_with('.'), "{place} has no dot at its end");
        assert!(opt.short.starts_with(char::is_uppercase) || opt.short.starts_with('`'), "{place}");
        assert!(!opt.long.ends_with(' '), "{place}");
    });
}

#[test]
fn a_default_in_words_has_no_other_beside_it() {
    each_option(|table, opt| {
        assert!(
            opt.default.is_none() || opt.default_text.is_none(),
            "{} {}",
            table.entity,
            opt.key
        );
    });
}

/// Parses each default and initial value on its own, by way of the whole struct.
fn defaults_parse<O: Options>() {
    for (prefix, opt) in O::TABLE.all() {
        for value in [opt.default, opt.initial].into_iter().flatten() {
            let key = format!("{prefix}{}", opt.key);
            let raw = [(key.as_str(), value)].into();
            let problems = O::parse(&raw).err();
            let own = problems.iter().flat_map(|p| p.iter()).find(|p| p.key == key);
            assert!(own.is_none(), "{} {own:?}", O::TABLE.entity);
        }
    }
}

#[test]
fn defaults_are_allowed_values() {
    defaults_parse::<crate::instance::InstanceOptions>();
    defaults_parse::<crate::device::Disk>();
    defaults_parse::<crate::device::NicBridged>();
    defaults_parse::<crate::device::NicP2p>();
    defaults_parse::<crate::network::BridgeOptions>();
    defaults_parse::<crate::storage::BtrfsPoolOptions>();
    defaults_parse::<crate::lvm::LvmPoolOptions>();
    defaults_parse::<crate::zfs::ZfsPoolOptions>();
    defaults_parse::<crate::storage::DirPoolOptions>();
    defaults_parse::<crate::storage::VolumeOptions>();
    defaults_parse::<crate::project::ProjectOptions>();
    defaults_parse::<crate::server::ServerOptions>();
}
