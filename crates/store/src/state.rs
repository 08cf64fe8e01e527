//! The rows, the bookkeeping beside them, and the connection that changes both.

use rusqlite::Connection;

use crate::access::Catalog;
use crate::error::{BoxError, Error, Result};
use crate::files::{self, Folder};
use crate::meta::Meta;
use crate::migrate;
use crate::options::Migration;
use crate::window::Window;

/// Everything behind the store's one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) conn: Connection,
    pub(crate) catalog: Catalog,
    pub(crate) meta: Meta,
    pub(crate) window: Window,
    /// The steps that this program knows.
    pub(crate) schema: &'static [Migration],
}

impl State {
    pub(crate) fn open(folder: &Folder, schema: &'static [Migration]) -> Result<State> {
        let path = folder.state();
        let open = || -> Result<State, BoxError> {
            let mut conn = files::open_state(&path)?;
            Meta::create_table(&conn)?;
            let meta = Meta::load(&conn)?;
            let catalog = Catalog::attach(&mut conn)?;
            Ok(State { conn, catalog, meta, window: Window::default(), schema })
        };
        open().map_err(|e| Error::file("open", &path, e))
    }

    /// The level that a program must know to work with this state.
    pub(crate) fn needs(&self) -> u32 {
        self.meta.needs.unwrap_or_else(|| migrate::needs(self.schema, self.meta.level))
    }

    /// Runs changes as one; an error takes all of them back, in the file and in memory.
    pub(crate) fn commit<R>(
        &mut self,
        f: impl FnOnce(&mut State) -> Result<R, BoxError>,
    ) -> Result<R, BoxError> {
        self.stop_simulation()?;
        let before = self.meta.clone();
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let result = f(self).and_then(|value| {
            run(&self.conn, "COMMIT")?;
            Ok(value)
        });
        if result.is_err() {
            self.meta = before;
            if !self.conn.is_autocommit() {
                run(&self.conn, "ROLLBACK")?;
            }
        }
        result
    }

    /// Takes back what the closures of the open window did. The window takes no more of them
    /// when some wait to be shipped, since they would not see those.
    pub(crate) fn stop_simulation(&mut self) -> rusqlite::Result<()> {
        if self.window.simulating {
            self.window.simulating = false;
            self.window.open &= self.window.gathered.is_empty();
            run(&self.conn, "ROLLBACK")?;
        }
        Ok(())
    }
}

/// Runs a statement without parameters.
pub(crate) fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
