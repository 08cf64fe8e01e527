//! What the store keeps about the state, in the state's own file and transaction: the last entry
//! applied, the members, the schema's level, when each table changed last, and the last batch of
//! each member.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::changed::Versions;
use crate::codec::{decode, encode};
use crate::error::BoxError;
use crate::options::MemberId;
use crate::raft::{LogId, StoredMembership};

type Result<T> = std::result::Result<T, BoxError>;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _store(
    key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID";

/// The bookkeeping, as kept in memory beside the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
    /// Level of the schema.
    pub(crate) level: u32,
    /// The level that a program must know to work with it; nothing in a state that was written before this was noted.
    pub(crate) needs: Option<u32>,
    /// Index of the entry that changed the schema last.
    pub(crate) schema_version: u64,
    /// Index of the entry that changed any row last.
    pub(crate) revision: u64,
    pub(crate) versions: Arc<Versions>,
    /// The last batch applied of each member.
    pub(crate) seen: BTreeMap<MemberId, u64>,
}

impl Meta {
    pub(crate) fn create_table(conn: &Connection) -> rusqlite::Result<()> {
        conn.execute_batch(TABLE)
    }

    /// Reads all of it.
    pub(crate) fn load(conn: &Connection) -> Result<Meta> {
        let mut versions = Versions::new();
        let mut seen = BTreeMap::new();
        let mut rows = conn.prepare("SELECT key, value FROM _store")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let value = row.get_ref(1)?.as_blob()?;
            if let Some(table) = key.strip_prefix("table/") {
                versions.insert(table.into(), decode(value)?);
            } else if let Some(member) = key.strip_prefix("seen/") {
                seen.insert(member.parse()?, decode(value)?);
            }
        }
        Ok(Meta {
            applied: get(conn, "applied")?,
            membership: get(conn, "membership")?.unwrap_or_default(),
            level: get(conn, "level")?.unwrap_or_default(),
            needs: get(conn, "needs")?,
            schema_version: get(conn, "schema")?.unwrap_or_default(),
            revision: get(conn, "revision")?.unwrap_or_default(),
            versions: Arc::new(versions),
            seen,
        })
    }

    /// Index of the last entry applied; 0 when there is none.
    pub(crate) fn index(&self) -> u64 {
        self.applied.map_or(0, |id| id.index)
    }

    pub(crate) fn set_applied(&mut self, conn: &Connection, id: LogId) -> Result<()> {
        self.applied = Some(id);
        put(conn, "applied", &id)
    }

    pub(crate) fn set_membership(
        &mut self,
        conn: &Connection,
        membership: StoredMembership,
    ) -> Result<()> {
        put(conn, "membership", &membership)?;
        self.membership = membership;
        Ok(())
    }

    pub(crate) fn set_level(
        &mut self,
        conn: &Connection,
        level: u32,
        needs: u32,
        index: u64,
    ) -> Result<()> {
        self.level = level;
        self.needs = Some(needs);
        self.schema_version = index;
        put(conn, "level", &level)?;
        put(conn, "needs", &needs)?;
        put(conn, "schema", &index)
    }

    pub(crate) fn set_seen(
        &mut self,
        conn: &Connection,
        member: MemberId,
        sequence: u64,
    ) -> Result<()> {
        self.seen.insert(member, sequence);
        put(conn, &format!("seen/{member}"), &sequence)
    }

    /// Notes that these tables changed with this entry.
    pub(crate) fn touch<'t>(
        &mut self,
        conn: &Connection,
        tables: impl IntoIterator<Item = &'t String>,
        index: u64,
    ) -> Result<()> {
        let versions = Arc::make_mut(&mut self.versions);
        for table in tables {
            put(conn, &format!("table/{table}"), &index)?;
            match versions.get_mut(table.as_str()) {
                Some(version) => *version = index,
                None => {
                    versions.insert(table.as_str().into(), index);
                }
            }
        }
        self.revision = index;
        put(conn, "revision", &index)
    }
}

pub(crate) fn get<T: DeserializeOwned>(conn: &Connection, key: &str) -> Result<Option<T>> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT value FROM _store WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    bytes.map(|bytes| decode(&bytes)).transpose()
}

pub(crate) fn put<T: Serialize>(conn: &Connection, key: &str, value: &T) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO _store(key, value) VALUES (?1, ?2)")?
        .execute(params![key, encode(value)?])?;
    Ok(())
}
