//! Passwords that are kept as hashes of argon2, which are slow on purpose: off the workers, few at a time, and with an end to waiting.

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::digest::random;
use crate::blocking::on_a_thread;

/// What passwords that are kept otherwise begin with only by bad luck.
const PREFIX: &str = "$argon2";

/// Bounds of what one verification may cost: memory in KiB, passes, lanes.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

/// Verifications at a time, for all workers.
const AT_ONCE: usize = 2;

/// Those who may wait for their turn.
const WAITING: usize = 16;

/// How long one waits for a turn, and then for the verification.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// A hash that passwords can be held against.
pub(super) struct Hash(PasswordHash);

/// Why a hash is none that passwords can be held against.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is no PHC string: {0}")]
    NotPhc(argon2::password_hash::phc::Error),
    #[error("algorithm, version or parameters are none of argon2")]
    NotArgon2,
    #[error("salt or hash is missing")]
    Incomplete,
    #[error("it asks for more than 256 MiB of memory, 64 passes or 64 lanes")]
    TooCostly,
}

/// Hands out turns.
pub(super) struct Turns {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    patience: Duration,
}

/// One of those who verify now.
pub(super) struct Turn {
    permit: OwnedSemaphorePermit,
    patience: Duration,
}

impl Hash {
    /// Whether a password of the configuration is a hash, and not the password itself.
    pub(super) fn is_one(password: &str) -> bool {
        password.starts_with(PREFIX)
    }

    pub(super) fn parse(text: &str) -> Result<Self, Unusable> {
        let hash = PasswordHash::new(text).map_err(Unusable::NotPhc)?;
        let version = hash.version.is_none_or(|version| Version::try_from(version).is_ok());
        let parameters = Params::try_from(&hash).map_err(|_| Unusable::NotArgon2)?;
        if !version || Algorithm::try_from(hash.algorithm.as_str()).is_err() {
            return Err(Unusable::NotArgon2);
        }
        if hash.salt.as_ref().is_none_or(|salt| salt.len() < argon2::MIN_SALT_LEN) || hash.hash.is_none() {
            return Err(Unusable::Incomplete);
        }
        let costly = parameters.m_cost() > MOST_MEMORY
            || parameters.t_cost() > MOST_PASSES
            || parameters.p_cost() > MOST_LANES;
        if costly { Err(Unusable::TooCostly) } else { Ok(Hash(hash)) }
    }

    /// A hash of no password that takes as long to hold a password against as this one does. None without randomness.
    pub(super) fn decoy(&self) -> Option<Self> {
        let mut hash = self.0.clone();
        hash.salt = Some(Salt::new(&random::<16>()?).ok()?);
        let output = random::<{ Output::MAX_LENGTH }>()?;
        let length = hash.hash.as_ref().map_or(Params::DEFAULT_OUTPUT_LEN, |output| output.len());
        hash.hash = Some(Output::new(output.get(..length)?).ok()?);
        Some(Hash(hash))
    }

    /// What a verification costs: algorithm, memory, passes, lanes, bytes.
    pub(super) fn cost(&self) -> (String, String, usize) {
        let length = self.0.hash.as_ref().map_or(0, |output| output.len());
        (self.0.algorithm.to_string(), self.0.params.to_string(), length)
    }

    /// Blocks that one verification writes.
    pub(super) fn work(&self) -> u64 {
        Params::try_from(&self.0)
            .map_or(0, |parameters| u64::from(parameters.m_cost()) * u64::from(parameters.t_cost()))
    }

    fn is_of(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl Turns {
    pub(super) fn new(patience: Duration) -> Self {
        Turns { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0), patience }
    }

    /// Waits for a turn. None when too many wait already or it takes too long.
    pub(super) async fn take(&self) -> Option<Turn> {
        let _place = Place::of(&self.waiting)?;
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok()?.ok().map(|permit| Turn { permit, patience: self.patience })
    }
}

impl Turn {
    /// What `settle` makes of whether `password` is the one of `hash`. None when there was no thread for it, or it took too long: then
    /// it is settled all the same, as when nobody waits for it any more.
    pub(super) async fn verify<T: Send + 'static>(
        self,
        hash: Arc<Hash>,
        password: String,
        settle: impl FnOnce(bool) -> T + Send + 'static,
    ) -> Option<T> {
        let Turn { permit, patience } = self;
        let work = on_a_thread("vitals-hash", move || {
            let settled = settle(hash.is_of(&password));
            // Whose turn is next may have asked the same.
            drop(permit);
            settled
        });
        tokio::time::timeout(patience, work).await.ok()?
    }
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn of(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Place(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use argon2::{ParamsBuilder, PasswordHasher};

    /// A hash that takes no time.
    pub(in crate::gate) fn hash(password: &str) -> String {
        let parameters = ParamsBuilder::new().m_cost(8).t_cost(1).p_cost(1).build().unwrap();
        let argon2 = Argon2::from(parameters);
        argon2.hash_password_with_salt(password.as_bytes(), b"salt of the test").unwrap().to_string()
    }

    #[test]
    fn a_hash_is_of_its_password_only_and_a_decoy_of_none() {
        let hash = Hash::parse(&hash("secret")).unwrap();
        assert!(hash.is_of("secret"));
        assert!(!hash.is_of("Secret"));
        let decoy = hash.decoy().unwrap();
        assert!(!decoy.is_of("secret"));
        assert_eq!(decoy.cost(), hash.cost());
    }

    #[test]
    fn what_other_programs_write_is_understood() {
        // printf password | argon2 somesalt -id -t 2 -m 8 -p 1 -e
        let args = ["argon2id", "argon2i", "argon2d"].map(|algorithm| {
            let algorithm: Algorithm = algorithm.parse().unwrap();
            let parameters = ParamsBuilder::new().m_cost(8).t_cost(1).p_cost(1).build().unwrap();
            Argon2::new(algorithm, Version::V0x10, parameters)
                .hash_password_with_salt(b"password", b"somesalt")
                .unwrap()
                .to_string()
        });
        for text in args {
            assert!(Hash::parse(&text).unwrap().is_of("password"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_held_against_a_password_says_why() {
        let salt_and_hash = "c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
        let cases = [
            ("$argon2id".to_owned(), "salt or hash is missing"),
            ("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ".to_owned(), "salt or hash is missing"),
            (format!("$argon2id$v=19$m=4194304,t=1,p=1${salt_and_hash}"), "more than 256 MiB"),
            (format!("$argon2id$v=19$m=8,t=65,p=1${salt_and_hash}"), "64 passes"),
            (format!("$argon2id$v=7$m=8,t=1,p=1${salt_and_hash}"), "none of argon2"),
            (format!("$argon2id$v=19$m=8,t=0,p=1${salt_and_hash}"), "none of argon2"),
            (format!("$argon2x$v=19$m=8,t=1,p=1${salt_and_hash}"), "none of argon2"),
            ("$argon2id$v=19$m=8,t=1,p=1$!$!".to_owned(), "no PHC string"),
        ];
        for (text, told) in cases {
            let error = Hash::parse(&text).err().unwrap().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[actix_web::test]
    async fn more_than_a_few_do_not_wait() {
        let turns = Arc::new(Turns::new(PATIENCE));
        let _working = [turns.take().await.unwrap(), turns.take().await.unwrap()];
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                actix_web::rt::spawn(async move { turns.take().await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(turns.take().await.is_none(), "at once, and not after the time that one waits");
        drop(_working);
        for waiting in waiting {
            assert!(waiting.await.unwrap());
        }
        assert!(turns.take().await.is_some());
    }
}
