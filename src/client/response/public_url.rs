//! URLs without their secrets.

use alloc::string::String;

/// Returns a URL without its user, password, query and fragment.
pub(in crate::client) fn public_url(url: &str) -> String {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    [scheme, "://", host, path].concat()
}

#[cfg(test)]
mod tests {
    use super::public_url;

    #[test]
    fn a_public_url_has_no_secret() {
        for (url, public) in [
            ("https://me:secret@example.com:8443/a/b?token=x#y", "https://example.com:8443/a/b"),
            ("http://example.com", "http://example.com"),
            ("http://example.com?q=a@b", "http://example.com"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("/path?secret", "/path"),
        ] {
            assert_eq!(public_url(url), public);
        }
    }
}
