//! Many rows for measurements (`lab/tests/scale.rs`): `MICROCLOUD_COPIES=web 10000` writes so many copies of the row of
//! the instance `web`, spread over all members, which have nothing on any disk.

use anyhow::{Context, Result};
use store::{Store, params};

const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)";
const MEMBER: &str = "(SELECT id FROM members one WHERE i % (SELECT count(*) FROM members) =
    (SELECT count(*) FROM members WHERE id < one.id))";

/// Writes what the environment asks for.
pub(crate) async fn fill(store: &Store) -> Result<()> {
    let Some(wish) = std::env::var("MICROCLOUD_COPIES").ok() else { return Ok(()) };
    let (name, count) = wish.split_once(' ').context("MICROCLOUD_COPIES is NAME COUNT")?;
    let count: i64 = count.parse().context("MICROCLOUD_COPIES is NAME COUNT")?;
    let instances = format!(
        "INSERT INTO instances (project_id, member_id, name, type, architecture, description, config, devices,
             ephemeral, stateful, created_at, last_used_at, state)
         {COUNT} SELECT project_id, {MEMBER}, name || '-' || i, type, architecture, description, config, devices,
             ephemeral, stateful, created_at, last_used_at, state FROM instances, n WHERE name = ?1"
    );
    let volumes = format!(
        "INSERT INTO volumes (pool_id, project_id, member_id, type, name, content_type, description, config,
             created_at, state)
         {COUNT} SELECT pool_id, project_id, {MEMBER}, type, name || '-' || i, content_type, description, config,
             created_at, state FROM volumes, n WHERE name = ?1"
    );
    let profiles = "INSERT INTO instances_profiles (instance_id, profile_id, position)
         SELECT copy.id, instances_profiles.profile_id, position
         FROM instances copy, instances_profiles JOIN instances one ON one.id = instance_id
         WHERE one.name = ?1 AND copy.name LIKE ?1 || '-%'";
    let written = store.write(|db| {
        db.execute(&instances, params![name, count])?;
        db.execute(&volumes, params![name, count])?;
        db.execute(profiles, params![name])
    });
    written.await.map(drop).context("write copies of a row")
}
