//! A container of an image that the policy names: held by walls of its own, without a network.

use std::collections::BTreeMap;

use super::Judge;
use crate::action::{Sees, WORKSPACE};
use crate::class::Class;
use crate::facts::paths::{Place, resolve};
use crate::facts::tool::Tool;
use crate::facts::{Command, container, from_argv};
use crate::rules::Subject;

impl Judge<'_> {
    /// A description of containers that a program is given: what the rules say of one in the arguments of a tool.
    pub(super) fn manifest(&mut self, text: &str) {
        let Some(tool) = Tool::of_manifest(text) else {
            let reason = "It describes containers in more lines than are looked at";
            return self.built_in("container.described-long", reason, Class::Red);
        };
        let (rules, subject) = (self.rules, Subject::Tool(&tool));
        let about =
            rules.about(&subject).filter(|rule| rule.argument.iter().any(|asked| asked.starts_with("manifest.")));
        about.filter(|rule| rule.holds(&subject)).for_each(|rule| self.fire(rule));
    }

    /// Folders elsewhere that a container is given to write in: it works there with the rights of root.
    pub(super) fn mounts(&mut self, name: &str, command: &Command) {
        if !container::PROGRAMS.contains(&name) {
            return;
        }
        let place = container::mounted(&command.args).find_map(|source| {
            // A name is a volume of the engine's.
            let path = source.starts_with(['/', '.', '~']).then_some(source)?;
            let resolved = resolve(path, command.cwd.as_deref(), self.workspace);
            let lists = self.rules.lists_of(&resolved.text);
            let elsewhere = resolved.place == Place::Outside && !lists.contains("temp") && !lists.contains("null");
            elsewhere.then_some(resolved.text)
        });
        if let Some(place) = place {
            let reason = format!("It gives a container {place}, which lies outside of the workspace, to write in");
            self.built_in("container.mounts-elsewhere", &reason, Class::Red);
        }
    }

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

#[cfg(test)]
mod tests {
    use super::super::judged::{at_least, at_most};
    use crate::class::Class::{CriticalRed as C, Red as R, Yellow as Y, YellowExternal as E};

    #[test]
    fn a_description_counts_however_it_arrives() {
        for text in [
            "spec:\n  hostPID: true",
            "spec:\n  containers:\n  - image: x\n    securityContext:\n      privileged:   true",
            "spec:\n  volumes:\n  - hostPath:\n      path: /srv",
            "{\"spec\":{\"hostNetwork\" : true}}",
            "{\"spec\":{\"host\\u0050ID\":true}}",
            "spec: {hostIPC: yes}",
            "spec:\n  hostPID: !!bool true",
            "a: &a true\nspec:\n  hostPID: *a",
            "kind: ClusterRoleBinding",
        ] {
            let lines: Vec<String> = [
                "kubectl apply -f - <<'END'\n@@\nEND",
                "kubectl apply -f- <<'END'\n@@\nEND",
                "kubectl create --filename=- <<'END'\n@@\nEND",
                "cat <<'END' | kubectl apply -f -\n@@\nEND",
                "oc replace -f /dev/stdin <<'END'\n@@\nEND",
                "cat > a.yaml <<'END'\n@@\nEND\nkubectl apply -f a.yaml",
                "cat > sub/a.yaml <<'END'\n@@\nEND\nkubectl apply -f sub",
                "podman kube play - <<'END'\n@@\nEND",
                "kubectl apply -f <(cat <<'END'\n@@\nEND\n)",
            ]
            .iter()
            .map(|line| line.replace("@@", text))
            .collect();
            at_least(C, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        at_least(
            C,
            &[
                "kubectl apply -f - <<END\nspec:\n  hostPID: $x\nEND",
                "docker compose -f - up <<END\nservices:\n  a:\n    image: x\n    privileged: true\nEND",
                "echo 'services: {a: {image: x, pid: \"host\"}}' | docker compose -f - up -d",
                "docker-compose -f - up <<< 'services: {a: {image: x, cap_add: [ALL]}}'",
                "docker compose -f - up <<END\nservices:\n  a:\n    image: x\n    volumes:\n      - /var/run/docker.sock:/x\nEND",
                "printf 'services:\\n  a:\\n    network_mode: host\\n' > compose.yaml; docker compose up -d",
                "docker stack deploy -c - x <<< 'services: {a: {image: x, volumes: [\"/:/h\"]}}'",
                "kubectl patch deploy x -p '{\"spec\":{\"host\\u004eetwork\":true}}'",
            ],
        );
        at_least(R, &[&format!("kubectl apply -f - <<< '{}'", "{a: b}".repeat(2_500))]);
        at_most(
            E,
            &[
                "kubectl apply -f - <<END\nspec:\n  replicas: 2\n  hostPID: false\nEND",
                "docker compose -f - up <<END\nservices:\n  a:\n    image: x\n    volumes:\n      - ./a:/b\nEND",
                "cat a.yaml | kubectl apply -f -",
                "kubectl apply -f sub/a.yaml",
            ],
        );
    }

    #[test]
    fn what_lies_elsewhere_is_given_to_no_container_unasked() {
        at_least(
            R,
            &[
                "docker run -v /srv/x:/x a",
                "docker run -itv /srv/x:/x a",
                "docker run --volume=../x:/x a",
                "docker run -v ~:/h a",
                "docker run -v $HOME/x:/x a",
                "docker run -v /srv/workspace/../x:/x a",
                "cd /srv && docker run -v ./x:/x a",
                "podman create --mount type=bind,source=/srv/x,target=/x a",
                "docker compose run -v /home/bob:/x a",
                "helm install x /srv/x",
                "helm upgrade --install x ../chart",
                "helm install x https://a.example/x.tgz",
                "helm install x oci://a.example/x",
                "helm install x y --repo https://a.example",
                "helm install x y --repo=https://a.example",
                "kubectl apply -f /srv/x.yaml",
                "kubectl apply -f/srv/x.yaml",
                "kubectl apply -f https://a.example/x.yaml",
                "kubectl apply -k ../x",
                "kubectl get pods --as=admin",
                "kubectl --as-group a get pods",
                "kubectl --token=a get pods",
            ],
        );
        at_most(
            Y,
            &[
                "docker run -v ./x:/x a",
                "docker run -v x:/x a",
                "docker run -v $PWD:/x a",
                "docker run -v \"$(pwd)\":/x a",
                "docker run -v /srv/workspace/x:/x a",
                "docker run -v /srv/x:/x:ro a",
                "docker run -v /tmp/x:/x a",
                "docker run --mount type=bind,src=/srv/x,dst=/x,readonly a",
            ],
        );
        at_most(
            E,
            &["helm install x ./chart", "helm install x bitnami/y", "kubectl apply -f a.yaml", "kubectl get pods -A"],
        );
    }
}
