//! Programs whose profiles are known: what they do is said by themselves, and a profile must say the same.

pub mod work;
