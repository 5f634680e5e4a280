//! The keys of one provider: the first that is not left alone.

use std::time::Duration;

use wardkeep_policy::Provider;
use wardkeep_policy::bundle::llm::Cooldown;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

use super::{CoolingKey, Heard, Standing};

/// A provider that asks to be left alone for longer is asked again after this.
const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(super) struct Pool(Vec<CoolingKey>);

impl Pool {
    /// The key to use now.
    pub(super) fn pick(&self, provider: &Provider, now: Timestamp) -> Standing {
        let until = |key: Option<&SecretName>| {
            self.0
                .iter()
                .find(|cooling| cooling.key.as_ref() == key)
                .map(|cooling| cooling.until)
                .filter(|until| now < *until)
        };
        let mut soonest: Option<(Option<&SecretName>, Timestamp)> = None;
        let nothing = provider.key.is_none().then_some(None);
        for key in provider.every_key().map(Some).chain(nothing) {
            match until(key) {
                None => return Standing::Ready(key.cloned()),
                Some(until) if soonest.is_none_or(|(_, other)| until < other) => soonest = Some((key, until)),
                Some(_) => {}
            }
        }
        soonest.map_or(Standing::Ready(None), |(key, until)| Standing::Cooling(key.cloned(), until))
    }

    pub(super) fn note(&mut self, rule: Cooldown, key: Option<&SecretName>, heard: &Heard, now: Timestamp) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let (rest, rejected) = match heard {
            Heard::Limited(after) => (after.unwrap_or(seconds(rule.limited_s)).min(LONGEST), false),
            Heard::Rejected => (seconds(rule.rejected_s), true),
            Heard::Answered => return self.0.retain(|cooling| cooling.key.as_ref() != key),
            Heard::Trouble(_) | Heard::Elsewhere => return,
        };
        // What is over goes, and with it the keys that no bundle names any more.
        self.0.retain(|cooling| cooling.key.as_ref() != key && now < cooling.until);
        self.0.push(CoolingKey { key: key.cloned(), until: now.plus(rest), rejected });
    }

    pub(super) fn cooling(&self, now: Timestamp) -> Vec<CoolingKey> {
        self.0.iter().filter(|cooling| now < cooling.until).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_policy::Dialect;

    use super::*;

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1000)
    }

    fn provider() -> Provider {
        Provider {
            keys: vec![name("b"), name("c")],
            ..Provider::new("p", Dialect::OpenAi, "https://a.example", Some(name("a")))
        }
    }

    #[test]
    fn each_key_is_left_alone_for_itself() {
        let (provider, rule) = (provider(), Cooldown { limited_s: 60, rejected_s: 300 });
        let mut pool = Pool::default();
        let ready = |key: &str| Standing::Ready(Some(name(key)));
        assert_eq!(pool.pick(&provider, at(0)), ready("a"));
        pool.note(rule, Some(&name("a")), &Heard::Limited(None), at(0));
        assert_eq!(pool.pick(&provider, at(0)), ready("b"));
        pool.note(rule, Some(&name("b")), &Heard::Rejected, at(0));
        pool.note(rule, Some(&name("c")), &Heard::Limited(Some(Duration::from_secs(7))), at(0));
        assert_eq!(pool.pick(&provider, at(1)), Standing::Cooling(Some(name("c")), at(7)));
        assert_eq!(pool.cooling(at(1)).len(), 3);
        assert_eq!(pool.pick(&provider, at(7)), ready("c"));
        assert_eq!(pool.pick(&provider, at(60)), ready("a"));
        pool.note(rule, Some(&name("a")), &Heard::Trouble(None), at(60));
        assert_eq!(pool.pick(&provider, at(60)), ready("a"), "trouble is not the key's");
        pool.note(rule, Some(&name("b")), &Heard::Answered, at(61));
        assert!(pool.cooling(at(61)).is_empty(), "a key that was taken is taken");
    }

    #[test]
    fn who_shows_no_key_is_left_alone_as_a_whole() {
        let provider = Provider::new("p", Dialect::OpenAi, "https://a.example", None);
        let mut pool = Pool::default();
        assert_eq!(pool.pick(&provider, at(0)), Standing::Ready(None));
        pool.note(Cooldown::default(), None, &Heard::Limited(Some(Duration::from_secs(86_400))), at(0));
        assert_eq!(pool.pick(&provider, at(0)), Standing::Cooling(None, at(3600)), "an hour at most");
    }
}
