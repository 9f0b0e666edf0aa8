//! What the tests of this package, in `tests/`, share.

/// To be called before a client is made: reqwest is to leave the choice to its user, because the
/// provider that it would choose takes minutes to build.
pub fn choose_crypto() {
    // Fails where it is done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
