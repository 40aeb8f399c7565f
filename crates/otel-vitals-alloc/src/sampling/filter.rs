//! Which blocks may have a sample: what keeps the end of all others from looking for one.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// As many pages as four gigabytes have: what is left of an address of 32 bits without those of the offset in a page.
const PAGES: usize = 1 << (u32::BITS - PAGE_BITS);
const PAGE_BITS: u32 = 12;

/// A counter that got here stays: nobody knows any more how many there are.
const MANY: u8 = u8::MAX;

/// How many sampled blocks begin in each page; pages whose addresses differ in the upper 32 bits share a counter.
///
/// A thread that frees a block was given it after the counter was raised, and so sees it raised. What other threads do to
/// the counter meanwhile are additions and subtractions that belong together. (The memory is not there until a sample is
/// in it: to read it, all of it is the one page of zeros that the system has.)
#[derive(Debug)]
pub(crate) struct Filter([AtomicU8; PAGES]);

impl Filter {
    pub(crate) const fn new() -> Self {
        Filter([const { AtomicU8::new(0) }; PAGES])
    }

    /// Whether `block` may be one that was [added](Filter::add).
    #[inline(always)]
    pub(crate) fn may_have(&self, block: usize) -> bool {
        self.page(block).load(Relaxed) != 0
    }

    /// To be called before `block` is handed out.
    pub(crate) fn add(&self, block: usize) {
        let more = |count: u8| count.checked_add(1);
        // That it is `MANY` already is as good.
        let _ = self.page(block).fetch_update(Relaxed, Relaxed, more);
    }

    /// To be called once for each [`add`](Filter::add).
    pub(crate) fn remove(&self, block: usize) {
        let less = |count: u8| if count == MANY { None } else { count.checked_sub(1) };
        let _ = self.page(block).fetch_update(Relaxed, Relaxed, less);
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "there are as many as that, and the compiler sees it")]
    fn page(&self, block: usize) -> &AtomicU8 {
        &self.0[(block as u32 >> PAGE_BITS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILTER: Filter = Filter::new();

    #[test]
    fn a_page_has_what_was_added_and_not_removed() {
        let (page, next) = (0x7f12_3456_7000, 0x7f12_3456_8000);
        FILTER.add(page);
        FILTER.add(page + 8);
        assert!(FILTER.may_have(page) && FILTER.may_have(page + 4095));
        assert!(!FILTER.may_have(page - 1) && !FILTER.may_have(next));
        FILTER.remove(page);
        assert!(FILTER.may_have(page));
        FILTER.remove(page + 8);
        assert!(!FILTER.may_have(page));
    }

    #[test]
    fn a_counter_never_goes_below_none_and_one_that_has_reached_its_end_stays() {
        let page = 0x1000;
        FILTER.remove(page);
        assert!(!FILTER.may_have(page));
        (0..300).for_each(|_| FILTER.add(page));
        (0..300).for_each(|_| FILTER.remove(page));
        assert!(FILTER.may_have(page));
    }
}
