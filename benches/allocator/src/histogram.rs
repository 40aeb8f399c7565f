//! How often something took how long.

/// Buckets of a thirty-second of a power of two: what is told of a value is within some 3 % of it.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    largest: u64,
}

/// Bits of a value, after its first, that choose its bucket.
const FINE: u32 = 5;
const BUCKETS: usize = (64 - FINE as usize + 1) << FINE;

impl Histogram {
    /// Of nothing.
    #[must_use]
    pub fn new() -> Self {
        Histogram { counts: vec![0; BUCKETS], largest: 0 }
    }

    /// Takes in a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
        }
        self.largest = self.largest.max(value);
    }

    /// Takes in what another has.
    pub fn add(&mut self, other: &Histogram) {
        for (count, others) in self.counts.iter_mut().zip(&other.counts) {
            *count += others;
        }
        self.largest = self.largest.max(other.largest);
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value than which a share `quantile` of all is not larger.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> u64 {
        let wanted = (self.len() as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(self.largest, |bucket| end(bucket).min(self.largest))
    }

    /// The largest value.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.largest
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

fn bucket(value: u64) -> usize {
    let exponent = value.max(1).ilog2().saturating_sub(FINE);
    ((u64::from(exponent) << FINE) + (value >> exponent)) as usize
}

/// The largest value in a bucket.
fn end(bucket: usize) -> u64 {
    let exponent = (bucket >> FINE).saturating_sub(1);
    let fine = (bucket - (exponent << FINE)) as u64;
    ((fine + 1) << exponent).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_a_bucket_that_ends_at_or_little_above_it() {
        for value in (0..10_000).chain([1 << 20, u64::MAX / 3, u64::MAX]) {
            let end = end(bucket(value));
            assert!(value <= end && end - value <= value >> FINE, "{value} ends at {end}");
        }
    }

    #[test]
    fn quantiles_are_of_what_was_recorded() {
        let mut histogram = Histogram::new();
        for value in 1..=1000 {
            histogram.record(value);
        }
        assert_eq!((histogram.len(), histogram.largest()), (1000, 1000));
        assert!((500..=516).contains(&histogram.quantile(0.5)));
        assert!((999..=1000).contains(&histogram.quantile(0.999)));
    }
}
