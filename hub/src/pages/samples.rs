//! Every view with made-up rows, as HTML: rendered by a test, looked at by people (`examples/pages.rs`).

mod rows;

use askama::Template;
use axum::http::StatusCode;

use super::approval::{ApprovalPage, One};
use super::approvals::{Inbox, InboxPage, confirmation, damage};
use super::error::ErrorPage;
use super::fleet::{Filter, FleetList, FleetPage, Show};
use super::login::{LoginPage, Stage};
use super::parts::{Notice, Tone};
use super::passkeys::{Keyring, PasskeysBody, PasskeysPage};
use super::policy::{PolicyBody, PolicyPage, Wish};
use super::review::{ReviewBody, ReviewPage};
use super::shell::{Bare, Count, Here, Shell, Theme};
use super::tenant::{TenantBody, TenantPage};
use super::usage::{Range, UsageBody, UsagePage};
use crate::store::approvals::Approval;
use rows::NOW;

pub use rows::HOSTILE;

/// One view in one state.
pub struct Sample {
    /// What it shows: `approvals-empty`.
    pub name: String,
    /// The whole page.
    pub html: String,
}

/// Every view in every state that has its own look.
///
/// # Errors
/// When a template does not render.
pub fn all(theme: Theme) -> Result<Vec<Sample>, askama::Error> {
    let mut samples = Samples { theme, list: Vec::new() };
    samples.login()?;
    samples.fleet()?;
    samples.tenant()?;
    samples.approvals()?;
    samples.approval()?;
    samples.usage()?;
    samples.passkeys()?;
    samples.policy()?;
    samples.errors()?;
    Ok(samples.list)
}

struct Samples {
    theme: Theme,
    list: Vec<Sample>,
}

type Added = Result<(), askama::Error>;

impl Samples {
    fn add(&mut self, name: impl Into<String>, page: &impl Template) -> Added {
        self.list.push(Sample { name: name.into(), html: page.render()? });
        Ok(())
    }

    fn shell(&self, here: Here, open: u64) -> Shell {
        Shell {
            user: "ada@example.com".into(),
            csrf: "sample-csrf".into(),
            theme: self.theme,
            here,
            count: Count { open },
            back: "/fleet".into(),
        }
    }

    const fn bare(&self) -> Bare {
        Bare { theme: self.theme }
    }

    fn login(&mut self) -> Added {
        let ready = Stage::Ready { who: "ada@example.com".into(), token: "sample-token".into() };
        for (name, stage) in [("ready", ready), ("gone", Stage::Gone), ("ask", Stage::Ask)] {
            self.add(format!("login-{name}"), &LoginPage::of(stage, self.bare()))?;
        }
        Ok(())
    }

    fn fleet(&mut self) -> Added {
        let attention = Filter { find: String::new(), show: Show::Attention };
        let nothing = Filter { find: "nobody".into(), show: Show::All };
        let states = [
            ("fleet", rows::fleet(), Filter::default()),
            ("fleet-empty", vec![], Filter::default()),
            ("fleet-attention", rows::fleet(), attention),
            ("fleet-nothing-fits", rows::fleet(), nothing),
        ];
        for (name, tenants, filter) in states {
            let mut list = FleetList::of(&tenants, filter, NOW);
            list.may_review = true;
            self.add(name, &FleetPage { shell: self.shell(Here::Fleet, 4), list })?;
        }
        Ok(())
    }

    fn tenant(&mut self) -> Added {
        for (name, rows) in
            [("tenant", rows::tenant()), ("tenant-new", rows::new_tenant()), ("tenant-closed", rows::closed_tenant())]
        {
            let body = TenantBody::of(&rows, "sample-csrf", NOW);
            self.add(name, &TenantPage { shell: self.shell(Here::Fleet, 4), body })?;
        }
        Ok(())
    }

    fn approvals(&mut self) -> Added {
        let all: Vec<Approval> = rows::waiting().into_iter().chain(rows::over()).collect();
        let states = [
            ("approvals", all, None),
            ("approvals-after-decision", rows::over(), rows::over().first().and_then(confirmation)),
            ("approvals-empty", vec![], None),
            ("approvals-hostile", rows::hostile(), None),
        ];
        for (name, approvals, notice) in states {
            let mut inbox = Inbox::of(&approvals, "sample-csrf", &Keyring::default(), NOW);
            if name == "approvals-hostile" {
                inbox.damaged = damage(vec![format!("bakery {HOSTILE}")], true);
            }
            self.add(name, &InboxPage { shell: self.shell(Here::Approvals, 4), notice, inbox })?;
        }
        Ok(())
    }

    fn approval(&mut self) -> Added {
        for approval in rows::waiting().into_iter().chain(rows::over()).chain(rows::hostile()) {
            let name = format!("approval-{}-{}", approval.state.kind().as_str(), &approval.digest.short()[..4]);
            let one = One::of(&approval, "sample-csrf", &Keyring::default(), NOW);
            self.add(name, &ApprovalPage { shell: self.shell(Here::Approvals, 4), notice: None, one })?;
        }
        Ok(())
    }

    fn passkeys(&mut self) -> Added {
        for (name, approval, ring) in rows::critical() {
            let one = One::of(&approval, "sample-csrf", &ring, NOW);
            let name = format!("approval-critical-{name}");
            self.add(name, &ApprovalPage { shell: self.shell(Here::Approvals, 4), notice: None, one })?;
        }
        for (name, ring) in rows::keyrings() {
            let body = PasskeysBody::of(&ring, &rows::trusting(), "sample-csrf", NOW);
            self.add(
                format!("passkeys-{name}"),
                &PasskeysPage { shell: self.shell(Here::Passkeys, 4), notice: None, body },
            )?;
        }
        Ok(())
    }

    fn policy(&mut self) -> Added {
        let (fleet, rounds) = (rows::fleet(), rows::rounds());
        let written = Wish { whom: "bakery-lind".into(), source: format!("\n{HOSTILE}"), last: 50 };
        let refused = Notice::new(Tone::Bad, "warning", format!("Nobody was asked: {HOSTILE}"));
        let states = [
            ("policy", fleet.as_slice(), Wish::blank(), rounds.as_slice(), None),
            ("policy-empty", &[], Wish::blank(), &[], None),
            ("policy-first", &fleet, Wish::blank(), &[], None),
            ("policy-refused", &fleet, written, &rounds, Some(refused)),
        ];
        for (name, tenants, wish, rounds, notice) in states {
            let body = PolicyBody::of(tenants, wish, rounds, "sample-csrf", NOW);
            self.add(name, &PolicyPage { shell: self.shell(Here::Fleet, 0), notice, body })?;
        }
        for (name, round) in rows::reviews() {
            let body = ReviewBody::of(&round, NOW);
            self.add(format!("review-{name}"), &ReviewPage { shell: self.shell(Here::Fleet, 0), body })?;
        }
        Ok(())
    }

    fn usage(&mut self) -> Added {
        let (lines, hours) = (rows::usage(), rows::hours());
        let states = [
            ("usage-day", UsageBody::of(&lines, &hours, Range::Day, None, NOW)),
            ("usage-month", UsageBody::of(&lines, &hours, Range::Month, Some("bakery-lind".into()), NOW)),
            ("usage-empty", UsageBody::of(&[], &[], Range::Day, None, NOW)),
        ];
        for (name, body) in states {
            self.add(name, &UsagePage { shell: self.shell(Here::Usage, 0), body })?;
        }
        Ok(())
    }

    fn errors(&mut self) -> Added {
        for status in [
            StatusCode::NOT_FOUND,
            StatusCode::FORBIDDEN,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INTERNAL_SERVER_ERROR,
        ] {
            self.add(format!("error-{}", status.as_u16()), &ErrorPage::of(status, self.bare()))?;
        }
        self.add("offline", &ErrorPage::offline(self.bare()))
    }
}
