//! Rows keyed by name, kept from one collection to the next.

/// Rows keyed by the name of a device, mount or interface, in the order in which the source lists them.
///
/// A row is made when its name is first seen, which is when its attribute sets are built; it is found again at
/// every later collection without allocating, at once when the source keeps its order, and dropped when the
/// source no longer lists it, so that devices that come and go leave nothing behind.
///
/// ```
/// use otel_vitals_core::Table;
///
/// let mut table: Table<u64> = Table::default();
/// table.update(|rows| {
///     *rows.row(b"sda", |_name| 0) = 17;
///     *rows.row(b"sdb", |_name| 0) = 4;
/// });
/// table.update(|rows| *rows.row(b"sdb", |_name| 0) += 1);
/// assert_eq!(table.iter().copied().collect::<Vec<_>>(), [5]);
/// ```
#[derive(Debug)]
pub struct Table<T> {
    rows: Vec<Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    name: Box<[u8]>,
    value: T,
}

/// The rows of a [`Table`] while its source is being read.
#[derive(Debug)]
pub struct Rows<'a, T> {
    rows: &'a mut Vec<Row<T>>,
    /// How many rows have been seen in this update; they come first, in the order of the source.
    seen: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { rows: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Lets `read` name the rows that there are now; rows that it does not name are dropped.
    pub fn update<O>(&mut self, read: impl FnOnce(&mut Rows<'_, T>) -> O) -> O {
        let mut rows = Rows { rows: &mut self.rows, seen: 0 };
        let outcome = read(&mut rows);
        let seen = rows.seen;
        self.rows.truncate(seen);
        outcome
    }

    /// The rows, in the order of the source.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|row| &row.value)
    }

    /// The rows, in the order of the source, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|row| &mut row.value)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl<T> Rows<'_, T> {
    /// The row called `name`, made by `make` from the name as text if it is new.
    ///
    /// A name that the source lists twice gives the same row twice.
    pub fn row(&mut self, name: &[u8], make: impl FnOnce(&str) -> T) -> &mut T {
        let at = match self.rows.iter().skip(self.seen).position(|row| *row.name == *name) {
            Some(after) => self.take(self.seen + after),
            None => match self.rows.iter().take(self.seen).position(|row| *row.name == *name) {
                Some(before) => before,
                None => self.insert(name, make(&String::from_utf8_lossy(name))),
            },
        };
        #[expect(clippy::indexing_slicing, reason = "every branch above returns the index of a row")]
        &mut self.rows[at].value
    }

    fn take(&mut self, found: usize) -> usize {
        self.rows.swap(self.seen, found);
        self.seen += 1;
        self.seen - 1
    }

    fn insert(&mut self, name: &[u8], value: T) -> usize {
        self.rows.insert(self.seen, Row { name: name.into(), value });
        self.seen += 1;
        self.seen - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_row_is_made_once_and_found_again_in_any_order() {
        let mut table: Table<(String, u32)> = Table::default();
        let mut made = 0;
        for order in [[b"a", b"b", b"c"], [b"a", b"b", b"c"], [b"c", b"a", b"b"]] {
            table.update(|rows| {
                for name in order {
                    rows.row(name, |text| {
                        made += 1;
                        (text.to_owned(), 0)
                    })
                    .1 += 1;
                }
            });
        }
        assert_eq!(made, 3);
        let seen: Vec<_> = table.iter().cloned().collect();
        assert_eq!(seen, [("c".into(), 3), ("a".into(), 3), ("b".into(), 3)]);
    }

    #[test]
    fn a_name_listed_twice_is_one_row() {
        let mut table: Table<u32> = Table::default();
        table.update(|rows| {
            *rows.row(b"a", |_| 0) += 1;
            *rows.row(b"b", |_| 0) += 1;
            *rows.row(b"a", |_| 0) += 1;
        });
        assert_eq!(table.iter().copied().collect::<Vec<_>>(), [2, 1]);
    }

    proptest! {
        #[test]
        fn holds_exactly_what_the_last_update_named(updates in
            proptest::collection::vec(proptest::collection::vec("[a-f]", 0..8), 1..8)) {
            let mut table: Table<(String, u32)> = Table::default();
            let mut model: BTreeMap<String, u32> = BTreeMap::new();
            for names in &updates {
                table.update(|rows| for name in names {
                    rows.row(name.as_bytes(), |text| (text.to_owned(), 0)).1 += 1;
                });
                model.retain(|name, _| names.contains(name));
                for name in names {
                    *model.entry(name.clone()).or_default() += 1;
                }
                let ours: BTreeMap<String, u32> = table.iter().cloned().collect();
                prop_assert_eq!(&ours, &model);
                prop_assert_eq!(table.len(), model.len());
            }
        }
    }
}
