//! What the service keeps: items in SQLite.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The items. Clones share the connection. Every method waits for the disk, so it is no business of a worker's thread.
#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewItem {
    pub(crate) name: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) name: String,
}

impl Store {
    /// Opens the database at `path`, which is made when it is not there.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute(
            "create table if not exists items (id integer primary key, name text not null) strict",
            (),
        )?;
        Ok(Store { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Whether it answers.
    pub(crate) fn ping(&self) -> rusqlite::Result<()> {
        self.lock().query_row("select count(*) from items where id = 0", (), |_| Ok(()))
    }

    pub(crate) fn add(&self, item: NewItem) -> rusqlite::Result<Item> {
        let connection = self.lock();
        connection.execute("insert into items (name) values (?1)", params![item.name])?;
        Ok(Item { id: connection.last_insert_rowid(), name: item.name })
    }

    pub(crate) fn get(&self, id: i64) -> rusqlite::Result<Option<Item>> {
        let query = "select id, name from items where id = ?1";
        self.lock().query_row(query, [id], item).optional()
    }

    /// The newest hundred.
    pub(crate) fn list(&self) -> rusqlite::Result<Vec<Item>> {
        let connection = self.lock();
        let mut query = connection.prepare("select id, name from items order by id desc limit 100")?;
        query.query_map((), item)?.collect()
    }

    pub(crate) fn count(&self) -> rusqlite::Result<i64> {
        self.lock().query_row("select count(*) from items", (), |row| row.get(0))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement that panics half-way is rolled back by SQLite.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn item(row: &rusqlite::Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item { id: row.get(0)?, name: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.sqlite");
        let store = Store::open(&path).unwrap();
        let item = store.add(NewItem { name: "a's \"b\"".to_owned() }).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        store.ping().unwrap();
        assert_eq!(store.get(item.id).unwrap().unwrap().name, "a's \"b\"");
        assert!(store.get(item.id + 1).unwrap().is_none());
        assert_eq!(store.list().unwrap().len(), 1);
        assert_eq!(store.count().unwrap(), 1);
    }
}
