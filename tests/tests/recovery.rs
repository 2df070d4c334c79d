//! Whatever happens half-way, the end is the same: SIGKILL of the server, and an engine whose containers
//! and images change behind its back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use steading_tests::{Api, Browser, Settings, Workspace, World, engine, journey};

/// So often the server is killed.
const KILLS: u32 = 55;
/// And so often before anything was made.
const EARLY: u32 = 4;
/// So many people work at once.
const PEOPLE: u64 = 4;
/// Whatever happens, everything stands still after this time.
const PATIENCE: Duration = Duration::from_secs(150);

/// The seed of this run: STEADING_TEST_SEED, or another one each time.
fn seed() -> u64 {
    let given = std::env::var("STEADING_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("STEADING_TEST_SEED={seed}");
    seed
}

/// Somebody who works on while the server dies.
struct Person<'a> {
    api: Api,
    source: String,
    random: StdRng,
    over: &'a AtomicBool,
    /// The workspace they have, if any.
    id: Option<String>,
    /// What they wrote into it.
    edits: Vec<String>,
    /// What they did, for the report.
    story: Vec<String>,
    made: u32,
}

impl Person<'_> {
    /// A call that is repeated until a server answers it.
    async fn call(&self, method: Method, path: &str, body: Option<(&str, Value)>) -> Result<(StatusCode, Value)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut request = self.api.request(method.clone(), path).timeout(Duration::from_secs(10));
            if let Some((key, body)) = &body {
                request = request.header("idempotency-key", *key).json(body);
            }
            if let Ok(response) = request.send().await {
                let status = response.status();
                let is_final = !status.is_server_error() && status != StatusCode::CONFLICT;
                if let (true, Ok(value)) = (is_final, response.json().await) {
                    return Ok((status, value));
                }
            }
            ensure!(Instant::now() < deadline, "{path} was never answered");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn show(&self) -> Result<Option<Workspace>> {
        let id = self.id.as_deref().context("there is no workspace")?;
        let (status, value) = self.call(Method::GET, &format!("/workspaces/{id}"), None).await?;
        Ok((status != StatusCode::NOT_FOUND).then_some(Workspace(value)))
    }

    /// Waits until it is as wished; `None` is gone.
    async fn until(&mut self, phase: Option<&str>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.show().await?;
            let now = seen.as_ref().map(Workspace::phase);
            if now == phase {
                return Ok(());
            }
            let stuck = now == Some("failed") || Instant::now() > deadline;
            ensure!(!stuck, "not {phase:?}: {seen:#?}\n{:?}\n{}", self.story, self.evidence());
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// What the engine can say about a workspace that does not come to its end.
    fn evidence(&self) -> String {
        let filter = engine::of(self.id.as_deref().unwrap_or_default());
        let id = engine::docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]).unwrap_or_default();
        let inspected = engine::docker(&["inspect", "--format", "{{json .State}} {{json .RestartCount}}", &id]);
        let logs = std::process::Command::new("docker").args(["logs", "--timestamps", &id]).output();
        let script = "ps -eo pid,ppid,lstart,args; find /run/steading /tmp/.steading /dev/shm -ls; cat /proc/self/mountinfo | grep /etc/host; date";
        let inside = engine::docker(&["exec", &id, "sh", "-c", script]);
        format!("{id}\n{inspected:?}\n{logs:?}\n{}", inside.unwrap_or_else(|error| error.to_string()))
    }

    async fn create(&mut self) -> Result<()> {
        self.made += 1;
        let key = format!("{}-{}", self.source, self.random.random::<u64>());
        let body = json!({ "source": self.source });
        let (status, made) = self.call(Method::POST, "/workspaces", Some((&key, body))).await?;
        ensure!(status == StatusCode::CREATED, "{status}: {made:#}");
        self.id = Some(Workspace(made).id().to_owned());
        self.edits.clear();
        self.story.push("create".to_owned());
        Ok(())
    }

    async fn change(&mut self, verb: &str) -> Result<()> {
        let id = self.id.clone().context("there is no workspace")?;
        let (status, value) = self.call(Method::POST, &format!("/workspaces/{id}/{verb}"), None).await?;
        ensure!(status == StatusCode::ACCEPTED, "{verb}: {status}: {value:#}");
        self.story.push(verb.to_owned());
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let id = self.id.clone().context("there is no workspace")?;
        let (status, value) = self.call(Method::DELETE, &format!("/workspaces/{id}"), None).await?;
        ensure!(status.is_success() || status == StatusCode::NOT_FOUND, "delete: {status}: {value:#}");
        self.story.push("delete".to_owned());
        self.until(None).await?;
        self.id = None;
        let filter = engine::of(&id);
        let containers = engine::docker(&["ps", "--all", "--quiet", "--filter", &filter])?;
        let volumes = engine::docker(&["volume", "ls", "--quiet", "--filter", &filter])?;
        ensure!(containers.is_empty() && volumes.is_empty(), "{id} left {containers} {volumes}\n{:?}", self.story);
        Ok(())
    }

    /// Writes a line past the server, so that it is known whether it was written.
    fn edit(&mut self) {
        let Some(id) = &self.id else { return };
        let Ok(container) = engine::docker(&["ps", "--quiet", "--filter", &engine::of(id)]) else { return };
        let line = self.random.random::<u32>().to_string();
        let script = format!("cd /workspaces/hooked && test -d .git && echo {line} >> edits && sync edits");
        if engine::docker(&["exec", "--user", "vscode", &container, "sh", "-c", &script]).is_ok() {
            self.edits.push(line);
        }
    }

    /// Works until it is over, and leaves a running workspace.
    async fn work(&mut self) -> Result<()> {
        self.create().await?;
        while !self.over.load(Ordering::Relaxed) {
            let patient = self.random.random_bool(0.6);
            match self.random.random_range(0..12) {
                0..4 => {
                    self.change("stop").await?;
                    if patient {
                        self.until(Some("stopped")).await?;
                    }
                    self.pause(300).await;
                    self.change("start").await?;
                }
                4..6 => self.change("rebuild").await?,
                6..8 => {
                    self.delete().await?;
                    self.create().await?;
                }
                _ => {}
            }
            if patient {
                self.until(Some("running")).await?;
                self.edit();
            }
            self.pause(1500).await;
        }
        self.change("start").await?;
        self.until(Some("running")).await
    }

    async fn pause(&mut self, most: u64) {
        let wait = self.random.random_range(0..most);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// The end is that of a life in which nothing happened; how many of the kills met one of its hooks.
    async fn check(&self, world: &World, kills: &[u64]) -> Result<usize> {
        let ws = self.show().await?.context("it is gone")?;
        let story = &self.story;
        world.says(&ws, "git log --format=%s && git fsck 2>&1 | grep -v ^Checking", "Second\nFirst").await.or_else(
            // grep finds nothing where all is well, and says so by its exit code.
            |error| if error.to_string().contains("with 1: \"Second\\nFirst\\n\"") { Ok(()) } else { Err(error) },
        )?;
        world.container(ws.id())?;
        let (_, made) = world.api().exec(ws.id(), "cat ~/made").await?;
        let made = made.trim();
        // The last hook runs while people are in.
        let script = format!("grep -c \"end postStart {made} $(cut -d' ' -f22 /proc/1/stat) \" .hooks");
        world.comes_to_say(&ws, &script, "1").await.with_context(|| format!("postStart {story:?}"))?;

        let (_, status) = world.api().exec(ws.id(), "git status --porcelain").await?;
        let expected: &[&str] = &["?? .hooks", "?? edits"];
        let strange: Vec<_> = status.lines().filter(|line| !expected.contains(line)).collect();
        ensure!(strange.is_empty(), "the checkout was changed: {strange:?} {story:?}");
        let (_, edits) = world.api().exec(ws.id(), "cat edits 2>/dev/null").await?;
        let written: Vec<&str> = edits.lines().collect();
        ensure!(written == self.edits, "edits: {written:?}, not {:?}: {story:?}", self.edits);

        let (_, hooks) = world.api().exec(ws.id(), "cat .hooks").await?;
        let notes = hooks.lines().map(Note::read).collect::<Result<Vec<_>>>().with_context(|| hooks.clone())?;
        let mut seen = BTreeSet::new();
        for note in &notes {
            // Whoever stops a workspace in the middle of a hook has it begun again at the next start; but it
            // comes to its end once.
            let each_start = note.what == "begin" || note.stage == "postStart";
            let start = if each_start { note.start } else { "" };
            ensure!(
                seen.insert((note.what, note.stage, note.container, start)),
                "{note:?} is there twice: {hooks}\n{story:?}"
            );
        }
        for stage in ["onCreate", "updateContent", "one", "two"] {
            ensure!(seen.contains(&("end", stage, made, "")), "{stage} never ended: {hooks}\n{story:?}");
        }
        // The log has each line once, whoever followed the hook; all of them where it came to its end.
        let log = world.api().log(ws.id()).await?;
        for note in &notes {
            let told = log.lines().filter(|line| line.ends_with(note.line)).count();
            let must = note.what == "end" && note.container == made && note.stage != "postStart";
            ensure!(told == 1 || (told == 0 && !must), "the log has {note:?} {told} times: {log}\n{story:?}");
        }
        let events = world.api().events(ws.id()).await?;
        let order: Vec<i64> = events.iter().filter_map(|event| event["seq"].as_i64()).collect();
        ensure!(order.is_sorted_by(|a, b| a < b), "events are out of order");
        // How many kills met a hook of this workspace, of those that have left both notes.
        let met = |kill: &u64| notes.iter().any(|note| note.what == "end" && note.ran_at(*kill, &notes));
        Ok(kills.iter().filter(|kill| met(kill)).count())
    }
}

/// What a hook left: its begin or its end, in which container and start of it, and when.
#[derive(Debug)]
struct Note<'a> {
    line: &'a str,
    what: &'a str,
    stage: &'a str,
    container: &'a str,
    start: &'a str,
    at: u64,
}

impl<'a> Note<'a> {
    fn read(line: &'a str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [what, stage, container, start, at] = words[..] else { bail!("a torn line {line:?}") };
        Ok(Self { line, what, stage, container, start, at: at.parse()? })
    }

    /// Whether the hook that left this end was at work at a moment.
    fn ran_at(&self, moment: u64, notes: &[Self]) -> bool {
        let is_ours = |note: &&Self| {
            (note.what, note.stage, note.container, note.start) == ("begin", self.stage, self.container, self.start)
        };
        notes.iter().find(is_ours).is_some_and(|begin| (begin.at..self.at).contains(&moment))
    }
}

/// Milliseconds since 1970.
fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_goes_on_where_it_was() -> Result<()> {
    let seed = seed();
    // A dead server's work is taken over soon, so that much happens between two kills.
    let settings = Settings::default()
        .env("STEADING_WORKER__LEASE_SECONDS", "2")
        .env("STEADING_WORKER__SWEEP_SECONDS", "1")
        .env("STEADING_WORKSPACE__STOP_SECONDS", "2");
    journey(settings, async |world| {
        let mut random = StdRng::seed_from_u64(seed);
        let over = AtomicBool::new(false);
        let (api, source) = (world.api(), world.git.url("hooked"));
        let person = |n: u64| Person {
            api: api.clone(),
            source: source.clone(),
            random: StdRng::seed_from_u64(seed.wrapping_add(1 + n)),
            over: &over,
            id: None,
            edits: Vec::new(),
            story: Vec::new(),
            made: 0,
        };
        let mut people: Vec<Person<'_>> = (0..PEOPLE).map(person).collect();
        let mut phases: BTreeMap<String, u32> = BTreeMap::new();
        let mut kills = Vec::new();
        let begun = Instant::now();
        let mut restarts = Duration::ZERO;
        // Some while the tools are delivered, some before that.
        for _ in 0..EARLY {
            let wait = Duration::from_millis(random.random_range(0..1500));
            tokio::time::sleep(wait).await;
            world.steading.kill();
            world.steading.restart()?;
        }
        world.api().delete(world.run("hooked").await?.id()).await?;
        world.assert_nothing_left()?;
        let killing = async {
            for kill in 1..=KILLS {
                tokio::time::sleep(Duration::from_millis(random.random_range(20..2600))).await;
                for ws in api.list().await.unwrap_or_default() {
                    *phases.entry(ws.phase().to_owned()).or_default() += 1;
                    // Nobody did anything wrong, so nothing may fail.
                    ensure!(ws.phase() != "failed", "{:#}\n{}", ws.0, api.log(ws.id()).await.unwrap_or_default());
                }
                if kill % 10 == 0 {
                    eprintln!("{kill} kills after {:?}", begun.elapsed());
                }
                kills.push(now_ms()?);
                tokio::task::block_in_place(|| {
                    world.steading.kill();
                    let begun = Instant::now();
                    let up = world.steading.restart();
                    restarts += begun.elapsed();
                    up
                })?;
            }
            over.store(true, Ordering::Relaxed);
            anyhow::Ok(())
        };
        let working = futures::future::try_join_all(people.iter_mut().map(Person::work));
        let worked = tokio::try_join!(killing, working);
        over.store(true, Ordering::Relaxed);
        worked?;
        eprintln!("{KILLS} kills in {:?}, {restarts:?} of it restarts; phases then: {phases:?}", begun.elapsed());
        let mut met = 0;
        for person in &people {
            eprintln!("{}", person.story.join(" "));
            met += person.check(world, &kills).await?;
        }
        ensure!(met > 0 && phases.contains_key("initializing"), "no kill met a running hook: {phases:?}");
        eprintln!("{met} times a kill met a running hook that is known of");
        let mut known: Vec<String> = people.iter().filter_map(|person| person.id.clone()).collect();
        let mut listed: Vec<String> = api.list().await?.iter().map(|ws| ws.id().to_owned()).collect();
        known.sort();
        listed.sort();
        ensure!(known == listed, "known {known:?}, listed {listed:?}");
        let containers = engine::containers(world.installation())?;
        ensure!(containers.len() == known.len(), "{containers:?} for {known:?}");
        let volumes = engine::volumes(world.installation())?;
        let first = engine::docker(&["volume", "ls", "--quiet", "--filter", &engine::of(&known[0])])?;
        ensure!(volumes.len() == known.len() * first.lines().count(), "{volumes:?} for {known:?}");
        Ok(())
    })
    .await
}

/// Container and start: what must not change while nobody wants it to.
fn instance(world: &World, ws: &Workspace) -> Result<String> {
    engine::docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.State.Pid}}", &world.container(ws.id())?])
}

/// Waits until a workspace runs in another start than before.
async fn heals(world: &World, ws: &Workspace, before: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let other = instance(world, ws).is_ok_and(|now| now != before && !now.ends_with(" 0"));
        let phase = world.api().show(ws.id()).await?.context("gone")?;
        if other && phase.phase() == "running" && world.says(ws, "cat mine.txt", "mine").await.is_ok() {
            return Ok(());
        }
        ensure!(phase.phase() != "failed" && Instant::now() < deadline, "it does not heal: {:#}", phase.0);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn containers_heal(world: &World, ws: &Workspace, browser: &Browser) -> Result<()> {
    for how in [&["kill"][..], &["stop", "--time", "1"], &["rm", "--force"]] {
        let before = instance(world, ws)?;
        let container = world.container(ws.id())?;
        let args: Vec<&str> = how.iter().copied().chain([container.as_str()]).collect();
        engine::docker(&args)?;
        heals(world, ws, &before).await.with_context(|| format!("docker {}", how.join(" ")))?;
        browser.sees_editor(ws).await?;
    }
    world.says(ws, "git status --porcelain", "?? mine.txt").await
}

async fn images_come_back(world: &World, ws: &Workspace) -> Result<()> {
    let api = world.api();
    api.change(ws.id(), "stop").await?;
    api.until(ws.id(), &["stopped"]).await?;
    let container = world.container(ws.id())?;
    let image = engine::docker(&["inspect", "--format", "{{.Image}}", &container])?;
    engine::docker(&["rm", "--force", &container])?;
    engine::docker(&["image", "rm", "--force", &image])?;
    ensure!(engine::docker(&["image", "inspect", &image]).is_err(), "the image is still there");
    api.change(ws.id(), "start").await?;
    api.until(ws.id(), &["running"]).await?;
    world.says(ws, "cat mine.txt; tail -1 /greeting.txt", "mine\nbuilt with barn").await
}

async fn what_keeps_dying_is_given_up(world: &World) -> Result<()> {
    let made = world.api().create(&world.git.url("dying")).await?;
    let ws = world.api().until(made.id(), &["failed", "running"]).await?;
    ensure!(ws.failure() == "container-keeps-dying", "{:#}\n{}", ws.0, world.api().log(ws.id()).await?);
    ensure!(ws.0["failure"]["output"].as_str().is_some_and(|said| said.contains("my last words")), "{:#}", ws.0);
    ensure!(ws.0["failure"]["hint"].is_string(), "{:#}", ws.0);
    let died = world.api().events(ws.id()).await?.iter().filter(|event| event["event"] == "died").count();
    ensure!(died == 3, "{died} deaths were told of");
    world.api().delete(ws.id()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_behind_our_back_is_made_good() -> Result<()> {
    journey(Settings::default(), async |world| {
        let (plain, built) = tokio::try_join!(world.run("plain"), world.run("dockerfile"))?;
        for ws in [&plain, &built] {
            world.says(ws, "echo mine > mine.txt", "").await?;
        }
        // A server that is restarted, or killed and started again, touches nothing that runs.
        let before = (instance(world, &plain)?, instance(world, &built)?);
        let editor = "pgrep -f '[c]ode-server' | sort -n | head -1";
        let (_, pid) = world.api().exec(plain.id(), editor).await?;
        world.steading.stop()?;
        world.steading.restart()?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.steading.kill();
        ensure!((instance(world, &plain)?, instance(world, &built)?) == before, "a restart touched a container");
        world.steading.restart()?;
        let browser = Browser::signed_in(&world.steading).await?;
        browser.sees_editor(&plain).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!((instance(world, &plain)?, instance(world, &built)?) == before, "a restart touched a container");
        world.says(&plain, editor, pid.trim()).await?;

        let world = &*world;
        tokio::try_join!(
            async { containers_heal(world, &plain, &browser).await.context("containers") },
            async { images_come_back(world, &built).await.context("images") },
            async { what_keeps_dying_is_given_up(world).await.context("dying") },
        )?;
        Ok(())
    })
    .await
}
