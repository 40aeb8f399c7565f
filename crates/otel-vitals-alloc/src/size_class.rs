//! Size classes: the bounds of Go's, so that what is counted compares with `BySize` of a Go program.

mod sys;

use std::hint::cold_path;

use crate::atomic::AtomicU64;

/// Upper bounds of the classes in bytes, as Go 1.26 has them. What is larger is a class of its own after these.
#[cfg(not(loom))]
pub(crate) const BOUNDS: [u64; 68] = [
    0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384,
    416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072,
    3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568,
    14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
];

/// Few, so that not too many orders are to be tried.
#[cfg(loom)]
pub(crate) const BOUNDS: [u64; 2] = [0, 32768];

/// How many classes there are, the one without a bound included.
pub(crate) const CLASSES: usize = BOUNDS.len() + 1;

/// The class of an allocation; always less than [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

/// One `T` for each class.
#[derive(Debug)]
pub(crate) struct ByClass<T>([T; CLASSES]);

/// Up to here every bound is a multiple of [`FINE_STEP`], above of [`COARSE_STEP`].
const FINE: usize = 1024;
const FINE_STEP: usize = 8;
const LARGEST: usize = 32768;
const COARSE_STEP: usize = 128;
/// What to add to a size in coarse steps so that it goes on where the fine steps end.
const OFFSET: usize = FINE / FINE_STEP - FINE / COARSE_STEP;
/// One more than there are up to the largest bound, for all that is larger.
const STEPS: usize = LARGEST / COARSE_STEP + OFFSET + 2;

/// The class of a size in steps. A table costs a load from a few hot lines where a search costs branches; no `static`,
/// which is looked up through another table.
const CLASS_OF_STEP: &[Class; STEPS] = &class_of_step();

impl Class {
    /// The class of `size` bytes.
    #[inline(always)]
    pub(crate) fn of(size: usize) -> Self {
        let step = if size <= FINE {
            size.div_ceil(FINE_STEP)
        } else {
            // Allocators take long for these: let the others fall through.
            cold_path();
            size.min(LARGEST + 1).div_ceil(COARSE_STEP) + OFFSET
        };
        #[expect(clippy::indexing_slicing, reason = "both branches end before the last step")]
        CLASS_OF_STEP[step]
    }

    /// Where the class is among all [`CLASSES`].
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ByClass<AtomicU64> {
    /// Counters that have counted nothing.
    #[cfg(not(loom))]
    pub(crate) const fn zero() -> Self {
        ByClass([const { AtomicU64::new(0) }; CLASSES])
    }

    #[cfg(loom)]
    pub(crate) fn zero() -> Self {
        ByClass(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<T> ByClass<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn class_of_step() -> [Class; STEPS] {
    let mut classes = [Class(0); STEPS];
    let (mut step, mut class) = (0, 0);
    while step < STEPS {
        let size = if step <= FINE / FINE_STEP { step * FINE_STEP } else { (step - OFFSET) * COARSE_STEP };
        while class < BOUNDS.len() && BOUNDS[class] < size as u64 {
            class += 1;
        }
        classes[step] = Class(class as u8);
        step += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_is_larger_than_the_bound_before_and_no_larger_than_its_own() {
        for size in 0..=LARGEST {
            let index = Class::of(size).index();
            assert!(size as u64 <= BOUNDS[index], "{size} is in class {index}");
            assert!(index == 0 || BOUNDS[index - 1] < size as u64, "{size} is in class {index}");
        }
    }

    #[test]
    fn what_is_larger_than_every_bound_is_the_last_class() {
        for size in [LARGEST + 1, 1 << 20, isize::MAX as usize] {
            assert_eq!(Class::of(size).index(), CLASSES - 1);
        }
    }
}
