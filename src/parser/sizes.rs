/// The internal sizes of the parser, in bytes.
///
/// No size changes the frames of a stream. Tests shrink the sizes, so that a short stream crosses
/// each boundary many times.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Bytes of a chunk that are searched, validated and walked over together. 64 KiB stay in the
    /// processor's second-level cache from one pass to the next.
    pub batch: usize,
    /// Growth of a partial block after which its lines without effect are dropped.
    pub drop_lines: usize,
    /// Capacity that a buffer may keep for a next block that is much smaller.
    pub keep: usize,
    /// Capacity over which a buffer is freed with the next chunk, even if it is full.
    pub large: usize,
    /// Size from which on the complete blocks of a chunk are shared instead of copied.
    pub share: usize,
    /// Size from which on an owned event takes the buffer of its block.
    pub take: usize,
    /// Size up to which a last event ID is copied into each batch that needs it.
    pub copy_id: usize,
}

impl Sizes {
    /// The sizes for production.
    pub const DEFAULT: Sizes = Sizes {
        batch: 64 * 1024,
        drop_lines: 16 * 1024,
        keep: 4 * 1024,
        large: 128 * 1024,
        share: 8 * 1024,
        take: 16 * 1024,
        copy_id: 256,
    };
}
