//! Compiles the wire messages with protox, so that no system `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=wardkeep/v1/wardkeep.proto");
    let files = protox::compile(["wardkeep/v1/wardkeep.proto"], ["."])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
