use serde_json::json;
use wardkeep_proto::time::Timestamp;

use super::*;
use crate::agents::AgentPolicy;
use crate::bundle::Bundle;
use crate::decide::{Decision, decide_for};
use crate::posture::Posture;
use crate::{Action, Class, Level};

const TENANT: &str = "0198f000-0000-7000-8000-000000000001";

fn id(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn image(name: &str, id: &str) -> Image {
    Image { name: name.to_owned(), id: id.to_owned() }
}

fn bundle(images: Vec<Image>) -> Bundle {
    let agent = AgentPolicy {
        name: "office".parse().unwrap(),
        level: Level::Trusted,
        version: None,
        tools: None,
        models: Vec::new(),
        grants: Vec::new(),
        subagents: Default::default(),
        workspace: "/srv/agents/office".to_owned(),
    };
    let bundle = Bundle::default_for(TENANT.parse().unwrap(), vec![agent], Default::default(), Timestamp(0));
    Bundle { images, ..bundle }
}

fn read(bundle: &Bundle, args: &Value) -> Result<Action, InvalidAction> {
    bundle.read_action("office".parse().unwrap(), "s".parse().unwrap(), TOOL, args, Some("drafts"))
}

fn class(args: Value) -> Class {
    let bundle = bundle(vec![image("box", &id('a'))]);
    let action = read(&bundle, &args).unwrap_or_else(|why| panic!("{args}: {why}"));
    crate::classify(&action, &bundle).class
}

#[test]
fn images_that_are_not_pinned_are_no_policy() {
    for bad in [
        vec![image("box", "box:1")],
        vec![image("box", "sha256:0a")],
        vec![image("box", &id('A'))],
        vec![image("box", &id('g'))],
        vec![image("box", &format!("registry.example/box@{}", id('a')))],
        vec![image("", &id('a'))],
        vec![image("box:1", &id('a'))],
        vec![image("a/b", &id('a'))],
        vec![image("box", &id('a')), image("box", &id('b'))],
        (0..=IMAGES).map(|n| image(&format!("box{n}"), &id('a'))).collect(),
    ] {
        assert!(check(&bad).is_err(), "{:?}", bad.first());
    }
    assert_eq!(check(&[image("box", &id('a')), image("box-2.1", &id('a'))]), Ok(()));
}

/// Each way out of a container that engines have; none of them is an argument.
#[test]
fn what_lets_a_container_out_is_refused_and_not_dropped() {
    let bundle = bundle(vec![image("box", &id('a'))]);
    for (name, value) in [
        ("privileged", json!(true)),
        ("privileged", json!(false)),
        ("network", json!("host")),
        ("network_mode", json!("host")),
        ("volumes", json!(["/:/host"])),
        ("volumes", json!(["/var/run/docker.sock:/var/run/docker.sock"])),
        ("mounts", json!([{"source": "/", "target": "/host"}])),
        ("binds", json!(["/etc:/etc"])),
        ("pid", json!("host")),
        ("ipc", json!("host")),
        ("userns", json!("host")),
        ("devices", json!(["/dev/sda"])),
        ("cap_add", json!(["ALL"])),
        ("security_opt", json!(["seccomp=unconfined"])),
        ("user", json!("root")),
        ("entrypoint", json!(["sh"])),
        ("host_config", json!({"Privileged": true})),
        ("runtime", json!("other")),
        ("pull", json!("always")),
        ("detach", json!(true)),
        ("cwd", json!("/etc")),
    ] {
        let mut args = json!({"image": "box", "argv": ["id"]});
        args[name] = value;
        assert!(matches!(read(&bundle, &args), Err(InvalidAction::Unlisted { .. })), "{name}");
    }
    for (args, name) in [
        (json!({"argv": ["id"]}), "no image"),
        (json!({"image": "other"}), "an image that the policy does not name"),
        (json!({"image": id('a')}), "an image by its id"),
        (json!({"image": "box", "argv": "id"}), "words in one"),
        (json!({"image": "box", "argv": [""]}), "no program"),
        (json!({"image": "box", "argv": ["a\0b"]}), "a zero byte"),
        (json!({"image": "box", "env": {"A=B": "c"}}), "no name"),
        (json!({"image": "box", "workspace": "/etc"}), "a folder as its workspace"),
        (json!({"image": "box", "workspace": true}), "a workspace of another kind"),
        (json!({"image": "box", "workdir": "../x"}), "a folder that is none of the container"),
        (json!("box"), "no object"),
    ] {
        assert!(read(&bundle, &args).is_err(), "{name}");
    }
}

#[test]
fn the_id_is_part_of_what_is_approved() {
    let before = bundle(vec![image("box", &id('a'))]);
    let args = json!({"image": "box", "argv": ["id"], "workspace": "reads"});
    let action = read(&before, &args).unwrap();
    let Call::Container { id: pinned, .. } = &action.call else { panic!("{action:?}") };
    assert_eq!((pinned, &action.cwd), (&id('a'), &None));
    let decide = |bundle: &Bundle| decide_for(&action, bundle, &Posture::open(), Timestamp(1));
    assert!(matches!(decide(&before), Decision::Allow { class: Class::Yellow, .. }));
    // The name means another image now, or none.
    let after = bundle(vec![image("box", &id('b'))]);
    assert_ne!(read(&after, &args).unwrap().digest(), action.digest());
    for changed in [after, bundle(vec![image("other", &id('a'))]), bundle(Vec::new())] {
        assert!(matches!(decide(&changed), Decision::Deny { .. }));
    }
    let shown = crate::render(&action);
    assert_eq!(shown.title, "Run id in a container of box");
    assert!(shown.lines.iter().any(|line| line.text == id('a')));
}

#[test]
fn without_images_the_tool_is_one_that_is_not_known() {
    let action = read(&bundle(Vec::new()), &json!({"image": "box", "privileged": true})).unwrap();
    assert!(matches!(action.call, Call::Other { .. }));
    assert_eq!(crate::classify(&action, &bundle(Vec::new())).class, Class::CriticalRed);
}

#[test]
fn a_secret_stands_in_the_environment_or_nowhere() {
    let bundle = bundle(vec![image("box", &id('a'))]);
    let decide = |args: &Value| {
        let action = read(&bundle, args).unwrap();
        decide_for(&action, &bundle, &Posture::open(), Timestamp(1))
    };
    for bad in [
        json!({"image": "box", "argv": ["echo", "SECRET_REF(key)"]}),
        json!({"image": "box", "workdir": "/SECRET_REF(key)"}),
    ] {
        assert!(matches!(decide(&bad), Decision::Deny { .. }), "{bad}");
    }
    assert!(matches!(decide(&json!({"image": "box", "env": {"KEY": "SECRET_REF(key)"}})), Decision::Allow { .. }));
}

/// A container that changes the workspace is no way around what its program would count as outside of it.
#[test]
fn what_a_program_does_to_the_workspace_counts_in_a_container_too() {
    let run = |sees: &str, argv: &[&str]| class(json!({"image": "box", "workspace": sees, "argv": argv}));
    for argv in [&["rm", "-rf", "/workspace"][..], &["sh", "-c", "rm -rf /workspace/*"], &["rm", "-rf", "."]] {
        assert!(run("changes", argv) >= Class::Red, "{argv:?}");
        assert_eq!(run("nothing", argv), Class::Yellow, "{argv:?}");
    }
    for argv in [&["cat", "/workspace/notes.txt"][..], &["/app/bin/convert", "in.txt", "out.txt"], &["ls"], &[]] {
        for sees in ["nothing", "reads", "changes"] {
            assert_eq!(run(sees, argv), Class::Yellow, "{sees} {argv:?}");
        }
    }
}
