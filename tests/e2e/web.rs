//! The two paths that a hub serves to the installer, and nothing else of a hub.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use wardkeep_provisioner::binary::Binary;
use wardkeep_provisioner::params::{InstallParams, binary_path, script_path};
use wardkeep_provisioner::script;

/// Serves the script and the binary until the test ends; answers the parameters with the address in them.
pub(crate) fn serve(version: &str, program: &[u8]) -> InstallParams {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let binary =
        Binary { sha256: wardkeep_proto::digest::Digest::plain(program), size: program.len() as u64, ..host() };
    let params = InstallParams::new(&address, "https://127.0.0.1:1", version, vec![binary]).expect("valid");
    let rendered = script::render(&params);
    let files =
        [(script_path(&rendered.sha256), rendered.text.into_bytes()), (binary_path(&binary.sha256), program.to_vec())];
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // One that breaks off is of no interest to the others.
            let _ = answer(stream, &files);
        }
    });
    params
}

/// Facts of a binary for this machine; the pretended daemon is a script, so they cannot be read from it.
fn host() -> Binary {
    let shell = std::fs::read("/bin/sh").expect("a shell");
    Binary { glibc: None, ..Binary::inspect(&shell).expect("a program") }
}

fn answer(stream: TcpStream, files: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match files.iter().find(|(name, _)| name == path) {
        Some((_, body)) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", &b""[..]),
    };
    let mut stream = reader.into_inner();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}
