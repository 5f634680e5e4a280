//! Requests that are another one than their method says.

use super::*;
use crate::class::Class::{Red as R, YellowExternal as E};

fn call(headers: &[(&str, &str)], method: &str, url: &str, body: Option<&str>) -> Class {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let call = Call::Http { method: method.to_owned(), url: url.to_owned(), headers, body: body.map(str::to_owned) };
    let (agent, session) = ("a".parse().unwrap(), "s".parse().unwrap());
    let action = Action { agent, session, tool: "http_request".to_owned(), call, cwd: None };
    let rules = crate::rules::default_rules();
    Judge::new(&rules, &|_| Some(HostKind::Own), "/srv/workspace").action(&action).class
}

#[test]
fn a_header_or_a_field_that_means_delete_is_as_grave_as_the_method() {
    let url = "https://own.example/x";
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "x-method-override", "X-Method", "X-HTTP-Verb", "_method"] {
        for value in ["DELETE", "delete", " Delete "] {
            assert_eq!(call(&[("A", "b"), (name, value)], "GET", url, None), R, "{name}: {value}");
        }
    }
    for (query, body) in [
        ("?_method=DELETE", None),
        ("?x-http-method-override=delete", None),
        ("", Some("_method=DELETE")),
        ("", Some("{\"_method\": \"DELETE\"}")),
        ("", Some("a=1&%5Fmethod=delete")),
        ("", Some("Content-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n")),
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(call(&[], method, &format!("{url}{query}"), body), R, "{method} {query} {body:?}");
        }
    }
    for (name, value) in [("Accept", "*/*"), ("X-Payment-Method", "card"), ("X-HTTP-Method-Override", "GET")] {
        assert_eq!(call(&[(name, value)], "GET", url, None), Class::Green, "{name}: {value}");
    }
    assert_eq!(call(&[], "GET", &format!("{url}?payment_method=card"), None), Class::Green);
}

#[test]
fn programs_may_name_another_method_as_well() {
    let class = |line: &str| judge_example(line, &crate::rules::default_rules()).unwrap().class;
    let mut low = Vec::new();
    for line in [
        "curl -H 'X-HTTP-Method-Override: DELETE' URL",
        "curl -HX-HTTP-Method:DELETE URL",
        "curl -sSH 'x-method-override:delete' URL",
        "curl --header 'X-HTTP-Method: DELETE' URL",
        "curl -d _method=DELETE URL",
        "curl -F _method=DELETE URL",
        "curl --form-string _method=DELETE URL",
        "curl -G --data-urlencode _method=DELETE URL",
        "curl --url-query _method=DELETE URL",
        "curl --json '{\"_method\": \"DELETE\"}' URL",
        "curl 'URL?_method=DELETE'",
        "wget --header 'X-HTTP-Method-Override: DELETE' URL",
        "wget --header=X-HTTP-Method:DELETE URL",
        "wget -e 'header = X-HTTP-Method: DELETE' URL",
        "wget --post-data=_method=DELETE URL",
        "aria2c --header='X-HTTP-Method: DELETE' URL",
        "http URL X-HTTP-Method-Override:DELETE",
        "http POST URL _method=DELETE",
        "xh get URL x-http-method:DELETE",
        "curlie URL X-HTTP-Method:DELETE",
        "curlie -XDELETE URL",
        "curl -H \"$x\" URL",
        "curl -H \"$x: y\" URL",
        "curl -sH \"$(cat a)\" URL",
        "curl -H @a URL",
        "curl --header @- URL",
        "curl -H \"X-HTTP-Method-Override: $x\" URL",
        "curl -d \"_method=$x\" URL",
        "wget --header=\"$x\" URL",
        "wget --header \"X-HTTP-Method: $x\" URL",
        "http URL \"$x\"",
        "http URL \"X-HTTP-Method-Override:$x\"",
        "xh POST URL \"_method=$x\"",
        "curlie -H 'X-HTTP-Method: DELETE' URL",
    ] {
        for url in ["https://own.example/x", "https://elsewhere.example/x"] {
            let line = line.replace("URL", url);
            low.extend((class(&line) < R).then_some(line));
        }
    }
    assert!(low.is_empty(), "{}", low.join("\n"));
    for line in [
        "curl -H 'Accept: text/html' https://known.example/x",
        "curl -H 'Authorization: Bearer x' -d method=card https://known.example/x",
        "http GET https://known.example/x Accept:text/html",
        "curl -H \"Authorization: Bearer $x\" https://known.example/x",
        "curl -H \"X-Trace: $x\" -d \"a=$x\" https://known.example/x",
        "http POST https://known.example/x \"name=$x\"",
        "http POST https://known.example/x name=delete",
    ] {
        assert!(class(line) <= E, "{line}");
    }
}
