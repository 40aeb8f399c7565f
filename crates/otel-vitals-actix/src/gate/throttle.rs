//! Who has failed too often has to wait.
//!
//! Ten failures may come at once, then one in two seconds: enough for somebody who mistypes, and for nobody who guesses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that may come at once.
const BURST: u64 = 10;

/// After so many milliseconds one of them is forgiven.
const FORGIVEN: u64 = 2_000;

/// So many peers are remembered. Of more, the one is forgotten that has the least to be forgiven.
const PEERS: usize = 1_024;

/// Failures by peer: an IPv4 address, or the network of /64 that an IPv6 address is in, which is one customer as a rule.
pub(super) struct Throttle {
    since: Instant,
    /// By when everything is forgiven, in milliseconds of our own clock.
    peers: Mutex<HashMap<Peer, u64>>,
}

/// None is a peer without an address: a Unix socket.
type Peer = Option<IpAddr>;

impl Throttle {
    pub(super) fn new() -> Self {
        Throttle { since: Instant::now(), peers: Mutex::default() }
    }

    /// How long this peer has to wait before it may try; nothing when it may.
    pub(super) fn wait(&self, address: Peer) -> Option<Duration> {
        self.wait_at(self.now(), peer(address))
    }

    /// This peer has failed.
    pub(super) fn failed(&self, address: Peer) {
        self.failed_at(self.now(), peer(address));
    }

    fn now(&self) -> u64 {
        self.since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn wait_at(&self, now: u64, peer: Peer) -> Option<Duration> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let left = peers.get(&peer)?.saturating_sub(now);
        let wait = left.saturating_sub((BURST - 1) * FORGIVEN);
        (wait > 0).then(|| Duration::from_millis(wait))
    }

    fn failed_at(&self, now: u64, peer: Peer) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= PEERS && !peers.contains_key(&peer) {
            make_room(&mut peers, now);
        }
        let forgiven = peers.entry(peer).or_insert(now);
        let most = now.saturating_add(BURST * FORGIVEN);
        *forgiven = (*forgiven).max(now).saturating_add(FORGIVEN).min(most);
    }
}

/// Forgets all that are forgiven, and if that is none, the one that is so next.
fn make_room(peers: &mut HashMap<Peer, u64>, now: u64) {
    peers.retain(|_, forgiven| *forgiven > now);
    if peers.len() < PEERS {
        return;
    }
    let next = peers.iter().min_by_key(|(_, forgiven)| **forgiven).map(|(peer, _)| *peer);
    if let Some(next) = next {
        peers.remove(&next);
    }
}

fn peer(address: Peer) -> Peer {
    let peer = match address?.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    };
    Some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn from(number: u32) -> Peer {
        Some(Ipv4Addr::from_bits(number).into())
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
        assert_eq!(throttle.wait_at(0, None), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_hundred_thousand_peers_take_the_room_of_a_thousand() {
        let throttle = Throttle::new();
        for _ in 0..BURST {
            throttle.failed_at(0, from(7));
        }
        for number in 0..100_000 {
            throttle.failed_at(u64::from(number) % 1_000, from(number + 100));
        }
        let peers = throttle.peers.lock().unwrap();
        assert_eq!(peers.len(), PEERS);
        assert!(peers.capacity() <= 4 * PEERS, "{}", peers.capacity());
        drop(peers);
        assert!(throttle.wait_at(999, from(7)).is_some(), "who failed most is remembered");
        throttle.failed_at(60_000, from(1));
        assert_eq!(throttle.peers.lock().unwrap().len(), 1, "the others are forgiven");
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_a_mapped_address_is_what_it_maps() {
        let of = |text: &str| peer(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(peer(None), None);
    }
}
