//! Whatever handlers do at the same time, the collector gets each sample once.

use super::*;

fn slots() -> Box<Slots> {
    let slots = Box::new(Slots::new());
    slots.open(1).unwrap();
    slots
}

fn context(thread: u32) -> Context {
    Context { thread, clock: 1, ip: 2, sp: 3, fp: 4, lr: 5, name: thread.is_multiple_of(2).then_some([6, 7]) }
}

fn leave(slots: &Slots, thread: u32) -> bool {
    let visit = slots.enter().unwrap();
    let claim = visit.claim();
    claim.map(|claim| claim.publish(&context(thread), 0)).is_some()
}

#[test]
fn nobody_comes_in_before_it_is_open_or_after_it_is_closed() {
    let slots = Box::new(Slots::new());
    assert!(slots.enter().is_none());
    slots.open(1).unwrap();
    assert!(slots.enter().is_some());
    slots.close();
    assert!(slots.enter().is_none());
}

#[test]
fn what_is_left_is_taken_once_as_it_was() {
    let slots = slots();
    assert!(leave(&slots, 10) && leave(&slots, 11));
    let mut taken = Vec::new();
    assert_eq!(slots.take(|context, stack| taken.push((*context, stack.len()))), 2);
    assert_eq!(taken, [(context(10), 0), (context(11), 0)]);
    assert_eq!(slots.take(|_, _| panic!("taken twice")), 0);
}

#[test]
fn a_claim_that_is_not_published_is_not_taken_and_the_lowest_free_slot_is_next() {
    let slots = slots();
    let visit = slots.enter().unwrap();
    let (first, second) = (visit.claim().unwrap(), visit.claim().unwrap());
    let place = second.stack();
    second.publish(&context(2), 100);
    assert_eq!(slots.take(|_, stack| assert_eq!(stack, [0; 100])), 1);
    assert_eq!(visit.claim().unwrap().stack(), place);
    first.publish(&context(1), LONGEST_STACK + 1);
    assert_eq!(slots.take(|_, stack| assert_eq!(stack.len(), LONGEST_STACK)), 1);
}

#[test]
fn without_a_free_slot_it_is_counted_and_goes_on_when_there_is_one() {
    let slots = slots();
    let left = (0..100).filter(|thread| leave(&slots, *thread)).count();
    assert_eq!((left, slots.dropped()), (FEWEST, 100 - FEWEST as u64));
    assert_eq!(slots.take(|_, _| {}), FEWEST);
    assert!(leave(&slots, 1));
}

#[test]
fn more_processors_have_more_slots_with_less_stack_each_but_never_less_than_32_kib() {
    let slots = Box::new(Slots::new());
    for (processors, count) in [(1, 64), (32, 64), (33, 128), (64, 128), (1_000, 128)] {
        slots.open(processors).unwrap();
        assert_eq!((0..300).filter(|thread| leave(&slots, *thread)).count(), count, "of {processors}");
        let (_, room) = {
            slots.take(|_, _| {});
            slots.enter().unwrap().claim().unwrap().stack()
        };
        assert_eq!(room * count, FEWEST * LONGEST_STACK);
        assert!(room >= 32 << 10);
    }
}

#[test]
fn of_many_threads_at_once_every_sample_is_taken_or_counted_as_dropped() {
    const EACH: u32 = 5_000;
    let slots = slots();
    let mut taken = 0;
    let left = std::thread::scope(|scope| {
        let threads = [1, 2, 3, 4].map(|thread| {
            let slots = &slots;
            scope.spawn(move || (0..EACH).filter(|_| leave(slots, thread)).count())
        });
        while !threads.iter().all(|thread| thread.is_finished()) {
            taken += slots.take(|seen, _| assert_eq!(*seen, context(seen.thread)));
        }
        threads.map(|thread| thread.join().unwrap()).iter().sum::<usize>()
    });
    taken += slots.take(|_, _| {});
    assert_eq!(taken, left);
    assert_eq!(left as u64 + slots.dropped(), 4 * u64::from(EACH));
}

#[test]
fn whoever_waits_is_woken() {
    let slots = slots();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let before = Instant::now();
            slots.wait(Duration::from_secs(60));
            before.elapsed()
        });
        slots.ring();
        assert!(waits.join().unwrap() < Duration::from_secs(50));
    });
}
