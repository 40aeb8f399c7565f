use super::*;
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn from(number: u32) -> Peer {
    Some(Ipv4Addr::from_bits(number).into())
}

/// Whether a guess of this peer gets through, which is wrong.
fn guess(throttle: &Throttle, now: u64, peer: Peer) -> bool {
    let may = throttle.wait_at(now, peer).is_none();
    if may {
        throttle.failed_at(now, peer);
    }
    may
}

/// One in which every account is taken, by peers from 1,000,000 on that have failed as often as they may.
fn full() -> Throttle {
    let throttle = Throttle::new();
    for number in (0..).take(PEERS) {
        while guess(&throttle, 0, from(1_000_000 + number)) {}
    }
    throttle
}

#[test]
fn ten_at_once_then_one_in_two_seconds() {
    let throttle = Throttle::new();
    for _ in 0..BURST {
        assert_eq!(throttle.wait_at(0, from(1)), None);
        throttle.failed_at(0, from(1));
    }
    assert_eq!(throttle.wait_at(0, from(1)), Some(Duration::from_secs(2)));
    assert_eq!(throttle.wait_at(1_500, from(1)), Some(Duration::from_millis(500)));
    assert_eq!(throttle.wait_at(0, from(2)), None, "the other has done nothing");
    assert_eq!(throttle.wait_at(2_000, from(1)), None);
    throttle.failed_at(2_000, from(1));
    assert_eq!(throttle.wait_at(2_000, from(1)), Some(Duration::from_secs(2)));
    assert_eq!(throttle.wait_at(22_000, from(1)), None);
    for _ in 0..BURST - 1 {
        throttle.failed_at(22_000, from(1));
    }
    assert_eq!(throttle.wait_at(22_000, from(1)), None, "all of the first were forgiven");
}

#[test]
fn nobody_is_shut_out_for_long_however_often_he_failed() {
    let throttle = Throttle::new();
    for _ in 0..100_000 {
        throttle.failed_at(0, None);
    }
    assert_eq!(throttle.wait_at(0, None), Some(Duration::from_secs(22)));
}

#[test]
fn what_several_workers_let_through_at_the_same_time_is_counted() {
    let throttle = Throttle::new();
    for _ in 0..BURST + 3 {
        throttle.failed_at(0, from(1));
    }
    assert_eq!(throttle.wait_at(0, from(1)), Some(Duration::from_secs(8)));
}

#[test]
fn who_has_no_account_shares_one_with_all_others() {
    let throttle = full();
    // Two that take turns, and a hundred thousand that try once each.
    let guesses = (0..100_000).map(|number| number % 2).chain(100..100_100);
    let through = guesses.filter(|number| guess(&throttle, 0, from(*number))).count();
    assert_eq!(u64::try_from(through).unwrap(), BURST);
    assert_eq!(throttle.wait_at(1_999, from(7)), Some(Duration::from_millis(1)));
    assert!(guess(&throttle, 2_000, from(7)));
    assert!(!guess(&throttle, 2_000, from(8)));
    assert!(guess(&throttle, 2_000, from(1_000_000)), "who has one of his own does not mind");
    // Everything is forgiven, and there are accounts again.
    for number in 0..100 {
        assert!(guess(&throttle, 30_000, from(number)));
    }
    assert_eq!(throttle.accounts().own.len(), 100);
}

#[test]
fn a_hundred_thousand_peers_take_the_room_of_a_thousand() {
    let throttle = Throttle::new();
    while guess(&throttle, 0, from(7)) {}
    for number in 0..100_000 {
        throttle.failed_at(u64::from(number) % 1_000, from(number + 100));
    }
    let accounts = throttle.accounts();
    assert_eq!(accounts.own.len(), PEERS);
    assert!(accounts.own.capacity() <= 4 * PEERS, "{}", accounts.own.capacity());
    drop(accounts);
    assert!(throttle.wait_at(999, from(7)).is_some(), "who failed before is remembered");
    throttle.failed_at(60_000, from(1));
    assert_eq!(throttle.accounts().own.len(), 1, "the others are forgiven");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However many peers there are and in what order they come.
    #[test]
    fn no_more_gets_through_than_the_accounts_allow(
        peers in prop_oneof![1..20_u32, 1_000..1_050_u32, Just(100_000)],
        full_before in any::<bool>(),
        guesses in proptest::collection::vec((any::<u32>(), 0..50_u64, 1..200_u32), 200),
    ) {
        let throttle = if full_before { full() } else { Throttle::new() };
        let (mut now, mut through) = (0, 0);
        for (first, pause, tries) in guesses {
            now += pause;
            for number in 0..tries {
                through += u64::from(guess(&throttle, now, from(first.wrapping_add(number) % peers)));
            }
            prop_assert!(throttle.accounts().own.len() <= PEERS);
        }
        // One more of each for the part of a failure that was forgiven at the end.
        let accounts = u64::try_from(PEERS).unwrap().min(peers.into()) + 1;
        prop_assert!(through <= accounts * (BURST + now / FORGIVEN + 1), "{through} of {accounts} in {now} ms");
    }

    /// What is taken back is what has not been forgiven yet, so that nobody gains by it.
    #[test]
    fn what_is_taken_back_gives_nothing_away(pauses in proptest::collection::vec(0..3_000_u64, 1..8)) {
        let mut accounts = Accounts::default();
        let (mut now, mut held) = (0, Vec::new());
        for pause in pauses {
            held.push(accounts.add(now, from(1)));
            now += pause;
        }
        for until in held {
            accounts.take_back(now, Some(from(1)), until);
            prop_assert!(accounts.own[&from(1)] >= now.min(until));
        }
        prop_assert!(accounts.own[&from(1)] <= now, "all were taken back");
    }
}

#[test]
fn a_charge_is_held_against_a_peer_until_it_is_dropped_unless_it_stands() {
    for throttle in [Throttle::new(), full()].map(Arc::new) {
        let charges: Vec<_> = (0..BURST).map(|_| throttle.charge_at(0, from(1)).ok().unwrap()).collect();
        assert!(throttle.wait_at(0, from(1)).is_some());
        assert_eq!(throttle.charge_at(0, from(1)).err(), Some(Duration::from_secs(2)));
        drop(charges);
        // Some may have been forgiven meanwhile.
        let left = throttle.accounts().own.get(&from(1)).copied();
        assert!(left.unwrap_or(throttle.accounts().shared) <= throttle.now());
        for _ in 0..BURST {
            throttle.charge_at(60_000, from(2)).ok().unwrap().stands();
        }
        assert!(throttle.charge_at(60_000, from(2)).is_err());
    }
}

#[test]
fn what_panicked_stands() {
    let throttle = Arc::new(Throttle::new());
    for _ in 0..BURST {
        let charge = throttle.charge_at(0, from(1)).ok().unwrap();
        let panics = move || {
            let _charge = charge;
            panic!("of the test")
        };
        assert!(otel_vitals_core::caught::<()>(panics).is_none());
    }
    assert!(throttle.charge_at(0, from(1)).is_err());
}

#[test]
fn a_network_of_ipv6_is_one_peer_and_a_mapped_address_is_what_it_maps() {
    let of = |text: &str| peer(Some(text.parse().unwrap()));
    assert_eq!(of("2001:db8:1:200::1"), of("2001:db8:1:2ff:ffff::9"));
    assert_ne!(of("2001:db8:1:200::1"), of("2001:db8:1:300::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    assert_eq!(peer(None), None);
}
