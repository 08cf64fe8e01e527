//! The steps of the database's schema that the daemon knows. With the feature `testing` it can be told to pretend that it
//! is the next version: `MICROCLOUD_NEXT_VERSION=adds,breaks` gives it two steps more, of those kinds.

use store::Migration;

/// The steps.
#[cfg(not(feature = "testing"))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail when it pretends")]
pub(crate) fn known() -> anyhow::Result<&'static [Migration]> {
    Ok(cloud::db::MIGRATIONS)
}

/// The steps, and perhaps some more.
#[cfg(feature = "testing")]
pub(crate) fn known() -> anyhow::Result<&'static [Migration]> {
    use store::Kind;

    let mut steps = cloud::db::MIGRATIONS.to_vec();
    let wish = std::env::var("MICROCLOUD_NEXT_VERSION").unwrap_or_default();
    for word in wish.split(',').filter(|word| !word.is_empty()) {
        let kind = match word {
            "adds" => Kind::Adds,
            "breaks" => Kind::Breaks,
            "breaks-later" => Kind::BreaksLater,
            _ => anyhow::bail!("MICROCLOUD_NEXT_VERSION has \"{word}\""),
        };
        let level = steps.last().map_or(1, |step| step.level + 1);
        let sql = format!("CREATE TABLE of_level_{level} (id INTEGER PRIMARY KEY) STRICT");
        steps.push(Migration { level, name: "of the next version", kind, sql: sql.leak() });
    }
    Ok(steps.leak())
}
