//! Laws of the tasks on networks.

use tasks::laws;
use wire::NetworksPost;

use super::scene::{observe, play};
use crate::{
    Caller,
    networks::{self as verbs, Create, Delete, Rename},
};

fn post() -> NetworksPost {
    NetworksPost {
        name: "lawbr1".into(),
        config: [("ipv4.address", "10.98.1.1/24"), ("ipv6.address", "none")]
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
        ..NetworksPost::default()
    }
}

#[test]
fn create_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Create, _>(
            async || {
                if verbs::get(&world, "default", "lawbr1").await.is_ok() {
                    verbs::delete(&world, &Caller::default(), "default", "lawbr1").await.unwrap();
                }
                world.clone()
            },
            || Create::new(&world, "default", post()).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Delete, _>(
            async || {
                if verbs::get(&world, "default", "lawbr1").await.is_err() {
                    verbs::create(&world, &Caller::default(), "default", post()).await.unwrap();
                }
                world.clone()
            },
            || Delete::new(&world, "default", "lawbr1").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn rename_is_all_or_nothing() {
    play(async |world| {
        let caller = Caller::default();
        laws::check::<Rename, _>(
            async || {
                if verbs::get(&world, "default", "lawbr2").await.is_ok() {
                    verbs::delete(&world, &caller, "default", "lawbr2").await.unwrap();
                }
                if verbs::get(&world, "default", "lawbr1").await.is_err() {
                    verbs::create(&world, &caller, "default", post()).await.unwrap();
                }
                world.clone()
            },
            || Rename::new(&world, "default", "lawbr1", "lawbr2").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn a_repair_does_not_bring_back_what_is_deleted() {
    play(async |world| {
        let repairs = tokio::spawn({
            let world = world.clone();
            async move {
                loop {
                    crate::reconcile::repair_networks(&world).await;
                }
            }
        });
        for _ in 0..10 {
            let before = observe(&world).await;
            verbs::create(&world, &Caller::default(), "default", post()).await.unwrap();
            verbs::delete(&world, &Caller::default(), "default", "lawbr1").await.unwrap();
            assert_eq!(observe(&world).await, before);
        }
        repairs.abort();
    });
}
