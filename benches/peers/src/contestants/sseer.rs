//! sseer: `EventStream` over `Bytes`, whose events share the chunk's memory if possible. Its lower
//! interfaces parse lines, not events.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role, body, drain};
use bytes::Bytes;
use sseer::EventStream;
use std::ops::ControlFlow::{Break, Continue};

pub(super) struct Sseer;

impl Contestant for Sseer {
    const NAME: &'static str = "sseer";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        drain(EventStream::new(body(chunks)), |event| {
            let Ok(event) = event else { return Break(()) };
            let (event, data, id) = (&event.event, event.data.as_bytes(), &event.id);
            consumer.event(Event { event, data, id });
            Continue(())
        });
    }
}
