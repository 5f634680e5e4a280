//! The table of ways.

use std::pin::Pin;

use wardkeep_tests::story::capture::Channel;

use super::{proxied, scenes};
use crate::p01_no_secret_leaves::siege::Siege;

/// How one way is tried.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// A place in the body of a request to the model.
    Place(&'static str),
    /// A place in its head.
    Head(&'static str),
    /// A whole request as bytes.
    Raw(&'static str),
    /// Something told to the hook API.
    Hook(&'static str),
    /// A program that shows a file which holds the text.
    Program(&'static str),
    /// A request of a tool, through the forward proxy.
    Tool(&'static str),
    /// A scene of its own; answers how many bytes were searched.
    Scene(Scene),
}

/// From the stage and a name that no other call has.
pub(super) type Scene = fn(&mut Siege, String) -> Pin<Box<dyn Future<Output = usize> + Send + '_>>;

/// Over what something goes when one way is tried.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    /// To the language model's provider.
    Provider,
    /// To the service to which a key is bound.
    Service,
    /// To a place to which nothing is bound.
    Elsewhere,
    /// To the hub.
    Hub,
    /// To the agent: output, or the answer with which a closed way ends.
    Agent,
    /// The journal.
    Log,
    /// What commands print for the operator.
    Terminal,
    /// What the hub shows to people.
    Pages,
    /// What lies there afterwards.
    Disk,
}

impl Over {
    /// As it is listened to; the rest is searched by the scene itself.
    pub(super) fn channel(self) -> Option<Channel> {
        match self {
            Self::Provider => Some(Channel::Provider),
            Self::Service => Some(Channel::Service),
            Self::Elsewhere => Some(Channel::Elsewhere),
            Self::Hub => Some(Channel::Link),
            Self::Agent => Some(Channel::Agent),
            Self::Log => Some(Channel::Log),
            Self::Terminal | Self::Pages | Self::Disk => None,
        }
    }
}

use Over::{Agent, Disk, Elsewhere, Hub, Log, Pages, Provider, Service, Terminal};

/// One way to tell a value.
pub(super) struct Way {
    pub(super) name: &'static str,
    /// Over which bytes must have gone for the way to have been tried at all. A way that is closed ends in an answer to the
    /// agent.
    pub(super) over: Over,
    pub(super) by: By,
    /// Whether a form of the value is tried as well; not where the place has a form of its own.
    pub(super) disguised: bool,
}

const fn way(name: &'static str, over: Over, by: By) -> Way {
    Way { name, over, by, disguised: true }
}

const fn plainly(name: &'static str, over: Over, by: By) -> Way {
    Way { name, over, by, disguised: false }
}

macro_rules! scene {
    ($name:literal, $over:expr, $scene:path) => {
        plainly($name, $over, By::Scene(|siege, id| Box::pin($scene(siege, id))))
    };
}

pub(super) const WAYS: &[Way] = &[
    way("prompt", Provider, By::Place("prompt")),
    way("system prompt", Provider, By::Place("system prompt")),
    way("system prompt under a cache mark", Provider, By::Place("system block with a cache mark")),
    way("arguments of a tool call", Provider, By::Place("tool input")),
    way("key in the arguments of a tool call", Provider, By::Place("key of a tool input")),
    way("result of a tool call", Provider, By::Place("tool result")),
    way("block in the result of a tool call", Provider, By::Place("tool result block")),
    plainly("environment dump in a result", Provider, By::Place("environment dump in a tool result")),
    way("file name in a listing", Provider, By::Place("file name in a listing")),
    way("name of a tool", Provider, By::Place("name of a tool")),
    way("description of a tool", Provider, By::Place("description of a tool")),
    way("schema of a tool", Provider, By::Place("schema of a tool")),
    way("id of a tool call", Provider, By::Place("id of a tool call")),
    way("user in the metadata", Provider, By::Place("user id in the metadata")),
    way("stop sequence", Provider, By::Place("stop sequence")),
    way("prefilled answer", Provider, By::Place("prefill of the answer")),
    way("thinking under a provider's signature", Provider, By::Place("thinking that a provider signed")),
    plainly("image", Provider, By::Place("image")),
    way("address of an image", Provider, By::Place("address of an image")),
    plainly("document that cannot be read", Agent, By::Place("document as base64")),
    way("credential of a tool server", Provider, By::Place("token of a tool server")),
    way("key that nobody knows", Provider, By::Place("unknown key")),
    plainly("JSON in JSON", Provider, By::Place("JSON in JSON")),
    plainly("halves in two parts of a message", Provider, By::Place("two parts of one message")),
    scene!("deltas of a stream, quoted in a result", Provider, scenes::deltas),
    scene!("three messages, a third in each", Provider, scenes::thirds),
    plainly("query of the request", Provider, By::Head("query")),
    plainly("name in the query", Provider, By::Head("name in the query")),
    way("beta flag", Provider, By::Head("beta flag")),
    way("user agent", Provider, By::Head("user agent")),
    way("header of the client library", Provider, By::Head("header of the client library")),
    way("cookie", Provider, By::Head("cookie")),
    plainly("name of a header", Provider, By::Head("name of a header")),
    plainly("address from which it came", Provider, By::Head("address from which it came")),
    way("compressed body", Agent, By::Raw("gzip, declared")),
    plainly("body in UTF-16", Agent, By::Raw("UTF-16, not declared")),
    way("name of the model", Agent, By::Raw("as the model")),
    plainly("key that stands twice", Agent, By::Raw("the same key twice")),
    plainly("trailer behind the body", Provider, By::Raw("trailer")),
    plainly("extension of a chunk", Provider, By::Raw("extension of a chunk")),
    plainly("second request behind the first", Provider, By::Raw("more than the length says")),
    plainly("name of the host", Provider, By::Raw("as the host")),
    plainly("method of the request", Agent, By::Raw("as the method")),
    plainly("another path of the API", Agent, By::Raw("as another path of the API")),
    plainly("tunnel through the gateway", Agent, By::Raw("a tunnel")),
    plainly("the agent's token", Agent, By::Raw("as the token")),
    way("command that waits for approval", Hub, By::Hook("shell text")),
    way("argument of a program", Hub, By::Hook("argument")),
    way("variable of a program", Hub, By::Hook("variable")),
    way("standard input of a program", Hub, By::Hook("standard input")),
    way("name of a file to read", Agent, By::Hook("file to read")),
    way("name of a file to write", Hub, By::Hook("file to write")),
    way("content of a file to write", Agent, By::Hook("content to write")),
    way("name of a file to delete", Hub, By::Hook("file to delete")),
    plainly("name in the DNS", Hub, By::Hook("host of a URL")),
    way("path of a URL", Hub, By::Hook("path of a URL")),
    way("query of a URL", Hub, By::Hook("query of a URL")),
    plainly("user of a URL", Agent, By::Hook("user of a URL")),
    way("header of a request", Hub, By::Hook("header")),
    plainly("name of a header of a request", Hub, By::Hook("name of a header")),
    way("body of a request", Hub, By::Hook("body")),
    plainly("method of a call", Agent, By::Hook("method")),
    way("chat message", Hub, By::Hook("text of a message")),
    way("subject of a mail", Hub, By::Hook("subject of a mail")),
    way("recipient of a mail", Hub, By::Hook("recipient")),
    way("message that the runtime sends itself", Hub, By::Hook("message of the runtime")),
    way("arguments of a tool that nobody knows", Agent, By::Hook("unknown tool")),
    way("name of a call's tool", Hub, By::Hook("name of a tool")),
    way("name of a tool, cut by its limit", Agent, By::Hook("name of a tool on the edge of its limit")),
    plainly("id of a call", Hub, By::Hook("id of a call")),
    plainly("id of a session", Hub, By::Hook("id of a session")),
    plainly("name of the runtime", Agent, By::Hook("name of the runtime")),
    way("words of the model", Agent, By::Hook("words of the model")),
    way("calls that the model wants", Agent, By::Hook("calls that the model wants")),
    way("result that no decision allowed", Agent, By::Hook("result without a call")),
    way("field of the wrong type", Agent, By::Hook("field of the wrong type")),
    plainly("address that is not there", Agent, By::Hook("route that is not there")),
    plainly("output of a program", Agent, By::Program("cat {f}")),
    plainly("error output of a program", Agent, By::Program("cat {f} >&2")),
    plainly("output in base64", Agent, By::Program("base64 -w 20 {f}")),
    plainly("output as a dump", Agent, By::Program("od -An -tx1 {f}")),
    plainly("output in two pieces", Agent, By::Program("cat {f}.first; sleep 0.03; cat {f}.second")),
    plainly("half on each stream", Agent, By::Program("cat {f}.first >&2; cat {f}.second")),
    plainly("error text of the shell", Agent, By::Program("bash {f}")),
    plainly("name of a file that is listed", Agent, By::Program("ls names/{n}")),
    plainly("target of a link", Agent, By::Program("readlink links/{n}")),
    scene!("content of a file", Agent, scenes::file),
    scene!("result that the runtime reports", Agent, scenes::report),
    scene!("service that shows the key it got", Service, scenes::echo),
    scene!("redirect with the key behind it", Service, scenes::redirect),
    scene!("reference sent to another host", Elsewhere, scenes::other_host),
    scene!("provider that shows its key in an error", Agent, scenes::provider_error),
    scene!("provider whose stream breaks off", Agent, scenes::broken_stream),
    way("path of a tool's request", Elsewhere, By::Tool("path")),
    way("query of a tool's request", Elsewhere, By::Tool("query")),
    way("name in the query of a tool's request", Elsewhere, By::Tool("name in the query")),
    way("header of a tool's request", Elsewhere, By::Tool("header")),
    way("cookie of a tool's request", Elsewhere, By::Tool("cookie")),
    way("address from which a tool's request came", Elsewhere, By::Tool("address from which it came")),
    way("password of a tool's request", Elsewhere, By::Tool("basic authentication")),
    way("body of a tool's request", Elsewhere, By::Tool("body")),
    way("JSON of a tool's request", Elsewhere, By::Tool("JSON")),
    way("key in the JSON of a tool's request", Elsewhere, By::Tool("key in JSON")),
    way("form of a tool's request", Elsewhere, By::Tool("form")),
    way("part of a form of a tool", Elsewhere, By::Tool("part of a form")),
    way("name of a file in a form of a tool", Elsewhere, By::Tool("name of a file in a form")),
    way("chunks of a tool's upload", Elsewhere, By::Tool("chunks")),
    plainly("extension of a chunk of a tool's upload", Elsewhere, By::Tool("extension of a chunk")),
    plainly("trailer of a tool's upload", Elsewhere, By::Tool("trailer")),
    plainly("second request behind a tool's", Elsewhere, By::Tool("more than the length says")),
    way("compressed body of a tool's request", Agent, By::Tool("gzip")),
    plainly("name of a header of a tool's request", Agent, By::Tool("name of a header")),
    plainly("method of a tool's request", Agent, By::Tool("method")),
    plainly("user in the address of a tool's request", Agent, By::Tool("user in the address")),
    plainly("host that a tool asks for", Agent, By::Tool("host")),
    plainly("host to which a tool wants a tunnel", Agent, By::Tool("host of a tunnel")),
    plainly("token that a tool shows", Agent, By::Tool("token")),
    way("reference of a tool to another host", Agent, By::Tool("reference")),
    scene!("service that shows the key to a tool", Service, proxied::echo),
    scene!("service that leads a tool on with the key", Service, proxied::redirect),
    scene!("service that tells a tool the key in pieces", Service, proxied::pieces),
    scene!("host that tells a tool values in head and body", Agent, proxied::told),
    scene!("messages of a tool's WebSocket", Elsewhere, proxied::socket),
    scene!("words in a tunnel that is no TLS", Agent, proxied::tunnel),
    scene!("environment of a run", Agent, scenes::environment),
    scene!("environment of every other process", Agent, scenes::processes),
    scene!("memory and files of the daemon", Agent, scenes::daemon_files),
    scene!("administrative socket", Agent, scenes::admin_socket),
    scene!("permit of another agent", Agent, scenes::other_permit),
    scene!("workspace of another agent", Agent, scenes::other_agent),
    scene!("note of a person", Agent, scenes::note),
    scene!("log of the daemon", Log, scenes::log),
    scene!("audit log, exported", Terminal, scenes::audit),
    scene!("commands of the operator", Terminal, scenes::commands),
    scene!("approvals, as people read them at the hub", Pages, scenes::approvals),
    scene!("record of calls at the hub", Pages, scenes::activity),
    scene!("usage at the hub", Pages, scenes::usage),
    scene!("kill -9 in the middle of a run", Agent, scenes::killed_run),
    scene!("kill -9 in the middle of a request", Provider, scenes::killed_request),
    scene!("crash that would leave a core", Disk, scenes::core),
    scene!("files that are left behind", Disk, scenes::files),
];
