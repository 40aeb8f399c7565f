//! The index, which says what there is and what each is.

use actix_web::HttpResponse;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::answer;
use crate::state::State;

/// What comes before the entries.
const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>pprof</title></head>
<body>
<h1>pprof</h1>
";

/// An entry: below the index, and what it is. In the text, `[...]` is a link to what is in it, below the index.
type Entry = (&'static str, &'static str);

#[cfg(feature = "profiling")]
const ENTRIES: &[Entry] = &[
    (
        "profile",
        "Where CPU time is spent, from now on for [profile?seconds=30]. With [profile?seconds=10&hz=997] it is sampled more finely. \
         One is taken at a time.",
    ),
    (
        "heap",
        "What is on the heap, by where it was allocated. [heap?debug=1] is text, [heap?seconds=10] what changes in that time.",
    ),
    ("allocs", "The same, with all that was ever allocated first. [allocs?debug=1], [allocs?seconds=10]."),
    ("threadcreate", "The threads that there are, with the CPU time of each. [threadcreate?debug=1]."),
    ("tasks", "The tasks of tokio that are alive, by runtime. [tasks?debug=1]."),
    ("goroutine", "The same, where Go's tools look for it. [goroutine?debug=1]."),
    (
        "block",
        "Empty: waiting for locks is not measured. It is here because continuous profilers ask for it.",
    ),
    ("mutex", "Empty, likewise."),
    #[cfg(feature = "flamegraph")]
    (
        "flamegraph",
        "A picture of CPU time, from now on for [flamegraph?seconds=10]; of the heap [flamegraph?profile=heap], and of what was ever \
         allocated [flamegraph?profile=allocs]; of how these grow with [flamegraph?profile=heap&seconds=10].",
    ),
    ("cmdline", "The program, and its arguments where monitor.cmdline is true."),
    ("symbol", "Names of addresses, which are joined by + after the question mark or in what is posted."),
];

#[cfg(not(feature = "profiling"))]
const ENTRIES: &[Entry] = &[("cmdline", "The program, and its arguments where monitor.cmdline is true.")];

/// The index at `path`. How large the tables of the heap are takes a look at all of their pages: not on a worker.
#[cfg(feature = "profiling")]
pub(super) async fn answer(state: Arc<State>, path: &str) -> HttpResponse {
    let (of_page, path) = (Arc::clone(&state), path.to_owned());
    match state.profiles.now(move || Ok(page(&of_page, &path))).await {
        Ok(page) => answer::html(page),
        Err(refusal) => refusal.answer(),
    }
}

/// The index at `path`.
#[cfg(not(feature = "profiling"))]
pub(super) async fn answer(state: Arc<State>, path: &str) -> HttpResponse {
    answer::html(page(&state, path))
}

/// The page. Links have all of it, because `NormalizePath` may have taken the slash at its end, by which a browser would
/// find what is below.
fn page(state: &State, path: &str) -> String {
    let below = escaped(path.trim_end_matches('/'));
    let mut page = HEAD.to_owned();
    page.push_str(&remarks(state));
    page.push_str("<dl>\n");
    for (name, text) in ENTRIES {
        let _ = writeln!(page, "<dt>{}</dt>\n<dd>{}</dd>", link(&below, name), linked(&below, text));
    }
    page.push_str("</dl>\n</body>\n</html>\n");
    page
}

/// How things are now.
#[cfg(feature = "profiling")]
fn remarks(state: &State) -> String {
    use otel_vitals::HeapSource;
    use otel_vitals::profiling::heap;

    let (vitals, profiling) = (state.vitals(), &state.vitals().config().profiling);
    let sampled = match (profiling.heap.source, heap::interval()) {
        (HeapSource::Jemalloc, _) => "The heap is sampled by jemalloc, where that is told to.".to_owned(),
        (_, 0) => {
            "The heap is not sampled: there is no counting allocator, or profiling.heap is off.".to_owned()
        }
        (_, interval) => {
            let size = heap::table_size();
            format!(
                "The heap is sampled every {interval} bytes on average; the tables of it take {size} bytes."
            )
        }
    };
    let most = humantime::format_duration(profiling.max_duration);
    let (tasks, runtimes) = (vitals.alive_tasks(), vitals.runtimes().len());
    format!(
        "<p>{sampled} Tasks alive: {tasks}, on {runtimes} runtimes. A profile takes {most} at most.</p>\n\
         <p>To look at one: <code>go tool pprof http://.../profile?seconds=10</code></p>\n"
    )
}

#[cfg(not(feature = "profiling"))]
fn remarks(_state: &State) -> String {
    "<p>There are no profiles: this program is built without the feature profiling of otel-vitals-actix.</p>\n".to_owned()
}

/// The text with its links.
fn linked(below: &str, text: &str) -> String {
    let mut linked = String::new();
    let mut rest = text;
    while let Some((before, place, after)) = rest
        .split_once('[')
        .and_then(|(before, rest)| rest.split_once(']').map(|(place, after)| (before, place, after)))
    {
        linked.push_str(&escaped(before));
        linked.push_str(&link(below, place));
        rest = after;
    }
    linked + &escaped(rest)
}

/// A link to `place`, where `below` is escaped already.
fn link(below: &str, place: &str) -> String {
    let place = escaped(place);
    format!("<a href=\"{below}/{place}\">{place}</a>")
}

/// Below a scope with a pattern the path is what was asked for, whatever that is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => drop(write!(escaped, "&#{};", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hold_wherever_the_index_is() {
        assert_eq!(link("/debug/pprof", "heap"), "<a href=\"/debug/pprof/heap\">heap</a>");
        let hostile = escaped("/\"><script>/pprof");
        assert_eq!(hostile, "/&#34;&#62;&#60;script&#62;/pprof");
        assert!(link(&hostile, "a?b&c").ends_with("/pprof/a?b&#38;c\">a?b&#38;c</a>"));
    }

    #[test]
    fn what_is_in_brackets_is_a_link() {
        let text = linked("/p", "One & [heap?debug=1], [x].");
        assert_eq!(text, "One &#38; <a href=\"/p/heap?debug=1\">heap?debug=1</a>, <a href=\"/p/x\">x</a>.");
        assert_eq!(linked("/p", "no [end"), "no [end");
    }
}
