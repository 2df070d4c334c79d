//! Answers kept for a moment: bounded, one question at a time for each key, and good for a while longer
//! when nobody answers any more.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::time::timeout;

/// How long answers are good for, and how long an asker waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// An answer is given again without asking for this long.
    pub fresh: Duration,
    /// An older one still serves for this long while nobody answers.
    pub stale: Duration,
    /// How long to wait for an answer when there is none.
    pub first: Duration,
    /// How long to wait for a newer one when there is an older one.
    pub again: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(5),
            stale: Duration::from_secs(60),
            first: Duration::from_secs(3),
            again: Duration::from_millis(250),
        }
    }
}

/// Nobody answered in time, or the answer was an error.
#[derive(Debug)]
pub struct Unanswered;

struct Held<V> {
    value: V,
    /// When it was asked for.
    at: Instant,
    /// When to ask again.
    until: Instant,
}

struct Slot<V> {
    held: Mutex<Option<Held<V>>>,
    /// Whoever holds it asks; the others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
}

/// A bounded set of answers, the least recently used of which is forgotten first.
pub struct Cache<K, V> {
    slots: Mutex<LruCache<K, Arc<Slot<V>>>>,
    patience: Patience,
}

/// A lock that outlives a panic elsewhere: what it guards is never left half-written.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub fn new(size: NonZeroUsize, patience: Patience) -> Self {
        Self { slots: Mutex::new(LruCache::new(size)), patience }
    }

    /// The answer for a key, asked for with `ask` unless a fresh one is there.
    pub async fn get<E>(&self, key: &K, ask: impl Future<Output = Result<V, E>>) -> Result<V, Unanswered> {
        let slot = self.slot(key);
        let now = Instant::now();
        let old = match lock(&slot.held).as_ref() {
            Some(held) if now < held.until => return Ok(held.value.clone()),
            Some(held) if now < held.at + self.patience.stale => Some(held.value.clone()),
            _ => None,
        };
        let wait = if old.is_some() { self.patience.again } else { self.patience.first };
        let asked = timeout(wait, async {
            let _turn = slot.turn.lock().await;
            let now = Instant::now();
            if let Some(held) = lock(&slot.held).as_ref().filter(|h| now < h.until) {
                return Ok(held.value.clone());
            }
            let value = ask.await?;
            *lock(&slot.held) = Some(Held { value: value.clone(), at: now, until: now + self.patience.fresh });
            Ok::<V, E>(value)
        });
        match (asked.await, old) {
            (Ok(Ok(value)), _) => Ok(value),
            (_, Some(value)) => {
                // Nobody else has to wait for the same silence for a moment.
                if let Some(held) = lock(&slot.held).as_mut() {
                    held.until = held.until.max(Instant::now() + Duration::from_secs(1));
                }
                Ok(value)
            }
            (_, None) => Err(Unanswered),
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot { held: Mutex::new(None), turn: tokio::sync::Mutex::new(()) });
        slots.put(key.clone(), Arc::clone(&slot));
        slot
    }

    /// Forgets some answers. A question under way is answered to those who wait, and not kept.
    pub fn forget(&self, which: impl Fn(&V) -> bool) {
        let mut slots = lock(&self.slots);
        let gone: Vec<K> = slots
            .iter()
            .filter(|(_, slot)| lock(&slot.held).as_ref().is_none_or(|held| which(&held.value)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            slots.pop(&key);
        }
    }

    /// Asks again for everything the next time it is wanted, but goes on serving if nobody answers.
    pub fn doubt(&self) {
        let now = Instant::now();
        for (_, slot) in lock(&self.slots).iter() {
            if let Some(held) = lock(&slot.held).as_mut() {
                held.until = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const QUICK: Patience = Patience {
        fresh: Duration::from_millis(40),
        stale: Duration::from_millis(400),
        first: Duration::from_millis(100),
        again: Duration::from_millis(20),
    };

    fn cache(patience: Patience) -> Cache<u8, u32> {
        Cache::new(NonZeroUsize::new(4).unwrap(), patience)
    }

    #[tokio::test]
    async fn many_askers_ask_once() {
        let cache = cache(Patience::default());
        let asked = AtomicU32::new(0);
        let ask = || async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, ()>(asked.fetch_add(1, Ordering::Relaxed))
        };
        let answers = futures::future::join_all((0..50).map(|_| cache.get(&1, ask()))).await;
        assert!(answers.iter().all(|a| matches!(a, Ok(0))));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_old_answer_serves_through_silence_but_not_for_ever() {
        let cache = cache(QUICK);
        assert_eq!(cache.get(&1, async { Ok::<_, ()>(7) }).await.unwrap(), 7);
        tokio::time::sleep(QUICK.fresh).await;
        assert_eq!(cache.get(&1, std::future::pending::<Result<_, ()>>()).await.unwrap(), 7);
        assert_eq!(cache.get(&1, async { Err(()) }).await.unwrap(), 7);
        assert!(cache.get(&2, std::future::pending::<Result<_, ()>>()).await.is_err());
    }

    #[tokio::test]
    async fn what_is_forgotten_is_asked_again() {
        let cache = cache(Patience::default());
        for key in [1, 2] {
            cache.get(&key, async { Ok::<_, ()>(u32::from(key)) }).await.unwrap();
        }
        cache.forget(|v| *v == 1);
        assert_eq!(cache.get(&1, async { Ok::<_, ()>(10) }).await.unwrap(), 10);
        assert_eq!(cache.get(&2, async { Ok::<_, ()>(20) }).await.unwrap(), 2);
        cache.doubt();
        assert_eq!(cache.get(&2, async { Ok::<_, ()>(20) }).await.unwrap(), 20);
        cache.doubt();
        assert_eq!(cache.get(&2, async { Err(()) }).await.unwrap(), 20);
    }
}
