use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};
struct Count(u64);
impl Consumer for Count { type Error = std::convert::Infallible;
 fn requests(&mut self, r: Vec<Request>) -> Result<(), Self::Error> { self.0 += r.len() as u64; Ok(()) }
 fn summary(&mut self, _: Summary) -> Result<(), Self::Error> { Ok(()) } }
fn main() { let p = std::env::args().nth(1).unwrap(); let mut c = Count(0);
 let t=std::time::Instant::now();
 let o = read(Source::path(&p), &RunContext::default(), &ReadOptions::default(), &mut c).unwrap();
 let s = t.elapsed().as_secs_f64(); println!("{} {:.3}s {:.0} MB/s {:?}", c.0, s, std::fs::metadata(&p).unwrap().len() as f64/1e6/s, o.generation); }
