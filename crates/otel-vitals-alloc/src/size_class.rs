//! Size classes: the bounds of Go's, so that what is counted compares with `BySize` of a Go program.

mod sys;

use crate::atomic::AtomicU64;

/// Upper bounds of the classes in bytes, as Go 1.26 has them. What is larger is a class of its own after these.
#[cfg(not(all(loom, test)))]
pub(crate) const BOUNDS: [u64; 68] = [
    0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384,
    416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072,
    3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568,
    14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
];

/// Few, so that not too many orders are to be tried.
#[cfg(all(loom, test))]
pub(crate) const BOUNDS: [u64; 2] = [0, 32768];

/// How many classes there are, the one without a bound included.
pub(crate) const CLASSES: usize = BOUNDS.len() + 1;

/// The class of an allocation; always less than [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

/// One `T` for each class.
#[derive(Debug)]
pub(crate) struct ByClass<T>([T; CLASSES]);

/// Up to here the class is looked up by the size itself, which costs the fewest instructions.
pub(crate) const SMALL: usize = 1024;
/// Beyond, bounds are multiples of this, and the class is looked up by the step.
const STEP: usize = 128;
/// Steps up to the largest bound.
const STEPS: usize = 32768 / STEP;

/// No `static`s, which are looked up through another table.
const BY_SIZE: &[Class; SMALL + 1] = &classes(1);
const BY_STEP: &[Class; STEPS] = &classes(STEP);

impl Class {
    const UNBOUNDED: Class = Class(BOUNDS.len() as u8);

    /// The class of `size` bytes.
    #[inline(always)]
    pub(crate) fn of(size: usize) -> Self {
        if size > SMALL { Class::of_large(size) } else { Class::of_small(size) }
    }

    /// The class of `size` bytes, which are no more than [`SMALL`].
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the caller has looked, and the compiler sees it")]
    pub(crate) fn of_small(size: usize) -> Self {
        BY_SIZE[size]
    }

    /// The class of `size` bytes, which are more than [`SMALL`].
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the step is less than there are")]
    pub(crate) fn of_large(size: usize) -> Self {
        let step = (size - 1) / STEP;
        if step < STEPS { BY_STEP[step] } else { Class::UNBOUNDED }
    }

    /// Where the class is among all [`CLASSES`].
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ByClass<AtomicU64> {
    /// Counters that have counted nothing.
    #[cfg(not(all(loom, test)))]
    pub(crate) const fn zero() -> Self {
        ByClass([const { AtomicU64::new(0) }; CLASSES])
    }

    #[cfg(all(loom, test))]
    pub(crate) fn zero() -> Self {
        ByClass(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<T> ByClass<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// The classes of the largest size in each step. With steps of one byte, the first step is of no bytes.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn classes<const N: usize>(step: usize) -> [Class; N] {
    let mut classes = [Class(0); N];
    let (mut at, mut class) = (0, 0);
    while at < N {
        let size = if step == 1 { at } else { (at + 1) * step };
        while BOUNDS[class] < size as u64 {
            class += 1;
        }
        classes[at] = Class(class as u8);
        at += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_is_larger_than_the_bound_before_and_no_larger_than_its_own() {
        // All of them take a minute under Miri; these are of both tables.
        for size in 0..=if cfg!(miri) { 4_096 } else { 32_768 } {
            let index = Class::of(size).index();
            assert!(size as u64 <= BOUNDS[index], "{size} is in class {index}");
            assert!(index == 0 || BOUNDS[index - 1] < size as u64, "{size} is in class {index}");
        }
    }

    #[test]
    fn what_is_larger_than_every_bound_is_the_last_class() {
        for size in [32_769, 1 << 20, isize::MAX as usize] {
            assert_eq!(Class::of(size).index(), CLASSES - 1);
        }
    }
}
