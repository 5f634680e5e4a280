//! Tokens with a fixed beginning: the vendor's prefix, an alphabet, a length.

use super::{Matcher, Rule, judge};
use crate::cursor::{Cursor, Decision};

/// A prefix and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    prefix: &'static str,
    body: Alphabet,
    min: usize,
    max: usize,
}

/// Which bytes the body of a token has.
#[derive(Clone, Copy, Debug)]
enum Alphabet {
    Hex,
    Upper,
    Alnum,
    /// Letters, digits, `_` and `-`.
    Url,
    /// As `Url`, with dots between parts.
    Dotted,
    /// Standard base64.
    Base64,
    /// Letters, digits, `_`, `-` and `=`.
    Base64Url,
    /// Letters and digits in groups.
    Dashed,
    /// Hex groups divided by `$`.
    Dollar,
    /// Path of a webhook.
    Path,
}

impl Alphabet {
    fn has(self, b: u8) -> bool {
        match self {
            Self::Hex => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
            Self::Upper => b.is_ascii_digit() || b.is_ascii_uppercase(),
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Url => b.is_ascii_alphanumeric() || b == b'_' || b == b'-',
            Self::Dotted => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
            Self::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
            Self::Base64Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'='),
            Self::Dashed => b.is_ascii_alphanumeric() || b == b'-',
            Self::Dollar => b.is_ascii_alphanumeric() || b == b'$',
            Self::Path => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/'),
        }
    }
}

impl Shape {
    pub(super) fn decide(&self, mut cursor: Cursor<'_>) -> Decision {
        let from = cursor.at;
        if !cursor.at_word_start() || !cursor.word(self.prefix.as_bytes())? {
            return Ok(None);
        }
        let mut body = cursor.run(self.max + 1, |b| self.body.has(b))?;
        while let [rest @ .., b'.' | b'-' | b'/'] = body {
            // Punctuation of the sentence, not of the token.
            cursor.at -= 1;
            body = rest;
        }
        let whole = (self.min..=self.max).contains(&body.len());
        let tail = cursor.peek()?.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !whole || tail || judge::is_filler(body) {
            return Ok(None);
        }
        Ok(Some(from..cursor.at))
    }
}

use Alphabet::{Alnum, Base64, Base64Url, Dashed, Dollar, Dotted, Hex, Path, Upper, Url};

/// Kind, prefix, alphabet of the body, its shortest and longest length. Sources: the vendors' own pages on token formats.
const TABLE: &[(&str, &str, Alphabet, usize, usize)] = &[
    ("anthropic-key", "sk-ant-", Url, 20, 200),
    ("openai-key", "sk-proj-", Url, 20, 250),
    ("openai-key", "sk-svcacct-", Url, 20, 250),
    ("openai-key", "sk-admin-", Url, 20, 250),
    ("openai-key", "sk-None-", Url, 20, 250),
    ("openai-key", "sk-", Alnum, 32, 64),
    ("openrouter-key", "sk-or-v1-", Hex, 64, 64),
    ("langfuse-key", "sk-lf-", Url, 36, 36),
    ("groq-key", "gsk_", Alnum, 40, 60),
    ("xai-key", "xai-", Alnum, 70, 90),
    ("perplexity-key", "pplx-", Alnum, 40, 64),
    ("replicate-token", "r8_", Alnum, 37, 40),
    ("huggingface-token", "hf_", Alnum, 30, 40),
    ("huggingface-token", "api_org_", Alnum, 30, 40),
    ("nvidia-key", "nvapi-", Url, 60, 80),
    ("tavily-key", "tvly-", Url, 24, 64),
    ("langsmith-key", "lsv2_pt_", Url, 36, 64),
    ("langsmith-key", "lsv2_sk_", Url, 36, 64),
    ("pinecone-key", "pcsk_", Url, 40, 90),
    ("cerebras-key", "csk-", Alnum, 40, 64),
    ("aws-bedrock-key", "ABSK", Base64, 100, 300),
    ("github-token", "ghp_", Alnum, 36, 255),
    ("github-token", "gho_", Alnum, 36, 255),
    ("github-token", "ghu_", Alnum, 36, 255),
    ("github-token", "ghs_", Alnum, 36, 255),
    ("github-token", "ghr_", Alnum, 36, 255),
    ("github-token", "github_pat_", Url, 60, 255),
    ("gitlab-token", "glpat-", Dotted, 20, 64),
    ("gitlab-token", "gldt-", Url, 20, 64),
    ("gitlab-token", "glrt-", Dotted, 20, 64),
    ("gitlab-token", "glrtr-", Dotted, 20, 64),
    ("gitlab-token", "glft-", Url, 20, 64),
    ("gitlab-token", "glimt-", Url, 20, 64),
    ("gitlab-token", "glptt-", Url, 20, 64),
    ("gitlab-token", "glcbt-", Url, 20, 64),
    ("gitlab-token", "glagent-", Url, 40, 64),
    ("gitlab-token", "gloas-", Url, 40, 72),
    ("gitlab-token", "glsoat-", Url, 20, 64),
    ("gitlab-token", "glffct-", Url, 20, 64),
    ("gitlab-token", "GR1348941", Url, 20, 30),
    ("slack-token", "xoxb-", Url, 20, 255),
    ("slack-token", "xoxp-", Url, 20, 255),
    ("slack-token", "xoxa-", Url, 20, 255),
    ("slack-token", "xoxr-", Url, 20, 255),
    ("slack-token", "xoxs-", Url, 20, 255),
    ("slack-token", "xoxo-", Url, 20, 255),
    ("slack-token", "xoxc-", Url, 20, 255),
    ("slack-token", "xoxe-", Url, 40, 255),
    ("slack-token", "xoxe.xoxb-", Url, 40, 255),
    ("slack-token", "xoxe.xoxp-", Url, 40, 255),
    ("slack-token", "xapp-", Url, 30, 255),
    ("slack-webhook", "hooks.slack.com/services/", Path, 40, 90),
    ("slack-webhook", "hooks.slack.com/workflows/", Path, 40, 90),
    ("slack-webhook", "hooks.slack.com/triggers/", Path, 30, 90),
    ("discord-webhook", "discord.com/api/webhooks/", Path, 60, 130),
    ("discord-webhook", "discordapp.com/api/webhooks/", Path, 60, 130),
    ("stripe-key", "sk_live_", Alnum, 16, 255),
    ("stripe-key", "sk_test_", Alnum, 16, 255),
    ("stripe-key", "rk_live_", Alnum, 16, 255),
    ("stripe-key", "rk_test_", Alnum, 16, 255),
    ("stripe-key", "sk_prod_", Alnum, 16, 255),
    ("stripe-key", "rk_prod_", Alnum, 16, 255),
    ("webhook-secret", "whsec_", Base64, 24, 90),
    ("aws-key", "AKIA", Upper, 16, 16),
    ("aws-key", "ASIA", Upper, 16, 16),
    ("aws-key", "ABIA", Upper, 16, 16),
    ("aws-key", "ACCA", Upper, 16, 16),
    ("aws-key", "amzn.mws.", Url, 36, 36),
    ("google-key", "AIza", Url, 35, 35),
    ("google-token", "ya29.", Dotted, 20, 512),
    ("google-secret", "GOCSPX-", Url, 28, 28),
    ("google-secret", "1//0", Url, 40, 120),
    ("alibaba-key", "LTAI", Alnum, 16, 24),
    ("tencent-key", "AKID", Alnum, 32, 36),
    ("yandex-key", "AQVN", Url, 35, 40),
    ("twilio-key", "SK", Hex, 32, 32),
    ("sendgrid-key", "SG.", Dotted, 60, 72),
    ("mailgun-key", "key-", Hex, 32, 32),
    ("brevo-key", "xkeysib-", Url, 60, 90),
    ("npm-token", "npm_", Alnum, 36, 36),
    ("pypi-token", "pypi-AgE", Url, 50, 300),
    ("rubygems-token", "rubygems_", Hex, 48, 48),
    ("crates-token", "cio", Alnum, 32, 32),
    ("nuget-key", "oy2", Alnum, 43, 43),
    ("clojars-token", "CLOJARS_", Alnum, 60, 60),
    ("docker-token", "dckr_pat_", Url, 24, 40),
    ("docker-token", "dckr_oat_", Url, 24, 40),
    ("shopify-token", "shpat_", Alnum, 32, 32),
    ("shopify-token", "shpca_", Alnum, 32, 32),
    ("shopify-token", "shppa_", Alnum, 32, 32),
    ("shopify-token", "shpss_", Alnum, 32, 32),
    ("digitalocean-token", "dop_v1_", Hex, 64, 64),
    ("digitalocean-token", "doo_v1_", Hex, 64, 64),
    ("digitalocean-token", "dor_v1_", Hex, 64, 64),
    ("linear-key", "lin_api_", Alnum, 40, 48),
    ("linear-key", "lin_oauth_", Alnum, 32, 64),
    ("notion-token", "ntn_", Alnum, 40, 50),
    ("notion-token", "secret_", Alnum, 43, 43),
    ("figma-token", "figd_", Url, 38, 50),
    ("figma-token", "figo_", Url, 38, 50),
    ("square-token", "sq0atp-", Url, 22, 22),
    ("square-token", "sq0csp-", Url, 43, 43),
    ("square-token", "EAAAE", Url, 54, 64),
    ("facebook-token", "EAA", Alnum, 90, 400),
    ("postman-key", "PMAK-", Url, 59, 59),
    ("newrelic-key", "NRAK-", Upper, 27, 27),
    ("newrelic-key", "NRII-", Url, 32, 32),
    ("newrelic-key", "NRJS-", Hex, 19, 19),
    ("grafana-token", "glsa_", Url, 40, 48),
    ("grafana-token", "glc_", Base64, 32, 400),
    ("tailscale-key", "tskey-", Url, 20, 90),
    ("vault-token", "hvs.", Url, 24, 200),
    ("vault-token", "hvb.", Url, 100, 300),
    ("vault-token", "hvr.", Url, 24, 200),
    ("sentry-token", "sntrys_", Base64, 60, 400),
    ("sentry-token", "sntryu_", Hex, 64, 64),
    ("fly-token", "fo1_", Url, 43, 43),
    ("fly-token", "fm1r_", Base64, 60, 1000),
    ("fly-token", "fm2_", Base64, 60, 1000),
    ("age-key", "AGE-SECRET-KEY-1", Upper, 58, 58),
    ("atlassian-token", "ATATT3", Base64Url, 60, 255),
    ("atlassian-token", "ATCTT3", Base64Url, 60, 255),
    ("bitbucket-token", "ATBB", Base64Url, 28, 40),
    ("databricks-token", "dapi", Dashed, 32, 36),
    ("doppler-token", "dp.pt.", Alnum, 40, 46),
    ("doppler-token", "dp.st.", Dotted, 40, 80),
    ("doppler-token", "dp.ct.", Alnum, 40, 46),
    ("doppler-token", "dp.sa.", Alnum, 40, 46),
    ("duffel-token", "duffel_live_", Url, 43, 43),
    ("duffel-token", "duffel_test_", Url, 43, 43),
    ("dynatrace-token", "dt0c01.", Dotted, 80, 100),
    ("easypost-key", "EZAK", Alnum, 54, 54),
    ("easypost-key", "EZTK", Alnum, 54, 54),
    ("frameio-token", "fio-u-", Url, 64, 64),
    ("planetscale-token", "pscale_tkn_", Dotted, 32, 64),
    ("planetscale-token", "pscale_pw_", Dotted, 32, 64),
    ("planetscale-token", "pscale_oauth_", Dotted, 32, 64),
    ("prefect-key", "pnu_", Alnum, 36, 36),
    ("pulumi-token", "pul-", Hex, 40, 40),
    ("readme-key", "rdme_", Alnum, 70, 70),
    ("scalingo-token", "tk-us-", Url, 48, 48),
    ("sourcegraph-token", "sgp_", Url, 40, 64),
    ("shippo-token", "shippo_live_", Hex, 40, 40),
    ("shippo-token", "shippo_test_", Hex, 40, 40),
    ("typeform-token", "tfp_", Dotted, 40, 70),
    ("cloudflare-key", "v1.0-", Dashed, 160, 180),
    ("adafruit-key", "aio_", Alnum, 28, 28),
    ("artifactory-key", "AKCp", Alnum, 60, 80),
    ("artifactory-key", "cmVmd", Alnum, 55, 70),
    ("posthog-key", "phx_", Alnum, 40, 50),
    ("onepassword-token", "ops_eyJ", Base64, 200, 1500),
    ("onepassword-key", "A3-", Dashed, 30, 40),
    ("flutterwave-key", "FLWSECK_TEST-", Dashed, 12, 40),
    ("flutterwave-key", "FLWSECK-", Dashed, 32, 40),
    ("paypal-token", "access_token$production$", Dollar, 40, 60),
    ("paypal-token", "access_token$sandbox$", Dollar, 40, 60),
    ("plaid-token", "access-production-", Url, 36, 36),
    ("plaid-token", "access-sandbox-", Url, 36, 36),
    ("razorpay-key", "rzp_live_", Alnum, 14, 24),
    ("supabase-key", "sbp_", Hex, 40, 40),
    ("supabase-key", "sb_secret_", Url, 24, 60),
    ("render-key", "rnd_", Alnum, 28, 40),
    ("heroku-key", "HRKU-", Url, 36, 70),
    ("contentful-token", "CFPAT-", Url, 43, 64),
    ("harness-token", "pat.", Dotted, 60, 80),
    ("infracost-key", "ico-", Alnum, 32, 32),
    ("zapier-webhook", "hooks.zapier.com/hooks/catch/", Path, 12, 40),
    ("buildkite-token", "bkua_", Alnum, 40, 40),
    ("octopus-key", "API-", Upper, 25, 29),
    ("polymarket-key", "sk_pm_", Alnum, 30, 60),
    ("elevenlabs-key", "sk_", Hex, 48, 48),
    ("deno-token", "ddp_", Alnum, 36, 36),
    ("deno-token", "ddw_", Alnum, 36, 36),
];

pub(super) fn rules() -> impl Iterator<Item = Rule> {
    TABLE.iter().map(|(kind, prefix, body, min, max)| Rule {
        kind,
        anchors: std::slice::from_ref(prefix),
        matcher: Matcher::Shape(Shape { prefix, body: *body, min: *min, max: *max }),
    })
}
