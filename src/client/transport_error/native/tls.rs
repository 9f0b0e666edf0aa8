//! The detection of reqwest's TLS. Its features belong to the user's build, so no `cfg` of this crate
//! shows them. They add methods to `ClientBuilder`.

use reqwest::{Client, ClientBuilder};

/// Returns whether reqwest was built with TLS.
pub(super) fn is_available() -> bool {
    // With TLS this is the method of `ClientBuilder`, because an inherent method comes before one of
    // a trait.
    Client::builder().tls_info(false).has_tls()
}

#[allow(dead_code, reason = "reqwest may have TLS")]
trait WithoutTls: Sized {
    fn tls_info(self, _: bool) -> Absent {
        Absent
    }
}

impl WithoutTls for ClientBuilder {}

#[allow(dead_code, reason = "reqwest may have TLS")]
struct Absent;

trait Outcome {
    fn has_tls(&self) -> bool;
}

impl Outcome for Absent {
    fn has_tls(&self) -> bool {
        false
    }
}

impl Outcome for ClientBuilder {
    fn has_tls(&self) -> bool {
        true
    }
}
