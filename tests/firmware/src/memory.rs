//! The memory: the linker places the statics, the stack has the end of the rest, and the heap the
//! remainder. It measures the maximum use of each.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use cortex_m::register::msp;
use embedded_alloc::LlffHeap;

/// The bytes reserved for the stack.
const STACK: usize = 6 * 1024;
/// The bytes that a function may use below the stack pointer that it reads.
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
        // SAFETY: the caller's obligations are those of the callee.
        let memory = unsafe { self.inner.alloc(layout) };
        raise(&self.peak, self.inner.used());
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the callee.
        unsafe { self.inner.dealloc(memory, layout) }
    }
}

/// Initialises the heap. Call it once, before any allocation.
pub(crate) fn init() {
    // SAFETY: the RAM between the statics and the stack is unused.
    unsafe { HEAP.inner.init(start(), stack_end() - start()) }
}

/// The maximum bytes used at once.
#[derive(Debug)]
pub(crate) struct Most {
    heap: AtomicUsize,
    stack: AtomicUsize,
}

impl Most {
    pub(crate) const fn nothing() -> Self {
        Most { heap: AtomicUsize::new(0), stack: AtomicUsize::new(0) }
    }

    /// Returns the sum of both, in bytes.
    pub(crate) fn total(&self) -> usize {
        self.heap.load(Relaxed) + self.stack.load(Relaxed)
    }

    /// Runs a function, and counts the memory that it uses in addition to the current use.
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

/// Raises the maximum. One thread and no interrupt call this, so it needs no compare-and-swap,
/// which a Cortex-M0 lacks.
fn raise(most: &AtomicUsize, to: usize) {
    most.store(most.load(Relaxed).max(to), Relaxed);
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "heap {}, stack {}", self.heap.load(Relaxed), self.stack.load(Relaxed))
    }
}

/// Calls `run` in a separate stack frame, below the start of the measurement.
#[inline(never)]
fn call<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// Fills the unused part of the stack with a pattern.
fn paint() {
    let free = stack_end()..msp::read() as usize - MARGIN;
    for address in free.step_by(4) {
        // SAFETY: this is aligned RAM that is not in use. The margin is for this function.
        unsafe { (address as *mut u32).write_volatile(cortex_m_rt::STACK_PAINT_VALUE) }
    }
}

/// Returns the lowest address that the stack reached.
fn lowest_trace() -> usize {
    let is_painted = |address: &usize| {
        // SAFETY: this is aligned RAM.
        let word = unsafe { (*address as *const u32).read_volatile() };
        word == cortex_m_rt::STACK_PAINT_VALUE
    };
    let lowest = (stack_end()..stack_top()).step_by(4).find(|address| !is_painted(address));
    let lowest = lowest.unwrap_or(stack_top());
    assert!(lowest > stack_end(), "the stack is full, and has perhaps run into the heap");
    lowest
}

/// Returns the bytes of the statics.
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
