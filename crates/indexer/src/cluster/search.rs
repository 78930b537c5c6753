//! All hits of queries, page by page, as the indices are at one moment.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Answer, Call, Cluster, ClusterError, Method, Product, encoded};
use crate::backoff::Backoff;
use crate::tell;

/// Documents of a page: some MB.
const PAGE: u64 = 2000;

/// How long the server keeps the moment between two pages.
const KEEP_ALIVE: &str = "5m";

/// What hits of ours are sorted by, so that those of one document follow each other, and pages go on
/// after the last one's. Behind an alias, several indices may have a document.
const UNIQUE: &str = "document_id";

/// Indices at one moment.
pub(crate) struct Search<'a> {
    cluster: &'a Cluster,
    /// Their names in a path.
    indices: String,
    moment: Moment,
    /// The keyword field of [`UNIQUE`].
    unique: String,
    /// How long the server may do nothing.
    patience: Duration,
}

/// How the server keeps it.
enum Moment {
    /// By its id.
    PointInTime(String),
    /// A scroll for each query, begun with it: what older servers have.
    Scroll,
}

/// Whose documents are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Ours, each of which has an id as a field. Of several with the same one, one is taken: of the
    /// index whose name is the last.
    Ours,
    /// kube-burner's as well, which need not have one.
    #[cfg_attr(
        not(feature = "store"),
        expect(dead_code, reason = "these are fetched into a store")
    )]
    Anybody,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(alias = "_scroll_id", alias = "pit_id")]
    id: Option<String>,
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Shards {
    #[serde(default)]
    failed: u64,
}

#[derive(Deserialize)]
struct Hits<'a> {
    total: Total,
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(rename = "_source", borrow)]
    source: &'a RawValue,
    #[serde(default)]
    sort: Value,
}

impl<'a> Search<'a> {
    /// Keeps the present moment of some indices.
    pub(crate) async fn open(
        cluster: &'a Cluster,
        indices: &[&str],
        patience: Duration,
    ) -> Result<Self, ClusterError> {
        let indices: Vec<String> = indices.iter().map(|index| encoded(index)).collect();
        // A comma, encoded like the rest: signatures are of the encoded form.
        let indices = indices.join("%2C");
        // What was just indexed is to be found as well; who may only read has to wait for it.
        let refresh = Call::post(format!("{indices}/_refresh"));
        let mut search = Self {
            cluster,
            indices,
            moment: Moment::Scroll,
            unique: String::new(),
            patience,
        };
        match search.ask(&refresh, "refresh the index", |_| Ok(())).await {
            Err(error) if error.is_retryable() => return Err(error),
            _ => {}
        }
        search.unique = search.unique_field().await?;
        let (path, member) = match cluster.product() {
            Product::OpenSearch { major, minor } if (major, minor) >= (2, 4) => {
                ("_search/point_in_time", "pit_id")
            }
            Product::Elasticsearch { major: 8.., .. } => ("_pit", "id"),
            _ => return Ok(search),
        };
        let what = "keep the index's present state";
        let path = format!("{}/{path}?keep_alive={KEEP_ALIVE}", search.indices);
        let json = |answer: &Answer| answer.json(what);
        let answer = search.ask(&Call::post(path), what, json).await?;
        let id = answer.get(member).and_then(Value::as_str);
        let id = id.ok_or_else(|| incomplete(format!("it keeps no state: {answer}")))?;
        search.moment = Moment::PointInTime(id.to_owned());
        Ok(search)
    }

    /// The keyword field of documents' ids: a server that made up the mappings itself has it
    /// beside a text.
    async fn unique_field(&self) -> Result<String, ClusterError> {
        let what = "ask for the index's fields";
        let path = format!("{}/_field_caps?fields={UNIQUE}", self.indices);
        let json = |answer: &Answer| answer.json(what);
        let answer = self.ask(&Call::get(path), what, json).await?;
        let is_keyword = answer.pointer(&format!("/fields/{UNIQUE}/keyword"));
        Ok(match is_keyword {
            Some(_) => UNIQUE.to_owned(),
            None => format!("{UNIQUE}.keyword"),
        })
    }

    /// Calls `take` with the documents of each page of hits; returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of `take`; and if the server fails, or does not give as many hits as it counts.
    pub(crate) async fn for_each<E: From<ClusterError>>(
        &mut self,
        of: Of,
        query: &Value,
        mut take: impl FnMut(&[&RawValue]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let scrolls = self.scrolls(of);
        let (mut hits, mut taken, mut after, mut scroll) = (0, 0, Value::Null, None);
        let mut waiting = Waiting::new(self.patience);
        loop {
            let call = match &self.moment {
                Moment::PointInTime(id) if !scrolls => self.next_page(id, query, &after),
                _ => self.next_of_scroll(of, query, scroll.as_deref()),
            };
            let answer = match self.cluster.expect(call, "read the documents").await {
                Ok(answer) => answer,
                Err(error) => {
                    waiting.bear(error).await?;
                    continue;
                }
            };
            let page = match parse(&answer) {
                Ok(page) => page,
                Err(error) => {
                    waiting.bear(error).await?;
                    continue;
                }
            };
            match &mut self.moment {
                Moment::PointInTime(id) if !scrolls => *id = page.id.unwrap_or(id.clone()),
                _ => scroll = page.id.or(scroll),
            }
            // The next page of a scroll is asked for once: it may be the one after it that would come.
            waiting = Waiting::new(scroll.as_ref().map_or(self.patience, |_| Duration::ZERO));
            if page.hits.hits.is_empty() {
                if let Some(scroll) = scroll {
                    let ended = json!({ "scroll_id": scroll });
                    let call = Call::json(Method::Delete, "_search/scroll", &ended);
                    // It ends by itself soon.
                    drop(self.cluster.send(call).await);
                }
                let counted = page.hits.total.value;
                return if hits == counted {
                    Ok(taken)
                } else {
                    Err(incomplete(format!("{hits} of {counted} documents came")).into())
                };
            }
            hits += page.hits.hits.len() as u64;
            let mut documents = Vec::new();
            for Hit { source, sort } in page.hits.hits {
                let id = |sort: &Value| sort.get(0).and_then(Value::as_str).map(str::to_owned);
                let is_another = id(&sort).is_none() || id(&sort) != id(&after);
                documents.extend(is_another.then_some(source));
                after = sort;
            }
            taken += documents.len() as u64;
            take(&documents)?;
        }
    }

    /// Whether the server goes through hits by a scroll: it has nothing else, or hits of one
    /// place in the order are not told apart where pages begin. Elasticsearch does that by itself.
    fn scrolls(&self, of: Of) -> bool {
        match (&self.moment, self.cluster.product(), of) {
            (Moment::Scroll, ..) | (_, Product::OpenSearch { .. }, Of::Anybody) => true,
            (Moment::PointInTime(_), ..) => false,
        }
    }

    fn sort(&self) -> Value {
        json!([
            { (&*self.unique): { "order": "asc", "unmapped_type": "keyword" } },
            { "_index": "desc" },
        ])
    }

    fn next_page(&self, id: &str, query: &Value, after: &Value) -> Call {
        let mut body = json!({
            "query": query, "size": PAGE, "track_total_hits": true,
            "pit": { "id": id, "keep_alive": KEEP_ALIVE }, "sort": self.sort()
        });
        if let (false, Some(body)) = (after.is_null(), body.as_object_mut()) {
            body.insert("search_after".to_owned(), after.clone());
        }
        Call::json(Method::Post, "_search", &body)
    }

    fn next_of_scroll(&self, of: Of, query: &Value, scroll: Option<&str>) -> Call {
        let Some(id) = scroll else {
            let path = format!("{}/_search?scroll={KEEP_ALIVE}", self.indices);
            let sort = match of {
                Of::Ours => self.sort(),
                Of::Anybody => json!(["_doc"]),
            };
            let body =
                json!({ "query": query, "size": PAGE, "track_total_hits": true, "sort": sort });
            return Call::json(Method::Post, path, &body);
        };
        let body = json!({ "scroll": KEEP_ALIVE, "scroll_id": id });
        Call::json(Method::Post, "_search/scroll", &body)
    }

    /// What `read` finds in an answer; asks again for a while, where that fails.
    async fn ask<T>(
        &self,
        call: &Call,
        what: &str,
        read: impl Fn(&Answer) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let mut waiting = Waiting::new(self.patience);
        loop {
            let answer = self.cluster.expect(call.clone(), what).await;
            match answer.and_then(|answer| read(&answer)) {
                Ok(found) => return Ok(found),
                Err(error) => waiting.bear(error).await?,
            }
        }
    }

    /// Lets the moment go.
    pub(crate) async fn close(self) {
        let Moment::PointInTime(id) = self.moment else {
            return;
        };
        let (path, body) = match self.cluster.product() {
            Product::OpenSearch { .. } => ("_search/point_in_time", json!({ "pit_id": [id] })),
            Product::Elasticsearch { .. } => ("_pit", json!({ "id": id })),
        };
        // It ends by itself soon.
        drop(
            self.cluster
                .send(Call::json(Method::Delete, path, &body))
                .await,
        );
    }
}

fn parse(answer: &Answer) -> Result<Page<'_>, ClusterError> {
    let page: Page<'_> = serde_json::from_slice(&answer.body)
        .map_err(|error| incomplete(format!("its answer is not one: {error}")))?;
    match page.shards.failed {
        0 if page.timed_out => Err(incomplete("it took too long".to_owned())),
        0 => Ok(page),
        failed => Err(incomplete(format!("{failed} shards failed"))),
    }
}

/// Asking for the same again, as long as there is time.
struct Waiting {
    patience: Duration,
    until: Instant,
    backoff: Backoff,
    told: bool,
}

impl Waiting {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            until: Instant::now() + patience,
            backoff: Backoff::default(),
            told: false,
        }
    }

    /// Waits until it makes sense to ask again, and tells of it once; fails with the error if it makes
    /// none any more.
    async fn bear(&mut self, error: ClusterError) -> Result<(), ClusterError> {
        // A server that is busy, or that moves a shard.
        let passes = error.is_retryable() || matches!(error, ClusterError::Incomplete { .. });
        let left = self.until.saturating_duration_since(Instant::now());
        if !passes || left.is_zero() {
            return Err(error);
        }
        if !self.told {
            let patience = humantime::format_duration(self.patience);
            tell(&format!("warning: {error}; trying again for {patience}"));
            self.told = true;
        }
        let wait = self.backoff.next(None, fastrand::f64()).min(left);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

fn incomplete(reason: String) -> ClusterError {
    ClusterError::Incomplete { reason }
}
