//! What the subjects do when told, one command a line on standard input, one answer a line on standard output.
//!
//! | command | what it does | value of the answer |
//! | --- | --- | --- |
//! | `flush`, `shutdown` | as on the handle | |
//! | `drop` | drops the handle | |
//! | `init` | `otel_vitals::init()` once more | |
//! | `count N` | adds N to `subject.count`, an instrument of `vitals.meter_provider()` | |
//! | `count-global N` | adds N to `subject.global`, an instrument of the global meter | |
//! | `allocate N` | takes N MiB, touches every page and keeps them | |
//! | `burn N` | uses N milliseconds of CPU time | |
//! | `open N` | opens N descriptors and keeps them | |
//! | `spawn N` | starts N threads that live as long as the process | |
//! | `contend N` | has N threads use 50 milliseconds of CPU time each at the same time, and keeps them | |
//! | `hang` | makes an instrument whose callback never returns | |
//! | `write N` | writes N MiB to a file in the current folder and waits until they are on the disk | |
//!
//! The commands block the thread they run on, which in an async `main` is the runtime's: the worst place from
//! which to flush. When the input ends, [`obey`] returns and `main` goes on.

use opentelemetry::global;
use opentelemetry::metrics::{AsyncInstrument, MeterProvider as _};
use otel_vitals::{Error, Vitals};
use serde_json::Value;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::subject::{ANSWER, Answer};

/// Runs `init`, answers with what came of it and how long it took, and gives the handle if there is one.
pub fn start(init: impl FnOnce() -> Result<Vitals, Error>) -> Option<Vitals> {
    let before = Instant::now();
    let outcome = init();
    let took = before.elapsed();
    let (vitals, outcome) = match outcome {
        Ok(vitals) => (Some(vitals), Ok(Value::Null)),
        Err(error) => (None, Err(error)),
    };
    answer(outcome, took);
    vitals
}

/// Obeys until the input ends, then returns the handle, unless it was dropped.
pub fn obey(vitals: Vitals) -> Option<Vitals> {
    obey_with(vitals, |_| None)
}

/// As [`obey`], for a subject with commands of its own.
pub fn obey_with(vitals: Vitals, mut own: impl FnMut(&str) -> Option<Value>) -> Option<Vitals> {
    let mut obedient = Obedient { vitals: Some(vitals), memory: Vec::new(), files: Vec::new() };
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let before = Instant::now();
        let outcome = match own(&line) {
            Some(value) => Ok(value),
            None => obedient.run(&line),
        };
        answer(outcome, before.elapsed());
    }
    obedient.vitals
}

struct Obedient {
    vitals: Option<Vitals>,
    memory: Vec<Vec<u8>>,
    files: Vec<File>,
}

impl Obedient {
    fn run(&mut self, line: &str) -> Result<Value, Error> {
        let (command, number) = line.split_once(' ').unwrap_or((line, "0"));
        let number: u64 = number.parse().expect("a number");
        match command {
            "flush" => self.vitals().flush()?,
            "shutdown" => self.vitals().shutdown()?,
            "drop" => self.vitals = None,
            "init" => drop(otel_vitals::init()?),
            "count" => {
                let meter = self.vitals().meter_provider().meter("subject");
                meter.u64_counter("subject.count").with_unit("{thing}").build().add(number, &[]);
            }
            "count-global" => global::meter("subject").u64_counter("subject.global").build().add(number, &[]),
            "allocate" => self.memory.push(vec![1; (number << 20) as usize]),
            "burn" => burn(Duration::from_millis(number)),
            "open" => {
                let files = (0..number).map(|_| File::open("/dev/null").expect("a descriptor"));
                self.files.extend(files);
            }
            "spawn" => (0..number).for_each(|_| drop(thread::spawn(thread::park))),
            "contend" => contend(number),
            "hang" => {
                let meter = self.vitals().meter_provider().meter("subject");
                let forever = |_: &dyn AsyncInstrument<u64>| loop {
                    thread::park();
                };
                meter.u64_observable_gauge("subject.hanging").with_callback(forever).build();
            }
            "write" => {
                let mut file = File::create("written").expect("a file in the current folder");
                (0..number).for_each(|_| file.write_all(&[7; 1 << 20]).expect("room on the disk"));
                file.sync_all().expect("a disk that writes");
            }
            unknown => panic!("there is no command {unknown:?}"),
        }
        Ok(Value::Null)
    }

    fn vitals(&self) -> &Vitals {
        self.vitals.as_ref().expect("the handle was not dropped")
    }
}

/// The threads stay, so that the kernel goes on telling what they have waited.
fn contend(threads: u64) {
    let (done, finished) = std::sync::mpsc::channel();
    for _ in 0..threads {
        let done = done.clone();
        thread::spawn(move || {
            burn(Duration::from_millis(50));
            done.send(()).expect("the command waits");
            loop {
                thread::park();
            }
        });
    }
    finished.iter().take(usize::try_from(threads).expect("not that many")).for_each(drop);
}

/// Computes until this thread has had so much of the CPU, by the scheduler's own account.
fn burn(time: Duration) {
    let spent = || -> Duration {
        let line = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel tells it");
        let nanoseconds = line.split_whitespace().next().and_then(|first| first.parse().ok());
        Duration::from_nanos(nanoseconds.expect("nanoseconds first"))
    };
    let until = spent() + time;
    while spent() < until {
        black_box((0..100_000_u64).fold(0, |sum, next| black_box(sum ^ next)));
    }
}

fn answer(outcome: Result<Value, Error>, took: Duration) {
    let (value, error) = match outcome {
        Ok(value) => (value, None),
        Err(error) => (Value::Null, Some(error)),
    };
    let answer = Answer {
        debug: error.as_ref().map(|error| format!("{error:?}")),
        error: error.map(|error| error.to_string()),
        took,
        value,
    };
    let answer = serde_json::to_string(&answer).expect("plain values");
    let mut output = io::stdout().lock();
    writeln!(output, "{ANSWER}{answer}").and_then(|()| output.flush()).expect("the test listens");
}
