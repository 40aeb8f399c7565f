//! YAML as a configuration needs it: maps, lists and scalars with the lines they are in.
//!
//! What only a data format needs is refused: anchors and aliases (with which a short text can grow without bound),
//! tags, several documents. So a hostile file costs at most its own size.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::borrow::Cow;

/// Nesting that no configuration needs.
const MAX_DEPTH: usize = 16;

/// A value and the line that it starts in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Pair>),
}

/// A key and its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// What is wrong and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) reason: String,
}

impl Content {
    /// What it is, for a message.
    pub(super) fn shape(&self) -> &'static str {
        match self {
            Content::Null => "nothing",
            Content::Scalar(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// Text, or a list of it, as it is written.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let item = |node: &Node| match &node.content {
            Content::Scalar(text) => Some(text.clone()),
            _ => None,
        };
        match self {
            Content::Scalar(text) => Some(Cow::Borrowed(text)),
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(item).collect::<Option<_>>()?;
                Some(Cow::Owned(format!("[{}]", items.join(", "))))
            }
            Content::Null | Content::Map(_) => None,
        }
    }
}

/// The one document in `text`; an empty one is null.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut events = Events { parser: Parser::new_from_str(text), line: 1 };
    let mut document = None;
    loop {
        match events.next()? {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if document.is_some() => {
                return Err(events.fault("a second document, where a configuration is one"));
            }
            Event::DocumentStart(_) => {
                let event = events.next()?;
                document = Some(node(event, &mut events, 0)?);
            }
            _ => {}
        }
    }
    Ok(document.unwrap_or(Node { line: 1, content: Content::Null }))
}

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Line of the last event.
    line: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>, Fault> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => {
                self.line = start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.fault(&format!("not YAML: {}", error.info())))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn fault(&self, reason: &str) -> Fault {
        Fault { line: self.line, reason: reason.to_owned() }
    }
}

fn node<'a>(event: Event<'a>, events: &mut Events<'a>, depth: usize) -> Result<Node, Fault> {
    if depth > MAX_DEPTH {
        return Err(events.fault("nested deeper than any configuration"));
    }
    let line = events.line;
    let content = match event {
        Event::Scalar(text, style, 0, None) => scalar(text.into_owned(), style),
        Event::SequenceStart(0, None) => list(events, depth)?,
        Event::MappingStart(0, None) => map(events, depth)?,
        Event::Alias(_) => return Err(events.fault("an alias, which a configuration may not have")),
        Event::Scalar(_, _, 0, _) | Event::SequenceStart(0, _) | Event::MappingStart(0, _) => {
            return Err(events.fault("a tag, which a configuration may not have"));
        }
        _ => return Err(events.fault("an anchor, which a configuration may not have")),
    };
    Ok(Node { line, content })
}

fn scalar(text: String, style: ScalarStyle) -> Content {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" if style == ScalarStyle::Plain => Content::Null,
        _ => Content::Scalar(text),
    }
}

fn list<'a>(events: &mut Events<'a>, depth: usize) -> Result<Content, Fault> {
    let mut items = Vec::new();
    loop {
        match events.next()? {
            Event::SequenceEnd => return Ok(Content::List(items)),
            event => items.push(node(event, events, depth + 1)?),
        }
    }
}

fn map<'a>(events: &mut Events<'a>, depth: usize) -> Result<Content, Fault> {
    let mut pairs: Vec<Pair> = Vec::new();
    loop {
        let (key, line) = match events.next()? {
            Event::MappingEnd => return Ok(Content::Map(pairs)),
            Event::Scalar(key, _, 0, None) => (key.into_owned(), events.line),
            _ => return Err(events.fault("a key that is no plain text")),
        };
        let event = events.next()?;
        let mut value = node(event, events, depth + 1)?;
        if value.content == Content::Null {
            // The parser finds out that there is nothing where the next thing starts.
            value.line = line;
        }
        pairs.push(Pair { key, line, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> (usize, String) {
        let Fault { line, reason } = parse(text).unwrap_err();
        (line, reason)
    }

    fn scalar(line: usize, text: &str) -> Node {
        Node { line, content: Content::Scalar(text.to_owned()) }
    }

    #[test]
    fn values_know_their_lines() {
        let document = parse("# top\na:\n  b: 'x'\n\n  c: [y, null]\nd:\n").unwrap();
        let pair = |line, key: &str, value| Pair { key: key.to_owned(), line, value };
        let list = vec![scalar(5, "y"), Node { line: 5, content: Content::Null }];
        let inner =
            vec![pair(3, "b", scalar(3, "x")), pair(5, "c", Node { line: 5, content: Content::List(list) })];
        let outer = vec![
            pair(2, "a", Node { line: 3, content: Content::Map(inner) }),
            pair(6, "d", Node { line: 6, content: Content::Null }),
        ];
        assert_eq!(document.content, Content::Map(outer));
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "# only a comment\n", "---\n", "---\n...\n", "~"] {
            assert_eq!(parse(text).unwrap().content, Content::Null, "{text:?}");
        }
        assert_eq!(parse("''").unwrap(), scalar(1, ""));
    }

    #[test]
    fn what_only_a_data_format_needs_is_refused() {
        assert_eq!(
            fault("a: &x 1\nb: *x\n"),
            (1, "an anchor, which a configuration may not have".to_owned())
        );
        assert_eq!(fault("a: 1\nb: !x 1\n"), (2, "a tag, which a configuration may not have".to_owned()));
        assert_eq!(
            fault("a: 1\n---\nb: 2\n"),
            (2, "a second document, where a configuration is one".to_owned())
        );
        assert_eq!(fault("[a]: 1\n"), (1, "a key that is no plain text".to_owned()));
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(fault(&nested(18)), (1, "nested deeper than any configuration".to_owned()));
        assert_eq!(fault(&nested(30_000)).0, 1);
    }

    #[test]
    fn broken_text_is_refused_with_its_line() {
        let (line, reason) = fault("a: 1\nb: [1, 2\nc: 3\n");
        assert!(reason.starts_with("not YAML: ") && line >= 2, "{line}: {reason}");
        assert!(fault("a: 1\n\tb: 2\n").1.starts_with("not YAML: "));
        assert!(fault("a: *nothing\n").1.starts_with("not YAML: "));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ab:\\-?,{}\\[\\]|>&*!#%@`'\" \n\t.~\\\\]{0,60}") {
            let _ = parse(&text);
        }
    }
}
