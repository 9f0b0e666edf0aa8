//! The timer of an `EventSource`: the default one, or one that the user gave,
//! whose type the `EventSource` does not carry.

use super::platform::{self, BoxFuture, Home, MaybeSend, MaybeSync};
use crate::timer::{DefaultSleep, DefaultTimer, Timer, TimerError};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

pub(super) trait MakeSleep: Fn(Duration) -> BoxFuture<()> + MaybeSync {}
impl<F: Fn(Duration) -> BoxFuture<()> + MaybeSync> MakeSleep for F {}

pub(super) enum AnyTimer {
    Default,
    Given(Box<dyn MakeSleep>),
}

impl AnyTimer {
    pub(super) fn given<T>(timer: T) -> Self
    where
        T: Timer + MaybeSync + 'static,
        T::Sleep: MaybeSend + 'static,
    {
        AnyTimer::Given(Box::new(move |duration| platform::boxed(timer.sleep(duration))))
    }
}

impl Timer for AnyTimer {
    type Sleep = AnySleep;

    fn sleep(&self, duration: Duration) -> AnySleep {
        match self {
            AnyTimer::Default => AnySleep::Default(DefaultTimer.sleep(duration)),
            AnyTimer::Given(make) => AnySleep::Given(make(duration)),
        }
    }

    fn try_sleep(&self, duration: Duration) -> Result<AnySleep, TimerError> {
        match self {
            AnyTimer::Default => DefaultTimer.try_sleep(duration).map(AnySleep::Default),
            AnyTimer::Given(make) => Ok(AnySleep::Given(make(duration))),
        }
    }
}

pub(super) enum AnySleep {
    Default(DefaultSleep),
    Given(BoxFuture<()>),
}

impl Future for AnySleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            // Where nothing measures time, nothing can connect either, and the
            // attempt to will say so. To wait would be for ever.
            AnySleep::Default(_) if Home::here().is_err() => Poll::Ready(()),
            AnySleep::Default(sleep) => Pin::new(sleep).poll(cx),
            AnySleep::Given(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
