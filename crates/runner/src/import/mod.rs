//! Configs of kube-burner, turned into suites.
//!
//! A config is a Go template that becomes YAML; so are the templates of its objects. Both are read as
//! trees (`go`), and as YAML with one character for each construct (`skeleton`, `yaml`); what constructs
//! say becomes expressions (`translate`). Of the config comes a suite: its variables, conditions and
//! lists (`config`, `branches`, `suite`). Of a template comes one of this project (`manifest`, `finish`).

mod branches;
mod command;
mod config;
mod edits;
mod expression;
mod fields;
mod finish;
mod functions;
mod go;
mod jobs;
mod load;
mod loops;
mod manifest;
mod names;
mod objects;
mod out;
mod profile;
mod reading;
mod scenario;
mod skeleton;
mod source;
mod suite;
mod templates;
mod translate;
mod values;
mod vars;
mod walk;
mod written;
mod yaml;

pub use command::{Arguments, EXAMPLES, Imported, import, run};
pub use source::Finding;
