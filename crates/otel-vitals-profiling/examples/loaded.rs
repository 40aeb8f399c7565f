//! A library that the safety test of CPU profiles loads, calls and unloads while it is sampled in it.

/// The sum of what a simple generator gives in so many rounds, from `seed` on.
#[allow(unsafe_code, reason = "a function that is found by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn loaded_sum(seed: u64, rounds: u64) -> u64 {
    (0..rounds).fold(seed, |sum, next| std::hint::black_box(sum ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
