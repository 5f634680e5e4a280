//! A container of an image that the policy names: held by walls of its own, without a network.

use std::collections::BTreeMap;

use super::Judge;
use crate::action::{Sees, WORKSPACE};
use crate::facts::from_argv;

impl Judge<'_> {
    /// What the rules say of containers; and of its program, as far as that sees the workspace.
    pub(super) fn container(
        &mut self,
        (image, argv): (&str, &[String]),
        env: &BTreeMap<String, String>,
        sees: Sees,
        workdir: Option<&str>,
    ) {
        let line = ["docker", "run", "--network", "none", image].map(str::to_owned);
        self.program(&BTreeMap::new(), |context| from_argv(&line, None, "", context));
        let Some((program, rest)) = argv.split_first().filter(|_| sees != Sees::Nothing) else { return };
        // Elsewhere than in the workspace it lies in the image, and that is pinned.
        let own = program.starts_with('/') && !program.starts_with(WORKSPACE);
        let name = if own { program.rsplit('/').next().unwrap_or_default() } else { program };
        let argv: Vec<String> = std::iter::once(name.to_owned()).chain(rest.iter().cloned()).collect();
        let mut inner = Judge { seen: self.seen, ..Judge::new(self.rules, self.hosts, WORKSPACE) };
        inner.program(env, |context| from_argv(&argv, None, workdir.unwrap_or_default(), context));
        for fired in inner.fired {
            self.peak = self.peak.max(Some(fired.class));
            self.fired.push(fired);
        }
    }
}
