//! everstream's two parsers: [`Parser`] with borrowed events, and [`EventStream`] with owned ones.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Face, Role, body, drain};
use bytes::Bytes;
use everstream::{EventStream, Frame, OwnedFrame, Parser};
use std::ops::ControlFlow::{Break, Continue};

pub(super) struct Lending;

impl Contestant for Lending {
    const NAME: &'static str = "everstream lending";
    const ROLE: Role = Role::Ours(Face::Lending);

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        let mut parser = Parser::new();
        for chunk in chunks {
            let mut frames = parser.feed(&chunk);
            while let Some(frame) = frames.next() {
                let Frame::Message(event) = frame else { return };
                let (event, data, id) = (event.event(), event.data().as_bytes(), event.id());
                consumer.event(Event { event, data, id });
            }
        }
    }
}

pub(super) struct Owned;

impl Contestant for Owned {
    const NAME: &'static str = "everstream owned";
    const ROLE: Role = Role::Ours(Face::Owned);

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        drain(EventStream::new(body(chunks)), |frame| {
            let Ok(OwnedFrame::Message(event)) = frame else { return Break(()) };
            let (event, data, id) = (event.event(), event.data().as_bytes(), event.id());
            consumer.event(Event { event, data, id });
            Continue(())
        });
    }
}
