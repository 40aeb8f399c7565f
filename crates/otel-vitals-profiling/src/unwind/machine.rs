//! What differs between processors.

use super::Registers;
use crate::modules::Bytes;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::*;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::*;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{Bytes, Registers};
    use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};

    pub(in crate::unwind) type Unwinder<P> = UnwinderX86_64<Bytes, P>;
    pub(in crate::unwind) type Cache<P> = CacheX86_64<P>;

    pub(in crate::unwind) fn registers(of: &Registers) -> UnwindRegsX86_64 {
        UnwindRegsX86_64::new(of.ip, of.sp, of.fp)
    }

    pub(in crate::unwind) const fn without_signature(address: u64) -> u64 {
        address
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use super::{Bytes, Registers};
    use framehop::aarch64::{CacheAarch64, PtrAuthMask, UnwindRegsAarch64, UnwinderAarch64};

    pub(in crate::unwind) type Unwinder<P> = UnwinderAarch64<Bytes, P>;
    pub(in crate::unwind) type Cache<P> = CacheAarch64<P>;

    /// A user's addresses have 48 bits, unless more are asked for with each mapping. A return address that is signed (pointer
    /// authentication) has the signature above them.
    const ADDRESS: u64 = (1 << 48) - 1;

    pub(in crate::unwind) fn registers(of: &Registers) -> UnwindRegsAarch64 {
        UnwindRegsAarch64::new_with_ptr_auth_mask(PtrAuthMask(ADDRESS), of.lr, of.sp, of.fp)
    }

    pub(in crate::unwind) const fn without_signature(address: u64) -> u64 {
        address & ADDRESS
    }
}
