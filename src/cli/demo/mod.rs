//! `tidegate demo`: both sides in temporary folders, each step the real command in a process of its
//! own, server and agent over TCP.

mod medium;
mod samples;
mod story;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate::sidecar;

use self::story::{Story, at, text};
use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Show the whole way across an air gap, in temporary folders.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Take the updates from here (a wsusutil package or a folder) instead of our samples
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// Work in this folder and leave everything there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Size of the payload that is made for the story, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=16_384))]
    payload: u64,
}

const SITE: &str = "plant-7";
const TITLE: &str = "Contoso Field Tools 2.4";

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let temporary = tempfile::Builder::new().prefix("tidegate-demo-").tempdir()?;
        let root = match &self.keep {
            Some(folder) => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
                let is_free = sidecar::is_free(folder)
                    .with_context(|| format!("cannot look into {}", folder.display()))?;
                ensure!(is_free, "{} is not empty: name a new folder", folder.display());
                fs::canonicalize(folder)?
            }
            None => temporary.path().to_owned(),
        };
        let mut story = Story::new(context.out.clone(), &root)?;
        let result = self.tell(&mut story, &root);
        story.end(result.is_ok())?;
        result?;
        Ok(Outcome::Done)
    }

    fn tell(&self, story: &mut Story, root: &Path) -> anyhow::Result<()> {
        let places = Places {
            root: root.to_owned(),
            connected: root.join("connected"),
            isolated: root.join("isolated"),
            medium: root.join("medium"),
        };
        fs::create_dir_all(&places.medium)?;
        let mirror = self.fill(story, &places)?;
        let volume = self.cross(story, &places, &mirror)?;
        receive(story, &places, &mirror, &volume)?;
        self.install(story, &places, &mirror)
    }

    /// In bytes.
    fn payload_size(&self) -> u64 {
        self.payload * 1024 * 1024
    }

    fn fill(&self, story: &mut Story, places: &Places) -> anyhow::Result<Mirror> {
        let connected = &places.connected;
        story.chapter("On the connected side: a mirror, its keys, its updates");
        story.run(connected, &["init"])?;
        let keys = story.run(connected, &["keys", "init"])?;
        let fingerprint = text(&keys, "/fingerprint")?.to_owned();
        let root = PathBuf::from(text(&keys, "/root")?);
        story.tell(&format!("The root's fingerprint, to compare by voice: {fingerprint}"));

        let source = match &self.from {
            Some(source) => source.clone(),
            None => samples::write(&places.root.join("samples"))?,
        };
        let synced = story.run(connected, &["sync", "--from", path(&source)?])?;
        story.tell(&format!("{} update documents came in.", at(&synced, "/new-revisions")));

        let installer = places.root.join("contoso-field-tools-2.4.exe");
        medium::make_installer(&installer, self.payload_size())?;
        let published = story.run(
            connected,
            &[
                "publish",
                path(&installer)?,
                "--title",
                TITLE,
                "--product",
                "Contoso/Field Tools",
                "--command-line",
                "/quiet",
                "--applies-if",
                "always",
            ],
        )?;
        let update = text(&published, "/update")?.to_owned();
        fs::remove_file(&installer)?;
        let size = human_bytes(self.payload_size());
        story.tell(&format!("An installer of {size} is the update {update} now."));
        Ok(Mirror { source, root, fingerprint, update })
    }

    /// Returns the volume.
    fn cross(
        &self,
        story: &mut Story,
        places: &Places,
        mirror: &Mirror,
    ) -> anyhow::Result<PathBuf> {
        let (connected, medium) = (&places.connected, &places.medium);
        story.chapter("Across the gap: one signed file on a medium");
        let exported = story.run(connected, &["export", "--site", SITE, "--out", path(medium)?])?;
        let volume = PathBuf::from(text(&exported, "/volumes/0")?);
        fs::write(places.carried_root(), fs::read(&mirror.root)?)?;
        story.tell(&format!(
            "{} holds {}.",
            volume.file_name().unwrap_or_default().to_string_lossy(),
            human_bytes(fs::metadata(&volume)?.len())
        ));
        fs::remove_dir_all(connected)?;
        if self.from.is_none() {
            fs::remove_dir_all(&mirror.source)?;
        }
        story.tell("The connected side's folder is removed now: nothing but the medium crosses.");
        Ok(volume)
    }

    fn install(&self, story: &mut Story, places: &Places, mirror: &Mirror) -> anyhow::Result<()> {
        let (isolated, update) = (&places.isolated, &mirror.update);
        story.chapter("Approve, serve, and let an agent come");
        story.run(isolated, &["approve", "--all", "--group", "All Computers", "--accept-eula"])?;
        let server = story.serve(isolated)?;
        let state = places.root.join("agent-state.json");
        let probed =
            story.run(isolated, &["probe", server.url(), "--install", "--state", path(&state)?])?;
        check_agent(&probed, update, self.payload_size())?;
        story.tell(&format!(
            "The agent was offered {}, downloaded {} in {} and found every digest right.",
            count(array(&probed, "/offered").len() as u64, "update"),
            count(at(&probed, "/downloaded-files").as_u64().unwrap_or(0), "file"),
            human_bytes(at(&probed, "/downloaded-bytes").as_u64().unwrap_or(0)),
        ));
        let computers = story.run(isolated, &["computers"])?;
        let installed = array(&computers, "/0/compliance")
            .iter()
            .any(|c| *at(c, "/update") == json!(update) && *at(c, "/state") == json!("installed"));
        ensure!(installed, "the computer's report of {update} did not arrive: {computers}");
        story.tell("Its report arrived: the update is installed there.");
        server.stop()?;
        story.run(isolated, &["check"])?;
        Ok(())
    }
}

/// The folders of the story.
struct Places {
    root: PathBuf,
    connected: PathBuf,
    isolated: PathBuf,
    medium: PathBuf,
}

impl Places {
    fn carried_root(&self) -> PathBuf {
        self.medium.join("root.json")
    }
}

/// What the connected side has made.
struct Mirror {
    source: PathBuf,
    root: PathBuf,
    fingerprint: String,
    update: String,
}

fn receive(
    story: &mut Story,
    places: &Places,
    mirror: &Mirror,
    volume: &Path,
) -> anyhow::Result<()> {
    let isolated = &places.isolated;
    story.chapter("On the isolated side: check, then take in");
    story.run(isolated, &["init", "--site", SITE])?;
    let (root, fingerprint) = (places.carried_root(), &mirror.fingerprint);
    story.run(isolated, &["trust", "add", path(&root)?, "--fingerprint", fingerprint])?;
    let damaged = places.root.join("damaged.tar");
    medium::flip_one_byte(volume, &damaged)?;
    let refusal = story.refused(isolated, &["import", path(&damaged)?])?;
    fs::remove_file(&damaged)?;
    story.tell(&format!("One byte was changed in a copy, and it was refused: {refusal}"));
    story.run(isolated, &["verify", path(volume)?])?;
    story.run(isolated, &["import", path(volume)?])?;
    let again = story.run(isolated, &["import", path(volume)?])?;
    ensure!(
        *at(&again, "/changed") == json!(false),
        "a second import must change nothing: {again}"
    );
    story.tell("Imported; a second import changes nothing.");
    Ok(())
}

/// What must be true of the agent's visit.
fn check_agent(probed: &Value, update: &str, size: u64) -> anyhow::Result<()> {
    let errors: Vec<_> = array(probed, "/findings")
        .iter()
        .filter(|f| *at(f, "/severity") == json!("error"))
        .collect();
    ensure!(errors.is_empty(), "a real agent would stumble: {}", json!(errors));
    let offered = array(probed, "/offered").iter().any(|o| *at(o, "/id") == json!(update));
    ensure!(offered, "the agent was not offered {update}: {probed}");
    let bytes = at(probed, "/downloaded-bytes").as_u64().unwrap_or(0);
    ensure!(bytes >= size, "the agent downloaded {bytes} bytes, the payload has {size}");
    Ok(())
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer).as_array().map(Vec::as_slice).unwrap_or_default()
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
