//! The memory: the linker gives the statics their place, the stack has its end of what is left, and
//! the heap the rest. Tells how much of each was ever taken at once.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use cortex_m::register::msp;
use embedded_alloc::LlffHeap;

/// What is kept for the stack.
const STACK: usize = 6 * 1024;
/// What a function may have below the stack pointer that it read.
const MARGIN: usize = 64;

struct Heap {
    inner: LlffHeap,
    peak: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap { inner: LlffHeap::empty(), peak: AtomicUsize::new(0) };

// SAFETY: it is that of `LlffHeap`.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises is what is asked for.
        let memory = unsafe { self.inner.alloc(layout) };
        raise(&self.peak, self.inner.used());
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: what the caller promises is what is asked for.
        unsafe { self.inner.dealloc(memory, layout) }
    }
}

/// Once, before anything is allocated.
pub(crate) fn init() {
    // SAFETY: between the statics and the stack there is RAM that nobody else uses.
    unsafe { HEAP.inner.init(start(), stack_end() - start()) }
}

/// The most bytes that something took at once.
#[derive(Debug)]
pub(crate) struct Most {
    heap: AtomicUsize,
    stack: AtomicUsize,
}

impl Most {
    pub(crate) const fn nothing() -> Self {
        Most { heap: AtomicUsize::new(0), stack: AtomicUsize::new(0) }
    }

    /// Both together, in bytes.
    pub(crate) fn total(&self) -> usize {
        self.heap.load(Relaxed) + self.stack.load(Relaxed)
    }

    /// Runs it, and counts what it takes beyond what is taken when it begins.
    pub(crate) fn count<T>(&self, run: impl FnOnce() -> T) -> T {
        let heap_before = HEAP.inner.used();
        HEAP.peak.store(heap_before, Relaxed);
        let stack_before = msp::read() as usize;
        paint();
        let result = call(run);
        raise(&self.heap, HEAP.peak.load(Relaxed) - heap_before);
        raise(&self.stack, stack_before - lowest_trace());
        result
    }
}

/// There is one thread, and no interrupt comes here: no compare-and-swap, which a Cortex-M0 lacks.
fn raise(most: &AtomicUsize, to: usize) {
    most.store(most.load(Relaxed).max(to), Relaxed);
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "heap {}, stack {}", self.heap.load(Relaxed), self.stack.load(Relaxed))
    }
}

/// So that `run` has a frame of its own, below what is measured from.
#[inline(never)]
fn call<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// Covers the traces that the stack left below what is in use.
fn paint() {
    let free = stack_end()..msp::read() as usize - MARGIN;
    for address in free.step_by(4) {
        // SAFETY: this is RAM, aligned, and not in use: the margin is for this function.
        unsafe { (address as *mut u32).write_volatile(cortex_m_rt::STACK_PAINT_VALUE) }
    }
}

/// The lowest address that the stack reached.
fn lowest_trace() -> usize {
    let is_painted = |address: &usize| {
        // SAFETY: this is RAM, and aligned.
        let word = unsafe { (*address as *const u32).read_volatile() };
        word == cortex_m_rt::STACK_PAINT_VALUE
    };
    let lowest = (stack_end()..stack_top()).step_by(4).find(|address| !is_painted(address));
    let lowest = lowest.unwrap_or(stack_top());
    assert!(lowest > stack_end(), "the stack is full, and has perhaps run into the heap");
    lowest
}

/// The bytes of the statics.
pub(crate) fn statics() -> usize {
    start() - 0x2000_0000
}

fn start() -> usize {
    cortex_m_rt::heap_start() as usize
}

fn stack_end() -> usize {
    stack_top() - STACK
}

fn stack_top() -> usize {
    unsafe extern "C" {
        static _stack_start: u32;
    }
    &raw const _stack_start as usize
}
