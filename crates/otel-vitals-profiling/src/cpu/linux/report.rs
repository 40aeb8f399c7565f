//! The profile of what was seen.

use std::sync::Arc;
use std::time::Duration;

use super::collector::Gathered;
use super::tally::part;
use super::threads::Sampled;
use super::trigger;
use crate::Profile;
use crate::profile::{Frame, Label, Sample, ValueType};

const SAMPLES: ValueType = ValueType { kind: "samples", unit: "count" };
const CPU: ValueType = ValueType { kind: "cpu", unit: "nanoseconds" };

/// CPU time of threads of which nothing was seen: they have used some periods, but were on no processor when the kernel ticked, or
/// block the signal.
const NOT_SAMPLED: &str = "[not sampled]";
/// CPU time of threads that had ended before they were found, or after they were seen last.
const ENDED: &str = "[ended unseen]";
/// Samples whose stacks had no room.
const LEFT_OUT: &str = "[stacks left out]";

pub(super) fn profile(gathered: &Gathered, period: u64) -> Profile {
    let shares = Shares::of(gathered, period);
    let mut samples = Vec::new();
    for (number, frames, count) in gathered.tally.stacks() {
        let stack = frames.iter().map(|address| Frame::Code(*address)).collect();
        samples.push(sample(stack, count, shares.time(count), gathered.sampled.get(number)));
    }
    for (number, frames, count) in gathered.strays.tally.stacks() {
        let stack = frames.iter().map(|address| Frame::Code(*address)).collect();
        let time = shares.time_of_strays(count);
        let labels = gathered.strays.name(number).map(|name| ("thread", Label::Text(Arc::clone(name))));
        samples.push(Sample {
            labels: labels.into_iter().collect(),
            ..sample(stack, time / period, time, None)
        });
    }
    let bare =
        gathered.bare.iter().map(|(number, count)| (NOT_SAMPLED, *count, shares.time(*count), Some(*number)));
    let others = [
        (LEFT_OUT, gathered.tally.left_out(), shares.time(gathered.tally.left_out()), None),
        // Somebody was seen where they were, which is told above.
        (ENDED, shares.unseen / period, if shares.strays == 0 { shares.unseen } else { 0 }, None),
    ];
    for (name, count, time, number) in bare.chain(others).filter(|(_, _, time, _)| *time > 0) {
        let thread = number.and_then(|number| gathered.sampled.get(number));
        samples.push(sample([Frame::Named(name.into())].into(), count, time, thread));
    }
    Profile {
        time: gathered.started,
        duration: Some(gathered.duration),
        comments: comments(gathered, &shares),
        samples,
        objects: Some(gathered.objects.clone()),
        ..empty(period)
    }
}

/// How the CPU time of the process, which is known to the nanosecond, is shared out.
///
/// Each thread counts the periods that it has used from a random point on, so that what little it used beyond is right on average and
/// not for each. The time of all is known, and what a count stands for is made to fit, which with few threads is no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    counts: u64,
    /// Time of what was counted, nanoseconds.
    counted: u64,
    /// Time of threads that were not known, nanoseconds.
    unseen: u64,
    /// How often one of these was seen.
    strays: u64,
}

impl Shares {
    fn of(gathered: &Gathered, period: u64) -> Self {
        let bare: u64 = gathered.bare.values().sum();
        let stacks: u64 = gathered.tally.stacks().map(|(_, _, count)| count).sum();
        let strays = gathered.strays.tally.stacks().map(|(_, _, count)| count).sum();
        let shares =
            Self::new(stacks + bare + gathered.tally.left_out(), period, gathered.spent, gathered.used);
        Shares { strays, ..shares }
    }

    /// Of `spent` nanoseconds, `used` are of threads that were known at the time. What these used when nobody looked any more is in their counts
    /// on average, and is in the difference of the two as well: so that what the counts leave is of unknown threads, but never more than
    /// that difference.
    fn new(counts: u64, period: u64, spent: u64, used: u64) -> Self {
        let left = spent.saturating_sub(counts * period);
        let unseen = if counts == 0 { left } else { left.min(spent.saturating_sub(used)) };
        Shares { counts, counted: spent - unseen, unseen, strays: 0 }
    }

    /// CPU time of so many counts, nanoseconds.
    fn time(&self, count: u64) -> u64 {
        part(self.counted, count, self.counts)
    }

    /// CPU time of threads that were not known where they were seen so many times, nanoseconds.
    fn time_of_strays(&self, count: u64) -> u64 {
        part(self.unseen, count, self.strays)
    }
}

/// One without samples.
pub(super) fn empty(period: u64) -> Profile {
    Profile { period: Some((CPU, otel_vitals_core::signed(period))), ..Profile::empty(vec![SAMPLES, CPU]) }
}

fn sample(stack: Arc<[Frame]>, count: u64, time: u64, thread: Option<&Sampled>) -> Sample {
    let values = [count, time].map(otel_vitals_core::signed).to_vec();
    let labels = thread.map_or_else(Vec::new, |thread| {
        vec![
            ("thread", Label::Text(Arc::clone(&thread.name))),
            ("thread_id", Label::Number(thread.id.into(), "")),
        ]
    });
    Sample { stack, values, labels }
}

fn comments(gathered: &Gathered, shares: &Shares) -> Vec<String> {
    let [events, timers, neither] = gathered.armed;
    let bare: u64 = gathered.bare.values().sum();
    let unseen = if shares.strays == 0 { shares.unseen } else { 0 };
    let without = unseen + shares.time(bare + gathered.tally.left_out());
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
            "CPU time of the process {}, of which {} without a stack",
            seconds(gathered.spent),
            seconds(without)
        ),
    ];
    comments.extend(gathered.ends.comment());
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
        comments.push("something else took the signal of the profile, which ended there".to_owned());
    }
    comments
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.3} s", Duration::from_nanos(nanoseconds).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_all_samples_is_what_was_spent() {
        // As counted, more by chance, and less by chance: nothing is unknown.
        for counts in [100, 103, 97] {
            let shares = Shares::new(counts, 10, 1_000, 1_000);
            assert_eq!((shares.unseen, shares.time(counts)), (0, 1_000));
        }
        assert_eq!(Shares::new(100, 10, 1_000, 1_000).time(7), 70);
    }

    #[test]
    fn what_the_counts_leave_is_of_unknown_threads_as_far_as_there_can_be_any() {
        let shares = Shares::new(50, 10, 1_000, 400);
        assert_eq!((shares.unseen, shares.time(50)), (500, 500));
        let shares = Shares::new(50, 10, 1_000, 900);
        assert_eq!((shares.unseen, shares.time(50)), (100, 900));
        let shares = Shares::new(0, 10, 7, 7);
        assert_eq!((shares.unseen, shares.time(1)), (7, 0));
    }
}
