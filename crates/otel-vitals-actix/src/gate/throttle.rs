//! Who has failed too often has to wait.
//!
//! Ten failures may come at once, then one in two seconds: enough for somebody who mistypes, and for nobody who guesses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::panicking;
use std::time::{Duration, Instant};

/// Failures that may come at once.
const BURST: u64 = 10;

/// After so many milliseconds one of them is forgiven.
const FORGIVEN: u64 = 2_000;

/// So many failures that came at the very same time, on several workers, are held against a peer.
const MOST: u64 = 2 * BURST;

/// So many peers have an account of their own. All others have one together, until one of these is forgiven everything: were somebody
/// forgotten to make room, who has enough addresses would never have to wait.
const PEERS: usize = 1_024;

/// The bits of an IPv6 address that tell a peer: what one customer gets has a prefix of at least so many, as a rule.
const PREFIX: u32 = 56;

/// Failures by peer: an IPv4 address, or a network of IPv6.
pub(super) struct Throttle {
    since: Instant,
    accounts: Mutex<Accounts>,
}

/// By when everything is forgiven, in milliseconds of the throttle's own clock.
#[derive(Default)]
struct Accounts {
    own: HashMap<Peer, u64>,
    /// Of those who have none of their own.
    shared: u64,
}

/// None is a peer without an address: a Unix socket.
type Peer = Option<IpAddr>;

/// A failure that is held against a peer before it is known to be one. It is taken back when this is dropped, unless it [`stands`](Charge::stands).
pub(super) struct Charge {
    throttle: Arc<Throttle>,
    /// None with the shared account.
    own: Option<Peer>,
    /// When this one would be forgiven.
    until: u64,
    stands: bool,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Throttle { since: Instant::now(), accounts: Mutex::default() }
    }

    /// How long this peer has to wait before it may try; nothing when it may.
    pub(super) fn wait(&self, address: Peer) -> Option<Duration> {
        self.wait_at(self.now(), peer(address))
    }

    /// This peer has failed.
    pub(super) fn failed(&self, address: Peer) {
        self.failed_at(self.now(), peer(address));
    }

    /// This peer tries something that takes its time; how long it has to wait first, if it has to.
    pub(super) fn charge(self: &Arc<Self>, address: Peer) -> Result<Charge, Duration> {
        self.charge_at(self.now(), peer(address))
    }

    fn now(&self) -> u64 {
        self.since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_at(&self, now: u64, peer: Peer) -> Option<Duration> {
        self.accounts().wait(now, peer)
    }

    fn failed_at(&self, now: u64, peer: Peer) {
        self.accounts().add(now, peer);
    }

    fn charge_at(self: &Arc<Self>, now: u64, peer: Peer) -> Result<Charge, Duration> {
        let mut accounts = self.accounts();
        if let Some(wait) = accounts.wait(now, peer) {
            return Err(wait);
        }
        let until = accounts.add(now, peer);
        let own = accounts.own.contains_key(&peer).then_some(peer);
        Ok(Charge { throttle: Arc::clone(self), own, until, stands: false })
    }
}

impl Accounts {
    fn wait(&self, now: u64, peer: Peer) -> Option<Duration> {
        let shared = (self.own.len() >= PEERS).then_some(&self.shared);
        let left = self.own.get(&peer).or(shared)?.saturating_sub(now);
        let wait = left.saturating_sub((BURST - 1) * FORGIVEN);
        (wait > 0).then(|| Duration::from_millis(wait))
    }

    /// Holds one more against this peer, and says until when.
    fn add(&mut self, now: u64, peer: Peer) -> u64 {
        if self.own.len() >= PEERS && !self.own.contains_key(&peer) {
            self.own.retain(|_, forgiven| *forgiven > now);
        }
        let forgiven = if self.own.len() < PEERS || self.own.contains_key(&peer) {
            self.own.entry(peer).or_insert(now)
        } else {
            &mut self.shared
        };
        *forgiven = (*forgiven).max(now).saturating_add(FORGIVEN).min(now.saturating_add(MOST * FORGIVEN));
        *forgiven
    }

    /// Takes back what is not forgiven yet of one that was held against a peer until then.
    fn take_back(&mut self, now: u64, own: Option<Peer>, until: u64) {
        let left = until.saturating_sub(now).min(FORGIVEN);
        let forgiven = own.map_or(Some(&mut self.shared), |peer| self.own.get_mut(&peer));
        if let Some(forgiven) = forgiven {
            *forgiven = forgiven.saturating_sub(left);
        }
    }
}

impl Charge {
    /// It was a failure.
    pub(super) fn stands(mut self) {
        self.stands = true;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // What panicked was tried, and nobody knows what it would have come to.
        if !self.stands && !panicking() {
            let now = self.throttle.now();
            self.throttle.accounts().take_back(now, self.own, self.until);
        }
    }
}

fn peer(address: Peer) -> Peer {
    let peer = match address?.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::MAX.checked_shl(u128::BITS - PREFIX).unwrap_or_default();
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & network))
        }
        address => address,
    };
    Some(peer)
}

#[cfg(test)]
mod tests;
