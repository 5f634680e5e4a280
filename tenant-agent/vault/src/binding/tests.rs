use wardkeep_proto::secret::NotGiven;

use super::*;

fn allows(binding: &str, to: Destination<'_>) -> bool {
    binding.parse::<Binding>().unwrap_or_else(|e| panic!("{e}")).allows(to)
}

fn host(host: &str, port: u16) -> Destination<'_> {
    Destination::Host { host, port }
}

#[test]
fn what_is_not_a_binding_is_refused() {
    for bad in [
        "",
        "*",
        "api.example.com",
        "host:",
        "host:*",
        "host:*.com",
        "host:*.",
        "host:a*.example.com",
        "host:*a.example.com",
        "host:api.*.com",
        "host:*.*.example.com",
        "host:*.10.0.0.1",
        "host:api.example.com:0",
        "host:api.example.com:65536",
        "host:api.example.com:+80",
        "host:api.example.com:",
        "host:api.example.com:80:80",
        "host:api..example.com",
        "host:.example.com",
        "host:example.com.",
        "host:-a.example.com",
        "host:exämple.com",
        "host:example.com/path",
        "host:user@example.com",
        "host:[::1",
        "host:[::1]x",
        "host:[127.0.0.1]",
        "tool:",
        "tool:shell",
        "tool:/psql",
        "tool:shell/",
        "tool:shell//bin/psql",
        "tool:shell/../psql",
        "tool:shell/a b",
        "tool:sh*l/psql",
        "HOST:example.com",
        " host:example.com",
    ] {
        assert!(bad.parse::<Binding>().is_err(), "{bad}");
    }
}

#[test]
fn another_host_or_port_is_refused() {
    for (binding, name, port) in [
        ("host:api.example.com", "example.com", 443),
        ("host:api.example.com", "api.example.com.evil.test", 443),
        ("host:api.example.com", "xapi.example.com", 443),
        ("host:api.example.com", "api.example.com", 80),
        ("host:api.example.com:8443", "api.example.com", 443),
        ("host:*.example.com", "example.com", 443),
        ("host:*.example.com", "badexample.com", 443),
        ("host:*.example.com", ".example.com", 443),
        ("host:*.example.com", "a..example.com", 443),
        ("host:*.example.com", "evil.test/.example.com", 443),
        ("host:*.example.com", "evil.test#.example.com", 443),
        ("host:*.example.com", "a.example.com", 80),
        ("host:127.0.0.1", "127.0.0.1", 8080),
        ("host:127.0.0.1:*", "127.0.0.11", 8080),
    ] {
        assert!(!allows(binding, host(name, port)), "{binding} allowed {name}:{port}");
    }
}

#[test]
fn another_program_is_refused() {
    for (binding, tool, program) in [
        ("tool:shell/psql", "exec", "psql"),
        ("tool:shell/psql", "shell", "psql2"),
        ("tool:shell/psql", "shell", "/tmp/psql"),
        ("tool:shell/psql", "shell", ""),
        ("tool:shell/*", "exec", "psql"),
        ("tool:shell/*", "shell", ""),
        ("tool:shell/*", "shell", "/tmp/x"),
    ] {
        assert!(!allows(binding, Destination::Program { tool, program }), "{binding} allowed {tool}/{program}");
    }
    assert!(!allows("tool:shell/psql", host("psql", 443)));
    assert!(!allows("host:psql", Destination::Program { tool: "shell", program: "psql" }));
    assert!(!Bindings::none().allow(host("a.example.com", 443)));
}

#[test]
fn the_bound_places_are_allowed() {
    for (binding, name, port) in [
        ("host:api.example.com", "api.example.com", 443),
        ("host:API.example.com", "api.EXAMPLE.com", 443),
        ("host:*.example.com", "a.example.com", 443),
        ("host:*.example.com", "a.b.example.com", 443),
        ("host:*.example.com:8443", "a.example.com", 8443),
        ("host:localhost:*", "localhost", 1),
        ("host:127.0.0.1:8080", "127.0.0.1", 8080),
        ("host:[::1]:8080", "::1", 8080),
    ] {
        assert!(allows(binding, host(name, port)), "{binding} refused {name}:{port}");
    }
    assert!(allows("tool:shell/psql", Destination::Program { tool: "shell", program: "psql" }));
    assert!(allows("tool:shell/*", Destination::Program { tool: "shell", program: "g++" }));
}

#[test]
fn text_and_back() {
    for text in [
        "host:api.example.com",
        "host:*.example.com:8443",
        "host:a.b:*",
        "host:[::1]:80",
        "host:[::1]",
        "tool:shell/psql",
        "tool:shell/*",
    ] {
        assert_eq!(text.parse::<Binding>().map(|b| b.to_string()), Ok(text.to_owned()));
    }
    assert_eq!("host:a.b:443".parse::<Binding>().map(|b| b.to_string()), Ok("host:a.b".to_owned()));
}

#[test]
fn what_a_refusal_says_to_bind_allows_what_was_refused() {
    for to in [
        Destination::Host { host: "api.example.com", port: 443 },
        Destination::Host { host: "api.example.com", port: 8443 },
        Destination::Host { host: "2001:db8::1", port: 443 },
        Destination::Host { host: "2001:db8::1", port: 8443 },
        Destination::Host { host: "127.0.0.1", port: 80 },
        Destination::Program { tool: "shell", program: "psql" },
    ] {
        let binding = to.binding();
        assert!(Bindings::parse([&*binding]).unwrap().allow(to), "{binding}");
        let why = NotGiven::not_bound(&"key".parse().unwrap(), to).to_string();
        assert!(why.ends_with(&format!("`wardkeep-agent vault bind key {binding}`")), "{why}");
    }
}
