//! Beside Docker and other packet filters.

use super::{
    network,
    world::{alone, sh},
};
use crate::{Change, Plane, Warning};

/// What Docker leaves in the packet filter (names and policy, of iptables-nft).
const DOCKER: &str = "nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; \
                      policy drop; jump DOCKER-USER; }; chain DOCKER-USER { return; }; }'";

#[test]
fn rules_in_dockers_chain_come_once_and_go() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let spec = network(dir.path(), "br0", 1);
        plane.apply(&spec).await.unwrap();
        assert_eq!(sh(DOCKER).await, "");
        let applied = plane.apply(&spec).await.unwrap();
        assert!(matches!(applied.changes[..], [Change::Docker { .. }]), "{:?}", applied.changes);
        assert_eq!(applied.warnings, []);
        assert_eq!(plane.apply(&spec).await.unwrap().changes, []);
        let chain = sh("nft list chain ip filter DOCKER-USER").await;
        let accepting = |side: &str| {
            chain.contains(&format!("{side} \"br0\" counter packets 0 bytes 0 accept comment"))
        };
        assert!(accepting("iifname") && accepting("oifname"), "{chain}");
        assert!(chain.find("accept") < chain.find("return"), "before Docker's own: {chain}");
        plane.teardown(&spec).await.unwrap();
        let chain = sh("nft list chain ip filter DOCKER-USER").await;
        assert!(!chain.contains("br0") && chain.contains("return"), "{chain}");
    });
}

#[test]
fn another_filter_that_drops_is_told() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let guard = "nft 'table inet guard { chain way { type filter hook forward priority 0; \
                     policy drop; }; }'";
        assert_eq!(sh(guard).await, "");
        let applied = plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        assert!(
            matches!(&applied.warnings[..], [Warning::Denial { .. }]),
            "{:?}",
            applied.warnings
        );
        let text = applied.warnings[0].to_string();
        assert!(text.contains("guard") && text.contains("br0"), "{text}");
    });
}
