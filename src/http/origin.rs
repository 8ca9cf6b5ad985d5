//! Whether a browser sent a request from one of our own pages.

use axum::http::{HeaderMap, header};

/// Whether a browser sent this from one of our own pages. Programs that are no browsers send
/// neither header, and have no cookie that they did not mean to send.
pub fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    matches!((page, text(header::HOST)), (Some(page), Some(host)) if page.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_page_of_another_site_is_told_apart() {
        assert!(same_origin(&headers(&[("origin", "http://k.example:8080"), ("host", "k.example:8080")])));
        assert!(same_origin(&headers(&[("origin", "https://k.example"), ("host", "K.example")])));
        assert!(!same_origin(&headers(&[("origin", "https://evil.example"), ("host", "k.example")])));
        assert!(!same_origin(&headers(&[("origin", "https://k.example:444"), ("host", "k.example")])));
        assert!(!same_origin(&headers(&[("origin", "null"), ("host", "k.example")])));
        assert!(!same_origin(&headers(&[("origin", "ä"), ("host", "k.example")])), "what cannot be read is not ours");
        assert!(!same_origin(&headers(&[("origin", "http://k.example")])));
        assert!(!same_origin(&headers(&[("sec-fetch-site", "same-site"), ("origin", "http://a"), ("host", "a")])));
        assert!(same_origin(&headers(&[("sec-fetch-site", "same-origin"), ("origin", "http://a"), ("host", "b")])));
        assert!(same_origin(&headers(&[])));
    }
}
