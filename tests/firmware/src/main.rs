//! Tests of the core on a microcontroller: the rules of the standard byte by byte, and the delays
//! and lost connections of a stream on the device's clock. It prints its results and its memory
//! over semihosting. Its exit status shows success or failure.
//!
//! The target selects one of two boards: a Cortex-M3 with all of the core, or a Cortex-M0. That has
//! no compare-and-swap, so it only has the borrowing parser, the retry policy and the timer.
//! `ci/no_std` runs it.

#![no_std]
#![no_main]

extern crate alloc;

mod clock;
mod memory;
#[cfg(target_has_atomic = "ptr")]
mod outage;
#[cfg(target_has_atomic = "ptr")]
mod owned;
mod support;
mod waits;

/// `tests/parser/spec.rs`, as `build.rs` leaves it.
mod spec {
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    include!(concat!(env!("OUT_DIR"), "/spec.rs"));
}

use crate::memory::Most;
use core::panic::PanicInfo;
use core::sync::atomic::Ordering::Relaxed;
use cortex_m::Peripherals;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use cortex_m_semihosting::{debug, hprintln};

/// The documented maximum memory in bytes, of the parser and of `Reconnect`.
const BUDGET: usize = 5 * 1024;

#[entry]
fn main() -> ! {
    memory::init();
    clock::start(Peripherals::take().expect("they are taken once").SYST);

    spec::TESTS.iter().for_each(|test| test());
    let (count, streams) = (spec::TESTS.len(), support::STREAMS.load(Relaxed));
    hprintln!("rules: {} tests, {} streams, byte by byte", count, streams);
    hprintln!("a parser took at most: {}", support::LENDING);
    assert!(support::LENDING.total() <= BUDGET, "that is more than docs/portability.md says");
    #[cfg(target_has_atomic = "ptr")]
    hprintln!("an event stream took at most: {}", support::OWNED);

    let waits = Most::nothing();
    let time = waits.count(|| clock::block_on(waits::wait_for_three()));
    hprintln!("waits: 3 in {} ms", time.as_millis());
    hprintln!("a policy, a timer and this report took at most: {}", waits);

    #[cfg(target_has_atomic = "ptr")]
    {
        let outages = Most::nothing();
        let time = outages.count(|| clock::block_on(outage::sit_through()));
        hprintln!("outages: 4 in {} ms", time.as_millis());
        hprintln!("Reconnect, its transport and this report took at most: {}", outages);
        assert!(outages.total() <= BUDGET, "{outages} is more than docs/portability.md says");
    }

    hprintln!("statics: {} bytes", memory::statics());
    hprintln!("all is well");
    exit(debug::EXIT_SUCCESS)
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(debug::EXIT_FAILURE)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault: {:?}", frame);
    exit(debug::EXIT_FAILURE)
}

fn exit(status: debug::ExitStatus) -> ! {
    debug::exit(status);
    loop {
        cortex_m::asm::wfi();
    }
}
