//! Something to measure: orders that take memory, CPU time and disk.

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use std::collections::VecDeque;
use std::io::{Seek, Write};
use std::time::Duration;
use std::{io, thread};

const PAUSE: Duration = Duration::from_millis(20);
/// As many orders are kept in memory.
const KEPT: usize = 64;
/// After as many orders the file is written from its start again, so that it does not fill the disk.
const WRITTEN: u64 = 256;

/// Takes orders on a thread of its own, for as long as the process lives, and counts them with an instrument of
/// `provider`.
pub(crate) fn start(provider: &impl MeterProvider) -> io::Result<()> {
    let orders = provider
        .meter("quickstart")
        .u64_counter("quickstart.orders")
        .with_unit("{order}")
        .with_description("Orders taken.")
        .build();
    let sizes = [("small", 16 << 10), ("large", 256 << 10)]
        .map(|(size, bytes)| ([KeyValue::new("quickstart.order.size", size)], bytes));
    // The file has no name, so it is gone with the process, however that ends.
    let mut file = tempfile::tempfile()?;
    let mut kept = VecDeque::with_capacity(KEPT);
    let work = move || -> io::Result<()> {
        for (number, (size, bytes)) in (0..).zip(sizes.iter().cycle()) {
            let order = noise(*bytes);
            if number % WRITTEN == 0 {
                file.rewind()?;
            }
            file.write_all(&order)?;
            if number % 16 == 0 {
                file.sync_data()?;
            }
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(order);
            orders.add(1, size);
            thread::sleep(PAUSE);
        }
        Ok(())
    };
    thread::Builder::new().name("orders".to_owned()).spawn(work)?;
    Ok(())
}

/// `bytes` of noise, which takes memory and CPU time to make.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = bytes as u64 | 1;
    let random = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    random.take(bytes).collect()
}
