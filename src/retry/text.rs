//! Durations in configuration files: `"1500ms"`, `"3s"`, `"2m"`, or a number of seconds.

use super::saturating_from_nanos;
use core::fmt;
use core::time::Duration;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

/// A duration that is written as a number and a unit, such as `500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Duration);

impl Text {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (number, unit) = text.split_at(digits);
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
        let number: u128 = number.parse().ok()?;
        Some(Text(saturating_from_nanos(number.checked_mul(*nanos)?)))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        // The largest unit is seconds, because the user who wrote 3600 s expects no "1h".
        let unit = UNITS[2..].iter().find(|(_, unit)| nanos % unit == 0);
        let (name, unit) = unit.unwrap_or(&("ns", 1));
        write!(f, "{}{name}", nanos / unit)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl Visitor<'_> for Form {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"500ms\", \"3s\" or \"2m\", or seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Text::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Text, E> {
                Ok(Text(Duration::from_secs(seconds)))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Text, E> {
                let found = de::Unexpected::Signed(seconds);
                let seconds = u64::try_from(seconds).map_err(|_| E::invalid_value(found, &self))?;
                self.visit_u64(seconds)
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Text, E> {
                let found = de::Unexpected::Float(seconds);
                let duration = Duration::try_from_secs_f64(seconds);
                duration.map(Text).map_err(|_| E::invalid_value(found, &self))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

/// A [`Backoff`](super::Backoff) as it is serialized.
pub(super) mod backoff {
    use super::Text;
    use crate::retry::{Backoff, Jitter};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Form {
        initial_delay: Text,
        factor: u32,
        max_delay: Text,
        min_delay: Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_server_delay: Option<Text>,
        jitter_percent: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_retries: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_elapsed: Option<Text>,
        min_uptime: Text,
    }

    impl Default for Form {
        fn default() -> Self {
            Form::from(&Backoff::new())
        }
    }

    impl From<&Backoff> for Form {
        fn from(backoff: &Backoff) -> Self {
            Form {
                initial_delay: Text(backoff.initial_delay),
                factor: backoff.factor,
                max_delay: Text(backoff.max_delay),
                min_delay: Text(backoff.min_delay),
                max_server_delay: backoff.max_server_delay.map(Text),
                jitter_percent: backoff.jitter.percent(),
                seed: backoff.jitter.user_seed(),
                max_retries: backoff.max_retries,
                max_elapsed: backoff.max_elapsed.map(Text),
                min_uptime: Text(backoff.min_uptime),
            }
        }
    }

    impl Serialize for Backoff {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Form::from(self).serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Backoff {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let form = Form::deserialize(deserializer)?;
            let time = |text: Text| text.0;
            let backoff = Backoff {
                initial_delay: form.initial_delay.0,
                factor: form.factor,
                max_delay: form.max_delay.0,
                min_delay: form.min_delay.0,
                max_server_delay: form.max_server_delay.map(time),
                jitter: Jitter::upward(form.jitter_percent),
                max_retries: form.max_retries,
                max_elapsed: form.max_elapsed.map(time),
                min_uptime: form.min_uptime.0,
            };
            Ok(match form.seed {
                Some(seed) => backoff.with_seed(seed),
                None => backoff,
            })
        }
    }
}
