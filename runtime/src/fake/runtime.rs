//! The trait, on memory.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use steading_core::WorkspaceId;
use steading_core::fault::Class;
use steading_core::image::ImageRef;
use steading_core::log::LogSink;
use steading_core::pod::PodSpec;
use steading_core::runtime::{
    BuildRequest, BuiltImage, ByteStream, ContainerState, Duplex, Exec, ImageInfo, InstanceId, Observed, Process,
    Result, Runtime, RuntimeError, RuntimeEvent, RuntimeInfo, ToolMount,
};
use tokio_stream::wrappers::BroadcastStream;

use super::pod::Volume;
use super::{Fake, Op, archive, command, stream};

#[async_trait]
impl Runtime for Fake {
    async fn info(&self) -> Result<RuntimeInfo> {
        self.enter(Op::Info).await?;
        Ok(RuntimeInfo {
            kind: "fake".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arch: if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }.to_owned(),
            cpus: 8,
            memory: 32 << 30,
        })
    }

    async fn tools(&self) -> Result<Vec<ToolMount>> {
        self.enter(Op::Tools).await?;
        let mount = |name: &str, target: &str| ToolMount { name: name.to_owned(), target: target.to_owned() };
        Ok(vec![mount("tools-ide", "/opt/steading/ide"), mount("tools-bin", "/opt/steading/bin")])
    }

    async fn inspect(&self, image: &ImageRef) -> Result<Option<ImageInfo>> {
        self.enter(Op::Inspect).await?;
        Ok(self.world().images.get(image.as_str()).cloned())
    }

    async fn pull(&self, image: &ImageRef, log: &dyn LogSink) -> Result<ImageInfo> {
        self.enter(Op::Pull).await?;
        log.write("pull", &format!("Pulling {image}"));
        self.point(Op::Pull, "image").await;
        let host = image.registry().split(':').next().unwrap_or_default();
        if host == "invalid" || host.ends_with(".invalid") {
            let reason = format!("lookup {host}: no such host");
            return Err(RuntimeError::Pull { image: image.clone(), reason, class: Class::Transient });
        }
        let present = self.world().images.get(image.as_str()).cloned();
        let info = present.unwrap_or_else(|| self.image_of(image.as_str(), BTreeMap::new()));
        self.add_image(image.as_str(), info.clone());
        log.write("pull", &format!("Pulled {image}"));
        self.point(Op::Pull, "done").await;
        Ok(info)
    }

    /// Understands `FROM`, `LABEL`, `ENV` and `USER`, and `RUN false` and `RUN exit N`, which fail.
    async fn build(&self, request: &BuildRequest, context: ByteStream, log: &dyn LogSink) -> Result<ImageInfo> {
        self.enter(Op::Build).await?;
        let files = archive::read(context).await.map_err(|error| RuntimeError::Build(error.to_string()))?;
        let wanted = super::pod::normal(&request.dockerfile);
        let text = files
            .iter()
            .find(|(path, _)| super::pod::normal(path) == wanted)
            .and_then(|(_, entry)| entry.content())
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .ok_or_else(|| RuntimeError::Build(format!("there is no {} in the context", request.dockerfile)))?;
        let mut info = self.image_of(&text, request.labels.clone());
        for (number, line) in text.lines().enumerate() {
            let words: Vec<_> = line.split_whitespace().collect();
            log.write("build", &format!("#{} {line}", number + 1));
            self.point(Op::Build, "instruction").await;
            match words.as_slice() {
                ["FROM", base, ..] => {
                    let base = self.world().images.get(*base).cloned().unwrap_or_default();
                    info.env.extend(base.env);
                    info.labels.extend(base.labels);
                    info.user = base.user;
                }
                ["LABEL" | "ENV", rest @ ..] => {
                    for (name, value) in rest.iter().filter_map(|pair| pair.split_once('=')) {
                        let to = if words[0] == "ENV" { &mut info.env } else { &mut info.labels };
                        to.insert(name.to_owned(), value.trim_matches('"').to_owned());
                    }
                }
                ["USER", user] => (*user).clone_into(&mut info.user),
                ["RUN", "false"] | ["RUN", "exit", _] => {
                    return Err(RuntimeError::Build(format!("`{line}` did not complete successfully")));
                }
                _ => {}
            }
        }
        info.labels.extend(request.labels.clone());
        self.add_image(request.tag.as_str(), info.clone());
        self.world().built.insert(request.tag.as_str().to_owned());
        self.point(Op::Build, "done").await;
        Ok(info)
    }

    async fn built(&self) -> Result<Vec<BuiltImage>> {
        self.enter(Op::Built).await?;
        let world = self.world();
        let found = world.built.iter().filter_map(|name| Some((name, world.images.get(name)?)));
        Ok(found.map(|(name, info)| BuiltImage { name: ImageRef::new(name), id: info.id.clone() }).collect())
    }

    async fn forget(&self, image: &ImageRef) -> Result<bool> {
        self.enter(Op::Forget).await?;
        let mut world = self.world();
        let Some(id) = world.images.get(image.as_str()).map(|info| info.id.clone()) else { return Ok(true) };
        let names = world.images.iter().filter(|(name, info)| info.id == id && **name != id).count();
        let is_used = world.pods.values().any(|pod| pod.is_of(&id));
        if !world.built.contains(image.as_str()) || (names == 1 && is_used) {
            return Ok(false);
        }
        world.built.remove(image.as_str());
        world.images.remove(image.as_str());
        if names == 1 {
            world.images.remove(&id);
        }
        Ok(true)
    }

    async fn observe(&self, id: WorkspaceId) -> Result<Observed> {
        self.enter(Op::Observe).await?;
        Ok(self.world().pods.get(&id).map(super::pod::Pod::observed).unwrap_or_default())
    }

    async fn up(&self, spec: &PodSpec) -> Result<()> {
        self.enter(Op::Up).await?;
        let id = spec.workspace;
        {
            let mut world = self.world();
            let fresh: Vec<_> = spec.volumes.iter().map(|role| (*role, world.fresh())).collect();
            let pod = world.pods.entry(id).or_default();
            let lost = spec.volumes.iter().any(|role| !pod.volumes.contains_key(role));
            let other = pod.spec.as_ref().is_none_or(|old| old.hash != spec.hash);
            for (role, volume) in fresh {
                pod.volumes.entry(role).or_insert_with(|| Volume { id: volume, files: archive::Files::new() });
            }
            if lost || other {
                pod.containers.clear();
            }
        }
        self.point(Op::Up, "create").await;
        {
            let mut world = self.world();
            let there = world.images.contains_key(spec.main.image.as_str());
            world.count += 1;
            let instance = InstanceId(format!("container-{}", world.count));
            let pod = world.pods.entry(id).or_default();
            if pod.main().is_none() {
                if !there {
                    return Err(RuntimeError::ImageGone(spec.main.image.clone()));
                }
                pod.create(spec, instance);
            }
        }
        self.point(Op::Up, "start").await;
        let now = self.now();
        if let Some(pod) = self.world().pods.get_mut(&id) {
            match pod.main() {
                Some(ContainerState::Up) => {}
                Some(ContainerState::Paused) => pod.freeze(false),
                _ => pod.start(now),
            }
        }
        self.changed(id);
        self.point(Op::Up, "done").await;
        Ok(())
    }

    async fn pause(&self, id: WorkspaceId) -> Result<()> {
        self.enter(Op::Pause).await?;
        self.live(id, |pod| pod.freeze(true))?;
        self.changed(id);
        Ok(())
    }

    async fn resume(&self, id: WorkspaceId) -> Result<()> {
        self.enter(Op::Resume).await?;
        self.live(id, |pod| pod.freeze(false))?;
        self.changed(id);
        Ok(())
    }

    async fn down(&self, id: WorkspaceId, _grace: Duration) -> Result<()> {
        self.enter(Op::Down).await?;
        let now = self.now();
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.stop(now, 143, false);
        }
        self.changed(id);
        self.point(Op::Down, "done").await;
        Ok(())
    }

    async fn remove(&self, id: WorkspaceId) -> Result<()> {
        self.enter(Op::Remove).await?;
        if let Some(pod) = self.world().pods.get_mut(&id) {
            pod.containers.clear();
            pod.named.clear();
        }
        self.point(Op::Remove, "volumes").await;
        self.world().pods.remove(&id);
        self.changed(id);
        self.point(Op::Remove, "done").await;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<(WorkspaceId, Observed)>> {
        self.enter(Op::List).await?;
        let world = self.world();
        Ok(world.pods.iter().filter(|(_, pod)| !pod.is_empty()).map(|(id, pod)| (*id, pod.observed())).collect())
    }

    async fn upload(&self, id: WorkspaceId, folder: &str, tar: ByteStream) -> Result<()> {
        self.enter(Op::Upload).await?;
        self.present(id, |_| ())?;
        let files = archive::read(tar).await.map_err(|error| RuntimeError::Refused(error.to_string()))?;
        self.point(Op::Upload, "files").await;
        self.present(id, |pod| {
            for (path, entry) in files {
                pod.put(&format!("{folder}/{path}"), entry);
            }
        })?;
        self.point(Op::Upload, "done").await;
        Ok(())
    }

    async fn download(&self, id: WorkspaceId, path: &str) -> Result<Option<ByteStream>> {
        self.enter(Op::Download).await?;
        let (files, mount) = self.present(id, |pod| (pod.below(path), pod.is_mount(path)))?;
        if files.is_empty() && !mount {
            return Ok(None);
        }
        let name = super::pod::normal(path).rsplit('/').next().unwrap_or_default().to_owned();
        let bytes = archive::pack(&name, &files).map_err(|error| RuntimeError::Refused(error.to_string()))?;
        Ok(Some(futures::stream::iter([Ok(bytes.into())]).boxed()))
    }

    async fn exec(&self, id: WorkspaceId, exec: Exec) -> Result<Process> {
        self.enter(Op::Exec).await?;
        self.running(id, |pod| {
            if exec.tty.is_some() {
                pod.terminal = exec.tty;
            }
        })?;
        self.point(Op::Exec, "start").await;
        let (process, answer) = {
            let hooks = self.hooks();
            (hooks.process.clone(), hooks.exec.clone())
        };
        if let Some(process) = process.and_then(|hook| hook(id, &exec)) {
            return Ok(process);
        }
        let tty = exec.tty.is_some();
        if let Some(answer) = answer.and_then(|hook| hook(id, &exec)) {
            return Ok(stream::answered(self, id, answer, tty, exec.stdin));
        }
        if command::is_echo(&exec) {
            return Ok(stream::echo(self, id));
        }
        let answer = self.running(id, |pod| command::run(pod, &exec))?;
        Ok(stream::answered(self, id, answer, tty, exec.stdin))
    }

    async fn output(&self, id: WorkspaceId, lines: usize) -> Result<String> {
        self.enter(Op::Output).await?;
        self.present(id, |pod| {
            let skip = pod.output.len().saturating_sub(lines);
            pod.output[skip..].iter().map(|line| format!("{line}\n")).collect()
        })
    }

    async fn dial(&self, id: WorkspaceId, port: u16) -> Result<Box<dyn Duplex>> {
        self.enter(Op::Dial).await?;
        let listens = self.running(id, |pod| pod.listens(port))?;
        let hook = self.hooks().dial.clone();
        if let Some(stream) = hook.and_then(|hook| hook(id, port)) {
            return Ok(stream);
        }
        if !listens {
            return Err(RuntimeError::NoListener(port));
        }
        Ok(Box::new(stream::http(port)))
    }

    fn events(&self) -> BoxStream<'static, RuntimeEvent> {
        let events = BroadcastStream::new(self.shared.events.subscribe());
        events.map(|event| event.unwrap_or(RuntimeEvent::Lost)).boxed()
    }
}

impl Fake {
    fn live<T>(&self, id: WorkspaceId, change: impl FnOnce(&mut super::pod::Pod) -> T) -> Result<T> {
        self.present(id, |pod| match pod.main() {
            Some(ContainerState::Down { .. }) | None => Err(RuntimeError::Gone),
            _ => Ok(change(pod)),
        })?
    }

    fn image_of(&self, text: &str, labels: BTreeMap<String, String>) -> ImageInfo {
        ImageInfo {
            id: format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes()))),
            env: BTreeMap::from([(
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            )]),
            labels,
            command: vec!["bash".to_owned()],
            arch: if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }.to_owned(),
            ..ImageInfo::default()
        }
    }
}
