//! Spends 70 % of its CPU time in one function and 30 % in another, in its first thread and in two that are born while it is looked
//! at. Writes the CPU profile of that to the folder that it is told, and to standard output what it spent in truth, in nanoseconds.

use otel_vitals_profiling::cpu;
use profiles::work::{process_time, seventy, spend, thirty};
use std::path::Path;
use std::time::Duration;

/// How often the one and the other have their turn, in each thread.
const TURNS: u32 = 2;
const LATER: u32 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let mut options = cpu::Options::default();
    options.frequency = arguments.next().ok_or("which frequency?")?.parse()?;
    if arguments.next().is_some_and(|trigger| trigger == "timers") {
        options.trigger = cpu::Trigger::Timers;
    }

    let recording = cpu::start(&options)?;
    let started = process_time();
    let mut spent = turns();
    let later = (1..=LATER).map(|n| std::thread::Builder::new().name(format!("later-{n}")).spawn(turns));
    for thread in later.collect::<Vec<_>>() {
        let [of_seventy, of_thirty] = thread?.join().map_err(|_| "a thread panicked")?;
        spent = [spent[0] + of_seventy, spent[1] + of_thirty];
    }
    let all = process_time().saturating_sub(started);
    let profile = recording.finish();

    std::fs::write(Path::new(&folder).join("cpu.pb.gz"), profile.pprof())?;
    std::fs::write(Path::new(&folder).join("cpu.txt"), profile.text())?;
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{} {} {}", spent[0].as_nanos(), spent[1].as_nanos(), all.as_nanos())?;
    Ok(())
}

/// What was spent in the one and in the other.
fn turns() -> [Duration; 2] {
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..TURNS {
        spent[0] += spend(Duration::from_millis(280), seventy);
        spent[1] += spend(Duration::from_millis(120), thirty);
    }
    spent
}
