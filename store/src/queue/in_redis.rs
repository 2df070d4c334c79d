//! The queue in Redis, for several processes on several machines.

use std::sync::Arc;
use std::time::Duration;

use apalis_redis::{Client, Config, ConnectionManager, RedisError, RedisStorage};
use futures::StreamExt as _;
use tokio::sync::Notify;

use super::{HEARTBEAT, MISSED, Ring};

/// Between tries to hear again.
const PAUSE: Duration = Duration::from_secs(1);

/// The queue, and the channel on which idle workers are woken: apalis itself would look once a heartbeat.
#[derive(Debug)]
pub(super) struct InRedis {
    pub(super) storage: RedisStorage<Ring>,
    client: Client,
    channel: String,
}

impl InRedis {
    /// Connects. Several installations may share one Redis.
    pub(super) async fn open(url: &str, installation: &str) -> Result<Self, RedisError> {
        let config = Config::default()
            .queue(format!("steading:{installation}"))
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED);
        let client = Client::open(url)?;
        let storage = RedisStorage::new(client.get_connection_manager().await?).with_config(config);
        Ok(Self { storage, client, channel: format!("steading:{installation}:rung") })
    }

    /// Wakes idle workers. They look by themselves soon, so nothing depends on it.
    pub(super) async fn wake(&self) {
        let mut redis = self.storage.clone().get_connection().clone();
        let told = redis::cmd("PUBLISH").arg(&self.channel).arg("").query_async::<()>(&mut redis).await;
        if let Err(error) = told {
            tracing::debug!(%error, "idle workers could not be woken");
        }
    }

    /// Passes on what [`InRedis::wake`] says, for ever.
    pub(super) async fn hear(&self, woken: Arc<Notify>) {
        loop {
            if let Err(error) = self.listen(&woken).await {
                tracing::debug!(%error, "Redis does not say when somebody rings");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn listen(&self, woken: &Notify) -> Result<(), RedisError> {
        let mut redis = self.client.get_async_pubsub().await?;
        redis.subscribe(&self.channel).await?;
        // Something may have been rung before.
        woken.notify_one();
        let mut rings = redis.on_message();
        while rings.next().await.is_some() {
            woken.notify_one();
        }
        Ok(())
    }

    /// apalis keeps what was done for ever, and its own `vacuum` forgets jobs that are to be tried again.
    pub(super) async fn prune(&self) -> Result<(), RedisError> {
        let mut storage = self.storage.clone();
        let config = storage.get_config().clone();
        forget_done(storage.get_connection(), &config).await
    }
}

async fn forget_done(redis: &mut ConnectionManager, config: &Config) -> Result<(), RedisError> {
    let (data, meta) = (config.job_data_hash(), config.job_meta_hash());
    for set in [config.done_jobs_set(), config.dead_jobs_set()] {
        loop {
            let ids: Vec<String> = redis::cmd("SPOP").arg(&set).arg(500).query_async(redis).await?;
            if ids.is_empty() {
                break;
            }
            let mut pipe = redis::pipe();
            pipe.cmd("HDEL").arg(&data).arg(&ids).ignore();
            pipe.cmd("HDEL").arg(format!("{meta}:result")).arg(&ids).ignore();
            for id in &ids {
                pipe.cmd("DEL").arg(format!("{meta}:{id}")).ignore();
            }
            pipe.query_async::<()>(redis).await?;
        }
    }
    Ok(())
}
