//! The replacement of `trace.rs` without the feature `tracing`. It does nothing.

use crate::retry::DisconnectKind;
use core::fmt;
use core::time::Duration;

#[derive(Clone)]
pub(crate) struct Span;

#[rustfmt::skip]
impl Span {
    #[inline(always)] pub(crate) fn none() -> Self { Span }
    #[inline(always)] pub(crate) fn attempt(_: u32, _: bool) -> Self { Span }
    #[inline(always)] pub(crate) fn in_scope<R>(&self, run: impl FnOnce() -> R) -> R { run() }
    #[inline(always)] pub(crate) fn open(&self) {}
    #[inline(always)] pub(crate) fn lost(&self, _: DisconnectKind) {}
    #[inline(always)] pub(crate) fn wait(&self, _: Duration, _: u32) {}
    #[inline(always)] pub(crate) fn dropped(&self) {}
    #[inline(always)] pub(crate) fn ended(&self) {}
    #[inline(always)] pub(crate) fn failed(&self, _: &'static str) {}
    #[inline(always)] pub(crate) fn gave_up(&self, _: u32) {}
}

/// The logs of transports.
#[allow(dead_code, reason = "only the transports of this crate call these")]
#[rustfmt::skip]
impl Span {
    #[inline(always)] pub(crate) fn url<T: fmt::Display>(&self, _: impl FnOnce() -> T) {}
    #[inline(always)] pub(crate) fn status(&self, _: u16) {}
    #[inline(always)] pub(crate) fn transport_error(&self, _: &dyn fmt::Display) {}
}
