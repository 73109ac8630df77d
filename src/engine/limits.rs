//! Every bound of the engine on one page, with its unit in its name. What is cut off by one of them is counted and shown.

/// Between two ticks.
pub const TICK_MS: i64 = 1_000;
/// Inputs waiting for the engine. Pulling sources wait when it is full; receivers answer 503.
pub const INPUT_QUEUE_MAX: usize = 4_096;
/// Requests waiting for the engine.
pub const REQUEST_QUEUE_MAX: usize = 64;
/// Series of one source at once.
pub const SERIES_PER_SOURCE_MAX: usize = 2_000_000;
/// Samples in one batch handed to the engine.
pub const BATCH_SAMPLES_MAX: usize = 20_000;
/// A metric or label name.
pub const LABEL_NAME_BYTES_MAX: usize = 1_024;
/// A label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 4_096;
/// Labels of one series or alert.
pub const LABELS_MAX: usize = 64;
/// One log line; the rest is cut off and marked.
pub const LOG_LINE_BYTES_MAX: usize = 8_192;
/// Log templates kept; the least used make room.
pub const LOG_TEMPLATES_MAX: usize = 10_000;
/// Body of a webhook.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 1_048_576;
/// Time to read a webhook's request.
pub const WEBHOOK_READ_MS_MAX: u64 = 10_000;
/// Body of one answer from a metrics or alert server.
pub const ANSWER_BYTES_MAX: usize = 134_217_728;
/// Further ahead of our clock than this a stamp is set aside.
pub const FUTURE_STAMP_MS_MAX: i64 = 300_000;
/// Changes older than this before an incident are no suspects.
pub const CHANGE_REACH_MS: i64 = 4 * 3_600_000;
/// A notice may be stamped this much after what it caused: clocks of two machines differ.
pub const CLOCK_SKEW_MS: i64 = 5_000;
/// A symptom on a service of a live incident belongs to it for this long after the service's last onset.
pub const SAME_PLACE_REACH_MS: i64 = 2 * 3_600_000;
/// A forecast opens an incident when the resource runs out within this time.
pub const FORECAST_OPENS_MS: i64 = 2 * 3_600_000;
/// Changes kept as suspects of one incident, the nearest in time first.
pub const SUSPECT_CHANGES_MAX: usize = 100;
/// An alert told as firing again without a new start is believed this long after its resolution; before, it is a late word.
pub const ALERT_LATE_MS: i64 = 60_000;
/// Changes of an alert's state within `FLAPPING_WINDOW_MS` from which it is flapping.
pub const FLAPPING_CHANGES_MIN: usize = 5;
/// See `FLAPPING_CHANGES_MIN`.
pub const FLAPPING_WINDOW_MS: i64 = 600_000;
/// Lines of a step's output that are kept: half from the start, half from the end.
pub const STEP_OUTPUT_LINES_MAX: usize = 2_000;
/// Bytes of one line of a step's output.
pub const STEP_OUTPUT_LINE_BYTES_MAX: usize = 4_096;
/// Anomalies that are over and still in the picture.
pub const ENDED_ANOMALIES_MAX: usize = 500;
/// Incidents that are over and still in the picture.
pub const ENDED_INCIDENTS_MAX: usize = 200;
/// Active anomalies kept at once; past it the mildest are only counted.
pub const ACTIVE_ANOMALIES_MAX: usize = 50_000;
/// Alerts kept at once.
pub const ALERTS_MAX: usize = 200_000;
/// Audit entries in the picture.
pub const AUDIT_IN_SNAPSHOT_MAX: usize = 1_000;
/// Changes in the picture.
pub const CHANGES_IN_SNAPSHOT_MAX: usize = 1_000;
/// Lines of an incident's timeline; past it only the worst of a kind are added.
pub const TIMELINE_ENTRIES_MAX: usize = 2_000;
/// Calls followed along the topology.
pub const TOPOLOGY_HOPS_MAX: usize = 8;
/// A key that acts is inert for this long after what it acts on has changed.
pub const ACT_KEY_INERT_MS: i64 = 400;
/// An approval is good for this long.
pub const APPROVAL_MS_MAX: i64 = 600_000;
/// Who drives a run has this long to answer somebody who asked for its wheel; then it passes on.
pub const WHEEL_ANSWER_MS: i64 = 60_000;
/// Warnings kept of a source's last answer.
pub const WARNINGS_MAX: usize = 8;
/// One warning or reason of a source.
pub const WARNING_BYTES_MAX: usize = 1_024;
/// Acts begun for one incident, over all its runs.
pub const ACTS_PER_INCIDENT_MAX: usize = 8;
/// Reports of running steps waiting for the engine; a runner waits when it is full, so no outcome is lost.
pub const STEP_REPORT_QUEUE_MAX: usize = 256;
/// Between asking a running command to end and ending it.
pub const STEP_STOP_GRACE_MS: u64 = 2_000;
/// A step whose end was not told this long after its timeout is unknown.
pub const STEP_OVERDUE_MS: i64 = 60_000;
/// What an act has left over, here or on another machine, has ended this long after its time: that began with its line, and who is told
/// to end has ten seconds for it.
pub const LEFT_OVER_ENDS_MS: i64 = 30_000;
/// A verify step looks only at instances heard of within this time of the newest one; a precheck, a check and what is to
/// hold look only at readings of no greater age.
pub const VERIFY_FRESH_MS: i64 = 120_000;
/// Between two looks at the kill file.
pub const KILL_LOOK_MS: u64 = 100;
/// Bytes of a followed file that are read at once.
pub const TAIL_READ_BYTES_MAX: usize = 262_144;
/// One line of a followed file; the rest of it is skipped and counted.
pub const TAIL_LINE_BYTES_MAX: usize = 1_048_576;
/// Between two looks at a followed file.
pub const TAIL_POLL_MS: u64 = 250;
/// Nesting of a webhook's JSON.
pub const WEBHOOK_DEPTH_MAX: usize = 64;
/// Connections to the receiver at once.
pub const WEBHOOK_CONNECTIONS_MAX: usize = 128;
/// Deliveries remembered, so that each is taken once.
pub const WEBHOOK_DELIVERIES_MAX: usize = 8_192;
/// A webhook waits this long for room in the engine's queue before it is refused.
pub const WEBHOOK_QUEUE_WAIT_MS_MAX: u64 = 2_000;
/// Series whose learning is written in one tick.
pub const SERIES_KEPT_PER_TICK_MAX: usize = 500;
/// Services whose relations are written in one tick; each has tens of kilobytes.
pub const RELATIONS_KEPT_PER_TICK_MAX: usize = 8;
/// Lists of jobs waiting to be done; no signals are taken while the disk is that far behind.
pub const JOB_QUEUE_MAX: usize = 1_024;
/// A source that failed inside is started again after this long.
pub const SOURCE_RESTART_MS: u64 = 10_000;
/// The engine, told to end, takes what its sources still hand in for at most this long.
pub const STOP_DRAIN_MS_MAX: u64 = 2_000;
/// A single alert below critical with nothing beside it is worth an incident from this long on.
pub const LONE_ALERT_MS: i64 = 3_600_000;
/// In an incident's timeline, suspects that nobody blames are told from this long before its start on; the others are
/// among its changes.
pub const TIMELINE_CHANGE_MS: i64 = 1_800_000;
/// Rotated files that are read at a start; the newest of more.
pub const ROTATED_FILES_MAX: usize = 32;
/// Files of a folder among which rotated ones are looked for.
pub const TAIL_FOLDER_ENTRIES_MAX: usize = 10_000;
/// A series silent for this long, while others of the same metric and service go on, leaves memory and store.
pub const SERIES_RETIRED_MS: i64 = 24 * 3_600_000;
/// The same for one without others beside it: a weekly job keeps what was learnt of it.
pub const SERIES_RETIRED_ALONE_MS: i64 = 8 * 24 * 3_600_000;
/// Retired series whose names are remembered, so that one that returns unannounced is known.
pub const RETIRED_SERIES_MAX: usize = 100_000;
/// A second failure leaves an incident once both the incident and the second's newest onset are this old: the order in
/// which the first symptoms are seen says little.
pub const SPLIT_SETTLE_MS: i64 = 60_000;
/// Incidents of which it is remembered what came before them; the oldest of more are forgotten.
pub const FAILURE_SIGNATURES_MAX: usize = 500;
/// Signs of the last two hours; the oldest of more are forgotten.
pub const RECENT_SIGNS_MAX: usize = 4_096;
/// Kinds of signs of which it is counted how often they are seen; the rarest of more are forgotten.
pub const SIGN_KINDS_MAX: usize = 5_000;
/// Between two looks for signs of past incidents.
pub const PRECURSORS_LOOK_MS: i64 = 15_000;
/// Incidents with a confirmed cause from which kinds are learnt; the oldest of more are forgotten.
pub const CONFIRMED_INCIDENTS_MAX: usize = 200;
/// Files of a change that are kept.
pub const CHANGE_FILES_MAX: usize = 200;
/// Bytes of a change's diff that are kept; what a change does is in its first lines, and thousands of changes are kept.
pub const CHANGE_DIFF_BYTES_MAX: usize = 16 * 1_024;
/// Pairs of services of which it is remembered that operators joined or parted their failures.
pub const AFFINITIES_MAX: usize = 2_000;
/// Operators' verdicts on named causes from which confidences are learnt; the oldest of more are forgotten.
pub const CAUSE_VERDICTS_MAX: usize = 500;
/// Services whose metrics are held against one another; those heard of first.
pub const RELATION_SERVICES_MAX: usize = 500;
/// Metrics of one service among them.
pub const RELATION_METRICS_MAX: usize = 24;
/// Instances that a metric's mean is taken over.
pub const RELATION_INSTANCES_MAX: usize = 32;
/// Alert names and metrics, each at its place, of which it is learnt whether they matter; of more nothing is learnt.
pub const SUPPRESSION_TOPICS_MAX: usize = 20_000;
/// Learnt rules that the picture carries; those in force first, then those tried most.
pub const SUPPRESSION_RULES_SHOWN_MAX: usize = 200;
/// Siblings of a new series that are looked at for what it can borrow.
pub const SIBLINGS_LOOKED_AT_MAX: usize = 32;
/// Services, pods, nodes, zones and things alerts say, each, that grouping tells apart; what is new beyond is heard as from
/// nowhere in particular, and counted.
pub const GROUPING_NAMES_MAX: usize = 100_000;
/// Deliveries to systems outside that wait at once; past it notifications make room, and what makes room is counted.
pub const DELIVERIES_WAITING_MAX: usize = 1_000;
/// Deliveries that are over and still kept, so that nothing is told twice.
pub const DELIVERIES_OVER_MAX: usize = 500;
/// Deliveries of each sort in the picture.
pub const DELIVERIES_IN_SNAPSHOT_MAX: usize = 50;
/// Tries of a notification before it is given up: not quite two hours.
pub const NOTIFICATION_TRIES_MAX: u32 = 16;
/// Tries of a change record before it is given up: about a day.
pub const CHANGE_RECORD_TRIES_MAX: u32 = 100;
/// The first pause after a delivery failed.
pub const DELIVERY_PAUSE_MS_MIN: i64 = 1_000;
/// The longest pause after a delivery failed, before jitter.
pub const DELIVERY_PAUSE_MS_MAX: i64 = 900_000;
/// The other side's own `Retry-After` is obeyed up to this.
pub const DELIVERY_RETRY_AFTER_MS_MAX: i64 = 3_600_000;
/// A delivery of which nothing was heard for this long is taken for failed.
pub const DELIVERY_OVERDUE_MS: i64 = 300_000;
/// The title of what is told outside.
pub const DELIVERY_TITLE_BYTES_MAX: usize = 512;
/// The text of what is told outside.
pub const DELIVERY_TEXT_BYTES_MAX: usize = 16_384;
/// Lines of the text of what is told outside.
pub const DELIVERY_TEXT_LINES_MAX: usize = 400;
/// Body of an answer to a delivery.
pub const DELIVERY_ANSWER_BYTES_MAX: usize = 1_048_576;
/// Reports of deliveries waiting for the engine.
pub const DELIVERY_REPORT_QUEUE_MAX: usize = 64;
/// What became of a run is told outside when it is seen within this time of its end.
pub const RUN_NEWS_MS_MAX: i64 = 600_000;
/// After a try that may have arrived the next one waits at least this long: what arrived can be found by then.
pub const DELIVERY_SETTLE_MS: i64 = 15_000;
/// Bytes of a document about an incident.
pub const DOCUMENT_BYTES_MAX: usize = 131_072;
/// Lines of it.
pub const DOCUMENT_LINES_MAX: usize = 4_000;
/// Bytes of a step's output that are kept from its start, and as many from its end.
pub const STEP_OUTPUT_BYTES_MAX: usize = 65_536;
/// Bytes of what a cluster tells of the owners of an object.
pub const OWNERS_ANSWER_BYTES_MAX: u64 = 16_777_216;
/// Longest wait for one answer about owners.
pub const OWNERS_LOOK_MS_MAX: u64 = 15_000;

/// How often the folders with runbooks of one's own are looked at, in milliseconds.
pub const RUNBOOK_LOOK_MS: u64 = 2_000;

/// A description or name in an advisory.
pub const ADVISORY_TEXT_BYTES_MAX: usize = 400;
/// One document of a feed of vulnerabilities, unpacked.
pub const FEED_BYTES_MAX: usize = 1_073_741_824;
/// Longest wait for the document of a feed.
pub const FEED_MS_MAX: i64 = 600_000;
/// Tries of one request to a feed.
pub const FEED_TRIES_MAX: u32 = 5;
/// The first pause after a request to a feed failed; each one after it is twice as long.
pub const FEED_PAUSE_MS_MIN: u64 = 6_000;
/// The other side's own `Retry-After` is obeyed up to this.
pub const FEED_RETRY_AFTER_MS_MAX: u64 = 600_000;
/// Patches in the picture, the most urgent first; the others are counted.
pub const PATCHES_IN_PICTURE_MAX: usize = 500;
/// Groups of a sort in the picture of the patches, the most urgent first; the others are counted.
pub const PATCH_GROUPS_IN_PICTURE_MAX: usize = 500;
/// Assets listed with a patch; all of them are counted.
pub const PATCH_ASSETS_TOLD_MAX: usize = 12;
/// Vulnerabilities listed with a patch; all of them are counted.
pub const PATCH_ADVISORIES_TOLD_MAX: usize = 12;
/// Services listed with a patch.
pub const PATCH_SERVICES_TOLD_MAX: usize = 50;
/// Patches listed with a group; all of them are counted.
pub const PATCHES_OF_GROUP_MAX: usize = 12;
/// Assets listed that run something else than what is installed, and reasons for what could not be checked.
pub const PATCH_ASIDES_MAX: usize = 50;
/// How often the files with feeds and inventory are looked at, in milliseconds.
pub const PATCH_LOOK_MS: u64 = 500;
/// Shortest pause between two such looks that read them.
pub const PATCH_PAUSE_MS_MIN: u64 = 1_000;
/// After so long the queue is made again though no file changed: patches grow old and feeds stale.
pub const PATCH_AGAIN_MS: i64 = 3_600_000;
/// Pauses between two looks at feeds and inventory are at least this many times as long as the look before.
pub const PATCH_WORK_SHARE: u32 = 10;
/// How often the clock is looked at for feeds and scans that are due, in milliseconds.
pub const PATCH_ROUND_LOOK_MS: u64 = 5_000;
/// The first pause after a feed was not renewed or a scan failed; each one after it is twice as long, up to the interval.
pub const PATCH_ROUND_PAUSE_MS_MIN: u64 = 120_000;
/// Rollouts that are over and stay within reach.
pub const ENDED_ROLLOUTS_MAX: usize = 200;
/// Days of maintenance windows and freezes that are shown ahead.
pub const AGENDA_DAYS: u32 = 14;
/// Exceptions from patches that are over and still in the picture, the newest of them.
pub const ENDED_EXCEPTIONS_MAX: usize = 100;
/// Matches that went and are still kept for reports, the newest of them: a few megabytes.
pub const MENDED_MAX: usize = 50_000;

/// Between two gatherings of the latest values for questions, in milliseconds.
pub const VITALS_EVERY_MS: i64 = 10_000;
/// Series beyond which the latest values are not gathered: a picture would be too large to be written every few seconds.
pub const VITAL_SERIES_MAX: usize = 20_000;

/// Questions that wait for their answer.
pub const INQUIRY_QUEUE_MAX: usize = 64;

/// Pieces of an answer that wait to be read.
pub const TELLING_QUEUE_MAX: usize = 256;

/// Metrics of services whose values of other times are kept; those heard of first. Each takes 13 KB of memory once its slots are full, so
/// that all of them stay below 80 MB; how many more there are is told in answers.
pub const PAST_METRICS_MAX: usize = 5_000;
/// What was measured is kept within this time, in milliseconds: what a crash may lose of it.
pub const PAST_KEPT_WITHIN_MS: i64 = 600_000;
/// Between two pictures of what was measured at other times, in milliseconds.
pub const PAST_EVERY_MS: i64 = 10_000;

/// The first line each way between a console and the engine, with its end. It never changes: every version reads it.
pub const HELLO_BYTES_MAX: usize = 512;
/// The body of a message from a console to the engine: a document is the longest that is sent.
pub const FRAME_IN_BYTES_MAX: usize = 1_048_576;
/// The body of a message from the engine to a console: a whole picture is the longest that is sent.
pub const FRAME_OUT_BYTES_MAX: usize = 268_435_456;
/// Things of one sort in a picture that comes from an engine; no engine keeps as many.
pub const PICTURE_ITEMS_MAX: usize = 1_000_000;

/// Consoles on one engine.
pub const CONSOLES_MAX: usize = 64;
/// Connections of the user that the engine runs as that are open at the same time; as many of all others.
pub const CONNECTIONS_MAX: usize = 2 * CONSOLES_MAX;
/// Characters of the name of a pane that a console says it shows.
pub const PANE_NAME_CHARS_MAX: usize = 16;
/// Requests of one console that wait for their answer.
pub const REQUESTS_PER_CONSOLE_MAX: usize = 16;
/// Questions of one console that wait for their answer.
pub const INQUIRIES_PER_CONSOLE_MAX: usize = 4;
/// A connection says what it wants within this time, in milliseconds.
pub const HELLO_MS_MAX: u64 = 2_000;
/// The system is waited for so long, in milliseconds, to say who somebody is: less than a console waits for the engine's first word.
pub const NAMES_MS_MAX: u64 = 3_000;
/// What the system said of somebody is not asked for again for so long, in milliseconds.
pub const NAMES_FRESH_MS: u64 = 60_000;
/// People whose names are remembered.
pub const NAMES_MAX: usize = 1_000;
/// People whom the system is asked about at the same time.
pub const NAMES_ASKED_MAX: usize = 16;
/// A console says that it is there every five seconds; one that says nothing for so long, in milliseconds, is let go of, and its
/// person counts as gone.
pub const CONSOLE_SILENT_MS_MAX: u64 = 30_000;
/// A console that takes nothing for so long, in milliseconds, is let go of.
pub const WRITE_STALL_MS_MAX: u64 = 20_000;
/// Pieces that wait to be written to one console: from then on it is not heard until it has read some.
pub const WAITING_FOR_CONSOLE_MAX: usize = 64;
/// Between two words of one console on what it shows, in milliseconds: of those that come sooner the newest counts.
pub const LOOKING_GAP_MS_MIN: u64 = 100;
/// The engine's thread makes a turn each second; one that has made none for so long, in milliseconds, is not said to be there.
pub const TURN_MS_MAX: u64 = 5_000;
/// Between two pictures to one console, in milliseconds.
pub const PICTURE_GAP_MS_MIN: u64 = 50;
