//! Changes: what diffs do, what is excluded, and whole incidents of made-up systems in several domains.

use super::Changes;
use super::deeds::deeds;
use super::diff::Diff;
use super::files::{FileKind, kind_of};
use super::outside;
use super::signs;
use super::traits::{Complaint, Deed, complaints};
use super::words::{parts, stem, telling};
use crate::engine::root_cause::case::{Case, CaseChange, CaseChangeKind, Column, LogRow, MetricTable, Span, Symptom};
use crate::engine::root_cause::fixtures;
use crate::engine::root_cause::picture::graph::Graph;
use crate::engine::root_cause::picture::logs::Logs;
use crate::engine::root_cause::picture::traces::Traces;

#[test]
fn words_of_one_root_are_one_and_common_ones_say_nothing() {
    for (one, other) in
        [("expired", "expiry"), ("validation", "validate"), ("batches", "batching"), ("cached", "caches")]
    {
        let same =
            stem(one) == stem(other) || stem(one).starts_with(&stem(other)) || stem(other).starts_with(&stem(one));
        assert!(same, "{one} {other}: {} {}", stem(one), stem(other));
    }
    assert_eq!(parts("maxConns_v2/HTTPCode"), ["max", "conns", "v2", "httpcode"]);
    assert_eq!(telling("return err; // the response of 42 deadbeef01"), Vec::<String>::new());
    assert!(telling("leeway := 120").contains(&stem("leeway")));
}

#[test]
fn a_quantity_that_changes_is_read_with_its_unit() {
    for (diff, before, after) in [
        ("-\tctx := WithTimeout(ctx, 5*time.Second)\n+\tcallCtx := WithTimeout(ctx, 300*time.Millisecond)", 5.0, 0.3),
        ("-  ttl: 10m\n+  ttl: 5s", 600.0, 5.0),
        ("-  sample_rate: 0.1\n+  sample_rate: 1.0", 0.1, 1.0),
        ("-    memory: 1Gi\n+    memory: 256Mi", 1_073_741_824.0, 268_435_456.0),
        ("-const THREADS = 64;\n+const THREADS = 8;", 64.0, 8.0),
    ] {
        let quantities = Diff::read(diff).quantities;
        assert_eq!(quantities.len(), 1, "{diff}: {quantities:?}");
        assert!(
            (quantities[0].before - before).abs() < 1e-9 && (quantities[0].after - after).abs() < 1e-9,
            "{quantities:?}"
        );
    }
    assert_eq!(Diff::read("-a = 5\n+a = 5").quantities, []);
}

#[test]
fn what_changes_nothing_that_runs_is_known() {
    for (path, kind) in [
        ("docs/flags.md", FileKind::Idle),
        ("pkg/sku/parse_fuzz_test.go", FileKind::Idle),
        (".github/workflows/build.yml", FileKind::Idle),
        ("src/test/java/BasketTest.java", FileKind::Idle),
        ("web/src/pages/Settings.css", FileKind::Style),
        ("go.sum", FileKind::Dependencies),
        ("charts/booking/values.yaml", FileKind::Settings),
        ("pkg/db/pool.go", FileKind::Code),
        ("", FileKind::Code),
    ] {
        assert_eq!(kind_of(path), kind, "{path}");
    }
    assert!(Diff::read("-// old words\n+// new words\n+\n").is_cosmetic());
    assert!(Diff::read("-a = 1\n-b = 2\n+b = 2\n+a = 1").is_cosmetic(), "another order");
    assert!(!Diff::read("-a = 1\n+a = 2").is_cosmetic());
    let moved = Diff::read(
        "-\tout, err := s.get(ctx, key)\n-\treturn out.body\n+\treturn s.fetch(ctx, key)\n+}\n+func fetch(ctx, key) {\n+\tout, err := s.get(ctx, key)\n+\treturn out.body",
    );
    assert!(moved.kept_share() > 0.99, "{}", moved.kept_share());
    assert!(Diff::read("-log.Info(\"a\")\n+log.Info(\"b\", id)").added.iter().all(|line| line.is_report));
    assert!(Diff::read("+item := a.catalog.Get(ctx)").added.iter().all(|line| !line.is_report), "catalog. is no log.");
}

#[test]
fn deeds_are_read_from_diffs_of_several_languages() {
    for (diff, deed) in [
        ("-  timeout: 30s\n+  timeout: 2s", Deed::LessTime),
        ("-  max_connections = 80\n+  max_connections = 8", Deed::LessRoom),
        ("-  SELECT a FROM t LIMIT 50\n+  SELECT a FROM t", Deed::Unbounded),
        (
            "-  const all = await api.list(ids);\n+  for (const id of ids) {\n+    all.push(await api.get(id));\n+  }",
            Deed::CallsMultiplied,
        ),
        (
            "-\tfor _, part := range chunk(items, 25) {\n-\t\tdb.BatchWrite(ctx, part)\n+\tfor _, it := range items {\n+\t\tdb.Put(ctx, it)",
            Deed::BatchOrCacheDropped,
        ),
        ("-  registerDefaults(registry);", Deed::StepDropped),
        ("-\tif user.Profile == nil {\n-\t\treturn fallback\n-\t}", Deed::GuardDropped),
        ("+    rows = session.execute(\"SELECT id FROM favourites\")", Deed::NewStore),
        ("-  level: info\n+  level: debug", Deed::MoreTold),
        ("-  maxAttempts = 2\n+  maxAttempts = 10", Deed::MoreRetries),
        ("-  host: a.db\n+  host: b.db", Deed::Address),
        ("-  signing-key: vault:kv/a\n+  signing-key: vault:kv/b", Deed::Access),
        ("-  try (Connection c = ds.get()) {\n+  Connection c = ds.get();", Deed::Leak),
        ("+DROP INDEX idx_passenger;", Deed::Schema),
    ] {
        let found: Vec<Deed> = deeds(&Diff::read(diff)).into_iter().map(|(deed, _)| deed).collect();
        assert!(found.contains(&deed), "{deed:?} in {found:?} of {diff}");
    }
}

#[test]
fn complaints_are_read_from_words() {
    assert!(complaints("context deadline exceeded").contains(&Complaint::TimeOut));
    assert!(complaints("pool exhausted").contains(&Complaint::NoRoom));
    assert_eq!(complaints(""), []);
}

/// An incident: samples every minute for 100 minutes, the page at minute 90; times are minutes from the page.
struct Told {
    case: Case,
}

const PAGE: f64 = 1_000_000.0;

impl Told {
    fn new(services: &[&str], calls: &[(&str, &str)], paged: &str, summary: &str) -> Self {
        let mut case = Case::default();
        services.iter().for_each(|name| {
            case.node(name);
        });
        case.service_count = case.nodes.len();
        case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
        case.calls = calls.iter().map(|(one, other)| (case.find(one).unwrap(), case.find(other).unwrap())).collect();
        case.detected_at = PAGE;
        case.incident = Span { start: PAGE - 900.0, end: PAGE + 300.0 };
        case.baseline = Some(Span { start: PAGE - 5_400.0, end: PAGE - 1_800.0 });
        case.symptom = Some(Symptom { node: case.find(paged), metric: None, text: summary.to_owned() });
        case.now.metrics =
            MetricTable { ts: (-90..=5).map(|minute| PAGE + f64::from(minute) * 60.0).collect(), columns: Vec::new() };
        Self { case }
    }

    fn metric(mut self, service: &str, metric: &str, from: f64, at: f64, to: f64) -> Self {
        let node = self.case.find(service).unwrap();
        let wobble = |row: usize| 1.0 + 0.02 * ((row * 7 % 11) as f64 - 5.0) / 5.0;
        let value = |(row, ts): (usize, &f64)| wobble(row) * if *ts >= PAGE + at * 60.0 { to } else { from };
        let values = self.case.now.metrics.ts.iter().enumerate().map(value).collect();
        self.case.now.metrics.columns.push(Column { node, instance: None, metric: metric.to_owned(), values });
        self
    }

    fn log(mut self, service: &str, level: &str, at: f64, count: usize, body: impl Fn(usize) -> String) -> Self {
        let node = self.case.find(service).unwrap();
        for nth in 0..count {
            let ts = PAGE + at * 60.0 + nth as f64;
            let row = LogRow {
                ts,
                node,
                instance: None,
                level: level.to_owned(),
                trace: 0,
                span: 0,
                body: body(nth),
                attrs: String::new(),
                template: 0,
            };
            self.case.now.logs.push(row);
        }
        self.case.now.logs.sort_by(|a, b| a.ts.total_cmp(&b.ts));
        fixtures::mine(&mut self.case);
        self
    }

    /// `what`: title, file, diff.
    fn change(mut self, kind: CaseChangeKind, id: &str, at: f64, service: Option<&str>, what: [&str; 3]) -> Self {
        let [title, file, diff] = what;
        let node = service.and_then(|name| self.case.find(name));
        let files = if file.is_empty() { Vec::new() } else { vec![file.to_owned()] };
        let change = CaseChange {
            id: id.to_owned(),
            kind,
            ts: PAGE + at * 60.0,
            node,
            author: None,
            title: title.to_owned(),
            files,
            diff: diff.to_owned(),
            commit: None,
        };
        self.case.changes.push(change);
        self.case.changes.sort_by(|a, b| a.ts.total_cmp(&b.ts));
        self
    }

    /// A commit and its roll-out two minutes later.
    fn commit(self, id: &str, at: f64, service: &str, file: &str, title: &str, diff: &str) -> Self {
        let mut told = self.change(CaseChangeKind::Commit, id, at, None, [title, file, diff]).change(
            CaseChangeKind::Deploy,
            &format!("deploy-{id}"),
            at + 2.0,
            Some(service),
            ["deploy", "", ""],
        );
        told.case
            .changes
            .iter_mut()
            .filter(|change| change.id == format!("deploy-{id}"))
            .for_each(|change| change.commit = Some(id.to_owned()));
        told
    }

    /// What every repository has: text, tests, looks.
    fn noise(self) -> Self {
        self.change(CaseChangeKind::Commit, "docs", -80.0, None, ["docs: onboarding", "docs/a.md", "+ text"])
            .change(CaseChangeKind::Commit, "test", -60.0, None, ["test: more cases", "pkg/a_test.go", "+ assert(1)"])
            .change(
                CaseChangeKind::Commit,
                "style",
                -40.0,
                None,
                ["style: darker", "web/a.css", "-color: #222;\n+color: #333;"],
            )
            .change(
                CaseChangeKind::Commit,
                "info",
                -30.0,
                None,
                ["feat: build info", "common/info.go", "+func Info(w Writer) {\n+\tw.Write(info)\n+}"],
            )
    }

    fn tidied(self, id: &str, at: f64, service: &str) -> Self {
        let diff = "-  Result r = svc.run(input);\n-  return Response.ok(r);\n+  return Response.ok(runInput(input));\n+  }\n+  private Result runInput(Input input) {\n+  Result r = svc.run(input);\n+  return r;";
        self.commit(id, at, service, &format!("{service}/Controller.java"), &format!("refactor: tidy {service}"), diff)
    }

    fn changes(&self) -> Changes {
        let logs = Logs::new(&self.case);
        let traces = Traces::new(&self.case, &logs);
        Changes::new(&self.case, &Graph::new(&self.case), &logs, &traces)
    }

    fn first(&self) -> String {
        self.changes().suspects.first().map_or(String::new(), |suspect| suspect.id.clone())
    }
}

fn farm(paged: &str, summary: &str) -> Told {
    Told::new(
        &["gate", "herd", "barn", "feed"],
        &[("gate", "herd"), ("herd", "barn"), ("herd", "feed")],
        paged,
        summary,
    )
    .noise()
}

#[test]
fn the_change_that_does_what_is_complained_of_is_first_whatever_came_later() {
    let threads = farm("barn", "barn executor backs up")
        .metric("barn", "executor_queue_depth", 3.0, -4.0, 2_100.0)
        .log("barn", "ERROR", -3.0, 20, |_| "task rejected: pool size = 8, active threads = 8".to_owned())
        .commit(
            "guilty",
            -8.0,
            "barn",
            "common/Executors.java",
            "chore: align executors",
            "-  int THREADS = 64;\n+  int THREADS = 8;",
        )
        .tidied("later", -5.5, "barn")
        .tidied("other", -20.0, "herd");
    assert_eq!(threads.first(), "guilty");
    let address = farm("herd", "herd cannot reach its store")
        .metric("herd", "error_ratio", 0.002, -2.0, 0.9)
        .log("herd", "ERROR", -2.0, 20, |_| "could not connect: lookup cows-main.db.internal: no such host".to_owned())
        .commit(
            "guilty",
            -5.0,
            "herd",
            "charts/herd/values.yaml",
            "chore: rename store",
            "-  host: cow-main.db.internal\n+  host: cows-main.db.internal",
        )
        .tidied("later", -4.2, "barn");
    assert_eq!(address.first(), "guilty");
    let old = farm("feed", "feed is slow")
        .metric("feed", "db_rows_read", 50.0, -60.0, 900_000.0)
        .metric("feed", "latency_ms", 40.0, -5.0, 900.0)
        .log("feed", "WARN", -5.0, 20, |_| "slow query: SELECT kind FROM rations ORDER BY day took 900 ms".to_owned())
        .commit(
            "guilty",
            -62.5,
            "feed",
            "feed/query.go",
            "feat: all rations",
            "-  `SELECT kind FROM rations ORDER BY day LIMIT 20`\n+  `SELECT kind FROM rations ORDER BY day`",
        )
        .tidied("later", -7.0, "feed");
    assert_eq!(old.first(), "guilty", "{:?}", old.changes().suspects.iter().take(3).collect::<Vec<_>>());
}

#[test]
fn none_is_first_where_the_trouble_is_elsewhere() {
    let provider = farm("feed", "feed cannot order")
        .metric("feed", "order_failure_ratio", 0.003, -3.0, 0.8)
        .log("feed", "ERROR", -3.0, 20, |nth| {
            format!("POST https://orders.hayworld.com/v2 returned 503 Service Unavailable (attempt {nth})")
        })
        .commit(
            "decoy",
            -8.0,
            "feed",
            "feed/client.py",
            "chore: raise order timeout",
            "-    timeout=3,\n+    timeout=6,",
        );
    assert_eq!(provider.first(), "none");
    let poison = farm("barn", "barn is stuck")
        .metric("barn", "lag_seconds", 2.0, -3.0, 900.0)
        .log("barn", "ERROR", -3.0, 30, |_| {
            "cannot parse message id=msg-20931187342 offset=77120933: unexpected end; will redeliver".to_owned()
        })
        .tidied("decoy", -5.0, "barn");
    assert_eq!(poison.first(), "none");
    let expired = farm("herd", "herd cannot call barn")
        .metric("herd", "failure_ratio", 0.002, -2.0, 0.99)
        .log("herd", "ERROR", -2.0, 20, |_| "handshake failed: certificate has expired".to_owned())
        .commit(
            "decoy",
            -6.0,
            "herd",
            "herd/Tls.java",
            "chore: prefer TLS 1.3",
            "-  protocols(\"TLSv1.2\");\n+  protocols(\"TLSv1.3\", \"TLSv1.2\");",
        );
    assert_eq!(expired.first(), "none");
}

#[test]
fn a_change_after_the_first_signs_or_never_rolled_out_is_not_blamed() {
    let diff = "-  pool_size = 50\n+  pool_size = 5";
    let base = || {
        farm("herd", "herd pool exhausted").metric("herd", "pool_wait_ms", 1.0, -20.0, 900.0).log(
            "herd",
            "ERROR",
            -20.0,
            20,
            |_| "pool exhausted".to_owned(),
        )
    };
    let before = base().commit("pool", -23.0, "herd", "herd/pool.toml", "chore: pool", diff);
    assert_eq!(before.first(), "pool");
    let after = base().commit("pool", -12.0, "herd", "herd/pool.toml", "chore: pool", diff);
    assert_eq!(after.first(), "none", "{:?}", after.changes().suspects.first());
    let weight =
        |told: &Told| told.changes().suspects.iter().find(|one| one.id == "pool").map(|one| one.weight).unwrap();
    let idle = base().tidied("other", -30.0, "barn").change(
        CaseChangeKind::Commit,
        "pool",
        -23.0,
        None,
        ["chore: pool", "herd/pool.toml", diff],
    );
    assert!(weight(&idle) < weight(&before) - 1.0, "no roll-out carries it");
}

#[test]
fn signs_are_steps_and_ramps_but_no_running_clock() {
    let told = farm("herd", "x").metric("herd", "a_step", 5.0, -10.0, 50.0).metric("barn", "steady", 7.0, 0.0, 7.0);
    let mut case = told.case;
    let node = case.find("gate").unwrap();
    let clock = (0..case.now.metrics.ts.len()).map(|row| 9_000.0 - 60.0 * row as f64).collect();
    case.now.metrics.columns.push(Column { node, instance: None, metric: "seconds_left".to_owned(), values: clock });
    let nothing = vec![f64::NAN; case.now.metrics.ts.len()];
    case.now.metrics.columns.push(Column { node, instance: None, metric: "gone".to_owned(), values: nothing });
    let found = signs::signs(&case, &Logs::new(&case));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((found[0].at - (PAGE - 600.0)).abs() < 61.0);
}

#[test]
fn one_record_many_times_is_told_from_many_records() {
    let lines = |body: &dyn Fn(usize) -> String| {
        let told = farm("barn", "x").log("barn", "ERROR", -3.0, 10, body);
        let logs = Logs::new(&told.case);
        outside::cues(&told.case, &outside::loud(&told.case, &logs), &[]).len()
    };
    assert_eq!(lines(&|_| "invalid record id=rec-99120731".to_owned()), 1);
    assert_eq!(lines(&|nth| format!("invalid record id=rec-{}", 99_120_731 + nth)), 0);
}

#[test]
fn odd_input_is_no_trouble() {
    let odd = farm("gate", "")
        .change(CaseChangeKind::Other, "", f64::NAN, None, ["", "", "@@\n-\n+\n\u{fffd}\u{0}-+\"'"])
        .change(CaseChangeKind::Flag, "flag", 1e9, Some("gate"), ["x off->on", "", ""])
        .log("gate", "ERROR", -1.0, 3, |_| "\"'[({=:".repeat(10_000));
    assert!(odd.changes().suspects.iter().all(|one| one.weight.is_finite() && one.share.is_finite()));
    assert_eq!(
        Changes::new(&Case::default(), &Graph::default(), &Logs::default(), &Traces::default()),
        Changes::default()
    );
}
