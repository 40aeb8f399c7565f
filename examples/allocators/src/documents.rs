//! The documents.

use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A document, and how large it was as text.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) size: usize,
}

/// Documents by id, as many as there is room for: when there is too much of them, those that were put first go first.
#[derive(Debug)]
pub(crate) struct Documents {
    room: usize,
    size: usize,
    by_id: HashMap<String, Entry>,
    /// Ids with their turns, in the order in which they were put. What has been deleted or replaced since is still here.
    order: VecDeque<(u64, String)>,
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    turn: u64,
    document: Arc<Document>,
}

impl Documents {
    /// None, with room for so many bytes of text.
    pub(crate) fn with_room(room: usize) -> Self {
        Documents { room, size: 0, by_id: HashMap::new(), order: VecDeque::new(), turn: 0 }
    }

    /// Puts a document in the place of the one that has this id, and tells whether there was none.
    pub(crate) fn put(&mut self, id: String, document: Document) -> bool {
        let is_new = !self.delete(&id);
        self.turn += 1;
        self.size += document.size;
        self.order.push_back((self.turn, id.clone()));
        self.by_id.insert(id, Entry { turn: self.turn, document: Arc::new(document) });
        self.evict();
        is_new
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Document>> {
        self.by_id.get(id).map(|entry| Arc::clone(&entry.document))
    }

    /// Deletes the document with this id and tells whether there was one.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let deleted = self.by_id.remove(id);
        self.size -= deleted.as_ref().map_or(0, |entry| entry.document.size);
        self.forget_turns();
        deleted.is_some()
    }

    /// All of them, with their ids.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Document>)> {
        self.by_id.iter().map(|(id, entry)| (id.clone(), Arc::clone(&entry.document))).collect()
    }

    fn evict(&mut self) {
        while self.size > self.room
            && let Some((turn, id)) = self.order.pop_front()
        {
            if self.is_current(turn, &id) {
                self.delete(&id);
            }
        }
    }

    /// Turns of what is no longer there, once they are most, so that they do not pile up where nothing is evicted.
    fn forget_turns(&mut self) {
        if self.order.len() > 2 * self.by_id.len() + 64 {
            let by_id = &self.by_id;
            self.order.retain(|(turn, id)| by_id.get(id).is_some_and(|entry| entry.turn == *turn));
        }
    }

    fn is_current(&self, turn: u64, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|entry| entry.turn == turn)
    }
}

impl Document {
    /// From JSON.
    pub(crate) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        Ok(Document { value: serde_json::from_slice(json)?, size: json.len() })
    }

    /// Whether one of its texts has `text` in it.
    pub(crate) fn has(&self, text: &str) -> bool {
        has(&self.value, text)
    }
}

fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.contains(text),
        Value::Array(values) => values.iter().any(|value| has(value, text)),
        Value::Object(fields) => fields.values().any(|value| has(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(size: usize) -> Document {
        Document { value: Value::Null, size }
    }

    #[test]
    fn what_is_put_is_there_until_it_is_deleted() {
        let mut documents = Documents::with_room(100);
        assert!(documents.put("a".to_owned(), document(10)));
        assert!(!documents.put("a".to_owned(), document(20)));
        assert_eq!(documents.get("a").unwrap().size, 20);
        assert_eq!(documents.size, 20);
        assert!(documents.delete("a"));
        assert!(!documents.delete("a"));
        assert!(documents.get("a").is_none());
        assert_eq!(documents.size, 0);
    }

    #[test]
    fn what_was_put_first_makes_room() {
        let mut documents = Documents::with_room(100);
        for id in ["a", "b", "c"] {
            documents.put(id.to_owned(), document(30));
        }
        // Put anew, it is the youngest.
        documents.put("a".to_owned(), document(40));
        documents.put("d".to_owned(), document(30));
        let mut ids: Vec<_> = documents.all().into_iter().map(|(id, _)| id).collect();
        ids.sort();
        assert_eq!(ids, ["a", "c", "d"]);
        documents.put("e".to_owned(), document(101));
        assert!(documents.all().is_empty());
        assert_eq!(documents.size, 0);
    }

    #[test]
    fn deleted_documents_leave_nothing_behind() {
        let mut documents = Documents::with_room(100);
        for number in 0..10_000 {
            documents.put(number.to_string(), document(1));
            documents.delete(&number.to_string());
        }
        assert!(documents.order.len() <= 65, "{}", documents.order.len());
    }

    #[test]
    fn text_is_found_at_any_depth() {
        let document = Document::parse(br#"{"a": [1, null, {"b": "a needle in hay"}]}"#).unwrap();
        assert!(document.has("needle"));
        assert!(!document.has("b"), "names are not searched");
    }
}
