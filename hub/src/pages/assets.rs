//! Fonts, style, script and icons, embedded and served under names that carry their hash.
//!
//! A name with a hash never changes its bytes, so browsers keep it for ever; a new build has new names.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use wardkeep_proto::digest::Digest;

/// One file as it is served.
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    mime: &'static str,
    bytes: Cow<'static, [u8]>,
    hash: String,
}

impl Asset {
    fn new(name: &'static str, mime: &'static str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let hash = Digest::plain(&bytes).to_string()[..16].to_owned();
        Self { stem, extension, mime, bytes, hash }
    }

    /// The name by which templates ask for it: `app.css`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.stem, self.extension)
    }

    /// The name in its address: `app.0123456789abcdef.css`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.{}.{}", self.stem, self.hash, self.extension)
    }

    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const CSS: &str = concat!(
    include_str!("../../assets/tokens.css"),
    include_str!("../../assets/base.css"),
    include_str!("../../assets/parts.css"),
    include_str!("../../assets/pages.css"),
);

/// Every file below `/assets/`.
pub static ALL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut all = vec![
        Asset::new("inter.woff2", "font/woff2", include_bytes!("../../assets/inter.woff2").as_slice()),
        Asset::new(
            "jetbrains-mono.woff2",
            "font/woff2",
            include_bytes!("../../assets/jetbrains-mono.woff2").as_slice(),
        ),
        Asset::new("htmx.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/htmx.min.js").as_slice()),
        Asset::new("app.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/app.js").as_slice()),
        Asset::new(
            "passkey.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../assets/passkey.js").as_slice(),
        ),
        Asset::new("icons.svg", "image/svg+xml", include_bytes!("../../assets/icons.svg").as_slice()),
        Asset::new("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg").as_slice()),
    ];
    let css = all.iter().fold(CSS.to_owned(), |css, asset| {
        css.replace(&format!("asset:{}", asset.name()), &format!("/assets/{}", asset.file()))
    });
    all.push(Asset::new("app.css", "text/css; charset=utf-8", css.into_bytes()));
    all
});

/// The address of the asset that templates call `name`.
///
/// An unknown name gives an address that is not found; the test over all links of all samples notices.
#[must_use]
pub fn url(name: &str) -> String {
    let file = ALL.iter().find(|asset| asset.name() == name).map_or_else(|| name.to_owned(), Asset::file);
    format!("/assets/{file}")
}

/// `GET /assets/{file}`.
pub(super) async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    match ALL.iter().find(|asset| asset.file() == file) {
        Some(asset) => answer(asset, &headers, "public, max-age=31536000, immutable"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /favicon.svg`: a fixed address, because browsers and home screens remember it.
pub(super) async fn favicon(headers: HeaderMap) -> Response {
    match ALL.iter().find(|asset| asset.stem == "icon") {
        Some(asset) => answer(asset, &headers, "public, max-age=86400"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

static MANIFEST: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../assets/manifest.webmanifest");
    Asset::new("manifest.webmanifest", "application/manifest+json", text.as_bytes())
});

/// `GET /manifest.webmanifest`: what a phone needs to put the hub on its home screen.
pub(super) async fn manifest(headers: HeaderMap) -> Response {
    answer(&MANIFEST, &headers, "public, max-age=86400")
}

static WORKER: LazyLock<Asset> = LazyLock::new(|| {
    let kept = ["app.css", "app.js", "passkey.js", "htmx.js", "icons.svg", "inter.woff2"]
        .map(|name| format!("\"{}\"", url(name)));
    let all_names = ALL.iter().map(Asset::file).collect::<Vec<_>>().join(" ");
    let text = include_str!("../../assets/service-worker.js")
        .replace("KEPT_ASSETS", &kept.join(", "))
        .replace("VERSION", &Digest::plain(all_names.as_bytes()).short());
    Asset::new("service-worker.js", "text/javascript; charset=utf-8", text.into_bytes())
});

/// `GET /service-worker.js`: asked again at every visit, so that an old one never outlives a release.
pub(super) async fn service_worker(headers: HeaderMap) -> Response {
    answer(&WORKER, &headers, "no-cache")
}

fn answer(asset: &'static Asset, asked: &HeaderMap, cache: &'static str) -> Response {
    let tag = format!("\"{}\"", asset.hash);
    let known = asked.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => asset.bytes().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_names_only_files_that_exist() {
        let css = ALL.iter().find(|asset| asset.name() == "app.css").map(|asset| asset.bytes().to_vec()).unwrap();
        let css = String::from_utf8(css).unwrap();
        assert!(!css.contains("asset:"), "an asset in the style has no file");
        assert!(!css.contains("http:") && !css.contains("https:"), "the style fetches from elsewhere");
        assert_eq!(css.matches("url(\"/assets/").count(), 2);
    }

    #[test]
    fn the_worker_is_filled_in() {
        let text = std::str::from_utf8(WORKER.bytes()).unwrap();
        assert!(!text.contains("KEPT_ASSETS") && !text.contains("VERSION"), "{text}");
    }

    /// `#rrggbb` or `rgb(r g b / a)` as red, green, blue and opacity, each 0 to 1.
    fn colour(text: &str) -> [f64; 4] {
        if let Some(hex) = text.strip_prefix('#') {
            let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            return [part(0), part(2), part(4), 1.0];
        }
        let inner = text.trim_start_matches("rgb(").trim_end_matches(')').replace('/', "");
        let parts: Vec<f64> = inner.split_whitespace().map(|part| part.parse().unwrap()).collect();
        [parts[0] / 255.0, parts[1] / 255.0, parts[2] / 255.0, parts[3]]
    }

    fn over(top: [f64; 4], below: [f64; 4]) -> [f64; 4] {
        let mix = |at: usize| top[at] * top[3] + below[at] * (1.0 - top[3]);
        [mix(0), mix(1), mix(2), 1.0]
    }

    /// WCAG 2.2, relative luminance and contrast ratio.
    fn contrast(a: [f64; 4], b: [f64; 4]) -> f64 {
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let luminance = |c: [f64; 4]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// A custom property of the style, its light or its dark half.
    fn token(name: &str, half: usize) -> [f64; 4] {
        let start = CSS.find(&format!("\n  --{name}: ")).unwrap_or_else(|| panic!("no --{name}"));
        let value =
            CSS[start..].split_once(": ").and_then(|(_, rest)| rest.split_once(';')).map(|(value, _)| value).unwrap();
        match value.strip_prefix("light-dark(") {
            Some(pair) => colour(pair[..pair.len() - 1].split(", ").nth(half).unwrap()),
            None => colour(value),
        }
    }

    #[test]
    fn every_text_is_readable_on_every_ground_in_both_themes() {
        for half in [0, 1] {
            let token = |name: &str| token(name, half);
            let grounds = ["ground", "ground-far"].map(token);
            for ground in grounds {
                let card = over(token("card"), ground);
                for (name, below) in
                    [("sunken", token("sunken")), ("card", card), ("ground", ground), ("raised", token("raised"))]
                {
                    for text in ["text", "text-soft", "link", "ok", "warn", "bad", "info"] {
                        let ratio = contrast(token(text), below);
                        assert!(ratio >= 4.5, "--{text} on {name}, half {half}: {ratio:.2}");
                    }
                    for mark in ["focus", "line-firm", "accent"] {
                        let ratio = contrast(token(mark), below);
                        assert!(ratio >= 3.0, "--{mark} on {name}, half {half}: {ratio:.2}");
                    }
                    for state in ["ok", "warn", "bad", "info"] {
                        let badge = over(token(&format!("{state}-ground")), below);
                        let ratio = contrast(token(state), badge);
                        assert!(ratio >= 4.5, "--{state} in its badge on {name}, half {half}: {ratio:.2}");
                    }
                    let mute = over(token("mute-ground"), below);
                    assert!(contrast(token("text-soft"), mute) >= 4.5, "a quiet badge on {name}, half {half}");
                }
            }
            for fill in ["primary", "primary-hover", "ok-fill", "ok-fill-hover", "bad-fill", "bad-fill-hover"] {
                let ratio = contrast(token("on-fill"), token(fill));
                assert!(ratio >= 4.5, "a button of --{fill}, half {half}: {ratio:.2}");
            }
        }
    }

    #[tokio::test]
    async fn a_known_tag_is_answered_without_bytes() {
        let asset = &ALL[0];
        let fresh = serve(Path(asset.file()), HeaderMap::new()).await;
        assert_eq!(fresh.status(), StatusCode::OK);
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, fresh.headers()[ETAG].clone());
        assert_eq!(serve(Path(asset.file()), asked).await.status(), StatusCode::NOT_MODIFIED);
        for file in [asset.name(), "../Cargo.toml".into(), String::new()] {
            assert_eq!(serve(Path(file), HeaderMap::new()).await.status(), StatusCode::NOT_FOUND);
        }
    }
}
