//! The store when its writer is killed, interrupted, or not alone.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests may fail as tests do"
)]

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{INDEXER, errors, files, fixture, grown, run};

fn index(folder: &Path, report: &Path) -> Child {
    let mut command = Command::new(INDEXER);
    command.current_dir(folder).arg("index").arg(report);
    command.args(["--store", "s", "--uuid", "u", "-q"]);
    let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Name and content of each file of a store.
fn contents(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let relative = |path: &Path| path.strip_prefix(store).unwrap().to_path_buf();
    files(store)
        .iter()
        .map(|path| (relative(path), fs::read(path).unwrap()))
        .collect()
}

fn staging(store: &Path) -> usize {
    let Ok(entries) = fs::read_dir(store) else {
        return 0;
    };
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with(".staging"))
        .count()
}

fn wait_for_staging(store: &Path) {
    let began = Instant::now();
    while staging(store) == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing staged");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_at_any_moment_it_leaves_whole_benchmarks_and_one_copy() {
    let folder = tempfile::tempdir().unwrap();
    let report = grown(folder.path(), 300);
    let whole = tempfile::tempdir().unwrap();
    let began = Instant::now();
    assert!(index(whole.path(), &report).wait().unwrap().success());
    let usual = began.elapsed();
    let expected = contents(&whole.path().join("s"));
    assert_eq!(expected.len(), 6);
    let store = folder.path().join("s");
    let mut killed = 0;
    for moment in 0..24 {
        let mut child = index(folder.path(), &report);
        std::thread::sleep(usual * moment / 20);
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal() == Some(9));
        // What has its name has its content, and a summary has its requests.
        let found = contents(&store);
        let placed: Vec<_> = found
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|it| it == "parquet"))
            .collect();
        assert!(placed.iter().all(|file| expected.contains(file)));
        let of = |kind: &str| {
            placed
                .iter()
                .filter(|(path, _)| path.starts_with(kind))
                .count()
        };
        assert!(of("summaries") <= of("requests"));
    }
    assert!(killed >= 8, "only {killed} were killed in time");
    assert!(index(folder.path(), &report).wait().unwrap().success());
    assert_eq!(contents(&store), expected);
}

#[test]
fn several_at_once_leave_one_copy() {
    let folder = tempfile::tempdir().unwrap();
    let report = grown(folder.path(), 50);
    let mut children: Vec<Child> = (0..6).map(|_| index(folder.path(), &report)).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let store = folder.path().join("s");
    assert_eq!(files(&store).len(), 6);
    assert_eq!(staging(&store), 0);
    let output = run(folder.path(), &["summary", "--store", "s", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 3);
}

#[test]
fn interrupted_it_clears_up_and_dies_of_the_signal() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let folder = tempfile::tempdir().unwrap();
        // It waits for the rest of standard input, with its folder staged.
        let mut child = index(folder.path(), Path::new("-"));
        let text = fs::read(fixture("reports/0.8.1/constant_mixed.json")).unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&text[..text.len() / 2]).unwrap();
        let store = folder.path().join("s");
        wait_for_staging(&store);
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(child.id().to_string())
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(fs::read_dir(&store).unwrap().count(), 0, "{name}");
        drop(input);
    }
}

#[test]
fn an_output_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(INDEXER);
    command
        .current_dir(folder.path())
        .args(["index", "-", "-o", "documents.json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // Its end would be one of the report, sooner than the signal.
    let _input = child.stdin.take();
    let began = Instant::now();
    while fs::read_dir(folder.path()).unwrap().count() == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "no temporary file"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!folder.path().join("documents.json").exists());
    let sent = Command::new("kill").arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A file system of one MiB, where the tests may make one.
fn on_a_small_disk(script: &str, report: &Path) -> Option<std::process::Output> {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m none . || exit 77; cd .; ";
    let output = Command::new("unshare")
        .args([
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            &format!("{mount}{script}"),
        ])
        .current_dir(folder.path())
        .env("INDEXER", INDEXER)
        .env("REPORT", report)
        .output()
        .ok()?;
    let possible = output.status.code() != Some(77) && !errors(&output).starts_with("unshare:");
    possible.then_some(output)
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let report = grown(folder.path(), 500);
    let script = "cd $PWD; \"$INDEXER\" index \"$REPORT\" --store s; code=$?; find s; exit $code";
    let Some(output) = on_a_small_disk(script, &report) else {
        eprintln!("skipped: this user may not mount a tmpfs");
        return;
    };
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(errors(&output).contains("is the disk full?"), "{output:?}");
    assert!(errors(&output).contains("No space left"), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "s\n");
}

#[test]
fn a_full_output_device_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let report = report.to_str().unwrap();
    let output = run(folder.path(), &["index", report, "-o", "/dev/full", "-q"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(errors(&output).contains("/dev/full"), "{output:?}");
    assert!(errors(&output).contains("No space left"), "{output:?}");
}

#[test]
fn a_folder_without_rights_is_a_clear_error() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let report = folder.path().join("report.json");
    fs::copy(fixture("reports/0.8.1/constant_mixed.json"), &report).unwrap();
    // A copy where anybody may run it; for the superuser there is no folder without rights.
    let binary = folder.path().join("indexer");
    fs::copy(INDEXER, &binary).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.current_dir(folder.path()).args(arguments);
        if fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
        {
            command.uid(65534).gid(65534);
        }
        command.output().unwrap()
    };
    let output = as_nobody(&["index", "closed", "-o", "-"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        errors(&output).starts_with("error: closed: cannot list it"),
        "{output:?}"
    );
    let output = as_nobody(&["index", "report.json", "--store", "closed/s"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        errors(&output).contains("closed/s: cannot open the store"),
        "{output:?}"
    );
    // The other reports go on.
    let output = as_nobody(&["index", "closed", "report.json", "-o", "-"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stdout.is_empty());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}
