//! The profile of what was seen.

use std::sync::Arc;
use std::time::Duration;

use super::collector::Gathered;
use super::threads::Sampled;
use super::trigger;
use crate::Profile;
use crate::profile::{Frame, Label, Sample, ValueType};

const SAMPLES: ValueType = ValueType { kind: "samples", unit: "count" };
const CPU: ValueType = ValueType { kind: "cpu", unit: "nanoseconds" };

/// CPU time of threads that were not interrupted: they block the signal, or have ended before the kernel's tick.
const NOT_SAMPLED: &str = "[not sampled]";
/// CPU time of threads that had ended before they were found, or after they were seen last.
const ENDED: &str = "[ended unseen]";
/// Samples whose stacks had no room.
const LEFT_OUT: &str = "[stacks left out]";

pub(super) fn profile(gathered: &Gathered, period: u64) -> Profile {
    let mut samples = Vec::new();
    for (number, frames, count) in gathered.tally.stacks() {
        let stack = frames.iter().map(|address| Frame::Code(*address)).collect();
        samples.push(sample(stack, count, period, gathered.sampled.get(number)));
    }
    let bare = gathered.bare.iter().map(|(number, count)| (NOT_SAMPLED, *count, *number));
    let others = [(ENDED, gathered.unseen, None), (LEFT_OUT, gathered.tally.left_out(), None)];
    for (name, count, number) in bare.chain(others).filter(|(_, count, _)| *count > 0) {
        let thread = number.and_then(|number| gathered.sampled.get(number));
        samples.push(sample([Frame::Named(name.into())].into(), count, period, thread));
    }
    Profile {
        time: gathered.started,
        duration: Some(gathered.duration),
        comments: comments(gathered, period),
        samples,
        ..empty(period)
    }
}

/// One without samples.
pub(super) fn empty(period: u64) -> Profile {
    Profile { period: Some((CPU, otel_vitals_core::signed(period))), ..Profile::empty(vec![SAMPLES, CPU]) }
}

fn sample(stack: Arc<[Frame]>, count: u64, period: u64, thread: Option<&Sampled>) -> Sample {
    let values = [count, count.saturating_mul(period)].map(otel_vitals_core::signed).to_vec();
    let labels = thread.map_or_else(Vec::new, |thread| {
        vec![
            ("thread", Label::Text(Arc::clone(&thread.name))),
            ("thread_id", Label::Number(thread.id.into(), "")),
        ]
    });
    Sample { stack, values, labels }
}

fn comments(gathered: &Gathered, period: u64) -> Vec<String> {
    let [events, timers, neither] = gathered.armed;
    let bare: u64 = gathered.bare.iter().map(|(_, count)| count).sum();
    let without = bare + gathered.unseen + gathered.tally.left_out();
    let with: u64 = gathered.tally.stacks().map(|(_, _, count)| count).sum();
    let mut comments = vec![
        match (events, timers) {
            (0, _) => format!(
                "threads were interrupted by timers, which expire with the kernel's tick of {:?}",
                Duration::from_nanos(trigger::tick())
            ),
            (_, 0) => "threads were interrupted by perf events".to_owned(),
            _ => format!(
                "threads were interrupted by perf events ({events}) and, beyond that, by timers ({timers})"
            ),
        },
        format!(
            "CPU time of the process {}; in the profile {}, of which {} without a stack",
            seconds(gathered.spent),
            seconds((with + without) * period),
            seconds(without * period),
        ),
    ];
    if gathered.dropped > 0 {
        let dropped = gathered.dropped;
        comments.push(format!(
            "{dropped} samples came too quickly; what they stand for is in the next of their thread"
        ));
    }
    if neither > 0 {
        comments.push(format!("{neither} threads could not be interrupted"));
    }
    if !gathered.copied {
        comments
            .push("stacks could not be copied: process_vm_readv and /proc/self/mem are forbidden".to_owned());
    }
    if gathered.disturbed {
        comments.push("something else took SIGPROF, and the profile ended there".to_owned());
    }
    comments
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.3} s", Duration::from_nanos(nanoseconds).as_secs_f64())
}
