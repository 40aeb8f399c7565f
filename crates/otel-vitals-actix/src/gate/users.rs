//! Who the users are, and whether a name and a password are those of one.
//!
//! Every name and every password is held against all of them, and what is held against each other are digests of one length, so that the
//! time says nothing about who there is or how much of a secret was right. A password that is wrong costs the same whether there is such a
//! user or not: nothing more where all passwords are plain, and one verification of argon2 as soon as one of them is a hash.

use otel_vitals::Users as Configured;
use otel_vitals_core::quietly;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::argon2::Hash;
use super::digest::{Digest, Keyed};

/// How long a password that was right is not held against its hash again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// A name or password longer than this cannot be sent in a header that is looked at.
const LONGEST: usize = 1024;

#[derive(Default)]
pub(super) struct Users {
    /// Of name and password.
    plain: Vec<Digest>,
    hashed: Vec<Hashed>,
    /// What the password of somebody who is not there, or whose password is plain, is held against.
    decoy: Option<Arc<Hash>>,
}

struct Hashed {
    name: Digest,
    hash: Arc<Hash>,
    /// Of name and password that were right, and until when that holds.
    remembered: Mutex<Option<(Digest, Instant)>>,
}

/// What a name and a password came to.
pub(super) enum Known {
    Right,
    Wrong,
    /// The hash decides.
    Unsure(Question),
}

/// What is left to be found out.
pub(super) struct Question {
    pub(super) hash: Arc<Hash>,
    presented: Digest,
    /// Whose hash that is; none with the decoy.
    pub(super) user: Option<usize>,
}

impl Users {
    pub(super) fn new(keyed: &Keyed, configured: &Configured) -> Self {
        let mut users = Users::default();
        for (name, password) in configured.iter() {
            if Hash::is_one(password) {
                match Hash::parse(password) {
                    Ok(hash) => users.hashed.push(Hashed::new(name_of(keyed, name), hash)),
                    Err(error) => quietly(
                        || tracing::error!(target: "otel_vitals", "monitor.securityUser.{name}: nobody can log in as this user: {error}"),
                    ),
                }
            } else if password.is_empty() || name.len().max(password.len()) > LONGEST {
                quietly(
                    || tracing::error!(target: "otel_vitals", "monitor.securityUser.{name}: nobody can log in as this user: the password is empty, or one of both longer than {LONGEST} bytes"),
                );
            } else {
                users.plain.push(credential_of(keyed, name, password));
            }
        }
        users.decoy = users.make_decoy();
        users
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.hashed.is_empty()
    }

    /// Looks for a user of this name and this password.
    pub(super) fn look(&self, keyed: &Keyed, name: &str, password: &str) -> Known {
        let presented = credential_of(keyed, name, password);
        let mut right = Choice::from(0);
        for user in &self.plain {
            right |= user.ct_eq(&presented);
        }
        let name = name_of(keyed, name);
        let mut user = u32::MAX;
        for (index, hashed) in (0_u32..).zip(&self.hashed) {
            right |= hashed.remembers(&presented);
            user.conditional_assign(&index, hashed.name.ct_eq(&name));
        }
        if right.into() {
            return Known::Right;
        }
        let user = usize::try_from(user).ok().filter(|user| *user < self.hashed.len());
        let hash = user.and_then(|user| self.hashed.get(user)).map(|user| &user.hash).or(self.decoy.as_ref());
        hash.map_or(Known::Wrong, |hash| Known::Unsure(Question { hash: Arc::clone(hash), presented, user }))
    }

    /// Whether the password was the right one of somebody, if it was the one of the hash of the question.
    pub(super) fn settle(&self, question: &Question, is_of_hash: bool) -> bool {
        let user = question.user.and_then(|user| self.hashed.get(user)).filter(|_| is_of_hash);
        if let Some(user) = user {
            user.remember(question.presented);
        }
        user.is_some()
    }

    /// Takes as long as the hash that takes longest.
    fn make_decoy(&self) -> Option<Arc<Hash>> {
        let costliest = self.hashed.iter().max_by_key(|user| user.hash.work())?;
        if self.hashed.iter().any(|user| user.hash.cost() != costliest.hash.cost()) {
            quietly(
                || tracing::warn!(target: "otel_vitals", "monitor.securityUser: the hashes have different parameters, so that the time of an answer tells who there is"),
            );
        }
        costliest.hash.decoy().map(Arc::new)
    }
}

impl Hashed {
    fn new(name: Digest, hash: Hash) -> Self {
        Hashed { name, hash: Arc::new(hash), remembered: Mutex::default() }
    }

    fn remembers(&self, presented: &Digest) -> Choice {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.is_some_and(|(_, until)| until <= Instant::now()) {
            *remembered = None;
        }
        remembered.map_or(Choice::from(0), |(digest, _)| digest.ct_eq(presented))
    }

    fn remember(&self, presented: Digest) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Instant::now().checked_add(REMEMBERED).map(|until| (presented, until));
    }
}

fn credential_of(keyed: &Keyed, name: &str, password: &str) -> Digest {
    keyed.digest(&["credential", name, password])
}

fn name_of(keyed: &Keyed, name: &str) -> Digest {
    keyed.digest(&["name", name])
}
