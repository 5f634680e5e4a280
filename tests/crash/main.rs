//! kill -9 at every waypoint of the story: the process dies there once, comes back, and the story goes on to the same
//! end. Nothing is run twice, nothing is lost, and the agent is told the truth.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wardkeep_proto::waypoint::Waypoint;
use wardkeep_tests::story::plot;
use wardkeep_tests::story::stage::{KillAt, Setting, Stage};

/// Stories at a time; each is four processes that mostly wait.
const SIDE_BY_SIDE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_survives_a_crash_at_every_waypoint() {
    let room = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut stories = JoinSet::new();
    for &at in Waypoint::ALL {
        let room = Arc::clone(&room);
        stories.spawn(async move {
            let _place = room.acquire_owned().await.expect("never closed");
            (at, story_with_crash(at).await)
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = stories.join_next().await {
        let (at, result) = ended.expect("no panic inside");
        match result {
            Ok(()) => println!("survived a crash at {at}"),
            Err(error) => failed.push(format!("{at}: {error:#}")),
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} crashes were not survived:\n{}",
        failed.len(),
        Waypoint::ALL.len(),
        failed.join("\n")
    );
}

async fn story_with_crash(at: Waypoint) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let kill = KillAt(at);
    let setting = Setting { kill: Some(kill), ..Setting::plain(folder.path()) };
    let stage = Stage::set(setting, &|_| ()).await?;
    let told = async {
        let words = plot::play(&stage, &|_| ()).await?;
        plot::verify(&stage, &words).await
    };
    let result = told.await;
    if let Err(error) = result {
        let kept = folder.keep();
        return Err(error.context(format!("logs are in {}", kept.display())));
    }
    anyhow::ensure!(kill.marker(folder.path()).exists(), "the story never passed this point, so nothing was shown");
    let killed = if kill.at_hub() { stage.hub.service.kills() } else { stage.tenant.service.kills() };
    anyhow::ensure!(killed == 1, "the process was killed {killed} times");
    stage.strike().await
}
