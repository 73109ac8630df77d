//! The roles: everything on the screen that may look different from plain text.

/// Declares the roles with their dotted names once, so that code and theme files cannot drift apart.
macro_rules! roles {
    ($($role:ident = $name:literal,)*) => {
        /// What a piece of the screen means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role {
            $(#[doc = concat!("`", $name, "` in a theme file.")] $role,)*
        }

        impl Role {
            /// Every role, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$role,)*];

            /// Its dotted name in a theme file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$role => $name,)*
                }
            }
        }
    };
}

roles! {
    Text = "text",
    TextMuted = "text.muted",
    TextStrong = "text.strong",
    TextProblem = "text.problem",
    TextStale = "text.stale",
    Severity = "severity",
    SeverityInfo = "severity.info",
    SeverityWarning = "severity.warning",
    SeverityCritical = "severity.critical",
    SeveritySev1 = "severity.sev1",
    SeveritySev2 = "severity.sev2",
    SeveritySev3 = "severity.sev3",
    SeveritySev4 = "severity.sev4",
    SeverityOk = "severity.ok",
    Status = "status",
    StatusName = "status.name",
    StatusMode = "status.mode",
    StatusProblem = "status.problem",
    Tab = "tab",
    TabActive = "tab.active",
    Pane = "pane",
    PaneBorder = "pane.border",
    PaneTitle = "pane.title",
    PaneHeading = "pane.heading",
    Selection = "selection",
    SelectionMarker = "selection.marker",
    SelectionRow = "selection.row",
    Table = "table",
    TableHeader = "table.header",
    Chart = "chart",
    ChartValue = "chart.value",
    ChartBand = "chart.band",
    ChartOutside = "chart.outside",
    Bar = "bar",
    BarFilled = "bar.filled",
    Gate = "gate",
    GateAllow = "gate.allow",
    GateAsk = "gate.ask",
    GateDeny = "gate.deny",
    Step = "step",
    StepCurrent = "step.current",
    StepDone = "step.done",
    StepFailed = "step.failed",
    Timeline = "timeline",
    TimelineChange = "timeline.change",
    TimelineAnomaly = "timeline.anomaly",
    TimelineAlert = "timeline.alert",
    TimelineImpact = "timeline.impact",
    TimelineHypothesis = "timeline.hypothesis",
    TimelineState = "timeline.state",
    TimelineStep = "timeline.step",
    TimelineNote = "timeline.note",
    TimelineRecovery = "timeline.recovery",
    Chain = "chain",
    ChainCause = "chain.cause",
    Code = "code",
    CodeCommand = "code.command",
    CodeOption = "code.option",
    CodeString = "code.string",
    CodeNumber = "code.number",
    CodeComment = "code.comment",
    Diff = "diff",
    DiffAdded = "diff.added",
    DiffRemoved = "diff.removed",
    Evidence = "evidence",
    EvidenceFor = "evidence.for",
    EvidenceAgainst = "evidence.against",
    Key = "key",
    KeyAct = "key.act",
    Notice = "notice",
    NoticeProblem = "notice.problem",
    Input = "input",
    InputMatch = "input.match",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_its_own_index() {
        for (index, role) in Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, index, "{}", role.name());
        }
    }
}
