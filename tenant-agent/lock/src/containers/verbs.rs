//! What the engine is asked for, in its words.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use wardkeep_proto::ids::PermitId;

use super::body::{self, LABEL};
use super::engine::{Engine, EngineError, SOON, WORK};
use crate::protocol::{ContainerOver, Cut};

impl Engine {
    /// # Errors
    /// Why this engine holds nothing back, in words for people.
    pub(super) async fn limits(&self) -> Result<(), String> {
        let info = self.ask(Method::GET, "/info", None, SOON).await.map_err(|error| error.to_string())?;
        let has = |name: &str| info[name] == true;
        let missing: Vec<_> = [("MemoryLimit", "memory"), ("PidsLimit", "processes"), ("CpuCfsQuota", "processor")]
            .into_iter()
            .filter_map(|(name, what)| (!has(name)).then_some(what))
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "this Docker engine cannot limit what containers use of: {}; its kernel lacks those control groups",
                missing.join(", ")
            ));
        }
        if info["OSType"] != "linux" {
            return Err("this Docker engine runs no Linux containers".to_owned());
        }
        Ok(())
    }

    /// The folders that an image declares as volumes: it is there, and it is the one that is meant.
    pub(super) async fn volumes_of(&self, image: &str) -> Result<Vec<String>, String> {
        let missing = || {
            format!("the image {image} is not on this server, and none is fetched: have its operator load or pull it")
        };
        let about = self.get(&format!("/images/{image}/json")).await.map_err(|error| error.to_string())?;
        let about = about.ok_or_else(missing)?;
        if about["Id"] != image {
            return Err(missing());
        }
        let volumes = about["Config"]["Volumes"].as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
        let volumes = volumes.unwrap_or_default();
        if volumes.iter().any(|path| !path.starts_with('/') || path.contains([':', ','])) {
            return Err("the image declares a volume that is no plain folder".to_owned());
        }
        Ok(volumes)
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), EngineError> {
        self.ask(Method::POST, &format!("/containers/{name}/start"), None, WORK).await.map(drop)
    }

    /// Waits until it does not run; one that is gone does not.
    pub(super) async fn over(&self, name: &str, within: Duration) -> Result<(), EngineError> {
        gone(self.ask(Method::POST, &format!("/containers/{name}/wait?condition=not-running"), None, within).await)
    }

    /// One that has ended is not killed, which is what was wanted.
    pub(super) async fn kill(&self, name: &str) -> Result<(), EngineError> {
        match self.ask(Method::POST, &format!("/containers/{name}/kill?signal=SIGKILL"), None, WORK).await {
            Err(EngineError::Refused { status: http::StatusCode::CONFLICT, .. }) => Ok(()),
            answer => gone(answer),
        }
    }

    pub(super) async fn ended(&self, name: &str, cut: Option<Cut>) -> Result<ContainerOver, String> {
        let about = self.get(&format!("/containers/{name}/json")).await.map_err(|error| error.to_string())?;
        let state = about.ok_or("somebody else removed the container; its end is not known")?["State"].take();
        let exit_code = state["ExitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
        Ok(ContainerOver {
            exit_code: exit_code.ok_or("the engine does not say how the container ended")?,
            out_of_memory: state["OOMKilled"] == true,
            cut,
        })
    }

    /// Removes it, whatever it does, with all that was written in it; one that is not there is removed.
    pub(super) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        const TRIES: u32 = 5;
        let path = format!("/containers/{name}?force=1&v=1");
        for _ in 0..TRIES {
            match self.ask(Method::DELETE, &path, None, WORK).await {
                // Somebody else is removing it.
                Err(EngineError::Refused { status: http::StatusCode::CONFLICT, .. }) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                answer => return gone(answer),
            }
        }
        gone(self.ask(Method::DELETE, &path, None, WORK).await)
    }

    /// The permits of all containers that were made here.
    pub(super) async fn labelled(&self) -> Result<Vec<PermitId>, EngineError> {
        let filter = json!({"label": [LABEL]}).to_string();
        let filter: String = filter.bytes().map(|b| format!("%{b:02X}")).collect();
        let found = self.ask(Method::GET, &format!("/containers/json?all=1&filters={filter}"), None, SOON).await?;
        Ok(found.as_array().into_iter().flatten().filter_map(permit_of).collect())
    }
}

/// The permit of a container in the engine's list. Its name must say the same: an image can bring a label along.
fn permit_of(listed: &Value) -> Option<PermitId> {
    let permit: PermitId = listed["Labels"][LABEL].as_str()?.parse().ok()?;
    let name = format!("/{}", body::name(permit));
    listed["Names"].as_array()?.iter().any(|other| *other == name).then_some(permit)
}

fn gone(answer: Result<Value, EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(EngineError::Refused { status: http::StatusCode::NOT_FOUND, .. }) => Ok(()),
        answer => answer.map(drop),
    }
}
