//! All hits of queries, page by page, as the indices are at one moment.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Answer, Call, Cluster, ClusterError, Method, Product, encoded};
use crate::backoff::Backoff;

/// Documents of a page: some MB.
const PAGE: u64 = 2000;

/// How long the server keeps the moment between two pages.
const KEEP_ALIVE: &str = "5m";

/// What hits are sorted by, where pages go on after the last one's.
const UNIQUE: &str = "document_id";

/// Indices at one moment.
pub(crate) struct Search<'a> {
    cluster: &'a Cluster,
    /// Their names in a path.
    indices: String,
    moment: Moment,
    /// How long the server may do nothing.
    patience: Duration,
}

/// How the server keeps it.
enum Moment {
    /// By its id; `sort` is a field with a value of its own in every document.
    PointInTime { id: String, sort: String },
    /// A scroll for each query, begun with it: what older servers have.
    Scroll,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(alias = "_scroll_id")]
    pit_id: Option<String>,
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
        let call = Call::post(format!("{indices}/_refresh"));
        match cluster.expect(call, "refresh the index").await {
            Err(error) if error.is_retryable() => return Err(error),
            _ => {}
        }
        let mut search = Self {
            cluster,
            indices,
            moment: Moment::Scroll,
            patience,
        };
        let (path, member) = match cluster.product() {
            Product::OpenSearch { major, minor } if (major, minor) >= (2, 4) => {
                ("_search/point_in_time", "pit_id")
            }
            Product::Elasticsearch { major: 8.., .. } => ("_pit", "id"),
            _ => return Ok(search),
        };
        let what = "keep the index's present state";
        let path = format!("{}/{path}?keep_alive={KEEP_ALIVE}", search.indices);
        let answer = cluster.expect(Call::post(path), what).await?;
        let answer = answer.json(what)?;
        let id = answer.get(member).and_then(Value::as_str);
        let id = id.ok_or_else(|| incomplete(format!("it keeps no state: {answer}")))?;
        search.moment = Moment::PointInTime {
            id: id.to_owned(),
            sort: search.unique_field().await?,
        };
        Ok(search)
    }

    /// The keyword field of documents' ids: a server that made up the mappings itself has it
    /// beside a text.
    async fn unique_field(&self) -> Result<String, ClusterError> {
        let what = "ask for the index's fields";
        let path = format!("{}/_field_caps?fields={UNIQUE}", self.indices);
        let answer = self.cluster.expect(Call::get(path), what).await?;
        let answer = answer.json(what)?;
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
        query: &Value,
        mut take: impl FnMut(&[&RawValue]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let (mut taken, mut after, mut scroll) = (0, None, None);
        loop {
            let call = self.call(query, after.as_ref(), scroll.as_deref());
            let answer = self.page(call, scroll.is_some()).await?;
            let page = parse(&answer)?;
            match &mut self.moment {
                Moment::PointInTime { id, .. } => *id = page.pit_id.unwrap_or(id.clone()),
                Moment::Scroll => scroll = page.pit_id.or(scroll),
            }
            let documents: Vec<&RawValue> = page.hits.hits.iter().map(|hit| hit.source).collect();
            if documents.is_empty() {
                if let Some(scroll) = scroll {
                    let ended = json!({ "scroll_id": scroll });
                    let call = Call::json(Method::Delete, "_search/scroll", &ended);
                    // It ends by itself soon.
                    drop(self.cluster.send(call).await);
                }
                let counted = page.hits.total.value;
                return if taken == counted {
                    Ok(taken)
                } else {
                    Err(incomplete(format!("{taken} of {counted} documents came")).into())
                };
            }
            taken += documents.len() as u64;
            after = page.hits.hits.last().map(|hit| hit.sort.clone());
            take(&documents)?;
        }
    }

    fn call(&self, query: &Value, after: Option<&Value>, scroll: Option<&str>) -> Call {
        let (path, body) = match (&self.moment, scroll) {
            (Moment::PointInTime { id, sort }, _) => {
                let mut body = json!({
                    "query": query, "size": PAGE, "track_total_hits": true,
                    "pit": { "id": id, "keep_alive": KEEP_ALIVE }, "sort": [{ (sort): "asc" }]
                });
                if let (Some(after), Some(body)) = (after, body.as_object_mut()) {
                    body.insert("search_after".to_owned(), after.clone());
                }
                ("_search".to_owned(), body)
            }
            (Moment::Scroll, None) => (
                format!("{}/_search?scroll={KEEP_ALIVE}", self.indices),
                json!({
                    "query": query, "size": PAGE, "track_total_hits": true, "sort": ["_doc"]
                }),
            ),
            (Moment::Scroll, Some(id)) => (
                "_search/scroll".to_owned(),
                json!({ "scroll": KEEP_ALIVE, "scroll_id": id }),
            ),
        };
        Call::json(Method::Post, path, &body)
    }

    /// One page; asks again for a while, but for the next page of a scroll: it may be the one
    /// after it that would come.
    async fn page(&self, call: Call, is_next: bool) -> Result<Answer, ClusterError> {
        let until = Instant::now() + self.patience;
        let mut backoff = Backoff::default();
        loop {
            let answer = self
                .cluster
                .expect(call.clone(), "read the documents")
                .await;
            let Err(error) = answer else { return answer };
            let wait = backoff.next(None, fastrand::f64());
            if is_next || !error.is_retryable() || Instant::now() + wait > until {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Lets the moment go.
    pub(crate) async fn close(self) {
        let Moment::PointInTime { id, .. } = self.moment else {
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
        0 => Ok(page),
        failed => Err(incomplete(format!("{failed} shards failed"))),
    }
}

fn incomplete(reason: String) -> ClusterError {
    ClusterError::Incomplete { reason }
}
